"""A wall clock that is set forward or back, between two runs or while one reads, costs no row and hides no deletion."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.counts import declare_counts
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import EMBEDDED_TABLES, Tables, drop_votes
from ideas_pipeline.sync.run import Full, Incremental, Mode, Silence
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.wall_clock import WallClock, wall_clock
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

YEARS = timedelta(days=800)
HOURS = timedelta(hours=5)
AHEAD = [HOURS, -YEARS] if "IDEAS_SOAK" not in os.environ else [YEARS, HOURS, -HOURS, -YEARS]
CONTRACT = contract_with({"streams": {name: {"paging": {"size": 3}} for name in contract_with({}).streams}})


@pytest.fixture
def clock() -> Iterator[WallClock]:
    with wall_clock() as running:
        yield running


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(CONTRACT, generate(Size(challenges=2, ideas=8, comments=16, votes=16, users=12), seed=5)) as running:
        yield running


def lose_rows(tables: Tables) -> None:
    """A comment and an idea without comments and votes are deleted; another idea gets another title."""
    del tables["comments"][next(reversed(tables["comments"]))]
    commented = {row["idea_id"] for row in tables["comments"].values()}
    lonely = next(key for key in tables["ideas"] if key not in commented)
    drop_votes(tables, lambda vote: vote["idea_id"] == lonely)
    del tables["ideas"][lonely]
    for name in EMBEDDED_TABLES:
        rows = tables[name].items()
        tables[name] = {key: row for key, row in rows if row.get("idea_id") != lonely}
    next(iter(tables["ideas"].values()))["title"] = "another title"
    declare_counts(tables)


class Heard(Silence):
    def __init__(self) -> None:
        self.sentences: list[str] = []

    def noted(self, sentence: str) -> None:
        self.sentences.append(sentence)


@pytest.mark.parametrize("mode", [Full(), Incremental()])
@pytest.mark.parametrize("ahead", AHEAD)
def test_a_clock_that_was_wrong_in_the_last_run_hides_nothing_from_the_next(
    ahead: timedelta, mode: Mode, clock: WallClock, simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    clock.ahead = ahead
    assert sync(simulator, warehouse, tmp_path).verdict == "complete"
    clock.ahead = timedelta()
    with simulator.changing() as changing:
        lose_rows(changing)
    heard = Heard()
    assert sync(simulator, warehouse, tmp_path, mode=mode, progress=heard).verdict == "complete"
    assert any("the clock is wrong now, or was wrong then" in sentence for sentence in heard.sentences) == (
        ahead > timedelta()
    )
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


@pytest.mark.parametrize("ahead", AHEAD)
def test_a_clock_that_is_set_while_a_run_reads_costs_no_row(
    ahead: timedelta, clock: WallClock, simulator: Simulator, sqlite_url: str, tmp_path: Path
) -> None:
    pages = 0

    def set_the_clock(*_: object) -> None:
        nonlocal pages
        pages += 1
        if pages == 8:
            clock.ahead += ahead

    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        assert sync(simulator, warehouse, tmp_path).verdict == "complete"
        with simulator.changing() as changing:
            lose_rows(changing)
        simulator.before_page = set_the_clock
        assert sync(simulator, warehouse, tmp_path).verdict == "complete"
        assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)
        simulator.before_page = None
        clock.ahead = timedelta()
        with simulator.changing() as changing:
            lose_rows(changing)
        assert sync(simulator, warehouse, tmp_path).verdict == "complete"
        assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_an_interrupted_full_run_that_is_dated_in_the_future_is_not_resumed(
    clock: WallClock, simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    clock.ahead = YEARS
    simulator.faults.add(Fault(kind="status", stream="votes", status=401, times=None))
    assert sync(simulator, warehouse, tmp_path).verdict == "failed"
    simulator.faults.clear()
    clock.ahead = timedelta()
    with simulator.changing() as changing:
        lose_rows(changing)
    for _ in range(2):
        assert sync(simulator, warehouse, tmp_path).verdict == "complete"
        assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


@pytest.mark.parametrize("ahead", AHEAD[-1:])
def test_tokens_and_budget_hold_although_the_clock_is_set(
    ahead: timedelta, clock: WallClock, sqlite_url: str, tmp_path: Path
) -> None:
    limited = contract_with({"limits": {"requests_per_second": 500, "requests_per_hour": 5_000}})
    tables = generate(Size(challenges=2, ideas=8, comments=16, votes=16, users=12), seed=5)
    with Simulator(limited, tables) as simulator, Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        assert sync(simulator, warehouse, tmp_path).verdict == "complete"
        for shift in (ahead, timedelta()):
            clock.ahead = shift
            simulator.auth.expire_tokens()
            assert sync(simulator, warehouse, tmp_path).verdict == "complete"
        assert_true_to(warehouse.engine, COMMUNITY, limited, simulator.tables)
