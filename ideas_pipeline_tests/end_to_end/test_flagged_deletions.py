"""An API that keeps deleted records in its lists, and says by a field that they are deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.app import run_archive
from ideas_pipeline.probe.probe import check
from ideas_pipeline.sync.engine import new_run_id
from ideas_pipeline.sync.replay import replay
from ideas_pipeline.sync.run import Full, Incremental, StreamResult, Window
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.absences import held
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream
from ideas_pipeline_tests.end_to_end.small_api import Lists, Record, api_of, column, read, small_api
from ideas_pipeline_tests.end_to_end.test_replay import archive
from ideas_pipeline_tests.engines import on_sqlite

FLAGS = {"deleted": ["deleted_at", "is_deleted"]}
WHEN = "2026-03-01T09:00:00Z"


class Board:
    """A challenge with as many ideas as are asked for, the first of which has two comments."""

    def __init__(self, ideas: int = 3) -> None:
        self.ideas: list[Record] = [
            {"id": n, "title": f"I{n}", "labels": [{"id": "x"}], "deleted_at": None} for n in range(1, ideas + 1)
        ]
        self.comments: list[Record] = [{"id": f"c{n}", "idea_id": 1, "body": f"C{n}"} for n in (1, 2)]
        self.users: list[Record] = []

    @property
    def lists(self) -> Lists:
        return {
            "challenges": [{"id": 1, "title": "C"}],
            "challenges/1/ideas": self.ideas,
            r"ideas/(\d+)/comments": self._below,
            "comments": self.comments,
            "users": self.users,
        }

    def _below(self, idea: str) -> Sequence[Record]:
        return self.comments if idea == "1" else []

    def read(self, warehouse: Warehouse, folder: Path, of: str = "ideas", **options: Any) -> StreamResult:
        changes = options.pop("contract", {"streams": {"ideas": FLAGS, "comments": FLAGS}})
        with small_api(self.lists) as server:
            result = read(server, warehouse, folder, contract_with(changes), **options)
        return stream(result, of)


def why(warehouse: Warehouse, table: str = "ideas") -> dict[str, str]:
    """Why the deleted rows of a table are marked, by id."""
    rows = TABLES[table].c
    with warehouse.engine.connect() as connection:
        found = sa.select(rows["id"], rows._deleted_because).where(rows._deleted_at.is_not(None))
        return dict(connection.execute(found).all())


def why_label(warehouse: Warehouse, idea: str) -> str | None:
    """Why the label of an idea is marked."""
    labels = TABLES["idea_labels"].c
    with warehouse.engine.connect() as connection:
        because: str | None = connection.execute(
            sa.select(labels._deleted_because).where(labels.idea_id == idea)
        ).scalar_one()
        return because


def numbers(result: StreamResult) -> tuple[int, ...]:
    counts = result.counts
    assert counts.seen == counts.inserted + counts.updated + counts.unchanged + counts.rejected
    return counts.seen, counts.inserted, counts.updated, counts.unchanged, counts.absent


def test_a_record_that_is_listed_as_deleted_is_deleted_until_the_flag_is_gone(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    board = Board()
    assert numbers(board.read(warehouse, tmp_path)) == (3, 3, 0, 0, 0)
    board.ideas[0] = {"id": 1, "deleted_at": WHEN}
    for mode, marked in ((Full(), 1), (Full(), 0), (Incremental(), 0)):
        result = board.read(warehouse, tmp_path, mode=mode)
        assert (result.verdict, numbers(result)) == ("complete", (3, 0, 0, 3, marked)), result.reason
        assert why(warehouse) == {"1": "flagged"}
        assert why(warehouse, "comments") == {"c1": "parent_gone", "c2": "parent_gone"}
    assert why_label(warehouse, "1") == "parent_gone"
    with warehouse.engine.connect() as connection:
        ended = sa.select(IDEA_HISTORY.c.observed_to.is_not(None)).where(IDEA_HISTORY.c.idea_id == "1").distinct()
        assert connection.scalars(ended).all() == [True]
        title = sa.select(TABLES["ideas"].c.title).where(TABLES["ideas"].c.id == "1")
        assert connection.scalars(title).all() == ["I1"]
    board.ideas[0] = {"id": 1, "title": "again", "deleted_at": None}
    assert numbers(board.read(warehouse, tmp_path)) == (3, 0, 1, 2, 0)
    assert column(warehouse, "ideas.title") == {"1": "again", "2": "I2", "3": "I3"}
    assert set(column(warehouse, "comments.body")) == {"c1", "c2"}


def test_many_at_once_are_believed_and_one_that_was_never_known_is_not_live(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    board = Board(50)
    board.ideas[0]["deleted_at"] = WHEN
    assert numbers(board.read(warehouse, tmp_path)) == (50, 50, 0, 0, 1)
    assert why(warehouse) == {"1": "flagged"}
    assert why_label(warehouse, "1") == "parent_gone"
    assert column(warehouse, "comments.body") == {}
    for idea in board.ideas[:45]:
        idea["deleted_at"] = WHEN
    assert numbers(board.read(warehouse, tmp_path)) == (50, 0, 0, 50, 44)
    assert len(column(warehouse, "ideas.title")) == 5
    with warehouse.reading() as tx:
        assert held(tx) == []


@on_sqlite
def test_a_run_that_reads_only_what_changed_marks_them_too(warehouse: Warehouse, tmp_path: Path) -> None:
    board = Board()
    since = {"since": {"parameter": "updated_since", "column": "updated_at"}}
    contract = {
        "streams": {"ideas": FLAGS, "comments": FLAGS | since | {"path": "comments", "each": None}},
    }
    for comment, day in zip(board.comments, ("2026-01-31", "2026-02-01"), strict=True):
        comment["updated_at"] = f"{day}T09:00:00Z"
    board.read(warehouse, tmp_path, contract=contract)
    board.comments = [{"id": "c2", "idea_id": 1, "updated_at": WHEN, "is_deleted": True}]
    for marked in (1, 0):
        result = board.read(warehouse, tmp_path, "comments", contract=contract, mode=Incremental())
        assert numbers(result) == (1, 0, 0, 1, marked)
        assert why(warehouse, "comments") == {"c2": "flagged"}
        assert column(warehouse, "comments.body") == {"c1": "C1"}


@on_sqlite
def test_comments_on_an_idea_that_was_never_live_are_deleted_in_a_list_of_all(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    board = Board()
    board.ideas[0]["deleted_at"] = WHEN
    contract = {"streams": {"ideas": FLAGS, "comments": {"path": "comments", "each": None}}}
    for _ in range(3):  # the list of all can be read before the ideas are known
        board.read(warehouse, tmp_path, contract=contract)
    assert why(warehouse, "comments") == {"c1": "parent_gone", "c2": "parent_gone"}


@on_sqlite
def test_without_the_word_nothing_changes(warehouse: Warehouse, tmp_path: Path) -> None:
    board = Board()
    board.ideas[0]["deleted_at"] = WHEN
    board.read(warehouse, tmp_path, contract={})
    assert set(column(warehouse, "ideas.title")) == {"1", "2", "3"}


@on_sqlite
def test_a_held_absence_that_comes_back_as_deleted_is_marked(warehouse: Warehouse, tmp_path: Path) -> None:
    board = Board(50)
    board.read(warehouse, tmp_path)
    every, board.ideas = board.ideas, board.ideas[:20]
    assert board.read(warehouse, tmp_path).counts.held == 30
    board.ideas = every
    every[-1]["deleted_at"] = WHEN
    assert board.read(warehouse, tmp_path).counts.held == 0
    assert why(warehouse) == {"50": "flagged"}


@on_sqlite
def test_a_record_that_stays_deleted_at_the_end_of_a_list_is_no_news(warehouse: Warehouse, tmp_path: Path) -> None:
    board = Board()
    board.users = [{"id": n, "username": f"U{n}"} for n in range(1, 4)]
    board.users[-1]["deleted_at"] = WHEN
    paging = {"!": {"style": "page", "size_parameter": "per_page", "size": 2, "total": {"body": ["total"]}}}
    contract = {"streams": {"users": FLAGS | {"probe": "total", "paging": paging}}}
    board.read(warehouse, tmp_path, contract=contract)
    result = board.read(warehouse, tmp_path, "users", contract=contract, mode=Incremental())
    assert (result.counts.skipped, *numbers(result)) == (1, 0, 0, 0, 0, 0)
    board.users.append({"id": 4, "username": "U4", "deleted_at": WHEN})
    result = board.read(warehouse, tmp_path, "users", contract=contract, mode=Incremental())
    assert (result.counts.skipped, *numbers(result)) == (1, 1, 1, 0, 0, 1)
    assert why(warehouse, "users") == {"3": "flagged", "4": "flagged"}


@on_sqlite
def test_a_replay_with_the_word_marks_what_the_archived_pages_say(warehouse: Warehouse, tmp_path: Path) -> None:
    board = Board()
    board.ideas[0]["deleted_at"] = WHEN
    run_id = new_run_id(datetime.now(UTC))
    with run_archive(archive(tmp_path), run_id, 30, contract_with({})) as kept:
        board.read(warehouse, tmp_path, contract={}, run_id=run_id, archive=kept)
    assert why(warehouse) == {}
    for marked in (1, 0):
        result = replay(contract_with({"streams": {"ideas": FLAGS}}), warehouse, archive(tmp_path))
        assert numbers(stream(result, "ideas"))[-1] == marked
        assert why(warehouse) == {"1": "flagged"}


@on_sqlite
def test_a_backfill_marks_only_records_of_its_days(warehouse: Warehouse, tmp_path: Path) -> None:
    board = Board()
    for idea in board.ideas:
        idea["created_at"] = f"2026-02-0{idea['id']}T09:00:00Z"
    board.read(warehouse, tmp_path)
    for idea in board.ideas:
        idea["deleted_at"] = WHEN
    days = Window(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 3, tzinfo=UTC))
    assert numbers(board.read(warehouse, tmp_path, mode=days)) == (2, 0, 0, 2, 2)
    assert why(warehouse) == {"1": "flagged", "2": "flagged"}


@pytest.mark.parametrize(("contract", "proposed"), [({}, ["is_deleted"]), ({"streams": {"ideas": FLAGS}}, None)])
def test_check_proposes_the_word_once(contract: dict[str, Any], proposed: list[str] | None, tmp_path: Path) -> None:
    board = Board(2)
    board.ideas = [{"id": n, "title": f"I{n}", "is_deleted": n == 1} for n in (1, 2)]
    with small_api(board.lists) as server:
        steps = list(check(contract_with(contract), lambda contract: api_of(server, tmp_path, contract)))
    found = next(step for step in steps if step.name == "ideas")
    assert found.fix.get("streams", {}).get("ideas", {}).get("deleted") == proposed
    assert ("streams.ideas.deleted" in found.confirmed, "is_deleted" in found.not_mapped) == (not proposed, False)
