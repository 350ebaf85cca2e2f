from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ideas_pipeline.warehouse.absences import confirm_absences, hold_absences
from ideas_pipeline.warehouse.merge import Deletion
from ideas_pipeline.warehouse.quality import (
    BrokenReference,
    Declaration,
    DeclaredCounts,
    LastRun,
    broken_references,
    declared_counts,
    differing_parents,
    held_absences,
    last_run,
    referenced,
    reject_reasons,
)
from ideas_pipeline.warehouse.runs import RunStart, finish_stream, start_run, start_stream
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, batch, idea, label, load, load_batch, night, read, reject
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing

READ = datetime(2026, 1, 1, 2, tzinfo=UTC)
COMMENTS = Declaration("ideas", "comment_count", "comments", "idea_id")


def test_a_stream_that_was_never_read_has_no_last_run(warehouse: Warehouse) -> None:
    assert call_reading(warehouse, last_run, "ideas") is None


def test_the_last_run_names_its_own_unproven_lists(warehouse: Warehouse, other_warehouse: Warehouse) -> None:
    for on, unproven in ((1, ["c1", "c2"]), (2, ["c2"])):
        call_writing(warehouse, start_stream, f"night-{on}", "ideas", night(on))
        scopes = [read(scope, judged=scope not in unproven) for scope in ("c1", "c2")]
        load(warehouse, "ideas", [idea("1"), idea("2", "c2")], on=on, scopes=scopes)
        counted = {"scopes": 2, "scopes_complete": 2 - len(unproven)}
        call_writing(warehouse, finish_stream, f"night-{on}", "ideas", night(on), "incomplete", "it moved", **counted)

    assert call_reading(warehouse, last_run, "ideas") == LastRun(
        "night-2",
        "incomplete",
        "it moved",
        scopes=2,
        scopes_complete=1,
        hidden_changes=0,
        incomplete=["c2"],
        disbelieved=None,
    )
    assert call_reading(other_warehouse, last_run, "ideas") is None


def test_a_run_that_was_killed_is_still_the_last_one(warehouse: Warehouse) -> None:
    call_writing(warehouse, start_stream, "night-1", "ideas", night(1))

    assert call_reading(warehouse, last_run, "ideas") == LastRun("night-1", "running", None, 0, 0, 0, [], None)


@pytest.mark.parametrize("mode", ["window", "replay", "retry"])
def test_a_run_that_is_not_a_sync_does_not_replace_the_last_sync(warehouse: Warehouse, mode: str) -> None:
    call_writing(warehouse, start_stream, "night-1", "ideas", night(1))
    call_writing(warehouse, start_run, RunStart("later", "https://api.example.com/v2", night(2), mode=mode))
    call_writing(warehouse, start_stream, "later", "ideas", night(2))
    run = call_reading(warehouse, last_run, "ideas")
    assert run is not None
    assert run.run_id == "night-1"


@pytest.mark.parametrize(("mode", "counts"), [("window", True), ("replay", False), ("retry", False)])
def test_a_stream_that_was_never_synced_has_its_last_backfill(warehouse: Warehouse, mode: str, counts: bool) -> None:
    call_writing(warehouse, start_run, RunStart("later", "https://api.example.com/v2", night(2), mode=mode))
    call_writing(warehouse, start_stream, "later", "ideas", night(2))
    assert (call_reading(warehouse, last_run, "ideas") is not None) is counts


def test_rejects_are_counted_by_column_and_reason(warehouse: Warehouse) -> None:
    scores = [replace(reject(str(n)), column="score", reason="is not a number", value=n) for n in range(2)]
    load(
        warehouse,
        "ideas",
        [],
        on=1,
        scopes=[read("c1")],
        rejects=[*scores, replace(reject("9"), reason="id is missing")],
    )

    assert call_reading(warehouse, reject_reasons, ["ideas"]) == {
        "ideas.score is not a number": 2,
        "ideas: id is missing": 1,
    }
    assert call_reading(warehouse, reject_reasons, ["votes"]) == {}


def test_absences_are_counted_by_what_holds_them_once_they_are_judged(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2"), idea("3")], on=1)
    load(warehouse, "ideas", [idea("1")], on=2)
    assert call_reading(warehouse, held_absences, ["ideas"]) == {}

    call_writing(warehouse, hold_absences, "ideas", ["2", "3"], "too many")

    assert call_reading(warehouse, held_absences, ["ideas"]) == {("ideas", "too many"): 2}


def test_held_rows_of_an_embedded_table_are_counted_under_its_name(warehouse: Warehouse) -> None:
    ideas = [str(n) for n in range(30)]
    labels = {"idea_labels": [label(i, "new") for i in ideas]}
    load(warehouse, "ideas", [idea(i) for i in ideas], on=1, embedded=labels, stated={"idea_labels": ideas})
    without = batch("ideas", [idea(i) for i in ideas], 2, stated={"idea_labels": ideas})
    load_batch(warehouse, replace(without, mass_absence_percent=10))

    held = call_reading(warehouse, held_absences, ["ideas", "idea_labels"])

    assert [(table, rows) for (table, _), rows in held.items()] == [("idea_labels", 30)]
    assert call_reading(warehouse, held_absences, ["ideas"]) == {}


def test_references_that_lead_nowhere_are_counted_by_column(warehouse: Warehouse) -> None:
    load(warehouse, "challenges", [{"id": "c1", "_scope": ""}], on=1)
    load(warehouse, "users", [{"id": "u1", "_scope": ""}], on=1)
    ideas = [idea("1", author_id="u1"), idea("2", author_id="u2"), idea("3", "c9"), idea("4", author_id="u2")]
    load(warehouse, "ideas", ideas, on=1, embedded={"idea_labels": [label("1", "l"), label("9", "l")]})

    assert call_reading(warehouse, broken_references, ["ideas", "idea_labels"]) == [
        BrokenReference("idea_labels", "idea_id", "ideas", 1),
        BrokenReference("ideas", "author_id", "users", 2),
        BrokenReference("ideas", "challenge_id", "challenges", 1),
    ]
    assert call_reading(warehouse, broken_references, ["challenges"]) == []


def test_a_deleted_parent_breaks_what_is_part_of_it_and_not_what_only_names_it(warehouse: Warehouse) -> None:
    load(warehouse, "challenges", [{"id": "c1", "_scope": ""}], on=1)
    load(warehouse, "users", [{"id": "u1", "_scope": ""}], on=1)
    load(warehouse, "ideas", [idea("1", author_id="u1")], on=1)
    for stream, gone in (("users", "u1"), ("challenges", "c1")):
        load(warehouse, stream, [], on=2, scopes=[read("")])
        call_writing(warehouse, confirm_absences, stream, [gone], [], Deletion("night-2", night(2)))

    assert call_reading(warehouse, broken_references, ["ideas"]) == [
        BrokenReference("ideas", "challenge_id", "challenges", 1)
    ]


def test_a_comment_that_answers_a_missing_comment_is_a_broken_reference(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1")], on=1)
    comments = [
        {"id": "m1", "idea_id": "1", "_scope": "1"},
        {"id": "m2", "idea_id": "1", "_scope": "1", "parent_comment_id": "m1"},
        {"id": "m3", "idea_id": "1", "_scope": "1", "parent_comment_id": "m0"},
    ]
    load(warehouse, "comments", comments, on=1)

    assert call_reading(warehouse, broken_references, ["comments"]) == [
        BrokenReference("comments", "parent_comment_id", "comments", 1)
    ]


def test_the_tables_that_rows_name_are_known() -> None:
    assert referenced(["comments"]) == {"ideas", "comments", "users"}
    assert referenced(["challenges"]) == set()


def comment(id_: str, of: str, at: datetime = READ - timedelta(days=1)) -> dict[str, object]:
    return {"id": id_, "idea_id": of, "_scope": of, "created_at": at}


def counts(warehouse: Warehouse) -> DeclaredCounts:
    return call_reading(warehouse, declared_counts, COMMENTS, "created_at")


def which(warehouse: Warehouse, declaration: Declaration = COMMENTS) -> list[tuple[str, int, int]]:
    with warehouse.engine.connect() as connection:
        rows = connection.execute(sa.text(differing_parents(COMMUNITY, declaration)))
        return [(row.id, row.declared, row.there) for row in rows]


def test_declared_counts_are_set_against_the_rows_of_each_parent(warehouse: Warehouse) -> None:
    ideas = [idea("1", comment_count=1), idea("2", comment_count=4), idea("3", comment_count=0), idea("4")]
    load(warehouse, "ideas", ideas, on=1)
    load(warehouse, "comments", [comment("a", "1"), comment("b", "2"), comment("c", "3"), comment("d", "4")], on=1)

    assert counts(warehouse) == DeclaredCounts(parents=3, differ=2, declared=5, there=3, missing=3, surplus=1)
    assert which(warehouse) == [("2", 4, 1), ("3", 0, 1)]


def test_counts_of_challenges_are_set_against_the_comments_on_their_ideas(warehouse: Warehouse) -> None:
    of_challenges = Declaration("challenges", "comment_count", "comments", "challenge_id")
    challenges = [{"id": f"c{n}", "comment_count": n, "_scope": ""} for n in (1, 2)]
    load(warehouse, "challenges", challenges, on=1)
    load(warehouse, "ideas", [idea("1", "c1"), idea("2", "c2")], on=1)
    load(warehouse, "comments", [comment("a", "1"), comment("b", "2")], on=1)

    found = call_reading(warehouse, declared_counts, of_challenges, "created_at")
    assert found == DeclaredCounts(parents=2, differ=1, declared=3, there=2, missing=1, surplus=0)
    assert which(warehouse, of_challenges) == [("c2", 2, 1)]


def test_what_is_gone_counts_on_neither_side(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", comment_count=1), idea("2", comment_count=7)], on=1)
    load(warehouse, "comments", [comment("a", "1"), comment("b", "1")], on=1)
    load(warehouse, "ideas", [idea("1", comment_count=1)], on=2)
    load(warehouse, "comments", [comment("a", "1")], on=2, scopes=[read("1")])
    call_writing(warehouse, confirm_absences, "ideas", ["2"], [], Deletion("night-2", READ))
    call_writing(warehouse, confirm_absences, "comments", ["b"], [], Deletion("night-2", READ))

    assert counts(warehouse) == DeclaredCounts(parents=1, differ=0, declared=1, there=1, missing=0, surplus=0)
    assert which(warehouse) == []


def test_a_row_that_came_after_its_parent_was_read_is_not_a_difference(warehouse: Warehouse) -> None:
    call_writing(warehouse, start_run, RunStart("night-1", "https://api.example.com/v2/", READ))
    call_writing(warehouse, start_stream, "night-1", "ideas", READ)
    load(warehouse, "ideas", [idea("1", comment_count=1)], on=1)
    load(warehouse, "comments", [comment("a", "1"), comment("b", "1", READ + timedelta(minutes=1))], on=1)

    assert counts(warehouse).differ == 0


def test_an_empty_community_declares_nothing(warehouse: Warehouse) -> None:
    assert counts(warehouse) == DeclaredCounts(0, 0, 0, 0, 0, 0)
