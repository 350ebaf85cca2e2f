"""Rights that shrink: the API shows less and does not say why. Nothing is gone for that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.sync.run import Full, Incremental, Mode
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.living import CONTRACT
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, small_village, sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

MODES = pytest.mark.parametrize("mode", [Incremental(), Full()], ids=["incremental", "full"])


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(CONTRACT, small_village(seed=5)) as running:
        yield running


def marked(warehouse: Warehouse) -> dict[str, int]:
    """Rows marked as deleted, and intervals of history that ended: by table."""
    found: dict[str, int] = {}
    with warehouse.engine.connect() as connection:
        for name, table in TABLES.items():
            column = table.c.get("_deleted_at", table.c.get("observed_to"))
            if column is not None:
                query = sa.select(sa.func.count()).select_from(table).where(column.is_not(None))
                found[name] = connection.scalar(query) or 0
    assert IDEA_HISTORY.name in found or IDEA_HISTORY.name not in TABLES
    return {name: count for name, count in found.items() if count}


@MODES
def test_hiding_half_of_the_challenges_deletes_nothing_and_all_is_well_when_they_return(
    mode: Mode, simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    assert sync(simulator, warehouse, tmp_path, mode=Full()).verdict == "complete"
    challenges = list(simulator.tables["challenges"])
    simulator.account(hidden_challenges=challenges[::2])
    for _ in range(2):  # a second night believes no more than the first
        night = sync(simulator, warehouse, tmp_path, mode=mode)
        assert night.verdict == "incomplete"
        reasons = [s.reason for s in night.streams if s.stream == "challenges"]
        assert "hidden from its account" in str(reasons)
        assert marked(warehouse) == {}
    simulator.account()
    assert sync(simulator, warehouse, tmp_path, mode=mode).verdict == "complete"
    assert marked(warehouse) == {}
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


@MODES
def test_an_idea_that_is_hidden_while_its_challenge_counts_it_costs_no_night(
    mode: Mode, simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path, mode=Full())
    with simulator.changing() as tables:
        hidden = list(tables["ideas"])[3]
        idea = tables["ideas"].pop(hidden)
    simulator.reset_log()
    first = sync(simulator, warehouse, tmp_path, mode=mode)
    assert [s.reason for s in first.streams] == [None] * 5
    assert (first.changed, marked(warehouse)) == (False, {})
    assert not [request for request in simulator.log if request.scope == hidden], "its lists are refused as well"
    second = sync(simulator, warehouse, tmp_path, mode=mode)
    assert [s.reason for s in second.streams] == [None] * 5
    assert marked(warehouse)["ideas"] == 1
    with simulator.changing() as tables:
        tables["ideas"][hidden] = idea
    assert sync(simulator, warehouse, tmp_path, mode=mode).verdict == "complete"
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


@MODES
def test_an_account_that_is_demoted_to_a_plain_user_deletes_nothing(
    mode: Mode, simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path, mode=Full())
    simulator.account(role="user")
    assert simulator.visible()["ideas"].keys() < simulator.tables["ideas"].keys()
    for _ in range(2):
        night = sync(simulator, warehouse, tmp_path, mode=mode)
        assert night.verdict == "incomplete"
        assert "is now user and was admin" in " ".join(str(s.reason) for s in night.streams)
        assert marked(warehouse) == {}
    simulator.account(role="admin")
    assert sync(simulator, warehouse, tmp_path, mode=mode).verdict == "complete"
    assert marked(warehouse) == {}
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_what_else_changes_while_rights_are_small_is_loaded(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path, mode=Full())
    hidden, *shown = simulator.tables["challenges"]
    simulator.account(hidden_challenges=[hidden])
    with simulator.changing() as tables:
        idea = next(row for row in tables["ideas"].values() if row["challenge_id"] in shown)
        idea["title"] = "Changed meanwhile"
    sync(simulator, warehouse, tmp_path, mode=Incremental())
    ideas = TABLES["ideas"]
    with warehouse.engine.connect() as connection:
        assert connection.scalar(sa.select(ideas.c.title).where(ideas.c.id == idea["id"])) == "Changed meanwhile"


def test_a_full_sync_that_broke_off_is_not_gone_on_with_by_an_account_that_may_see_less(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    one_at_a_time = contract_with({**CONTRACT.model_dump(by_alias=True), "limits": {"concurrency": 1}})
    sync(simulator, warehouse, tmp_path, contract=one_at_a_time)
    simulator.account(role="user")
    shown = simulator.visible()["ideas"]
    simulator.account(role="admin")
    last = [r.scope for r in simulator.log if r.stream == "votes" and r.scope in shown][-1]
    pause = Fault(
        kind="status", status=429, retry_after="seconds", seconds=3000, stream="votes", scope=last, times=None
    )
    simulator.faults.add(pause)
    assert sync(simulator, warehouse, tmp_path, contract=one_at_a_time).verdict == "failed"
    simulator.faults.clear()
    simulator.account(role="user")
    for mode in (Full(), Incremental()):
        night = sync(simulator, warehouse, tmp_path, mode=mode)
        assert "is now user and was admin" in " ".join(str(s.reason) for s in night.streams)
    assert marked(warehouse) == {}
