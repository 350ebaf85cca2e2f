"""Lists that are not those of a row's own parent: one list of all, those of a challenge, those of a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.contract.merge import merge
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.counts import declare_counts
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.sync.findings import Expectations, stream_findings
from ideas_pipeline.sync.planning import VERIFY_DAYS
from ideas_pipeline.sync.run import Full, Incremental, Mode
from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream, sync, village
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

SINCE = {"parameter": "updated_since", "column": "updated_at"}


def one_list_each(**changes: object) -> Contract:
    lists = ("ideas", "comments", "votes")
    return contract_with({"streams": {name: {"path": name, "each": None} | changes for name in lists}})


OF_CHALLENGES = contract_with(
    {
        "streams": {
            name: {
                "path": f"challenges/{{challenge_id}}/{name}",
                "each": {"!": {"of": ["challenges.id"], "placeholder": "challenge_id", "declared": declared}},
            }
            for name, declared in (("comments", "comment_count"), ("votes", "vote_count"))
        }
    }
)
OF_PEOPLE = contract_with(
    {
        "streams": {
            "votes": {
                "path": "users/{user_id}/votes",
                "each": {"!": {"of": ["users.id"], "placeholder": "user_id"}},
            }
        }
    }
)
SHAPES = [
    pytest.param(one_list_each(), id="one list each"),
    pytest.param(one_list_each(since=SINCE), id="one list each, filtered"),
    pytest.param(OF_CHALLENGES, id="lists of challenges"),
    pytest.param(OF_PEOPLE, id="lists of people"),
]


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(warehouse_url, COMMUNITY) as opened:
        yield opened


def read_completely(simulator: Simulator, warehouse: Warehouse, folder: Path, mode: Mode, **options: Any) -> None:
    result = sync(simulator, warehouse, folder, mode=mode, **options)
    assert [(s.stream, s.reason) for s in result.streams if s.verdict != "complete"] == []


def changed(tables: Tables, moving: list[str]) -> None:
    """An idea, a comment and a vote are deleted, and a row of each stream that is ``moving`` gets another idea."""
    doomed, one = list(tables["ideas"])[:2]
    for name in ("comments", "votes"):
        gone, moved = [key for key, row in tables[name].items() if row["idea_id"] not in (doomed, one)][:2]
        del tables[name][gone]
        if name in moving:
            tables[name][moved] |= {"idea_id": one, "updated_at": "2025-06-01T00:00:00Z"}
    for name, rows in tables.items():
        tables[name] = {key: row for key, row in rows.items() if row.get("idea_id") != doomed}
    del tables["ideas"][doomed]
    declare_counts(tables)


@pytest.mark.parametrize("contract", SHAPES)
def test_what_is_deleted_or_gets_another_parent_is_so_in_the_warehouse_too(
    contract: Contract, warehouse: Warehouse, tmp_path: Path
) -> None:
    community = village()
    for vote in community["votes"].values():  # the list of a person has no vote without a person
        vote["user_id"] = vote["user_id"] or next(iter(community["users"]))
    with Simulator(contract, community) as simulator:
        read_completely(simulator, warehouse, tmp_path, Full())
        with simulator.changing() as tables:
            changed(tables, [name for name in ("comments", "votes") if contract.streams[name].listed_by != "idea_id"])
        modes: list[Mode] = [Full(), *[Incremental()] * 2]
        for mode in modes:
            read_completely(simulator, warehouse, tmp_path, mode)
        assert_true_to(warehouse.engine, COMMUNITY, contract, simulator.tables)
    expected, now = Expectations("UTC", verify_days=VERIFY_DAYS, stale_hours=24), datetime.now(UTC)
    with warehouse.reading() as tx:
        found = [f for name in ("comments", "votes") for f in stream_findings(tx, contract, name, expected, now)]
    about_lists = ("contradictions", "declared_counts", "hidden_changes")
    assert [f.what for f in found if f.code in about_lists and f.severity != "note"] == []


@pytest.mark.parametrize("contract", SHAPES[::2])
def test_the_run_counts_the_absent_rows_where_they_were_listed(
    contract: Contract, warehouse: Warehouse, tmp_path: Path
) -> None:
    with Simulator(contract, village()) as simulator:
        read_completely(simulator, warehouse, tmp_path, Full())
        with simulator.changing() as tables:
            for key in list(tables["comments"])[:2]:
                del tables["comments"][key]
            declare_counts(tables)
        nights = [stream(sync(simulator, warehouse, tmp_path, mode=Full()), "comments") for _ in range(2)]
        assert sum(night.counts.absent for night in nights) == 2
    with warehouse.engine.connect() as connection:
        absent = sa.select(sa.func.sum(SYNC_SCOPES.c.absent)).where(SYNC_SCOPES.c.stream == "comments")
        assert connection.scalar(absent) == 2


@pytest.mark.parametrize("contract", SHAPES[::2])
def test_if_most_rows_of_a_list_are_gone_at_once_they_are_held(
    contract: Contract, warehouse: Warehouse, tmp_path: Path
) -> None:
    with Simulator(contract, village()) as simulator:
        read_completely(simulator, warehouse, tmp_path, Full())
        with simulator.changing() as tables:
            tables["comments"].clear()
            declare_counts(tables)
        counts = stream(sync(simulator, warehouse, tmp_path, mode=Full()), "comments").counts
    assert (counts.absent, counts.held) == (0, 90)


def test_of_a_filtered_list_a_row_is_marked_deleted_when_the_list_is_read_whole_again(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    contract = contract_with({"streams": {"comments": {"path": "comments", "each": None, "since": SINCE}}})
    with Simulator(contract, village()) as simulator:
        read_completely(simulator, warehouse, tmp_path, Full())
        with simulator.changing() as tables:
            del tables["comments"][next(iter(tables["comments"]))]
            declare_counts(tables)
        read_completely(simulator, warehouse, tmp_path, Incremental())
        later = datetime.now(UTC) + timedelta(days=VERIFY_DAYS, hours=1)
        read_completely(simulator, warehouse, tmp_path, Incremental(), clock=lambda: later)
        assert_true_to(warehouse.engine, COMMUNITY, contract, simulator.tables)


def test_a_list_that_was_taken_out_of_the_contract_keeps_no_row_from_being_judged(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with Simulator(contract_with({}), village()) as simulator:
        read_completely(simulator, warehouse, tmp_path, Full())
        with simulator.changing() as tables:  # its idea still counts it, so the absence waits for another run
            del tables["comments"][next(iter(tables["comments"]))]
        sync(simulator, warehouse, tmp_path, mode=Full())
        tables = simulator.tables
    with Simulator(one_list_each(), tables) as simulator:
        read_completely(simulator, warehouse, tmp_path, Full())
        assert_true_to(warehouse.engine, COMMUNITY, simulator.contract, simulator.tables)


def test_the_votes_in_the_list_of_a_person_go_with_the_person(warehouse: Warehouse, tmp_path: Path) -> None:
    community = village()
    for vote in community["votes"].values():
        vote["user_id"] = vote["user_id"] or next(iter(community["users"]))
    with Simulator(OF_PEOPLE, community) as simulator:
        read_completely(simulator, warehouse, tmp_path, Full())
        with simulator.changing() as tables:
            person = max(tables["users"], key=lambda key: sum(v["user_id"] == key for v in tables["votes"].values()))
            for name in ("ideas", "comments"):
                for row in tables[name].values():
                    row["author_id"] = None if row["author_id"] == person else row["author_id"]
            votes = {key for key, row in tables["votes"].items() if row["user_id"] == person}
            of_votes = [("votes", "id", votes), ("vote_ratings", "vote_id", votes)]
            for name, column, keys in [*of_votes, ("user_answers", "user_id", {person})]:
                tables[name] = {key: row for key, row in tables[name].items() if row[column] not in keys}
            del tables["users"][person]
            declare_counts(tables)
        for _ in range(3):  # an account is gone when two runs missed it
            sync(simulator, warehouse, tmp_path, mode=Full())
        assert_true_to(warehouse.engine, COMMUNITY, OF_PEOPLE, simulator.tables)


def test_comments_of_an_idea_that_comes_back_are_read_again(warehouse: Warehouse, tmp_path: Path) -> None:
    contract = contract_with({"streams": {"comments": {"path": "comments", "each": None, "since": SINCE}}})
    community = village()
    idea = max(community["ideas"], key=lambda key: sum(c["idea_id"] == key for c in community["comments"].values()))
    with Simulator(contract, community) as simulator:
        read_completely(simulator, warehouse, tmp_path, Full())
        with simulator.changing() as tables:
            before = {name: dict(rows) for name, rows in tables.items()}
            for name, rows in before.items():
                tables[name] = {key: row for key, row in rows.items() if row.get("idea_id") != idea}
            del tables["ideas"][idea]
            declare_counts(tables)
        for _ in range(2):
            sync(simulator, warehouse, tmp_path, mode=Incremental())
        with simulator.changing() as tables:
            tables.update(before)
            declare_counts(tables)
        for _ in range(2):
            sync(simulator, warehouse, tmp_path, mode=Incremental())
        assert_true_to(warehouse.engine, COMMUNITY, contract, simulator.tables)


def test_comments_of_an_idea_that_moves_while_their_lists_are_read_stay(warehouse: Warehouse, tmp_path: Path) -> None:
    with Simulator(OF_CHALLENGES, village()) as simulator:
        read_completely(simulator, warehouse, tmp_path, Full())
        read: list[str] = []
        moved: list[str] = []

        def move(name: str, scope: str, tables: Tables) -> None:
            if name == "comments" and scope not in read:
                read.append(scope)
                if len(read) == 2:
                    talk = {row["idea_id"] for row in tables["comments"].values()}
                    idea = next(k for k, r in tables["ideas"].items() if r["challenge_id"] not in read and k in talk)
                    tables["ideas"][idea]["challenge_id"] = read[0]
                    moved.append(idea)

        simulator.before_page = move
        one_by_one = {"limits": {"concurrency": 1}}
        contract = Contract.model_validate(merge(OF_CHALLENGES.model_dump(by_alias=True), one_by_one))
        result = stream(sync(simulator, warehouse, tmp_path, mode=Full(), contract=contract), "comments")
        assert moved
        assert result.counts.absent == 0
