"""Trouble during a sync ends in a sentence, and what was read stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import AuthenticationError, Unavailable
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.tables.bookkeeping import REJECTED_RECORDS, SYNC_RUNS
from ideas_pipeline.tables.community import COMMENTS, IDEAS
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream, sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

CONTRACT = contract_with({"limits": {"attempts": 2, "deadline": 10, "read_timeout": 1}})
PASSING = [
    Fault(kind="reset", times=3, every=7),
    Fault(kind="cut_short", times=3, every=11),
    Fault(kind="truncated_json", times=3, every=13),
    Fault(kind="status", status=503, retry_after="seconds", seconds=0, times=2, every=17),
    Fault(kind="status", status=429, retry_after="date", seconds=0, times=2, every=19),
    Fault(kind="html", times=1, every=23),
    Fault(kind="empty_body", times=1, every=29),
    Fault(kind="bom", times=3, every=5),
    Fault(kind="status", status=401, times=2, every=31),
]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(CONTRACT, generate("small", seed=3)) as running:
        yield running


def count(warehouse: Warehouse, table: sa.Table) -> int:
    with warehouse.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_trouble_that_passes_costs_retries_and_nothing_else(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    for fault in PASSING:
        simulator.faults.add(fault)
    result = sync(simulator, warehouse, tmp_path, contract=contract_with({"limits": {"attempts": 6}}))
    assert result.verdict == "complete"
    assert sum(s.counts.retries for s in result.streams) > 5
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_a_value_that_cannot_be_typed_costs_that_value_and_nothing_below_it(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    poisoned = {name: next(iter(simulator.tables[name])) for name in ("challenges", "comments")}
    for name, record in poisoned.items():
        simulator.faults.add(Fault(kind="poison_value", stream=name, record=record, times=None))
    result = sync(simulator, warehouse, tmp_path)
    assert result.verdict == "complete"
    for name in poisoned:
        counts = stream(result, name).counts
        assert (counts.rejected, counts.rejected_values, counts.seen) == (0, 1, len(simulator.tables[name]))
    for table in (IDEAS, COMMENTS):
        assert count(warehouse, table) == len(simulator.tables[table.name])
    with warehouse.engine.connect() as connection:
        rows = connection.execute(sa.select(REJECTED_RECORDS)).all()
    assert {(row.table_name, row.record_key, row.column_name) for row in rows} == {
        ("challenges", f'["{poisoned["challenges"]}"].starts_at', "starts_at"),
        ("comments", f'["{poisoned["comments"]}"].like_count', "like_count"),
    }
    assert {row.value for row in rows} == {"not what it should be"}

    again = sync(simulator, warehouse, tmp_path)
    assert not again.changed

    simulator.faults.clear()
    sync(simulator, warehouse, tmp_path)
    assert count(warehouse, REJECTED_RECORDS) == 0
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_characters_that_engines_refuse_are_replaced_and_the_record_loads(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    simulator.faults.add(Fault(kind="poison_text", stream="comments", times=5))
    result = sync(simulator, warehouse, tmp_path)
    assert (result.verdict, stream(result, "comments").counts.rejected) == ("complete", 0)
    with warehouse.engine.connect() as connection:
        texts = connection.scalars(sa.select(COMMENTS.c.body).where(COMMENTS.c.body.contains("\ufffd"))).all()
    assert texts
    assert not any("\0" in text for text in texts)


def test_a_stream_that_may_not_be_read_fails_with_a_sentence_and_the_others_stay(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    simulator.faults.add(Fault(kind="status", status=403, stream="users", times=None))
    result = sync(simulator, warehouse, tmp_path)
    users = stream(result, "users")
    assert users.verdict == "failed"
    assert "HTTP 403" in str(users.reason)
    assert [s.verdict for s in result.streams if s.stream != "users"] == ["complete"] * 4
    assert result.verdict == "failed"
    assert count(warehouse, IDEAS) == len(simulator.tables["ideas"])


def test_an_api_that_goes_down_for_good_ends_the_stream_soon_and_keeps_what_was_read(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    contract = contract_with({"limits": {"concurrency": 2, "attempts": 1}})
    seen = 0

    def go_down(name: str, scope: str, tables: object) -> None:
        nonlocal seen
        seen += name == "comments"
        if seen == 30:
            simulator.faults.add(Fault(kind="reset", times=None))

    simulator.before_page = go_down
    result = sync(simulator, warehouse, tmp_path, contract=contract)
    comments = stream(result, "comments")
    assert comments.verdict == "failed"
    assert isinstance(comments.error, Unavailable)
    assert comments.counts.scopes_complete >= 28
    assert sum(r.stream == "comments" for r in simulator.log) < 60
    with warehouse.engine.connect() as connection:
        assert connection.scalars(sa.select(SYNC_RUNS.c.verdict)).all() == ["failed"]
    assert count(warehouse, COMMENTS) > 0


def test_an_account_that_is_revoked_in_mid_run_ends_it_and_says_so(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    def revoke(name: str, scope: str, tables: object) -> None:
        if name == "comments":
            simulator.auth.revoked = True

    simulator.before_page = revoke
    result = sync(simulator, warehouse, tmp_path)
    assert [s.stream for s in result.streams] == ["challenges", "users", "ideas", "comments"]
    assert isinstance(result.streams[-1].error, AuthenticationError)
    assert "revoked" in str(result.streams[-1].reason)
    assert count(warehouse, IDEAS) == len(simulator.tables["ideas"])
