"""Lists that the API filters by time: a night asks for what came since, and loses nothing by it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Row, Tables
from ideas_pipeline.sync.planning import VERIFY_DAYS
from ideas_pipeline.sync.run import Full, Incremental
from ideas_pipeline.tables.bookkeeping import SCOPES
from ideas_pipeline.tables.community import COMMENTS
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream, sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

IDEAS = 2 * VERIFY_DAYS
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


def contract(**each: Any) -> Contract:
    since = {"parameter": "since", "column": "updated_at"}
    return contract_with({"streams": {"comments": {"since": since, "each": each}}})


SHOWN = contract()
UNSHOWN = contract(changed_when=[])


def comment(key: str, idea: str, at: datetime) -> Row:
    return {"id": key, "idea_id": idea, "body": key, "created_at": at.isoformat(), "updated_at": at.isoformat()}


def community() -> Tables:
    """Two comments an idea, of which the ideas tell nothing but that they are there."""
    idea = {"challenge_id": "c1", "title": "An idea", "comment_count": 2, "created_at": LONG_AGO.isoformat()}
    ideas = {f"i{n}": {**idea, "id": f"i{n}"} for n in range(IDEAS)}
    comments = {
        f"{kind}-{idea}": comment(f"{kind}-{idea}", idea, LONG_AGO + timedelta(days=days))
        for idea in ideas
        for kind, days in (("first", 0), ("last", 1))
    }
    challenge = {"id": "c1", "title": "One", "idea_count": IDEAS}
    return {"challenges": {"c1": challenge}, "users": {}, "ideas": ideas, "comments": comments, "votes": {}}


@pytest.fixture
def warehouse(sqlite_url: str) -> Iterator[Warehouse]:
    # What is asked here is which records are loaded: the same on every engine.
    with Warehouse.open(sqlite_url, COMMUNITY) as opened:
        yield opened


def ids(warehouse: Warehouse) -> set[str]:
    with warehouse.engine.connect() as connection:
        return set(connection.scalars(sa.select(COMMENTS.c.id).where(COMMENTS.c._deleted_at.is_(None))))


def test_within_the_days_that_are_set_a_comment_that_went_without_a_word_is_marked(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with Simulator(SHOWN, community()) as simulator:
        sync(simulator, warehouse, tmp_path, mode=Full())
        with simulator.changing() as tables:
            tables["comments"].pop("first-i20")
        for _ in range(VERIFY_DAYS):
            assert sync(simulator, warehouse, tmp_path, mode=Incremental()).verdict == "complete"
        assert_true_to(warehouse.engine, COMMUNITY, SHOWN, simulator.tables)


def test_after_a_change_that_no_parent_showed_all_lists_are_read_whole(warehouse: Warehouse, tmp_path: Path) -> None:
    with Simulator(SHOWN, community()) as simulator:
        sync(simulator, warehouse, tmp_path, mode=Full())
        with simulator.changing() as tables:
            for idea in list(tables["ideas"])[::5]:
                tables["comments"].pop(f"first-{idea}")
        counts = [stream(sync(simulator, warehouse, tmp_path, mode=Incremental()), "comments").counts for _ in range(3)]
        assert [(c.absent, c.hidden) for c in counts[:2]] == [(0, 0), (1, 1)], "their ideas still count them"
        assert_true_to(warehouse.engine, COMMUNITY, SHOWN, simulator.tables)


def test_a_list_whose_changes_no_parent_shows_is_read_whole_within_the_days_that_are_set(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with Simulator(UNSHOWN, community()) as simulator:
        sync(simulator, warehouse, tmp_path, mode=Full())
        with simulator.changing() as tables:
            tables["comments"].pop("first-i20")
        sync(simulator, warehouse, tmp_path, mode=Incremental())
        assert "first-i20" in ids(warehouse)
        with warehouse.engine.begin() as connection:
            before = datetime.now(UTC) - timedelta(days=VERIFY_DAYS)
            connection.execute(sa.update(SCOPES).where(SCOPES.c.stream == "comments").values(completed_at=before))
        for _ in range(2):  # the idea still counts it
            sync(simulator, warehouse, tmp_path, mode=Incremental())
        assert_true_to(warehouse.engine, COMMUNITY, UNSHOWN, simulator.tables)


def test_a_record_with_a_time_in_the_future_does_not_hide_other_records(warehouse: Warehouse, tmp_path: Path) -> None:
    with Simulator(UNSHOWN, community()) as simulator:
        with simulator.changing() as tables:
            tables["comments"]["ahead"] = comment("ahead", "i1", datetime.now(UTC) + timedelta(days=300))
        sync(simulator, warehouse, tmp_path, mode=Full())
        with simulator.changing() as tables:
            tables["comments"]["now"] = comment("now", "i1", datetime.now(UTC))
        sync(simulator, warehouse, tmp_path, mode=Incremental())
        assert_true_to(warehouse.engine, COMMUNITY, UNSHOWN, simulator.tables)


@pytest.mark.parametrize("filtered_by", ["created_at", "nothing"])
def test_a_list_is_read_whole_if_the_filter_does_not_show_a_comment_that_it_must_show(
    filtered_by: str, warehouse: Warehouse, tmp_path: Path
) -> None:
    """An API that filters by another time than the contract says, or shows no records to what it cannot read."""
    column = "created_at" if filtered_by == "created_at" else "published_at"  # which no comment has
    server = contract_with({"streams": {"comments": {"since": {"parameter": "since", "column": column}}}})
    with Simulator(server, community()) as simulator:
        with simulator.changing() as tables:
            tables["comments"]["last-i1"]["updated_at"] = (LONG_AGO + timedelta(days=2)).isoformat()
        sync(simulator, warehouse, tmp_path, mode=Full(), contract=UNSHOWN)
        with simulator.changing() as tables:
            tables["comments"]["first-i1"] |= {
                "body": "edited",
                "updated_at": (LONG_AGO + timedelta(days=3)).isoformat(),
            }
            tables["comments"]["new"] = comment("new", "i1", LONG_AGO + timedelta(days=3))
        result = sync(simulator, warehouse, tmp_path, mode=Incremental(), contract=UNSHOWN)
        assert result.verdict == "complete"
        assert_true_to(warehouse.engine, COMMUNITY, UNSHOWN, simulator.tables)


def test_a_list_is_not_read_whole_because_one_of_its_newest_comments_was_deleted(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with Simulator(UNSHOWN, community()) as simulator:
        with simulator.changing() as tables:
            for n in range(3):
                tables["comments"][f"r{n}"] = comment(f"r{n}", "i1", LONG_AGO + timedelta(days=2, minutes=n))
        sync(simulator, warehouse, tmp_path, mode=Full())
        with simulator.changing() as tables:
            del tables["comments"]["r1"]
            tables["comments"]["new"] = comment("new", "i1", LONG_AGO + timedelta(days=3))
        counts = stream(sync(simulator, warehouse, tmp_path, mode=Incremental()), "comments").counts
    assert (counts.inserted, counts.requests) == (1, IDEAS)
