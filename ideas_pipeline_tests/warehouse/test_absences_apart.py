"""What is decided about the absent rows of one community and stream leaves all others as they are.

Ids are numbers in many APIs, so communities that share a warehouse, and streams, have the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import ABSENCES, REJECTED_RECORDS, SCOPES, SYNC_RUNS, SYNC_SCOPES
from ideas_pipeline.tables.community import COMMENTS, IDEA_LABELS, IDEAS
from ideas_pipeline.warehouse import absences
from ideas_pipeline.warehouse.merge import Deletion
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import candidates, held, idea, label, load, night, read, reject
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing

Act = Callable[[Warehouse], object]
DELETION = Deletion("night-2", night(2))
COUNTERS = {c.name: 0 for c in SYNC_RUNS.columns if c.info["kind"] == "integer"}
TABLES = (ABSENCES, REJECTED_RECORDS, SCOPES, SYNC_SCOPES, IDEAS, IDEA_LABELS, COMMENTS)


def fill(warehouse: Warehouse) -> None:
    """Two ideas with labels and comments of the same ids. On night 2 the idea 2 and both comments are absent."""
    labels = {"idea_labels": [label("1", "new"), label("2", "new")]}
    load(warehouse, "ideas", [idea("1"), idea("2")], on=1, embedded=labels)
    load(warehouse, "comments", [{"id": n, "idea_id": n, "_scope": n} for n in ("1", "2")], on=1)
    load(warehouse, "ideas", [idea("1")], on=2, scopes=[read("c1", remembered=True)])
    lists = [read(n, remembered=True) for n in ("1", "2")]
    load(warehouse, "comments", [], on=2, scopes=lists, rejects=[reject(f"r{n}", n, "comments") for n in ("1", "2")])


ACTS: dict[str, Act] = {
    "hold": lambda w: call_writing(w, absences.hold_absences, "ideas", ["2"], "too many"),
    "contradict": lambda w: call_writing(w, absences.contradict_absences, "ideas", {"c1": "two numbers"}),
    "forget": lambda w: call_writing(w, absences.forget_absences, "ideas", ["2"]),
    "confirm": lambda w: call_writing(w, absences.confirm_absences, "ideas", ["2"], ["idea_labels"], DELETION),
    "seen again": lambda w: load(w, "ideas", [idea("2")], on=3, scopes=[read("c1", judged=False)]),
    "judge": lambda w: load(w, "ideas", [], on=3, scopes=[read("c1")]),
    "not found": lambda w: load(w, "ideas", [], on=3, scopes=[read("1", judged=False, verdict="not_found")]),
    "note": lambda w: call_writing(w, absences.note_rows, "ideas", "challenge_id", ["1"], "night-3", night(3)),
}


def rows_of(warehouse: Warehouse, community: str) -> dict[str, list[dict[str, Any]]]:
    return {t.name: [row for row in held(warehouse, t) if row["community"] == community] for t in TABLES}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_another_community_with_the_same_ids_stays_as_it_is(
    act: Act, warehouse: Warehouse, other_warehouse: Warehouse
) -> None:
    for one in (warehouse, other_warehouse):
        fill(one)
    before, ours = rows_of(warehouse, "other"), rows_of(warehouse, "acme")
    act(warehouse)
    assert rows_of(warehouse, "other") == before
    assert rows_of(warehouse, "acme") != ours


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_the_absences_of_another_stream_with_the_same_ids_stay(act: Act, warehouse: Warehouse) -> None:
    fill(warehouse)
    before = [row for row in held(warehouse, ABSENCES) if row["stream"] == "comments"]
    assert [row["id"] for row in before] == ["1", "2"]
    act(warehouse)
    assert [row for row in held(warehouse, ABSENCES) if row["stream"] == "comments"] == before
    assert candidates(warehouse, "comments") == {"1": "1", "2": "2"}


def test_what_is_under_a_deleted_parent_is_forgotten_and_nothing_else(warehouse: Warehouse) -> None:
    fill(warehouse)
    call_writing(warehouse, absences.confirm_absences, "ideas", ["2"], [], DELETION)
    assert [row["scope"] for row in held(warehouse, REJECTED_RECORDS)] == ["1"]
    assert [(row["stream"], row["scope"]) for row in held(warehouse, SCOPES)] == [("comments", "1"), ("ideas", "c1")]


def test_only_live_rows_of_the_community_whose_parent_is_not_known_are_in_no_known_list(
    warehouse: Warehouse, other_warehouse: Warehouse
) -> None:
    """The comments are listed per challenge, and their ideas are not there."""
    for one, ids in ((warehouse, ("1", "2", "3")), (other_warehouse, ("4",))):
        load(one, "comments", [{"id": n, "idea_id": f"i{n}", "_scope": "c1"} for n in ids], on=1, scopes=[])
    load(warehouse, "ideas", [idea("i3")], on=1)
    load(warehouse, "comments", [], on=2, scopes=[read("i2")])
    call_writing(warehouse, absences.confirm_absences, "comments", ["2"], [], DELETION)
    assert call_reading(warehouse, absences.unlisted, "comments", "challenge_id") == {"1"}
    assert call_reading(warehouse, absences.unlisted, "comments", "idea_id") == set()
    assert call_reading(warehouse, absences.unlisted, "comments", None) == set()


@pytest.mark.parametrize(("back", "left"), [("2", {"2"}), ("1", {"", "2"})])
def test_if_a_deleted_row_comes_back_the_state_of_lists_below_that_are_not_its_own_is_forgotten(
    back: str, left: set[str], warehouse: Warehouse
) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2")], on=1)
    load(warehouse, "ideas", [idea("1")], on=2)
    call_writing(warehouse, absences.confirm_absences, "ideas", ["2"], [], DELETION)
    load(warehouse, "comments", [], on=2, scopes=[read(n, remembered=True) for n in ("", "2")])
    load(warehouse, "ideas", [idea(back)], on=3, scopes=[read("c1", judged=False)])
    assert {row["scope"] for row in held(warehouse, SCOPES) if row["stream"] == "comments"} == left


def test_an_absence_that_is_contradicted_waits_unless_it_is_held(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1"), idea("2"), idea("3"), idea("4", "c2")], on=1)
    load(warehouse, "ideas", [], on=2, scopes=[read("c1"), read("c2")])
    assert call_reading(warehouse, absences.contradicted, "ideas") == {}
    call_writing(warehouse, absences.contradict_absences, "ideas", {"c1": "it declares 3"})
    call_writing(warehouse, absences.hold_absences, "ideas", ["1"], "too many")
    assert call_reading(warehouse, absences.contradicted, "ideas") == {"it declares 3": 2}
    assert call_reading(warehouse, absences.contradicted, "comments") == {}


def test_held_absences_are_listed_with_their_reasons_in_order(warehouse: Warehouse, other_warehouse: Warehouse) -> None:
    for one in (warehouse, other_warehouse):
        fill(one)
    call_writing(warehouse, absences.hold_absences, "ideas", ["2", "1"], "too many")
    call_writing(warehouse, absences.hold_absences, "comments", ["2"], "rights")
    assert call_reading(warehouse, absences.held) == [
        absences.Held("comments", "2", "2", "rights", night(2)),
        absences.Held("ideas", "c1", "2", "too many", night(2)),
    ]
    assert {i for i, a in call_reading(warehouse, absences.undecided, "comments").items()} == {"1"}


def test_a_stage_that_clears_votes_explains_only_those_of_before_whatever_another_community_read_since(
    warehouse: Warehouse, other_warehouse: Warehouse
) -> None:
    stage = {"challenge_id": "c1", "id": "s", "resets_votes": True, "starts_at": night(2), "_scope": ""}
    for one, night_of_sweep in ((warehouse, 1), (other_warehouse, 3)):
        stages = {"challenge_stages": [stage]}
        load(
            one, "challenges", [{"id": "c1", "_scope": ""}], on=1, embedded=stages, stated={"challenge_stages": ["c1"]}
        )
        load(one, "ideas", [idea("1")], on=1)
        swept = read("1", swept_at=night(night_of_sweep))
        load(one, "votes", [{"id": "v", "idea_id": "1", "_scope": "1"}], on=1, scopes=[swept])
        with one.writing() as tx:
            tx.execute(sa.insert(SYNC_RUNS), COUNTERS | run(tx.community, "night-1", night(1)))
        load(one, "votes", [], on=4, scopes=[read("1", swept_at=night(4))])
    arguments = (absences.explained, "votes", "idea_id", "night-4", night(4))
    assert call_reading(warehouse, *arguments) == {"cleared": {"v"}}
    assert call_reading(other_warehouse, *arguments) == {}


def run(community: str, run_id: str, at: datetime) -> dict[str, object]:
    shared = {"source": "the API", "mode": "full", "verdict": "complete", "account_role": None}
    return shared | {"community": community, "run_id": run_id, "started_at": at}


@pytest.mark.parametrize(
    ("runs", "role"),
    [
        ([], None),
        ([("full", "complete", "admin")], "admin"),
        ([("full", "complete", "admin"), ("incremental", "complete", "member")], "member"),
        ([("full", "complete", "admin"), ("incremental", "failed", None)], "admin"),
        ([("full", "complete", "admin"), ("incremental", "failed", "member")], "member"),
        ([("full", "complete", "admin"), ("incremental", "complete", None)], None),
        ([("full", "complete", "admin"), ("replay", "complete", "member")], "admin"),
    ],
)
def test_the_present_role_is_that_of_the_latest_run_that_read_the_api(
    runs: list[tuple[str, str, str | None]], role: str | None, warehouse: Warehouse, other_warehouse: Warehouse
) -> None:
    for one, those in ((warehouse, runs), (other_warehouse, [("full", "complete", "guest")] * 9)):
        with one.writing() as tx:
            for number, (mode, verdict, account_role) in enumerate(those, 1):
                this = {"mode": mode, "verdict": verdict, "account_role": account_role}
                tx.execute(sa.insert(SYNC_RUNS), COUNTERS | run(tx.community, str(number), night(number)) | this)
    assert call_reading(warehouse, absences.present_role) == role
