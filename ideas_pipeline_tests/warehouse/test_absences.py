from __future__ import annotations

from ideas_pipeline.tables.bookkeeping import ABSENCES, SYNC_SCOPES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.absences import confirm_absences, hold_absences, note_orphans
from ideas_pipeline.warehouse.batch import Counts
from ideas_pipeline.warehouse.merge import Deletion
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import (
    candidates,
    held,
    idea,
    label,
    live,
    load,
    night,
    read,
    reject,
)
from ideas_pipeline_tests.warehouse.calls import call_writing


def test_a_row_missing_from_a_judged_scope_becomes_a_candidate_and_is_not_yet_deleted(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2"), idea("3", "c2")], on=1)
    load(warehouse, "ideas", [idea("1")], on=2)
    assert candidates(warehouse, "ideas") == {"2": "c1"}
    assert live(warehouse, "ideas") == [("1",), ("2",), ("3",)]
    [row] = held(warehouse, ABSENCES)
    assert (row["run_id"], row["noticed_at"], row["held_because"]) == ("night-2", night(2), None)


def test_a_row_missing_from_an_unproven_scope_is_not_a_candidate(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2")], on=1)
    load(warehouse, "ideas", [idea("1")], on=2, scopes=[read("c1", judged=False)])
    assert candidates(warehouse, "ideas") == {}


def test_a_row_whose_record_was_rejected_is_not_a_candidate(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2")], on=1)
    load(warehouse, "ideas", [idea("1")], on=2, rejects=[reject("2")])
    assert candidates(warehouse, "ideas") == {}


def test_all_rows_of_a_list_that_is_proven_empty_become_candidates(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2")], on=1)
    load(warehouse, "ideas", [], on=2, scopes=[read("c1")])
    assert candidates(warehouse, "ideas") == {"1": "c1", "2": "c1"}


def test_a_table_that_stands_alone_is_judged_as_one_list(warehouse: Warehouse) -> None:
    load(warehouse, "challenges", [{"id": "c1", "_scope": ""}, {"id": "c2", "_scope": ""}], on=1)
    load(warehouse, "challenges", [{"id": "c1", "_scope": ""}], on=2)
    assert candidates(warehouse, "challenges") == {"c2": ""}


def test_a_single_record_that_is_not_there_says_nothing_of_the_others(warehouse: Warehouse) -> None:
    load(warehouse, "users", [{"id": "u1", "_scope": "u1"}, {"id": "u2", "_scope": "u2"}], on=1)
    load(warehouse, "users", [], on=2, scopes=[read("u1")])
    assert candidates(warehouse, "users") == {}


def test_a_list_loaded_in_parts_is_judged_by_what_it_holds(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2"), idea("3"), idea("4")], on=1)
    load(warehouse, "ideas", [idea("1"), idea("2")], on=2, scopes=[])
    # The last sweep no longer saw 2; the earlier one did.
    load(warehouse, "ideas", [idea("3")], on=2, scopes=[read("c1", present=("1", "3"))])
    assert candidates(warehouse, "ideas") == {"2": "c1", "4": "c1"}


def test_a_row_that_only_an_earlier_sweep_saw_is_a_candidate(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2")], on=1, scopes=[read("c1", present=("1",))])
    assert candidates(warehouse, "ideas") == {"2": "c1"}


def test_a_candidate_that_is_seen_again_is_none_any_more_wherever_it_is_seen(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2"), idea("3")], on=1)
    load(warehouse, "ideas", [], on=2, scopes=[read("c1")])
    load(warehouse, "ideas", [idea("1")], on=3, scopes=[read("c1", judged=False)])
    assert candidates(warehouse, "ideas") == {"2": "c1", "3": "c1"}
    load(warehouse, "ideas", [idea("2", "c2")], on=3, rejects=[reject("3", "c2")])
    assert candidates(warehouse, "ideas") == {}


def test_a_candidate_that_stays_missing_keeps_when_it_was_noticed(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2")], on=1)
    load(warehouse, "ideas", [idea("1")], on=2)
    load(warehouse, "ideas", [idea("1")], on=3)
    [row] = held(warehouse, ABSENCES)
    assert row["noticed_at"] == night(2)


def test_a_confirmed_absence_marks_the_row_and_its_embedded_rows_and_is_counted(warehouse: Warehouse) -> None:
    parts = {"idea_labels": [label("1", "new"), label("2", "new")]}
    load(warehouse, "ideas", [idea("1"), idea("2"), idea("3", "c2")], on=1, embedded=parts)
    load(warehouse, "ideas", [idea("1")], on=2, scopes=[read("c1"), read("c2")])
    marked = call_writing(
        warehouse, confirm_absences, "ideas", ["2", "3"], ["idea_labels"], Deletion("night-2", night(2))
    )
    assert marked == {"c1": 1, "c2": 1}
    assert live(warehouse, "ideas") == [("1",)]
    assert live(warehouse, "idea_labels") == [("1", "new")]
    gone = held(warehouse, "ideas")[1]
    assert (gone["_deleted_at"], gone["_changed_at"], gone["_run_id"]) == (night(2), night(2), "night-2")
    assert candidates(warehouse, "ideas") == {}
    absent = {(row["run_id"], row["scope"]): row["absent"] for row in held(warehouse, SYNC_SCOPES)}
    assert absent == {("night-1", "c1"): 0, ("night-1", "c2"): 0, ("night-2", "c1"): 1, ("night-2", "c2"): 1}


def test_the_history_of_an_idea_ends_when_its_absence_is_confirmed(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", status="open"), idea("2", status="open")], on=1)
    load(warehouse, "ideas", [idea("1", status="open")], on=2)
    call_writing(warehouse, confirm_absences, "ideas", ["2"], [], Deletion("night-2", night(2)))
    ends = {(row["idea_id"], row["observed_to"]) for row in held(warehouse, IDEA_HISTORY)}
    assert ends == {("1", None), ("2", night(2))}


def test_only_a_candidate_can_be_confirmed(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1")], on=1)
    assert call_writing(warehouse, confirm_absences, "ideas", ["1", "9"], [], Deletion("night-1", night(1))) == {}
    assert live(warehouse, "ideas") == [("1",)]


def test_a_row_marked_deleted_is_not_noted_again(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1")], on=1)
    load(warehouse, "ideas", [], on=2, scopes=[read("c1")])
    call_writing(warehouse, confirm_absences, "ideas", ["1"], [], Deletion("night-2", night(2)))
    load(warehouse, "ideas", [], on=3, scopes=[read("c1")])
    assert candidates(warehouse, "ideas") == {}


def test_a_deleted_row_that_is_seen_again_is_revived_and_counts_as_updated(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1")], on=1)
    load(warehouse, "ideas", [], on=2, scopes=[read("c1")])
    call_writing(warehouse, confirm_absences, "ideas", ["1"], [], Deletion("night-2", night(2)))
    assert load(warehouse, "ideas", [idea("1")], on=3) == {"c1": Counts(seen=1, updated=1)}
    [row] = held(warehouse, "ideas")
    assert (row["_first_seen_at"], row["_changed_at"], row["_deleted_at"]) == (night(1), night(3), None)


def test_a_held_absence_stays_a_candidate_with_its_reason(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2")], on=1)
    load(warehouse, "ideas", [], on=2, scopes=[read("c1")])
    call_writing(warehouse, hold_absences, "ideas", ["2"], "too many at once")
    assert candidates(warehouse, "ideas") == {"1": "c1", "2": "c1"}
    assert [row["held_because"] for row in held(warehouse, ABSENCES)] == [None, "too many at once"]
    assert live(warehouse, "ideas") == [("1",), ("2",)]


def test_live_rows_of_a_deleted_parent_become_candidates(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("i1"), idea("i2")], on=1)
    votes = [{"id": f"v{n}", "idea_id": f"i{n}", "_scope": f"i{n}"} for n in (1, 2)]
    load(warehouse, "votes", votes, on=1)
    load(warehouse, "ideas", [idea("i1")], on=2)
    call_writing(warehouse, confirm_absences, "ideas", ["i2"], [], Deletion("night-2", night(2)))
    assert call_writing(warehouse, note_orphans, "votes", "idea_id", "night-2", night(2)) == 1
    assert call_writing(warehouse, note_orphans, "votes", "idea_id", "night-2", night(2)) == 0
    assert candidates(warehouse, "votes") == {"v2": "i2"}
    assert call_writing(warehouse, confirm_absences, "votes", ["v2"], [], Deletion("night-2", night(2))) == {"i2": 1}


def test_a_table_that_stands_alone_has_no_orphans(warehouse: Warehouse) -> None:
    load(warehouse, "challenges", [{"id": "c1", "_scope": ""}], on=1)
    assert call_writing(warehouse, note_orphans, "challenges", None, "night-1", night(1)) == 0
