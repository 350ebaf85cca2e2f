"""Which rows have moved to another list, which stay where they are, and which wait: night by night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ideas_pipeline.errors import AuthenticationError, IdeasApiError
from ideas_pipeline.sync.run import Incremental
from ideas_pipeline.tables.bookkeeping import SCOPES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.engines import on_sqlite
from ideas_pipeline_tests.sync.lists import HOMES, LISTED, NO_ANSWER, Lists, community, counted, homes, names, rows
from ideas_pipeline_tests.warehouse.batches import held, load, night

__all__ = ["community"]

pytestmark = on_sqlite

MAY_HAVE_MOVED = "absent rows may have moved to a list that could not be read; they were kept"


# -- what has moved


def test_a_row_that_another_list_has_has_moved(community: Lists, warehouse: Warehouse) -> None:
    community.lists["ideas", "c1"] = rows("ab")
    community.lists["ideas", "c2"] = rows("cxyz")
    result = community.night(2, "ideas")
    assert (result.verdict, result.counts.absent, result.counts.updated) == ("complete", 0, 1)
    assert homes(warehouse)["c"] == "c2"


def leaves_unseen(community: Lists, arrives_in: str = "c1", then: Callable[[], object] = lambda: None) -> None:
    """Idea ``z`` leaves the second list before it is read for a list that was read before, or is new."""

    def move(stream: str, scope: str) -> None:
        if (stream, scope) == ("ideas", "c2"):
            community.before_page = lambda *_: None
            community.lists["ideas", "c2"] = rows("xy")
            community.lists["ideas", arrives_in] = [*rows(LISTED.get(arrives_in, "")), *rows("z")]
            then()

    community.before_page = move


def test_a_row_that_moved_into_a_list_that_had_been_read_is_searched_and_found(
    community: Lists, warehouse: Warehouse
) -> None:
    leaves_unseen(community)
    result = community.night(2, "ideas")
    assert (result.verdict, result.counts.absent) == ("complete", 0)
    assert homes(warehouse)["z"] == "c1"
    assert community.absent("ideas") == {}
    assert result.counts.requests == 4, "each list twice"


@pytest.mark.parametrize("fails", [("ideas", "c1"), ("ideas", "c2"), ("challenges", "")])
@pytest.mark.parametrize("error", [NO_ANSWER, AuthenticationError("no token")])
def test_absent_rows_wait_if_a_list_to_which_they_may_have_moved_cannot_be_searched(
    fails: tuple[str, str], error: IdeasApiError, community: Lists, warehouse: Warehouse
) -> None:
    community.lists["ideas", "c2"] = rows("xy")
    asked: Counter[tuple[str, str]] = Counter()

    def fail(*which: str) -> None:
        asked[which] += 1
        if which == fails and asked[which] == (1 if which[0] == "challenges" else 2):
            raise error

    community.before_page = fail
    result = community.night(2, "ideas")
    assert (result.verdict, result.counts.absent, result.counts.held) == ("incomplete", 0, 1)
    assert (result.reason, result.retryable) == (MAY_HAVE_MOVED, True)
    assert names(warehouse, "ideas") == "abcxyz"
    assert community.night(3, "ideas").counts.absent == 1


def test_absent_rows_wait_if_a_list_had_not_been_read_before_the_search(community: Lists, warehouse: Warehouse) -> None:
    community.lists["ideas", "c2"] = rows("xy")
    asked: list[str] = []

    def fail_at_first(stream: str, scope: str) -> None:
        asked.append(scope)
        if asked == ["c1"]:
            raise NO_ANSWER

    community.before_page = fail_at_first
    result = community.night(2, "ideas")
    assert (result.counts.absent, result.counts.held) == (0, 1)
    assert MAY_HAVE_MOVED in str(result.reason)
    assert names(warehouse, "ideas") == "abcxyz"


def test_lists_below_lists_are_searched_without_asking_for_new_ones(warehouse: Warehouse, tmp_path: Path) -> None:
    moving = {"limits": {"concurrency": 1}, "streams": {"comments": {"each": {"moves": True}}}}
    lists = Lists(warehouse, tmp_path, contract_with(moving))
    load(warehouse, "ideas", [{"id": i, "challenge_id": "c1", "_scope": "c1"} for i in "ab"], on=1)
    lists.lists["comments", "a"], lists.lists["comments", "b"] = rows("123"), rows("45")
    lists.night(1, "comments")
    lists.lists["comments", "a"] = rows("12")
    asked: list[tuple[str, str]] = []
    lists.before_page = lambda *which: asked.append(which)
    assert lists.night(2, "comments").counts.absent == 1
    assert asked == [("comments", "a"), ("comments", "b")] * 2
    assert names(warehouse, "comments") == "1245"


def test_absent_rows_wait_if_the_api_has_a_list_that_is_new(community: Lists, warehouse: Warehouse) -> None:
    leaves_unseen(community, "c3", lambda: community.lists.update({("challenges", ""): rows(["c1", "c2", "c3"])}))
    result = community.night(2, "ideas")
    assert (result.reason, result.counts.absent, result.counts.held) == (MAY_HAVE_MOVED, 0, 1)
    assert homes(warehouse)["z"] == "c2"
    result = community.night(3, "challenges", "ideas")
    assert (result.verdict, result.counts.absent) == ("complete", 0)
    assert homes(warehouse)["z"] == "c3"


def test_a_search_that_finds_every_absent_row_leaves_no_doubt_although_a_list_is_new(
    community: Lists, warehouse: Warehouse
) -> None:
    leaves_unseen(community, then=lambda: community.lists.update({("challenges", ""): rows(["c1", "c2", "c3"])}))
    result = community.night(2, "ideas")
    assert (result.verdict, result.counts.held, homes(warehouse)["z"]) == ("complete", 0, "c1")


def test_rows_that_are_held_already_are_not_searched(community: Lists) -> None:
    community.lists["ideas", "c2"] = rows("xy")
    community.night(2, "ideas", distrust="another role")
    result = community.night(3, "ideas")
    assert (result.counts.held, result.counts.requests) == (1, 2)


# -- what two lists have


@pytest.mark.parametrize(("order", "verdict"), [("c1", "complete"), ("c2", "complete")])
def test_a_row_in_two_lists_stays_where_it_is(order: str, verdict: str, community: Lists, warehouse: Warehouse) -> None:
    other = {"c1": "c2", "c2": "c1"}[order]
    community.lists["ideas", other] = [*rows(LISTED[other]), *rows(LISTED[order][0])]
    result = community.night(2, "ideas")
    assert (result.verdict, result.counts.updated, result.counts.absent) == (verdict, 0, 0)
    assert homes(warehouse) == HOMES
    states = {row["scope"]: row["contradiction"] for row in held(warehouse, SCOPES) if row["stream"] == "ideas"}
    assert states == {order: None, other: "1 of its records are also in another list"}


def test_a_row_that_does_not_move_is_looked_for_in_its_home_once_more_if_another_list_has_it(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """Both lists are complete, but the row can have left the one before the other was read."""
    counted(warehouse, 1, a=3, b=2)
    lists = Lists(warehouse, tmp_path)
    lists.lists["comments", "a"], lists.lists["comments", "b"] = rows("123"), rows("45")
    lists.night(1, "comments")
    lists.lists["comments", "b"] = rows("453")
    result = lists.night(2, "comments")
    assert (result.counts.requests, result.counts.updated) == (3, 0)
    assert str(result.reason).startswith("ids are not unique")
    lists.lists["comments", "a"] = rows("12")
    assert lists.night(3, "comments").counts.updated == 1
    assert {row["id"]: row["idea_id"] for row in held(warehouse, "comments")}["3"] == "b"


def test_rows_are_renewed_in_their_homes_if_one_list_stands_for_all_and_does_not_say_where_they_belong(
    community: Lists, warehouse: Warehouse
) -> None:
    for scope in LISTED:
        community.lists["ideas", scope] = rows("abcxyz", title="New")
    assert community.night(2, "ideas").verdict == "incomplete"
    assert homes(warehouse) == HOMES
    assert {row["title"] for row in held(warehouse, "ideas")} == {"New"}


@pytest.fixture
def quiet(warehouse: Warehouse, tmp_path: Path) -> Lists:
    """Three challenges whose counts of ideas tell what a night has to read."""
    each = {"changed_when": ["idea_count"]}
    changes = {"limits": {"concurrency": 1}, "streams": {"ideas": {"each": each}}}
    lists = Lists(warehouse, tmp_path, contract_with(changes))
    lists.lists["challenges", ""] = [{"id": c, "idea_count": 3} for c in ("c1", "c2", "c3")]
    for scope, ids in LISTED.items():
        lists.lists["ideas", scope] = rows(ids)
    lists.lists["ideas", "c3"] = rows("pqr")
    lists.night(1, "challenges", "ideas")
    # In the second night, the count shows a change of c2 alone, and c1 is verified because that is due.
    lists.lists["challenges", ""] = [{"id": c, "idea_count": n} for c, n in (("c1", 3), ("c2", 4), ("c3", 3))]
    lists.lists["ideas", "c2"] = rows("xyzp")
    return lists


def test_a_home_that_the_night_did_not_read_is_read_before_a_row_moves(quiet: Lists, warehouse: Warehouse) -> None:
    quiet.lists["ideas", "c3"] = rows("qr")
    result = quiet.night(2, "challenges", "ideas", mode=Incremental())
    assert (result.verdict, result.counts.updated, result.counts.requests) == ("complete", 1, 3)
    assert homes(warehouse)["p"] == "c2"


def test_a_row_that_its_home_still_has_does_not_move(quiet: Lists, warehouse: Warehouse) -> None:
    quiet.lists["ideas", "c3"] = rows("qr") + rows("p", title="New")
    result = quiet.night(2, "challenges", "ideas", mode=Incremental())
    assert (result.verdict, result.counts.updated, result.counts.requests) == ("complete", 1, 3)
    [row] = [row for row in held(warehouse, "ideas") if row["id"] == "p"]
    assert (row["challenge_id"], row["title"]) == ("c3", "New")


def test_a_row_whose_home_cannot_be_read_stays_and_the_lists_that_brought_it_are_read_again(
    quiet: Lists, warehouse: Warehouse
) -> None:
    home = quiet.lists["ideas", "c3"]
    quiet.lists["ideas", "c3"] = NO_ANSWER
    result = quiet.night(2, "challenges", "ideas", mode=Incremental())
    assert (result.verdict, result.retryable, homes(warehouse)["p"]) == ("incomplete", True, "c3")
    assert result.reason == (
        "records may have moved from lists that this run did not read; their rows stay where they were until then"
    )
    states = {row["scope"]: row for row in held(warehouse, SCOPES) if row["stream"] == "ideas"}
    assert states["c2"]["contradiction"] == "1 of its records may have moved from lists that were not read"
    assert (states["c2"]["completed_at"], states["c1"]["completed_at"]) == (None, night(2))
    quiet.lists["ideas", "c3"] = home[1:]
    result = quiet.night(3, "challenges", "ideas", mode=Incremental())
    assert (result.verdict, homes(warehouse)["p"]) == ("complete", "c2")


def test_of_records_that_move_every_home_is_read_again(warehouse: Warehouse, tmp_path: Path) -> None:
    each = {"changed_when": ["idea_count"]}
    lists = Lists(warehouse, tmp_path, contract_with({"streams": {"ideas": {"each": each}}}))
    challenges = [f"c{number}" for number in range(40)]
    lists.lists["challenges", ""] = [{"id": c, "idea_count": 1} for c in challenges]
    for challenge in challenges:
        lists.lists["ideas", challenge] = rows([f"idea of {challenge}"])
    lists.night(1, "challenges", "ideas")
    for challenge in challenges[1:]:
        lists.lists["ideas", challenge] = []
    lists.lists["challenges", ""] = [{"id": c, "idea_count": 40 if c == "c0" else 1} for c in challenges]
    lists.lists["ideas", "c0"] = rows(f"idea of {challenge}" for challenge in challenges)
    assert lists.night(2, "challenges", "ideas", mode=Incremental()).verdict == "complete"
    assert set(homes(warehouse).values()) == {"c0"}


def test_of_records_that_do_not_move_so_many_homes_are_read_again_and_in_other_nights_the_others(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    ideas = [f"i{n:02d}" for n in range(50)]
    lists = Lists(warehouse, tmp_path, contract_with({"limits": {"concurrency": 1}}))
    counted(warehouse, 1, **dict.fromkeys(ideas, 1), other=0)
    for id_ in ideas:
        lists.lists["comments", id_] = rows([id_])
    lists.night(1, "comments")
    asked: list[str] = []
    lists.before_page = lambda _, scope: asked.append(scope)
    reread = []
    for number in (2, 3, 4):
        asked.clear()
        lists.lists["comments", "other"] = rows(ideas)
        counted(warehouse, number, other=50 + number)
        result = lists.night(number, "comments", mode=Incremental())
        assert "ids are not unique" in str(result.reason)
        reread.append(set(asked[asked.index("other") + 1 :]))
    assert {len(homes) for homes in reread} <= {20, 21, 22, 23, 24}
    assert len(set.union(*reread)) > 40
