"""Which rows a run marks as deleted, which wait, which are held, and which have moved: night by night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ideas_pipeline.errors import AuthenticationError, IdeasApiError, NotFound, Unavailable
from ideas_pipeline.sync.run import Incremental, Window
from ideas_pipeline.tables.bookkeeping import SCOPES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.engines import on_sqlite
from ideas_pipeline_tests.sync.lists import Lists, rows
from ideas_pipeline_tests.warehouse.batches import held, live, load, night

pytestmark = on_sqlite

NO_ANSWER = Unavailable("no answer")
WINDOW = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
LISTED = {"c1": "abc", "c2": "xyz"}
HOMES = {id_: scope for scope, ids in LISTED.items() for id_ in ids}
MAY_HAVE_MOVED = "absent rows may have moved to a list that could not be read; they were kept"


@pytest.fixture
def community(warehouse: Warehouse, tmp_path: Path) -> Lists:
    """Two challenges with three ideas each, which the first night has read."""
    lists = Lists(warehouse, tmp_path)
    lists.lists["challenges", ""] = rows(["c1", "c2"])
    for scope, ids in LISTED.items():
        lists.lists["ideas", scope] = rows(ids)
    assert lists.night(1, "challenges", "ideas").verdict == "complete"
    return lists


@pytest.fixture
def thread(warehouse: Warehouse, tmp_path: Path) -> Lists:
    """An idea whose parent counts its five comments, which the first night has read."""
    lists = Lists(warehouse, tmp_path)
    lists.lists["comments", "a"] = rows(range(1, 6))
    counted(warehouse, 1, a=5)
    assert lists.night(1, "comments").verdict == "complete"
    return lists


def counted(warehouse: Warehouse, on: int, **comment_counts: int) -> None:
    """The ideas, each with the number of comments that it says it has, as night ``on`` read them."""
    ideas = [{"id": i, "challenge_id": "c1", "_scope": "c1", "comment_count": n} for i, n in comment_counts.items()]
    load(warehouse, "ideas", ideas, on=on)


def names(warehouse: Warehouse, table: str) -> str:
    """The ids of the live rows."""
    return "".join(id_ for (id_,) in live(warehouse, table))


def homes(warehouse: Warehouse) -> dict[str, str]:
    """The challenge of each live idea."""
    return {row["id"]: row["challenge_id"] for row in held(warehouse, "ideas") if row["_deleted_at"] is None}


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
