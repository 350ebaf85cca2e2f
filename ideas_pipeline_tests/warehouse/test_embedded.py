from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import ABSENCES, SCOPES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.absences import confirm_absences
from ideas_pipeline.warehouse.batch import Loaded
from ideas_pipeline.warehouse.embedded import confirm_embedded
from ideas_pipeline.warehouse.merge import Deletion
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import batch, held, idea, label, live, load, load_batch, night, read
from ideas_pipeline_tests.warehouse.calls import call_writing

IDEAS = [str(n) for n in range(100, 130)]


def ideas_with_labels(warehouse: Warehouse) -> None:
    """Thirty ideas, each with the label new."""
    labels = [label(i, "new") for i in IDEAS]
    stated = {"idea_labels": IDEAS}
    load(warehouse, "ideas", [idea(i) for i in IDEAS], on=1, embedded={"idea_labels": labels}, stated=stated)


def come(warehouse: Warehouse, on: int, labelled: list[str], ideas: list[str] = IDEAS) -> Loaded:
    """The ``ideas`` came again, and of these only those ``labelled`` with a label."""
    parts = {"idea_labels": [label(i, "new") for i in labelled]}
    proven = [read("c1", remembered=True, fingerprint="f")]
    made = batch("ideas", [idea(i) for i in ideas], on, proven, parts, {"idea_labels": ideas})
    return load_batch(warehouse, replace(made, mass_absence_percent=10))


def absences(warehouse: Warehouse) -> list[dict[str, Any]]:
    return [row for row in held(warehouse, ABSENCES) if row["stream"] == "idea_labels"]


def waiting(warehouse: Warehouse) -> dict[str, str]:
    return {row["id"]: row["scope"] for row in absences(warehouse)}


def labels_in_history(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    h = IDEA_HISTORY.c
    query = sa.select(h.idea_id).where(h.attribute == "label", h.observed_to.is_(None)).order_by(h.idea_id)
    with warehouse.engine.connect() as connection:
        return list(connection.scalars(query))


def test_too_many_rows_at_once_are_held_with_the_reason_and_stay_there(warehouse: Warehouse) -> None:
    ideas_with_labels(warehouse)
    assert come(warehouse, 2, IDEAS[:5]).embedded_held == {"idea_labels": 25}
    assert len(live(warehouse, "idea_labels")) == 30
    assert waiting(warehouse) == {f'["{i}","new"]': i for i in IDEAS[5:]}
    row = absences(warehouse)[0]
    assert (row["stream"], row["run_id"], row["noticed_at"]) == ("idea_labels", "night-2", night(2))
    assert row["held_because"].startswith("25 of 30 rows of idea_labels are missing at once, more than 10 %")
    assert held(warehouse, SCOPES) == [], "the list is read again, whatever its parent says"


def test_a_held_row_keeps_when_it_was_noticed_and_is_not_believed_in_a_small_batch_either(
    warehouse: Warehouse,
) -> None:
    ideas_with_labels(warehouse)
    come(warehouse, 2, IDEAS[:5])
    for n, some in enumerate((IDEAS[:10], IDEAS[10:])):
        come(warehouse, 3 + n, [i for i in some if i in IDEAS[:5]], some)
    assert {row["noticed_at"] for row in absences(warehouse)} == {night(2)}
    assert len(live(warehouse, "idea_labels")) == 30


def test_a_single_row_that_goes_beside_held_ones_is_gone(warehouse: Warehouse) -> None:
    ideas_with_labels(warehouse)
    come(warehouse, 2, IDEAS[:5])
    done = come(warehouse, 3, IDEAS[:4])
    assert (done.embedded, done.embedded_held) == (1, {"idea_labels": 25})
    assert (IDEAS[4], "new") not in live(warehouse, "idea_labels")
    assert IDEAS[4] not in labels_in_history(warehouse)


def test_a_held_row_that_is_seen_again_waits_no_longer(warehouse: Warehouse) -> None:
    ideas_with_labels(warehouse)
    come(warehouse, 2, IDEAS[:5])
    assert come(warehouse, 3, IDEAS[:20]).embedded_held == {"idea_labels": 10}
    assert set(waiting(warehouse).values()) == set(IDEAS[20:])
    assert come(warehouse, 4, IDEAS) == Loaded({"c1": come(warehouse, 5, IDEAS).counts["c1"]})
    assert waiting(warehouse) == {}


def test_confirmed_rows_are_marked_with_the_reason_and_end_in_the_history(warehouse: Warehouse) -> None:
    ideas_with_labels(warehouse)
    assert labels_in_history(warehouse) == IDEAS
    come(warehouse, 2, IDEAS[:5])
    some = [f'["{i}","new"]' for i in IDEAS[5:8]] + ['["1","none"]']
    assert (
        call_writing(warehouse, confirm_embedded, "idea_labels", some, Deletion("r", night(3), "gone (confirmed)")) == 3
    )
    assert len(live(warehouse, "idea_labels")) == 27
    gone = [row for row in held(warehouse, "idea_labels") if row["_deleted_at"]]
    assert {(r["idea_id"], r["_deleted_because"], r["_deleted_at"]) for r in gone} == {
        (i, "gone (confirmed)", night(3)) for i in IDEAS[5:8]
    }
    assert labels_in_history(warehouse) == IDEAS[:5] + IDEAS[8:]
    assert set(waiting(warehouse).values()) == set(IDEAS[8:])
    assert (
        call_writing(warehouse, confirm_embedded, "idea_labels", some, Deletion("r", night(4), "gone (confirmed)")) == 0
    )


def test_after_all_are_confirmed_the_list_is_remembered_again(warehouse: Warehouse) -> None:
    ideas_with_labels(warehouse)
    come(warehouse, 2, IDEAS[:5])
    call_writing(
        warehouse,
        confirm_embedded,
        "idea_labels",
        list(waiting(warehouse)),
        Deletion("r", night(3), "gone (confirmed)"),
    )
    assert come(warehouse, 4, IDEAS[:5]).embedded_held == {}
    assert [row["scope"] for row in held(warehouse, SCOPES)] == ["c1"]


def test_what_is_held_of_a_record_goes_with_the_record(warehouse: Warehouse) -> None:
    ideas_with_labels(warehouse)
    come(warehouse, 2, IDEAS[:5])
    come(warehouse, 3, IDEAS[:5], IDEAS[:-1])
    call_writing(warehouse, confirm_absences, "ideas", [IDEAS[-1]], ["idea_labels"], Deletion("night-3", night(3)))
    assert IDEAS[-1] not in waiting(warehouse).values()
    assert (IDEAS[-1], "new") not in live(warehouse, "idea_labels")
