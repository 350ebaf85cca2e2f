"""What is gone at the source is marked, what merely looks gone is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.sync.run import Incremental
from ideas_pipeline.tables.bookkeeping import ABSENCES, SYNC_SCOPES
from ideas_pipeline.tables.community import CHALLENGES, COMMENTS, IDEAS, USERS
from ideas_pipeline.warehouse.absences import held
from ideas_pipeline.warehouse.embedded import confirm_embedded
from ideas_pipeline.warehouse.merge import Deletion
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, paged, small_village, stream, sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing

CONTRACT = paged({"style": "page", "size_parameter": "per_page", "size": 10, "total": {"body": ["total"]}})


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(CONTRACT, small_village(seed=3)) as running:
        yield running


def deleted(warehouse: Warehouse, table: sa.Table) -> set[str]:
    with warehouse.engine.connect() as connection:
        return set(connection.scalars(sa.select(table.c.id).where(table.c._deleted_at.is_not(None))))


def remove_idea(tables: Tables, idea: str) -> None:
    """The idea goes, and all that hangs on it; its challenge counts one less."""
    votes = {i for i, row in tables["votes"].items() if row["idea_id"] == idea}
    tables["challenges"][tables["ideas"].pop(idea)["challenge_id"]]["idea_count"] -= 1
    for rows in tables.values():
        for key in [k for k, row in rows.items() if row.get("idea_id") == idea or row.get("vote_id") in votes]:
            rows.pop(key)


def remove_comment(tables: Tables, comment: str) -> None:
    """The comment goes, and its idea counts one less."""
    tables["ideas"][tables["comments"].pop(comment)["idea_id"]]["comment_count"] -= 1


def busiest_idea(tables: Tables) -> str:
    counts: dict[str, int] = {}
    for row in tables["comments"].values():
        counts[row["idea_id"]] = counts.get(row["idea_id"], 0) + 1
    return max(counts, key=lambda i: counts[i])


def test_a_deleted_comment_is_marked_with_the_moment_and_leaves_its_neighbours(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    with simulator.changing() as tables:
        gone = next(iter(tables["comments"]))
        remove_comment(tables, gone)
    result = sync(simulator, warehouse, tmp_path)
    assert stream(result, "comments").counts.absent == 1
    assert deleted(warehouse, COMMENTS) == {gone}
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_a_deleted_idea_takes_its_comments_votes_and_parts_with_it(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    with simulator.changing() as tables:
        counts = {i: sum(r["idea_id"] == i for r in tables["votes"].values()) for i in tables["ideas"]}
        remove_idea(tables, sorted(tables["ideas"], key=lambda i: counts[i])[len(counts) // 2])
    result = sync(simulator, warehouse, tmp_path)
    assert stream(result, "ideas").counts.absent == 1
    assert result.verdict == "complete"
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_a_row_that_comes_back_is_revived(simulator: Simulator, warehouse: Warehouse, tmp_path: Path) -> None:
    sync(simulator, warehouse, tmp_path)
    with simulator.changing() as tables:
        key, row = next(iter(tables["users"].items()))
        tables["users"].pop(key)
    sync(simulator, warehouse, tmp_path)
    assert deleted(warehouse, USERS) == {key}
    with simulator.changing() as tables:
        tables["users"][key] = row
    result = sync(simulator, warehouse, tmp_path)
    assert stream(result, "users").counts.updated == 1
    assert deleted(warehouse, USERS) == set()
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_an_idea_that_comes_back_as_it_was_brings_its_comments_and_votes_back_the_same_night(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    before = {table: dict(rows) for table, rows in simulator.tables.items()}
    with simulator.changing() as tables:
        remove_idea(tables, busiest_idea(tables))
    assert stream(sync(simulator, warehouse, tmp_path, mode=Incremental()), "ideas").counts.absent == 1
    with simulator.changing() as tables:
        tables.update(before)
    assert sync(simulator, warehouse, tmp_path, mode=Incremental()).verdict == "complete"
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_an_idea_that_moved_between_two_syncs_is_moved_and_not_deleted(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    with simulator.changing() as tables:
        idea = busiest_idea(tables)
        tables["ideas"][idea]["challenge_id"] = another_challenge(tables, idea)
    result = sync(simulator, warehouse, tmp_path)
    assert (stream(result, "ideas").counts.absent, stream(result, "ideas").counts.updated) == (0, 1)
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


@pytest.mark.parametrize("seen", ["in neither challenge", "in both challenges"])
def test_an_idea_that_moves_while_the_challenges_are_read_is_not_deleted(
    seen: str, simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    idea = busiest_idea(simulator.tables)
    old = simulator.tables["ideas"][idea]["challenge_id"]
    new = another_challenge(simulator.tables, idea)
    asked: list[str] = []

    def move_between_the_two(name: str, scope: str, tables: Tables) -> None:
        if name != "ideas":
            return
        asked.append(scope)
        first, second = (new, old) if seen == "in neither challenge" else (old, new)
        if scope == second and first in asked:
            tables["ideas"][idea]["challenge_id"] = new

    simulator.before_page = move_between_the_two
    one_at_a_time = contract_with({**CONTRACT.model_dump(by_alias=True), "limits": {"concurrency": 1}})
    result = sync(simulator, warehouse, tmp_path, contract=one_at_a_time)
    assert stream(result, "ideas").counts.absent == 0
    assert deleted(warehouse, IDEAS) == set()
    simulator.before_page = None
    sync(simulator, warehouse, tmp_path)
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def another_challenge(tables: Tables, idea: str) -> str:
    return next(c for c in tables["challenges"] if c != tables["ideas"][idea]["challenge_id"])


def test_many_rows_missing_at_once_are_held_and_reported_not_deleted(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    with simulator.changing() as tables:
        hidden = dict(list(tables["users"].items())[:30])
        for key in hidden:
            tables["users"].pop(key)
    result = sync(simulator, warehouse, tmp_path)
    users = stream(result, "users")
    assert (users.verdict, users.counts.absent, users.counts.held) == ("incomplete", 0, 30)
    assert "30 of 50 rows of the stream are absent at once, more than 10 %" in str(users.reason)
    assert deleted(warehouse, USERS) == set()
    with warehouse.engine.connect() as connection:
        reasons = connection.scalars(sa.select(ABSENCES.c.held_because)).all()
    assert len(reasons) == 30
    assert all(reasons)

    with simulator.changing() as tables:
        tables["users"].update(hidden)
    again = sync(simulator, warehouse, tmp_path)
    assert again.verdict == "complete"
    with warehouse.engine.connect() as connection:
        assert connection.execute(sa.select(ABSENCES)).all() == []


def test_parts_that_vanish_from_many_records_at_once_are_held_until_a_person_confirms_them(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    with simulator.changing() as tables:
        # Fewer than 20 are never too many.
        idea = next(iter(tables["ideas"]))
        for number in range(20):
            tables["idea_tags"][f"new {number}"] = {"idea_id": idea, "tag": f"tag {number}"}
    sync(simulator, warehouse, tmp_path)
    with simulator.changing() as tables:
        tables["idea_tags"].clear()
    result = sync(simulator, warehouse, tmp_path)
    ideas = stream(result, "ideas")
    waiting = [h for h in call_reading(warehouse, held) if h.stream == "idea_tags"]
    assert (ideas.verdict, ideas.counts.held) == ("incomplete", len(waiting))
    assert len(waiting) >= 20
    now = datetime.now(UTC)
    ids = [h.id for h in waiting]
    assert call_writing(warehouse, confirm_embedded, "idea_tags", ids, Deletion("r", now, "gone (confirmed)")) == len(
        ids
    )
    assert sync(simulator, warehouse, tmp_path).verdict == "complete"
    assert call_reading(warehouse, held) == []
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_hidden_challenges_do_not_delete_the_ideas_below_them(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    with simulator.changing() as tables:
        sizes = {c: sum(r["challenge_id"] == c for r in tables["ideas"].values()) for c in tables["challenges"]}
        for challenge in sorted(sizes, key=lambda c: sizes[c])[-3:]:
            tables["challenges"].pop(challenge)
    result = sync(simulator, warehouse, tmp_path)
    assert (stream(result, "challenges").counts.held, stream(result, "challenges").counts.absent) == (3, 0)
    assert "until an operator confirms" in str(stream(result, "challenges").reason)
    assert deleted(warehouse, CHALLENGES) == set()
    assert deleted(warehouse, IDEAS) == set()
    assert deleted(warehouse, COMMENTS) == set()


def test_an_idea_whose_comments_cannot_be_read_keeps_them_and_the_others_go_on(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    idea = busiest_idea(simulator.tables)
    with simulator.changing() as tables:
        lost = next(i for i, row in tables["comments"].items() if row["idea_id"] == idea)
        elsewhere = next(i for i, row in tables["comments"].items() if row["idea_id"] != idea)
        remove_comment(tables, lost)
        remove_comment(tables, elsewhere)
    simulator.faults.add(Fault(kind="status", status=500, stream="comments", scope=idea, times=None))
    result = sync(simulator, warehouse, tmp_path)
    comments = stream(result, "comments")
    assert comments.verdict == "incomplete"
    assert comments.counts.scopes_complete == comments.counts.scopes - 1
    assert deleted(warehouse, COMMENTS) == {elsewhere}
    with warehouse.engine.connect() as connection:
        verdict, reason = connection.execute(
            sa.select(SYNC_SCOPES.c.verdict, SYNC_SCOPES.c.reason).where(
                SYNC_SCOPES.c.run_id == result.run_id, SYNC_SCOPES.c.stream == "comments", SYNC_SCOPES.c.scope == idea
            )
        ).one()
    assert verdict == "incomplete"
    assert "500" in reason


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(kind="list_cut", stream="users", times=None, page=3), "but 20 records came"),
        (Fault(kind="page_twice", stream="users", times=None, page=3, every=5), "came"),
        (Fault(kind="wrong_total", stream="users", times=None), "but 49 records came"),
    ],
    ids=["a list cut short", "a page served twice", "a wrong total"],
)
def test_a_list_that_contradicts_itself_is_incomplete_and_nothing_is_called_absent(
    fault: Fault, words: str, simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    with simulator.changing() as tables:
        gone = next(reversed(tables["users"]))
        tables["users"].pop(gone)
    simulator.faults.add(fault)
    result = sync(simulator, warehouse, tmp_path)
    users = stream(result, "users")
    if fault.kind == "page_twice" and users.verdict == "complete":
        # Pages of other sizes showed what the repeated page hid: all records came, and only one is absent.
        assert (users.counts.absent, deleted(warehouse, USERS)) == (1, {gone})
        return
    assert users.verdict == "incomplete"
    assert words in str(users.reason)
    assert deleted(warehouse, USERS) == set()
    simulator.faults.clear()
    assert stream(sync(simulator, warehouse, tmp_path), "users").counts.absent == 1


def test_rows_deleted_and_added_while_people_are_read_hide_nobody(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    lived = set(simulator.tables["users"])
    pages = iter(range(10_000))

    def swap(name: str, scope: str, tables: Tables) -> None:
        if name == "users" and (n := next(pages)) in (3, 7):
            gone = next(iter(tables["users"]))
            lived.discard(gone)
            row = tables["users"].pop(gone)
            tables["users"][f"new{n}"] = {**row, "id": f"new{n}"}

    simulator.before_page = swap
    result = sync(simulator, warehouse, tmp_path)
    assert stream(result, "users").verdict == "complete"
    assert deleted(warehouse, USERS).isdisjoint(lived)
    with warehouse.engine.connect() as connection:
        live = set(connection.scalars(sa.select(USERS.c.id).where(USERS.c._deleted_at.is_(None))))
    assert lived <= live
