from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES
from ideas_pipeline.warehouse.batch import Counts
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import (
    COMMUNITY,
    batch,
    candidates,
    held,
    idea,
    label,
    live,
    load,
    load_batch,
    night,
    read,
    reject,
)


def test_new_rows_are_inserted_with_their_bookkeeping(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", title="Bike racks")], on=1)
    [row] = held(warehouse, "ideas")
    assert (row["community"], row["id"], row["challenge_id"], row["title"]) == (COMMUNITY, "1", "c1", "Bike racks")
    assert row["_first_seen_at"] == row["_changed_at"] == night(1)
    assert row["_deleted_at"] is None
    assert row["_run_id"] == "night-1"


def test_the_same_data_twice_writes_no_row(warehouse: Warehouse) -> None:
    rows = [idea(str(n), title=f"Idea {n}") for n in range(50)]
    parts = {"idea_labels": [label(str(n), "new") for n in range(50)]}
    stated = {"idea_labels": [str(n) for n in range(50)]}
    load(warehouse, "ideas", rows, on=1, embedded=parts, stated=stated)
    before = [_versions(warehouse, name) for name in ("ideas", "idea_labels")]
    counts = load(warehouse, "ideas", rows, on=2, embedded=parts, stated=stated)
    assert [_versions(warehouse, name) for name in ("ideas", "idea_labels")] == before
    assert counts == {"c1": Counts(seen=50, unchanged=50)}


def test_a_row_that_differs_is_updated_and_keeps_when_it_was_first_seen(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", title="Bike racks"), idea("2")], on=1)
    counts = load(warehouse, "ideas", [idea("1", title="Bicycle racks", score=3.5), idea("2")], on=2)
    first, second = held(warehouse, "ideas")
    assert (first["title"], first["score"]) == ("Bicycle racks", 3.5)
    assert (first["_first_seen_at"], first["_changed_at"], first["_run_id"]) == (night(1), night(2), "night-2")
    assert (second["_changed_at"], second["_run_id"]) == (night(1), "night-1")
    assert counts == {"c1": Counts(seen=2, updated=1, unchanged=1)}


def test_a_value_that_went_is_null_again(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", title="Bike racks", _extra='{"mood": "glad"}')], on=1)
    load(warehouse, "ideas", [idea("1")], on=2)
    [row] = held(warehouse, "ideas")
    assert row["title"] is None
    assert row["_extra"] is None


def test_a_row_listed_under_another_scope_moves(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", "c1"), idea("2", "c1")], on=1)
    counts = load(warehouse, "ideas", [idea("2", "c1"), idea("1", "c2")], on=2)
    assert [(row["id"], row["challenge_id"]) for row in held(warehouse, "ideas")] == [("1", "c2"), ("2", "c1")]
    assert counts == {"c1": Counts(seen=1, unchanged=1), "c2": Counts(seen=1, updated=1)}
    assert candidates(warehouse, "ideas") == {}


KEPT = ("seen", "inserted", "updated", "unchanged", "rejected", "rejected_values")


def test_counts_reconcile_by_scope_and_are_kept(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2"), idea("3", "c2")], on=1)
    counts = load(
        warehouse,
        "ideas",
        [idea("1"), idea("2", title="New"), idea("4"), idea("3", "c2")],
        on=2,
        scopes=[read("c1", total_first=4, declared=5), read("c2"), read("c3")],
        rejects=[reject("5"), reject("l", table="idea_labels"), replace(reject("4"), column="score", value="high")],
    )
    assert counts == {
        "c1": Counts(seen=4, inserted=1, updated=1, unchanged=1, rejected=1, rejected_embedded=1, rejected_values=1),
        "c2": Counts(seen=1, unchanged=1),
        "c3": Counts(),
    }
    for count in counts.values():
        assert count.seen == count.inserted + count.updated + count.unchanged + count.rejected
    kept = {row["scope"]: row for row in held(warehouse, SYNC_SCOPES) if row["run_id"] == "night-2"}
    assert {scope: Counts(**{name: row[name] for name in KEPT}) for scope, row in kept.items()} == {
        scope: replace(count, rejected_embedded=0) for scope, count in counts.items()
    }
    assert (kept["c1"]["total_first"], kept["c1"]["total_last"], kept["c1"]["declared"]) == (4, None, 5)
    assert kept["c1"]["swept_at"] == night(1)


def test_a_scope_loaded_in_parts_has_the_counts_of_all_parts(warehouse: Warehouse) -> None:
    first = load(warehouse, "ideas", [idea("1"), idea("2")], on=1, scopes=[])
    assert first == {"c1": Counts(seen=2, inserted=2)}
    last = read("c1", present=("1", "2", "3"), counts=first["c1"])
    second = load(warehouse, "ideas", [idea("3")], on=1, scopes=[last])
    assert second == {"c1": Counts(seen=1, inserted=1)}
    [row] = held(warehouse, SYNC_SCOPES)
    assert (row["seen"], row["inserted"]) == (3, 3)


def test_a_scope_loaded_again_in_the_same_run_has_one_account(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1")], on=1)
    load(warehouse, "ideas", [idea("1")], on=1)
    [row] = held(warehouse, SYNC_SCOPES)
    assert (row["inserted"], row["unchanged"]) == (0, 1)


def test_communities_do_not_touch_each_other(warehouse: Warehouse, other_warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", title="Ours")], on=1)
    theirs = batch("ideas", [idea("1", title="Theirs")], 2)
    theirs = replace(theirs, stated={"idea_labels": ["1"]})
    assert load_batch(other_warehouse, theirs).counts == {"c1": Counts(seen=1, inserted=1)}
    assert [(row["community"], row["title"]) for row in held(warehouse, "ideas")] == [
        (COMMUNITY, "Ours"),
        ("other", "Theirs"),
    ]


def test_embedded_rows_that_a_full_statement_leaves_out_are_gone(warehouse: Warehouse) -> None:
    parts = [label("1", "new"), label("1", "hot"), label("2", "new")]
    load(warehouse, "ideas", [idea("1"), idea("2")], on=1, embedded={"idea_labels": parts})
    load(
        warehouse,
        "ideas",
        [idea("1"), idea("2")],
        on=2,
        embedded={"idea_labels": [label("1", "hot")]},
        stated={"idea_labels": ["1"]},
    )
    assert live(warehouse, "idea_labels") == [("1", "hot"), ("2", "new")]
    gone = next(row for row in held(warehouse, "idea_labels") if row["_deleted_at"])
    assert (gone["label_id"], gone["_deleted_at"], gone["_changed_at"]) == ("new", night(2), night(2))
    assert gone["_run_id"] == "night-2"


def test_an_empty_statement_without_rows_empties_the_list(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1")], on=1, embedded={"idea_labels": [label("1", "new")]})
    load(warehouse, "ideas", [idea("1")], on=2, stated={"idea_labels": ["1"]})
    assert live(warehouse, "idea_labels") == []


def test_embedded_rows_stay_where_nothing_was_stated(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1")], on=1, embedded={"idea_labels": [label("1", "new")]})
    load(warehouse, "ideas", [idea("1")], on=2, embedded={"idea_labels": []}, stated={"idea_labels": []})
    assert live(warehouse, "idea_labels") == [("1", "new")]


def test_an_embedded_row_that_comes_back_is_revived(warehouse: Warehouse) -> None:
    with_label = {"idea_labels": [label("1", "new")]}
    stated = {"idea_labels": ["1"]}
    load(warehouse, "ideas", [idea("1")], on=1, embedded=with_label, stated=stated)
    load(warehouse, "ideas", [idea("1")], on=2, stated=stated)
    load(warehouse, "ideas", [idea("1")], on=3, embedded=with_label, stated=stated)
    [row] = held(warehouse, "idea_labels")
    assert (row["_first_seen_at"], row["_changed_at"], row["_deleted_at"]) == (night(1), night(3), None)


def test_many_loads_on_one_connection_each_start_with_empty_staging(warehouse: Warehouse) -> None:
    for n in range(12):  # a driver prepares a statement that it has seen a few times
        counts = load(warehouse, "ideas", [idea(str(n))], on=1, scopes=[read("c1", judged=False)])
        assert counts == {"c1": Counts(seen=1, inserted=1)}


def test_a_stream_without_a_frame_can_be_loaded(warehouse: Warehouse) -> None:
    nothing = replace(batch("ideas", [], 1, [read("c1")]), frames={})
    assert load_batch(warehouse, nothing).counts == {"c1": Counts()}


def test_a_key_that_comes_twice_in_a_frame_loads_nothing(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match=r"(?i)unique"):
        load(warehouse, "ideas", [idea("1"), idea("1")], on=1)
    assert held(warehouse, "ideas") == []


def _versions(warehouse: Warehouse, table: str) -> list[object]:
    """The rows as they are stored: on PostgreSQL, each with the transaction that wrote it."""
    if warehouse.engine.dialect.name != "postgresql":
        return list(held(warehouse, table))
    with warehouse.engine.begin() as connection:
        query = sa.text(f"SELECT xmin::text, {table}::text FROM {table} ORDER BY 2")
        return [tuple(row) for row in connection.execute(query)]
