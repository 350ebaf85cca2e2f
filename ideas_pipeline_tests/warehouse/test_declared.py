from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from ideas_pipeline.warehouse.declared import DeclaredCounts, declared_counts, differing_parents
from ideas_pipeline.warehouse.runs import RunStart
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, idea, load, read

READ = datetime(2026, 1, 1, 2, tzinfo=UTC)
COMMENTS = ("ideas", "comment_count", "comments", "idea_id")


def comment(id_: str, of: str, at: datetime = READ - timedelta(days=1)) -> dict[str, object]:
    return {"id": id_, "idea_id": of, "_scope": of, "created_at": at}


def counts(warehouse: Warehouse) -> DeclaredCounts:
    return declared_counts(warehouse.engine, COMMUNITY, *COMMENTS, "created_at")


def which(warehouse: Warehouse) -> list[tuple[str, int, int]]:
    with warehouse.engine.connect() as connection:
        rows = connection.execute(sa.text(differing_parents(COMMUNITY, *COMMENTS)))
        return [(row.id, row.declared, row.there) for row in rows]


def test_declared_counts_are_set_against_the_rows_of_each_parent(warehouse: Warehouse) -> None:
    ideas = [idea("1", comment_count=1), idea("2", comment_count=4), idea("3", comment_count=0), idea("4")]
    load(warehouse, "ideas", ideas, on=1)
    load(warehouse, "comments", [comment("a", "1"), comment("b", "2"), comment("c", "3"), comment("d", "4")], on=1)

    assert counts(warehouse) == DeclaredCounts(parents=3, differ=2, declared=5, there=3, missing=3, surplus=1)
    assert which(warehouse) == [("2", 4, 1), ("3", 0, 1)]


def test_what_is_gone_counts_on_neither_side(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", comment_count=1), idea("2", comment_count=7)], on=1)
    load(warehouse, "comments", [comment("a", "1"), comment("b", "1")], on=1)
    load(warehouse, "ideas", [idea("1", comment_count=1)], on=2)
    load(warehouse, "comments", [comment("a", "1")], on=2, scopes=[read("1")])
    warehouse.confirm_absences(COMMUNITY, "ideas", ["2"], "night-2", READ, [])
    warehouse.confirm_absences(COMMUNITY, "comments", ["b"], "night-2", READ, [])

    assert counts(warehouse) == DeclaredCounts(parents=1, differ=0, declared=1, there=1, missing=0, surplus=0)
    assert which(warehouse) == []


def test_a_row_that_came_after_its_parent_was_read_is_no_difference(warehouse: Warehouse) -> None:
    warehouse.start_run(RunStart("night-1", COMMUNITY, "https://api.example.com/v2/", READ))
    warehouse.start_stream("night-1", COMMUNITY, "ideas", READ)
    load(warehouse, "ideas", [idea("1", comment_count=1)], on=1)
    load(warehouse, "comments", [comment("a", "1"), comment("b", "1", READ + timedelta(minutes=1))], on=1)

    assert counts(warehouse).differ == 0


def test_an_empty_community_declares_nothing(warehouse: Warehouse) -> None:
    assert counts(warehouse) == DeclaredCounts(0, 0, 0, 0, 0, 0)
