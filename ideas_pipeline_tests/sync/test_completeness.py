"""When a list counts as read whole, case by case. Their law is in test_completeness_law.py."""

from __future__ import annotations

import re

import pytest

from ideas_pipeline.errors import NotFound, Unavailable
from ideas_pipeline.ideas_api.pagination import LARGEST_TOTAL
from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline_tests.sync.moving_list import (
    NUMBERED,
    PAGED,
    SIZE,
    WITH_TOTAL,
    WITHOUT_TOTAL,
    MovingList,
    ids,
    read,
    read_whole,
)

SWEPT_TWICE = [name for name in PAGED if name != "offset"]


@pytest.mark.parametrize("style", WITH_TOTAL)
def test_a_list_in_one_response_with_its_total_is_complete_after_one_request(style: str) -> None:
    reading = read_whole(MovingList(ids(SIZE - 1), WITH_TOTAL[style]))
    assert (reading.verdict, reading.requests) == ("complete", 1)


@pytest.mark.parametrize("style", WITH_TOTAL)
def test_nobody_asks_the_warehouse_about_a_list_in_one_response_with_its_total(style: str) -> None:
    def known() -> set[str]:
        raise AssertionError("one query per list is a quarter of the CPU of a first sync")

    assert read_whole(MovingList(ids(SIZE - 1), WITH_TOTAL[style]), known=known).verdict == "complete"


@pytest.mark.parametrize("style", NUMBERED)
def test_a_page_as_full_as_asked_for_is_not_taken_for_all_at_the_totals_word(style: str) -> None:
    full = MovingList(ids(SIZE), WITH_TOTAL[style])
    reading = read_whole(full)
    assert (reading.verdict, reading.requests) == ("complete", 2)
    of_the_page = MovingList(ids(3 * SIZE), WITH_TOTAL[style], claimed_total=SIZE)
    assert read_whole(of_the_page).ids == set(ids(3 * SIZE))


@pytest.mark.parametrize("style", PAGED)
@pytest.mark.parametrize("cap", [2 * SIZE, 2 * SIZE + 1])
def test_a_total_that_stops_counting_ends_nothing_and_proves_nothing(style: str, cap: int) -> None:
    reading = read_whole(MovingList(ids(5 * SIZE), WITH_TOTAL[style], claimed_total=cap))
    assert (reading.verdict, reading.ids) == ("complete", set(ids(5 * SIZE)))
    assert reading.reason == f"the API's total, {cap}, is a cap or an estimate, and was not used"
    assert reading.reason_code == "total_unused"
    assert reading.sweeps == (1 if style == "offset" else 2), "as a list without a total"


def test_a_list_without_pages_is_complete_after_one_request_even_without_a_total() -> None:
    reading = read_whole(MovingList(ids(50), WITHOUT_TOTAL["none"], totals=False))
    assert (reading.verdict, reading.requests) == ("complete", 1)


@pytest.mark.parametrize("style", WITH_TOTAL)
def test_an_empty_list_is_complete_after_one_request(style: str) -> None:
    for moving in (MovingList([], WITH_TOTAL[style]), MovingList([], WITHOUT_TOTAL[style], totals=False)):
        reading = read_whole(moving)
        assert (reading.verdict, reading.requests) == ("complete", 1)


@pytest.mark.parametrize("style", SWEPT_TWICE)
def test_a_first_reading_of_several_pages_is_proven_by_a_second_sweep_and_no_more(style: str) -> None:
    reading = read_whole(MovingList(ids(10), WITH_TOTAL[style]))
    assert (reading.verdict, reading.sweeps, reading.requests) == ("complete", 2, 8)
    assert reading.ids == set(ids(10))


@pytest.mark.parametrize("style", PAGED)
def test_several_pages_that_hold_just_what_is_known_are_proven_by_one_sweep(style: str) -> None:
    reading = read_whole(MovingList(ids(10), WITH_TOTAL[style]), known=lambda: set(ids(10)))
    assert (reading.verdict, reading.sweeps, reading.requests) == ("complete", 1, 4)


def test_a_first_reading_by_offsets_is_proven_by_one_sweep_of_overlapping_pages() -> None:
    for totals, paging in ((True, WITH_TOTAL["offset"]), (False, WITHOUT_TOTAL["offset"])):
        reading = read_whole(MovingList(ids(10), paging, totals=totals))
        assert (reading.verdict, reading.sweeps, reading.ids) == ("complete", 1, set(ids(10)))


@pytest.mark.parametrize("known", [ids(11), ids(9)], ids=["one is missing", "one is new"])
@pytest.mark.parametrize("style", SWEPT_TWICE)
def test_anything_missing_or_new_takes_a_second_sweep(style: str, known: list[str]) -> None:
    reading = read_whole(MovingList(ids(10), WITH_TOTAL[style]), known=lambda: set(known))
    assert (reading.verdict, reading.sweeps) == ("complete", 2)


@pytest.mark.parametrize("style", SWEPT_TWICE)
def test_without_totals_two_equal_sweeps_prove_a_list(style: str) -> None:
    reading = read_whole(MovingList(ids(10), WITHOUT_TOTAL[style], totals=False))
    assert (reading.verdict, reading.sweeps) == ("complete", 2)


@pytest.mark.parametrize("style", NUMBERED)
def test_the_pages_are_asked_for_at_once_when_the_total_tells_them(style: str) -> None:
    moving = MovingList(ids(10), WITH_TOTAL[style])
    reading = SweptScope("s", moving.paging, sweeps=5)
    (first,) = reading.start()
    assert len(reading.take(moving.page(first))[1]) >= 3


@pytest.mark.parametrize("style", NUMBERED)
def test_a_list_cut_short_is_incomplete_and_says_what_is_missing(style: str) -> None:
    reading = read_whole(MovingList(ids(12), WITH_TOTAL[style], truncate_after=6))
    assert reading.verdict == "incomplete"
    assert re.fullmatch(r"the API's total is 12, but [67] records came \(after 2 sweeps\)", str(reading.reason))
    assert reading.reason_code == "total_differs"


@pytest.mark.parametrize("style", ["page from 1", "page from 0"])
def test_a_page_served_in_place_of_another_is_incomplete(style: str) -> None:
    moving = MovingList(ids(12), WITH_TOTAL[style], replay={6: 3}, ignores_size=True)
    reading = read_whole(moving)
    assert reading.verdict == "incomplete"
    assert "a record came twice" in str(reading.reason)


@pytest.mark.parametrize("known", [[], ids(6)])
@pytest.mark.parametrize("style", NUMBERED)
def test_the_last_page_again_for_ever_is_the_end_of_the_list(style: str, known: list[str]) -> None:
    for number in (1, 2, 5, 6):
        moving = MovingList(ids(number), WITHOUT_TOTAL[style], totals=False, repeats_last_page=True)
        reading = read_whole(moving, known=lambda number=number: set(known[:number]))
        assert (reading.verdict, reading.ids) == ("complete", set(ids(number))), reading.reason
        assert reading.requests < 20


@pytest.mark.parametrize("style", NUMBERED)
def test_a_server_that_knows_no_second_page_is_found_out(style: str) -> None:
    """Whatever is asked for, the first page comes: the list is longer, and the contract's parameter is wrong."""
    moving = MovingList(ids(9), WITHOUT_TOTAL[style], totals=False, ignores_size=True)
    moving.replay = dict.fromkeys(range(1, 90), 0)
    reading = read_whole(moving)
    assert reading.verdict == "incomplete"
    assert "the second page is the same as the first" in str(reading.reason)
    assert reading.requests < 20


@pytest.mark.parametrize("status", [404, 400, 410, 416, 422, 500])
@pytest.mark.parametrize("style", NUMBERED)
def test_a_refused_page_after_the_last_one_is_the_end_of_the_list(style: str, status: int) -> None:
    for number in (1, 2, 3, 4, 5, 10):
        moving = MovingList(ids(number), WITHOUT_TOTAL[style], totals=False, refuses_beyond=status)
        for known in ([], ids(number), ids(number + 4)):
            reading = read_whole(moving, known=lambda known=known: set(known))
            assert (reading.verdict, reading.ids) == ("complete", set(ids(number))), reading.reason


@pytest.mark.parametrize("style", NUMBERED)
def test_a_refused_page_is_not_the_end_if_the_total_is_larger(style: str) -> None:
    moving = MovingList(ids(6), WITH_TOTAL[style], claimed_total=12, refuses_beyond=404)
    reading = read_whole(moving)
    assert reading.verdict == "incomplete"
    assert "total is 12, but 6 records came" in str(reading.reason)


@pytest.mark.parametrize("style", NUMBERED)
def test_a_depth_that_the_api_refuses_to_serve_is_not_the_end_of_the_list(style: str) -> None:
    """As Elasticsearch does beyond 10,000 records."""
    moving = MovingList(ids(20), WITHOUT_TOTAL[style], totals=False, refuses_beyond=400, deepest=9)
    reading = read_whole(moving)
    assert reading.verdict == "incomplete"
    assert "the API refused the page after" in str(reading.reason)


@pytest.mark.parametrize("style", NUMBERED)
def test_pages_that_are_empty_for_this_account_are_not_the_end_of_the_list(style: str) -> None:
    hidden = set(ids(6)[SIZE:])
    moving = MovingList(ids(9), WITHOUT_TOTAL[style], totals=False, hidden=hidden)
    for known in ([], ids(9), [*ids(3), *ids(9)[6:]]):
        reading = read_whole(moving, known=lambda known=known: set(known))
        assert reading.ids == set(ids(9)) - hidden
        assert reading.verdict == "complete", reading.reason


@pytest.mark.parametrize("style", NUMBERED)
def test_a_total_of_what_the_account_may_see_is_read_beyond_an_empty_page(style: str) -> None:
    hidden = set(ids(9)[SIZE : 2 * SIZE])
    moving = MovingList(ids(9), WITH_TOTAL[style], claimed_total=2 * SIZE, hidden=hidden)
    assert read_whole(moving).ids == set(ids(9)) - hidden


@pytest.mark.parametrize("style", NUMBERED)
def test_a_list_that_is_known_to_be_longer_is_read_on_after_several_empty_pages(style: str) -> None:
    hidden = set(ids(24)[:21])
    moving = MovingList(ids(24), WITHOUT_TOTAL[style], totals=False, hidden=hidden)
    assert set(ids(24)[21:]) <= read_whole(moving, known=lambda: set(ids(24))).ids
    assert set(ids(24)[21:]) <= read_whole(moving, declared=24).ids


@pytest.mark.parametrize("style", ["cursor", "next link"])
def test_a_cursor_is_followed_through_empty_pages(style: str) -> None:
    hidden = set(ids(20)[2:17])
    moving = MovingList(ids(20), WITHOUT_TOTAL[style], totals=False, hidden=hidden)
    reading = read_whole(moving)
    assert (reading.verdict, reading.ids) == ("complete", set(ids(20)) - hidden)


@pytest.mark.parametrize("style", ["cursor", "next link"])
def test_a_cursor_that_is_always_there_ends_when_it_names_itself(style: str) -> None:
    moving = MovingList(ids(7), WITHOUT_TOTAL[style], totals=False, cursor_at_the_end="same")
    reading = read_whole(moving)
    assert (reading.verdict, reading.ids) == ("complete", set(ids(7)))


@pytest.mark.parametrize("style", ["cursor", "next link"])
def test_ever_new_cursors_that_bring_nothing_are_left_at_some_point(style: str) -> None:
    moving = MovingList(ids(7), WITHOUT_TOTAL[style], totals=False, cursor_at_the_end="new")
    reading = read_whole(moving)
    assert reading.verdict == "incomplete"
    assert "brought nothing new and did not end" in str(reading.reason)
    assert reading.requests < 80


def test_a_claimed_total_costs_no_more_than_a_few_pages_beyond_the_list() -> None:
    for style in NUMBERED:
        reading = read_whole(MovingList(ids(7), WITH_TOTAL[style], claimed_total=10**12))
        assert reading.verdict == "incomplete"
        assert reading.requests < 200


@pytest.mark.parametrize("style", NUMBERED)
def test_records_inside_records_cost_a_quiet_night_nothing(style: str) -> None:
    inside = {"r1": "n1", "r7": "n7"}
    for totals, paging in ((True, WITH_TOTAL[style]), (False, WITHOUT_TOTAL[style])):
        bare = read_whole(MovingList(ids(10), paging, totals=totals), known=lambda: set(ids(10)))
        moving = MovingList(ids(10), paging, totals=totals, nested=inside)
        reading = read_whole(moving, known=lambda: {*ids(10), *inside.values()}, declared=12)
        assert (reading.verdict, reading.ids) == ("complete", {*ids(10), *inside.values()})
        # A total other than the number of known rows makes offsets overlap: one more page, in the same sweep.
        assert (reading.sweeps, reading.requests - bare.requests) == (bare.sweeps, int(totals and style == "offset"))


def test_a_cursor_that_comes_again_ends_the_sweep() -> None:
    moving = MovingList(ids(6), WITHOUT_TOTAL["cursor"], totals=False)
    reading = SweptScope("s", moving.paging, sweeps=2)
    reading.start()
    page = moving.page("")
    for _ in range(2):  # the answer to cursor 3 names cursor 3 again
        reading.take(page)
        page = moving.page("")
    assert "a page or cursor repeated" in str(reading.reason) or reading.sweeps == 2


def test_every_record_is_handed_on_once_however_many_sweeps_it_takes() -> None:
    moving = MovingList(ids(10), WITH_TOTAL["page from 1"])
    reading = SweptScope("s", moving.paging, sweeps=5)
    brought = [r.columns["id"] for r in read(moving, reading)]
    assert sorted(brought) == sorted(ids(10))


def test_a_failed_page_makes_the_list_incomplete_and_keeps_what_other_pages_brought() -> None:
    moving = MovingList(ids(9), WITH_TOTAL["page from 1"])
    reading = SweptScope("s", moving.paging, sweeps=5)
    (first,) = reading.start()
    _, follow = reading.take(moving.page(first))
    reading.fail(Unavailable("The API answered with an error", status=500))
    assert not reading.finished
    fresh, _ = reading.take(moving.page(follow[1]))
    assert [r.columns["id"] for r in fresh] == ["r6", "r7", "r8"]
    assert (reading.verdict, reading.reason) == ("incomplete", "The API answered with an error (HTTP 500)")


def test_a_single_record_that_does_not_exist_is_not_found() -> None:
    reading = SweptScope("7", WITH_TOTAL["none"], sweeps=5, single=True)
    reading.start()
    reading.fail(NotFound("not there", status=404))
    assert (reading.verdict, reading.finished) == ("not_found", True)


@pytest.mark.parametrize(
    ("known", "declared", "before", "verdict"),
    [
        ([], 0, None, "complete"),
        (["1"], 0, 1, "complete"),
        (["1"], 0, 0, "incomplete"),
        (["1"], 0, None, "incomplete"),
        (["1"], 1, 1, "incomplete"),
        ([], None, None, "incomplete"),
    ],
    ids=[
        "nothing was there",
        "the parent's count fell to 0",
        "the parent's count was always 0",
        "the parent declared nothing before",
        "the parent still counts it",
        "the parent declares nothing",
    ],
)
def test_a_list_that_is_not_there_is_empty_only_if_its_parent_says_so_too(
    known: list[str], declared: int | None, before: int | None, verdict: str
) -> None:
    reading = SweptScope(
        "7",
        WITH_TOTAL["page from 1"],
        sweeps=5,
        known=lambda: known,
        declared=declared,
        declared_before=lambda: before,
    )
    reading.start()
    reading.fail(NotFound("not there", status=404))
    assert (reading.verdict, reading.ids) == (verdict, set())


def test_a_total_that_counts_what_the_account_may_not_see_is_never_complete() -> None:
    reading = read_whole(MovingList(ids(10), WITH_TOTAL["page from 1"], claimed_total=11))
    assert (reading.verdict, reading.sweeps) == ("incomplete", 2)


@pytest.mark.parametrize("style", PAGED)
@pytest.mark.parametrize("claim", [10**7, 10**9, LARGEST_TOTAL])
def test_a_total_that_the_pages_do_not_bear_out_is_a_doubt_and_costs_few_requests(style: str, claim: int) -> None:
    reading = SweptScope("s", WITH_TOTAL[style], sweeps=2)
    moving = MovingList(ids(20), WITH_TOTAL[style], claimed_total=claim)
    opened = reading.start()
    most_at_once = 0
    while not reading.finished:
        most_at_once = max(most_at_once, len(opened))
        opened += reading.take(moving.page(opened.pop(0)))[1]
    assert reading.verdict == "incomplete"
    assert f"the API's total is {claim}, but 20 records came" in str(reading.reason)
    assert most_at_once <= 64
    assert reading.requests < 250


@pytest.mark.parametrize("style", PAGED)
def test_a_list_of_new_ids_without_end_is_left_at_the_limit_of_pages(style: str) -> None:
    endless = MovingList(ids(100_000), WITHOUT_TOTAL[style], totals=False)
    reading = read_whole(endless, pages=100)
    assert (reading.verdict, reading.pages, reading.sweeps) == ("incomplete", 100, 1)
    assert "the list did not end within 100 pages" in str(reading.reason)
    assert "limits.pages" in str(reading.reason)
    assert not reading.retryable


@pytest.mark.parametrize("style", PAGED)
def test_a_list_that_ends_at_the_limit_of_pages_is_complete(style: str) -> None:
    reading = read_whole(MovingList(ids(3 * SIZE - 1), WITHOUT_TOTAL[style], totals=False), pages=10)
    assert reading.verdict == "complete"


@pytest.mark.parametrize("style", NUMBERED)
def test_one_page_again_and_again_ends_the_list_whatever_total_it_claims(style: str) -> None:
    again = dict.fromkeys(range(SIZE * 1000), 0)
    reading = read_whole(MovingList(ids(SIZE), WITH_TOTAL[style], claimed_total=1000, replay=again))
    assert reading.verdict == "incomplete"
    assert reading.requests < 400
