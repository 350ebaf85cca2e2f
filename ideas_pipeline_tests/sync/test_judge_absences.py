"""Which rows a run marks as deleted, which wait and which are held: night by night."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ideas_pipeline.errors import NotFound
from ideas_pipeline.sync.run import Window
from ideas_pipeline.tables.bookkeeping import SCOPES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.engines import on_sqlite
from ideas_pipeline_tests.sync.lists import HOMES, NO_ANSWER, Lists, community, counted, homes, names, rows
from ideas_pipeline_tests.warehouse.batches import held, live, load

__all__ = ["community"]

pytestmark = on_sqlite

WINDOW = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


@pytest.fixture
def thread(warehouse: Warehouse, tmp_path: Path) -> Lists:
    """An idea whose parent counts its five comments, which the first night has read."""
    lists = Lists(warehouse, tmp_path)
    lists.lists["comments", "a"] = rows(range(1, 6))
    counted(warehouse, 1, a=5)
    assert lists.night(1, "comments").verdict == "complete"
    return lists


def reasons(warehouse: Warehouse, table: str) -> dict[str, str]:
    """Why each deleted row was deleted."""
    return {row["id"]: row["_deleted_because"] for row in held(warehouse, table) if row["_deleted_at"]}


# -- what a list says


def test_a_row_that_a_complete_list_lacks_is_deleted_and_its_neighbours_stay(
    community: Lists, warehouse: Warehouse
) -> None:
    community.lists["ideas", "c1"] = rows("ab")
    result = community.night(2, "ideas")
    assert (result.verdict, result.counts.absent, result.counts.held) == ("complete", 1, 0)
    assert names(warehouse, "ideas") == "abxyz"
    assert reasons(warehouse, "ideas") == {"c": "gone"}
    assert community.absent("ideas") == {}


def test_a_list_that_cannot_be_read_says_nothing_until_it_is_read(community: Lists, warehouse: Warehouse) -> None:
    community.lists["ideas", "c1"] = NO_ANSWER
    result = community.night(2, "ideas")
    assert (result.verdict, result.counts.absent) == ("incomplete", 0)
    assert names(warehouse, "ideas") == "abcxyz"
    community.lists["ideas", "c1"] = rows("ab")
    assert community.night(3, "ideas").counts.absent == 1
    assert names(warehouse, "ideas") == "abxyz"


def test_a_row_that_comes_back_is_live_again(community: Lists, warehouse: Warehouse) -> None:
    community.lists["ideas", "c1"] = rows("ab")
    community.night(2, "ideas")
    community.lists["ideas", "c1"] = rows("abc")
    assert community.night(3, "ideas").counts.updated == 1
    assert names(warehouse, "ideas") == "abcxyz"


def test_a_backfill_of_a_window_deletes_nothing(community: Lists, warehouse: Warehouse) -> None:
    community.lists["ideas", "c1"] = []
    result = community.night(2, "ideas", mode=WINDOW)
    assert (result.verdict, result.counts.absent) == ("complete", 0)
    assert names(warehouse, "ideas") == "abcxyz"
    assert community.absent("ideas") == {}


def test_a_person_whom_the_api_does_not_find_by_id_is_deleted_and_the_others_stay(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    each = {"of": ["ideas.author_id"], "placeholder": "user_id"}
    one = {"path": "users/{user_id}", "reads": "one", "each": each, "paging": {"!": {"style": "none"}}}
    lists = Lists(warehouse, tmp_path, contract_with({"streams": {"users": one}}))
    ideas = [{"id": f"i{u}", "challenge_id": "c1", "_scope": "c1", "author_id": u} for u in "uvw"]
    load(warehouse, "ideas", ideas, on=1)
    for user in "uvw":
        lists.lists["users", user] = rows(user)
    lists.night(1, "users")
    lists.lists["users", "u"], lists.lists["users", "v"] = NotFound("there is nothing", status=404), NO_ANSWER
    assert lists.night(2, "users").counts.absent == 1
    assert names(warehouse, "users") == "vw"


# -- what waits for a second run


def test_rows_that_their_parent_still_counts_wait_for_a_second_run(thread: Lists, warehouse: Warehouse) -> None:
    thread.lists["comments", "a"] = rows(range(1, 5))
    assert thread.night(2, "comments").counts.absent == 0
    assert names(warehouse, "comments") == "12345"
    [absence] = thread.absent("comments").values()
    assert (absence.held_because, absence.run_id) == (None, "night-2")
    assert thread.night(3, "comments").counts.absent == 1
    assert names(warehouse, "comments") == "1234"


def test_a_second_run_that_cannot_read_the_list_is_no_second_witness(thread: Lists, warehouse: Warehouse) -> None:
    thread.lists["comments", "a"] = rows(range(1, 5))
    thread.night(2, "comments")
    thread.lists["comments", "a"] = NO_ANSWER
    thread.night(3, "comments")
    assert names(warehouse, "comments") == "12345"
    thread.lists["comments", "a"] = rows(range(1, 5))
    assert thread.night(4, "comments").counts.absent == 1


def test_a_row_that_the_second_run_sees_again_was_never_deleted(thread: Lists, warehouse: Warehouse) -> None:
    thread.lists["comments", "a"] = rows(range(1, 5))
    thread.night(2, "comments")
    thread.lists["comments", "a"] = rows(range(1, 6))
    assert thread.night(3, "comments").counts.updated == 0
    assert names(warehouse, "comments") == "12345"
    assert thread.absent("comments") == {}


@pytest.mark.parametrize(
    ("first", "second", "left", "deleted"),
    [
        (5, 4, "1234", 1),  # the count fell with the row
        (5, 5, "1234", 0),  # it did not
        (5, 4, "123", 0),  # it fell by less
        (7, 6, "1234", 1),  # it always counted two more
        (7, 7, "1234", 0),
        (7, 7, "12346", 1),  # one came and one went
        (3, 3, "1234", 1),  # it counts fewer than there are
        (5, 5, "12346", 1),  # one came and one went
        (5, 6, "12346", 0),  # one came, and none went by the count
    ],
)
def test_a_count_contradicts_an_absence_only_if_it_did_not_fall_with_the_rows(
    first: int, second: int, left: str, deleted: int, warehouse: Warehouse, tmp_path: Path
) -> None:
    lists = Lists(warehouse, tmp_path)
    lists.lists["comments", "a"] = rows("12345")
    counted(warehouse, 1, a=first)
    lists.night(1, "comments")
    counted(warehouse, 2, a=second)
    lists.lists["comments", "a"] = rows(left)
    assert lists.night(2, "comments").counts.absent == deleted


def test_a_list_that_is_not_found_although_it_had_rows_waits_for_a_second_run(
    community: Lists, warehouse: Warehouse
) -> None:
    community.lists["ideas", "c1"] = 404
    assert community.night(2, "ideas").counts.absent == 0
    assert names(warehouse, "ideas") == "abcxyz"
    assert community.night(3, "ideas").counts.absent == 3
    assert names(warehouse, "ideas") == "xyz"


def test_a_list_whose_records_name_another_parent_waits_and_what_it_shows_is_not_absent(
    community: Lists, warehouse: Warehouse
) -> None:
    community.lists["ideas", "c1"] = rows("a") + rows("z", challenge_id="c2")
    community.lists["ideas", "c2"] = rows("xy")
    assert community.night(2, "ideas").counts.absent == 0
    assert homes(warehouse) == HOMES
    assert sorted(community.absent("ideas")) == ["b", "c"]
    states = {row["scope"]: row["contradiction"] for row in held(warehouse, SCOPES) if row["stream"] == "ideas"}
    assert states == {"c1": "1 of its records name another challenge_id", "c2": None}
    assert community.night(3, "ideas").counts.absent == 2
    assert names(warehouse, "ideas") == "axyz"


def test_rows_of_lists_that_are_not_those_of_their_parent_wait_for_a_second_run(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    lists = comments_by_challenge(warehouse, tmp_path)
    lists.lists["comments", "c1"] = rows("123", idea_id="i")
    lists.night(1, "comments")
    lists.lists["comments", "c1"] = rows("12", idea_id="i")
    assert lists.night(2, "comments").counts.absent == 0
    assert lists.night(3, "comments").counts.absent == 1
    assert names(warehouse, "comments") == "12"


def comments_by_challenge(warehouse: Warehouse, folder: Path) -> Lists:
    """Comments come in one list per challenge, and name their ideas, of which ``i`` is known."""
    each = {"!": {"of": ["challenges.id"], "placeholder": "challenge_id"}}
    by_challenge = {"path": "challenges/{challenge_id}/comments", "each": each}
    load(warehouse, "challenges", [{"id": "c1", "_scope": ""}, {"id": "c2", "_scope": ""}], on=1)
    load(warehouse, "ideas", [{"id": "i", "challenge_id": "c1", "_scope": "c1"}], on=1)
    return Lists(warehouse, folder, contract_with({"streams": {"comments": by_challenge}}))


def test_a_row_whose_parent_is_not_known_is_absent_if_no_list_has_it(warehouse: Warehouse, tmp_path: Path) -> None:
    lists = comments_by_challenge(warehouse, tmp_path)
    lists.lists["comments", "c1"] = rows("12", idea_id="hidden") + rows("3", idea_id="i")
    lists.night(1, "comments")
    lists.lists["comments", "c1"] = rows("1", idea_id="hidden") + rows("3", idea_id="i")
    lists.lists["comments", "c2"] = NO_ANSWER
    lists.night(2, "comments")
    assert lists.absent("comments") == {}, "the list that was not read may have it"
    lists.lists["comments", "c2"] = []
    for number, deleted in ((3, 0), (4, 1)):
        assert lists.night(number, "comments").counts.absent == deleted
    assert names(warehouse, "comments") == "13"


# -- what is held for an operator


def test_too_many_rows_at_once_are_held_and_stay_held_until_they_are_seen(warehouse: Warehouse, tmp_path: Path) -> None:
    lists = Lists(warehouse, tmp_path)
    lists.lists["users", ""] = everybody = rows(range(100, 200))
    lists.night(1, "users")
    lists.lists["users", ""] = everybody[:75]
    for number in (2, 3):
        result = lists.night(number, "users")
        assert (result.verdict, result.counts.absent, result.counts.held) == ("incomplete", 0, 25)
        assert "25 of 100 rows of the stream are absent at once, more than 10 %" in str(result.reason)
    lists.lists["users", ""] = everybody[:74]
    result = lists.night(4, "users")
    assert (result.counts.absent, result.counts.held) == (1, 25), "what is held does not count again"
    lists.lists["users", ""] = everybody[:74] + everybody[75:]
    result = lists.night(5, "users")
    assert (result.verdict, result.counts.absent, result.counts.held) == ("complete", 0, 0)
    assert len(live(warehouse, "users")) == 99


def test_the_percentage_is_the_operators(warehouse: Warehouse, tmp_path: Path) -> None:
    lists = Lists(warehouse, tmp_path)
    lists.lists["users", ""] = everybody = rows(range(100, 200))
    lists.night(1, "users")
    lists.lists["users", ""] = everybody[:75]
    assert lists.night(2, "users", percent=25).counts.absent == 25


def test_a_run_that_distrusts_its_account_holds_every_absence(community: Lists, warehouse: Warehouse) -> None:
    community.lists["ideas", "c1"] = rows("ab")
    result = community.night(2, "ideas", distrust="the account has another role")
    assert (result.counts.absent, result.counts.held) == (0, 1)
    assert result.reason == "the account has another role"
    assert names(warehouse, "ideas") == "abcxyz"
    assert community.night(3, "ideas").counts.held == 1, "it is held until it is seen, or an operator confirms"


def test_rows_that_rights_can_hide_are_held(community: Lists, warehouse: Warehouse) -> None:
    community.lists["challenges", ""] = rows(["c2"])
    result = community.night(2, "challenges", "ideas")
    assert names(warehouse, "challenges") == "c1c2"
    [absence] = community.absent("challenges").values()
    assert absence.held_because is not None
    assert absence.held_because.startswith("rows that the API no longer lists: deleted, or hidden from its account?")
    assert (result.counts.absent, names(warehouse, "ideas")) == (0, "abcxyz")


# -- what explains itself


def test_rows_below_a_deleted_parent_are_deleted_however_many_held_or_not(thread: Lists, warehouse: Warehouse) -> None:
    counted(warehouse, 1, a=40, b=0)
    thread.lists["comments", "a"] = comments = rows(range(10, 50))
    thread.night(2, "comments")
    thread.lists["comments", "a"] = comments[:10]
    assert thread.night(3, "comments").counts.held == 30
    thread.lists["challenges", ""] = rows(["c1"])
    thread.lists["ideas", "c1"] = rows("b")
    thread.night(4, "challenges")
    result = thread.night(4, "ideas", "comments")
    assert (result.verdict, result.counts.absent, result.counts.held) == ("complete", 40, 0)
    assert Counter(reasons(warehouse, "comments").values()) == {"gone": 5, "parent_gone": 40}


def test_votes_that_a_stage_reset_are_deleted_however_many_they_are(warehouse: Warehouse, tmp_path: Path) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)  # between the first night and the second
    stage = {"challenge_id": "c1", "id": "s", "_scope": "", "resets_votes": True, "starts_at": noon}
    load(warehouse, "challenges", [{"id": "c1", "_scope": ""}], on=1, embedded={"challenge_stages": [stage]})
    load(warehouse, "ideas", [{"id": "a", "challenge_id": "c1", "_scope": "c1"}], on=1)
    lists = Lists(warehouse, tmp_path)
    lists.lists["votes", "a"] = rows(range(100, 130))
    lists.night(1, "votes")
    lists.lists["votes", "a"] = []
    result = lists.night(2, "votes")
    assert (result.verdict, result.counts.absent, result.counts.held) == ("complete", 30, 0)
    assert set(reasons(warehouse, "votes").values()) == {"cleared"}


def test_an_absence_in_a_list_that_the_contract_no_longer_has_is_forgotten(
    thread: Lists, warehouse: Warehouse, tmp_path: Path
) -> None:
    thread.lists["comments", "a"] = rows(range(1, 5))
    thread.night(2, "comments")
    one_list = contract_with({"streams": {"comments": {"path": "comments", "each": None}}})
    lists = Lists(warehouse, tmp_path, one_list)
    lists.lists["comments", ""] = NO_ANSWER
    lists.night(3, "comments", mode=WINDOW)
    assert sorted(thread.absent("comments")) == ["5"], "a backfill leaves the state of the nights alone"
    lists.night(4, "comments")
    assert thread.absent("comments") == {}
