"""Readers see the state before or after; a crash leaves the state before; writers take turns."""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.warehouse.batch import Batch
from ideas_pipeline.warehouse.load import load as load_in
from ideas_pipeline.warehouse.scopes import live_ids
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.processes import run, started
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, batch, idea, label, live, load, load_batch, read
from ideas_pipeline_tests.warehouse.calls import call_reading

_KILLED_IN_MID_LOAD = """
import os, signal, sys
from ideas_pipeline.warehouse.batch import Batch
from ideas_pipeline.warehouse.load import load
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.processes import run, started
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, batch, idea

with Warehouse.open(sys.argv[1], COMMUNITY) as warehouse, warehouse.writing() as tx:
    load(tx, batch("ideas", [idea("2")], 2))
    os.kill(os.getpid(), signal.SIGKILL)
"""

_WRITES_MANY_TIMES = """
import sys
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.processes import run, started
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, batch, idea, load_batch, read

with Warehouse.open(sys.argv[1], COMMUNITY) as warehouse:
    for n in range(10):
        load_batch(warehouse, batch("ideas", [idea(f"{sys.argv[2]}-{n}")], 1, [read("c1", judged=False)]))
"""


def test_an_error_in_mid_load_leaves_the_state_before(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1")], on=1)
    changed = batch("ideas", [idea("1", title="New"), idea("2")], 2, embedded={"idea_labels": [label("1", "hot")]})
    with pytest.raises(KeyError, match="in mid-load"):
        _load_and_fail(warehouse, changed)
    assert live(warehouse, "ideas") == [("1",)]
    assert live(warehouse, "idea_labels") == []
    load_batch(warehouse, changed)  # nothing of the first attempt is in the way
    assert live(warehouse, "ideas") == [("1",), ("2",)]


def _load_and_fail(warehouse: Warehouse, changed: Batch) -> None:
    with warehouse.writing() as tx:
        load_in(tx, changed)
        raise KeyError("in mid-load")


def test_a_process_killed_in_mid_load_leaves_the_state_before(warehouse: Warehouse, warehouse_url: str) -> None:
    load(warehouse, "ideas", [idea("1")], on=1)
    killed = run([sys.executable, "-c", _KILLED_IN_MID_LOAD, warehouse_url])
    assert killed.returncode == -signal.SIGKILL
    assert live(warehouse, "ideas") == [("1",)]
    load(warehouse, "ideas", [idea("2")], on=2)
    assert live(warehouse, "ideas") == [("1",), ("2",)]


def test_a_reader_is_not_kept_waiting_and_sees_before_or_after(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", title="Old")], on=1)
    titles = sa.text("SELECT title FROM ideas ORDER BY id")
    with warehouse.writing() as writer:
        load_in(writer, batch("ideas", [idea("1", title="New"), idea("2", title="New")], 2))
        with warehouse.reading() as reader:
            assert reader.scalars(titles).all() == ["Old"]
        assert call_reading(warehouse, live_ids, "ideas") == {"1"}
    with warehouse.reading() as reader:
        assert reader.scalars(titles).all() == ["New", "New"]


def test_a_second_writer_waits_for_the_first(warehouse: Warehouse) -> None:
    with ThreadPoolExecutor(1) as pool:
        with warehouse.writing() as first:
            second = pool.submit(load, warehouse, "ideas", [idea("1", title="Second")], on=2)
            load_in(first, batch("ideas", [idea("1", title="First")], 1))
            assert not second.done()
        [count] = second.result().values()
    assert (count.inserted, count.updated) == (0, 1)


def test_writers_of_other_communities_do_not_wait(postgresql_url: str) -> None:
    with (
        Warehouse.open(postgresql_url, COMMUNITY) as ours,
        Warehouse.open(postgresql_url, "other") as others,
        ThreadPoolExecutor(1) as pool,
    ):
        with ours.writing() as writer:
            load_in(writer, batch("ideas", [idea("1", title="Ours")], 1))
            load(others, "ideas", [idea("1", title="Theirs")], on=1)
            changing = pool.submit(_change_tables, others)
            with pytest.raises(TimeoutError):
                changing.result(0.1)
        changing.result(10)
        with ours.reading() as reader:
            assert reader.scalars(sa.text("SELECT title FROM ideas ORDER BY title")).all() == ["Ours", "Theirs"]


def _change_tables(warehouse: Warehouse) -> None:
    with warehouse.changing_tables():
        pass


def test_marts_are_built_from_one_instant_and_no_writer_waits_for_that(postgresql_url: str) -> None:
    count = sa.text("SELECT count(*) FROM ideas")
    with Warehouse.open(postgresql_url, COMMUNITY) as warehouse, ThreadPoolExecutor(1) as pool:
        load(warehouse, "ideas", [idea("1")], on=1)
        with warehouse.building() as builder:
            assert builder.scalar(count) == 1
            load(warehouse, "ideas", [idea("2")], on=2)
            assert builder.scalar(count) == 1
            second = pool.submit(_counted_by_builder, warehouse, count)
            with pytest.raises(TimeoutError):
                second.result(0.1)
            load(warehouse, "ideas", [idea("3")], on=3)
        assert second.result(10) == 3, "it sees what was committed while it waited"
        with pytest.raises(KeyError), warehouse.building():
            raise KeyError
        assert _counted_by_builder(warehouse, count) == 3, "an error frees the locks"


def test_a_builder_that_is_cancelled_while_it_waits_leaves_no_lock(postgresql_url: str) -> None:
    cancel = (
        "SELECT pg_cancel_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with (
        Warehouse.open(postgresql_url, "other") as other,
        ThreadPoolExecutor(1) as pool,
        Warehouse.open(postgresql_url, COMMUNITY) as warehouse,
    ):
        with warehouse.building() as builder:
            waiting = pool.submit(_counted_by_builder, warehouse, sa.text("SELECT 1"))
            while not builder.scalar(sa.text(cancel)):
                pass
            with pytest.raises(WarehouseError):
                waiting.result(10)
        pool.submit(_change_tables, other).result(10)


def _counted_by_builder(warehouse: Warehouse, count: sa.TextClause) -> int:
    with warehouse.building() as builder:
        return int(builder.scalar(count))


def test_processes_that_open_and_write_at_the_same_time_all_succeed(warehouse_url: str) -> None:
    with ExitStack() as processes:
        writers = [
            processes.enter_context(started([sys.executable, "-c", _WRITES_MANY_TIMES, warehouse_url, name]))
            for name in ("a", "b", "c")
        ]
        assert [writer.wait() for writer in writers] == [0, 0, 0]
    with Warehouse.open(warehouse_url, COMMUNITY) as warehouse:
        assert len(live(warehouse, "ideas")) == 30


def test_threads_share_a_warehouse(warehouse: Warehouse) -> None:
    unproven = [read("c1", judged=False)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: load(warehouse, "ideas", [idea(str(n))], on=1, scopes=unproven), range(20)))
        assert set(pool.map(lambda _: len(live(warehouse, "ideas")), range(8))) == {20}
