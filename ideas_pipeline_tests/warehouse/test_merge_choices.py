"""Which rows a merge leaves alone: those of another parent, those deleted with their parent, and vanished columns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.merge import Deletion, live_rows, mark_deleted
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import batch, held, idea, live, load, load_batch, night, read
from ideas_pipeline_tests.warehouse.calls import call_reading

CHALLENGES, IDEAS = TABLES["challenges"], TABLES["ideas"]


def challenges(warehouse: Warehouse, *ids: str) -> None:
    load(warehouse, "challenges", [{"id": id_, "_scope": ""} for id_ in ids], on=1)


def delete(warehouse: Warehouse, table: str, id_: str, because: str) -> None:
    with warehouse.writing() as tx:
        mark_deleted(tx, TABLES[table], TABLES[table].c.id == id_, Deletion("night-2", night(2), because))


@pytest.mark.parametrize(("home_is_deleted", "moved"), [(False, False), (True, True)])
def test_a_row_of_another_live_parent_stays_and_is_named(
    home_is_deleted: bool, moved: bool, warehouse: Warehouse
) -> None:
    challenges(warehouse, "c1", "c2")
    load(warehouse, "ideas", [idea("1", "c1"), idea("2", "c2")], on=1)
    if home_is_deleted:
        delete(warehouse, "challenges", "c1", "gone")
    rows = [idea("1", "c2"), idea("2", "c2")]
    found = load_batch(warehouse, replace(batch("ideas", rows, 3, [read("c2")]), settled=frozenset()))
    assert [row["challenge_id"] for row in held(warehouse, "ideas")] == (["c2", "c2"] if moved else ["c1", "c2"])
    assert found.staying == ({} if moved else {"1": "c1"})


@pytest.mark.parametrize(
    ("because", "parent_is_deleted", "is_back"),
    [("parent_gone", True, False), ("parent_gone", False, True), ("gone", True, True), ("gone", False, True)],
)
def test_a_row_that_went_with_its_parent_comes_back_with_it_alone(
    because: str, parent_is_deleted: bool, is_back: bool, warehouse: Warehouse
) -> None:
    challenges(warehouse, "c1")
    load(warehouse, "ideas", [idea("1")], on=1)
    delete(warehouse, "ideas", "1", because)
    if parent_is_deleted:
        delete(warehouse, "challenges", "c1", "gone")
    load(warehouse, "ideas", [idea("1")], on=3)
    assert live(warehouse, "ideas") == ([("1",)] if is_back else [])


@pytest.mark.parametrize(
    ("volatile", "second", "title", "is_written"),
    [
        (frozenset(), {"title": "a"}, "a", False),
        (frozenset(), {"title": "b"}, "b", True),
        (frozenset({"title"}), {"title": "b"}, "a", False),
        (frozenset(), {"title": "a", "_extra": '{"x": 2}'}, "a", True),
        (frozenset({"x"}), {"title": "a", "_extra": '{"x": 2}'}, "a", False),
    ],
)
def test_a_row_whose_column_vanished_is_written_if_another_value_differs(
    volatile: frozenset[str], second: dict[str, str], title: str, is_written: bool, warehouse: Warehouse
) -> None:
    challenges(warehouse, "c1")
    load(warehouse, "ideas", [idea("1", title="a", score=3.5)], on=1)
    later = batch("ideas", [idea("1", **second)], 2)
    gone = {"ideas": frozenset({"score"})}
    load_batch(warehouse, replace(later, vanished=gone, volatile={"ideas": volatile}))
    (row,) = held(warehouse, "ideas")
    assert (row["title"], row["score"], row["_changed_at"] == night(2)) == (title, 3.5, is_written)


def test_all_live_rows_with_some_ids_are_found_however_many_they_are(sqlite_url: str) -> None:
    ids = [f"{number:04d}" for number in range(1_100)]
    with Warehouse.open(sqlite_url, "acme") as warehouse:
        load(warehouse, "ideas", [idea(id_) for id_ in ids], on=1)
        delete(warehouse, "ideas", ids[3], "gone")
        found = call_reading(warehouse, lambda tx: [row["id"] for row in live_rows(tx, IDEAS, ids[1:])])
    assert sorted(found) == [ids[1], ids[2], *ids[4:]]
