"""A night costs what has changed: requests are counted where they arrive, rows where they are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.living import LivingCommunity
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.sync.planning import VERIFY_DAYS
from ideas_pipeline.sync.run import Full, Incremental
from ideas_pipeline.tables.bookkeeping import SYNC_STREAMS
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.living import CONTRACT
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, small_village, stream, sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

CHILDREN = ("comments", "votes")
PAGE = 20


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(CONTRACT, small_village(seed=8)) as running:
        yield running


def rows(warehouse: Warehouse) -> dict[str, list[str]]:
    """Every row of the community, the pipeline's own columns included."""
    with warehouse.engine.connect() as connection:
        return {name: sorted(map(str, connection.execute(sa.select(table)))) for name, table in TABLES.items()}


def hidden_changes(warehouse: Warehouse, run_id: str) -> dict[str, int]:
    query = sa.select(SYNC_STREAMS.c.stream, SYNC_STREAMS.c.hidden_changes).where(SYNC_STREAMS.c.run_id == run_id)
    with warehouse.engine.connect() as connection:
        return {name: count for name, count in connection.execute(query) if count}


def asked(simulator: Simulator) -> Counter[str]:
    return Counter(request.stream for request in simulator.log if not request.stream.startswith("auth."))


def share(lists: int) -> int:
    """How many of so many unchanged lists a night verifies."""
    return -(-lists // VERIFY_DAYS)


def test_a_night_without_a_change_writes_no_row_and_reads_the_parents_and_the_share_to_be_verified(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path, mode=Full())
    before = rows(warehouse)
    simulator.reset_log()
    night = sync(simulator, warehouse, tmp_path, mode=Incremental())
    assert night.verdict == "complete"
    assert not night.changed
    assert rows(warehouse) == before
    requests = asked(simulator)
    tables = simulator.tables
    lists = Counter(row["challenge_id"] for row in tables["ideas"].values())
    for name, pages in (
        ("challenges", 1),
        ("users", pages_of(len(tables["users"]))),
        ("ideas", sum(pages_of(lists[challenge]) for challenge in tables["challenges"])),
    ):
        assert requests[name] == pages, name
    for name in CHILDREN:
        scopes = {request.scope for request in simulator.log if request.stream == name}
        assert len(scopes) == share(len(tables["ideas"]))


def pages_of(records: int) -> int:
    # A full last page may not be the last: one more request shows that it is.
    return max(1, -(-records // PAGE)) + (records > 0 and records % PAGE == 0)


def test_within_the_days_that_are_set_every_list_has_been_verified(
    simulator: Simulator, sqlite_url: str, tmp_path: Path
) -> None:
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        sync(simulator, warehouse, tmp_path, mode=Full())
        simulator.reset_log()
        for _ in range(VERIFY_DAYS):
            sync(simulator, warehouse, tmp_path, mode=Incremental())
    for name in CHILDREN:
        read = {request.scope for request in simulator.log if request.stream == name}
        assert read == simulator.tables["ideas"].keys()


def test_a_night_finds_every_change_that_parents_tell_of(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    life = LivingCommunity(simulator.tables, seed=3)
    sync(simulator, warehouse, tmp_path, mode=Full())
    for _ in range(4):
        with simulator.changing():
            life.happen("join")
            life.step(8)
        assert sync(simulator, warehouse, tmp_path, mode=Incremental()).verdict == "complete"
        assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_a_hidden_change_is_found_in_its_turn_counted_and_makes_the_next_night_read_everything(
    simulator: Simulator, sqlite_url: str, tmp_path: Path
) -> None:
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        sync(simulator, warehouse, tmp_path, mode=Full())
        with simulator.changing():
            LivingCommunity(simulator.tables, seed=2).happen("edit_comment_unseen", 2)
        nights = []
        for _ in range(VERIFY_DAYS + 2):
            simulator.reset_log()
            nights.append(sync(simulator, warehouse, tmp_path, mode=Incremental()))
            if hidden_changes(warehouse, nights[-1].run_id):
                break
        assert hidden_changes(warehouse, nights[-1].run_id)["comments"] >= 1
        read = {request.scope for request in simulator.log if request.stream == "comments"}
        assert read == simulator.tables["ideas"].keys()
        assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)

        simulator.reset_log()
        after = sync(simulator, warehouse, tmp_path, mode=Incremental())
        assert hidden_changes(warehouse, after.run_id) == {}
        assert asked(simulator)["comments"] < len(simulator.tables["ideas"]) / 2


def test_without_columns_that_tell_of_changes_children_are_read_every_night(sqlite_url: str, tmp_path: Path) -> None:
    silent = contract_with(
        {"streams": {name: {"each": {"changed_when": []}, "paging": {"size": PAGE}} for name in CHILDREN}}
    )
    with Simulator(silent, small_village()) as simulator, Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        sync(simulator, warehouse, tmp_path, mode=Full())
        with simulator.changing():
            LivingCommunity(simulator.tables, seed=2).happen("edit_comment_unseen")
        assert stream(sync(simulator, warehouse, tmp_path, mode=Incremental()), "comments").counts.updated == 1


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_night_with_one_percent_of_the_ideas_changed_costs_at_most_a_tenth_more_than_the_least_possible(
    sqlite_url: str, tmp_path: Path
) -> None:
    """The least possible: the lists of parents, and the lists of comments and votes that the parents say changed.

    A list of several pages in which something is new or gone takes two readings to be proven.
    """
    contract = contract_with({"limits": {"concurrency": 16}})
    town = generate(Size(challenges=10, ideas=400, comments=2_000, votes=6_000, users=600))
    with Simulator(contract, town) as simulator, Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        tables = simulator.tables
        sync(simulator, warehouse, tmp_path, mode=Full())
        simulator.reset_log()
        sync(simulator, warehouse, tmp_path, mode=Incremental())
        quiet = asked(simulator)
        before = {name: {key: signs(row, name) for key, row in tables["ideas"].items()} for name in CHILDREN}
        lists = {name: ids_by_idea(tables, name) for name in CHILDREN}
        with simulator.changing():
            life = LivingCommunity(tables, seed=1)
            for event in ("comment", "vote", "edit_idea", "edit_comment"):
                life.happen(event, len(tables["ideas"]) // 400)

        simulator.reset_log()
        assert sync(simulator, warehouse, tmp_path, mode=Incremental()).verdict == "complete"
        least = sum(quiet[name] for name in ("challenges", "users", "ideas"))
        spent = sum(asked(simulator)[name] for name in ("challenges", "users", "ideas"))
        for name in CHILDREN:
            now = ids_by_idea(tables, name)
            changed = {key for key, row in tables["ideas"].items() if signs(row, name) != before[name][key]}
            for key in changed:
                pages = max(1, -(-len(now.get(key, ())) // 100))
                least += pages * (2 if pages > 1 and now.get(key) != lists[name].get(key) else 1)
            requests = [request.scope for request in simulator.log if request.stream == name]
            spent += sum(scope in changed for scope in requests)
            assert len(set(requests) - changed) == share(len(tables["ideas"]) - len(changed))
        assert spent <= 1.1 * least
        assert_true_to(warehouse.engine, COMMUNITY, contract, tables)


def signs(idea: dict[str, Any], of: str) -> tuple[Any, ...]:
    """What the idea says of a list, as the contract has it."""
    each = CONTRACT.streams[of].each
    assert each
    return tuple(idea[column] for column in each.changed_when)


def ids_by_idea(tables: Tables, name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key, row in tables[name].items():
        found.setdefault(row["idea_id"], set()).add(key)
    return found
