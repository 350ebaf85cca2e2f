"""When a list counts as read whole, case by case. The law behind the cases is in test_reading_law.py."""

from __future__ import annotations

import pytest

from ideas_pipeline.errors import NotFound, Unavailable
from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline_tests.sync.moving_list import SIZE, TOTAL, MovingList, read, styles

WITH_TOTAL = styles(TOTAL)
WITHOUT_TOTAL = styles(None)
PAGED = [name for name in WITH_TOTAL if name != "none"]
NUMBERED = ["page from 1", "page from 0", "offset"]


def ids(count: int) -> list[str]:
    return [f"r{n}" for n in range(count)]


def read_whole(moving: MovingList, **options: object) -> SweptScope:
    reading = SweptScope("s", moving.paging, sweeps=5, **options)  # type: ignore[arg-type]  # options of any kind
    read(moving, reading)
    return reading


@pytest.mark.parametrize("style", WITH_TOTAL)
def test_a_list_in_one_response_with_its_total_is_complete_after_one_request(style: str) -> None:
    reading = read_whole(MovingList(ids(SIZE - 1), WITH_TOTAL[style]))
    assert (reading.verdict, reading.requests) == ("complete", 1)


@pytest.mark.parametrize("style", NUMBERED)
def test_a_page_as_full_as_asked_for_is_not_taken_for_all_at_the_totals_word(style: str) -> None:
    full = MovingList(ids(SIZE), WITH_TOTAL[style])
    reading = read_whole(full)
    assert (reading.verdict, reading.requests) == ("complete", 2)
    of_the_page = MovingList(ids(3 * SIZE), WITH_TOTAL[style], claimed_total=SIZE)
    assert read_whole(of_the_page).verdict == "incomplete"


@pytest.mark.parametrize("style", PAGED)
@pytest.mark.parametrize("claimed", [2 * SIZE, 2 * SIZE + 1])
def test_a_total_that_is_too_low_is_not_believed(style: str, claimed: int) -> None:
    reading = read_whole(MovingList(ids(4 * SIZE), WITH_TOTAL[style], claimed_total=claimed))
    assert reading.verdict == "incomplete"
    assert f"the API's total is {claimed}" in str(reading.reason)


def test_a_list_without_pages_is_complete_after_one_request_even_without_a_total() -> None:
    reading = read_whole(MovingList(ids(50), WITHOUT_TOTAL["none"], totals=False))
    assert (reading.verdict, reading.requests) == ("complete", 1)


@pytest.mark.parametrize("style", WITH_TOTAL)
def test_an_empty_list_is_complete_after_one_request(style: str) -> None:
    for moving in (MovingList([], WITH_TOTAL[style]), MovingList([], WITHOUT_TOTAL[style], totals=False)):
        reading = read_whole(moving)
        assert (reading.verdict, reading.requests) == ("complete", 1)


@pytest.mark.parametrize("style", PAGED)
def test_a_first_reading_of_several_pages_is_proven_by_a_second_sweep_and_no_more(style: str) -> None:
    reading = read_whole(MovingList(ids(10), WITH_TOTAL[style]))
    assert (reading.verdict, reading.sweeps, reading.requests) == ("complete", 2, 8)
    assert reading.ids == set(ids(10))


@pytest.mark.parametrize("style", PAGED)
def test_several_pages_that_hold_just_what_is_known_are_proven_by_one_sweep(style: str) -> None:
    reading = read_whole(MovingList(ids(10), WITH_TOTAL[style]), known=lambda: set(ids(10)))
    assert (reading.verdict, reading.sweeps, reading.requests) == ("complete", 1, 4)


@pytest.mark.parametrize("known", [ids(11), ids(9)], ids=["one is missing", "one is new"])
@pytest.mark.parametrize("style", PAGED)
def test_anything_missing_or_new_takes_a_second_sweep(style: str, known: list[str]) -> None:
    reading = read_whole(MovingList(ids(10), WITH_TOTAL[style]), known=lambda: set(known))
    assert (reading.verdict, reading.sweeps) == ("complete", 2)


@pytest.mark.parametrize("style", PAGED)
def test_without_totals_two_equal_sweeps_prove_a_list(style: str) -> None:
    reading = read_whole(MovingList(ids(10), WITHOUT_TOTAL[style], totals=False))
    assert (reading.verdict, reading.sweeps) == ("complete", 2)


@pytest.mark.parametrize("style", NUMBERED)
def test_the_pages_are_asked_for_at_once_when_the_total_tells_them(style: str) -> None:
    moving = MovingList(ids(10), WITH_TOTAL[style])
    reading = SweptScope("s", moving.paging, sweeps=5)
    (first,) = reading.start()
    assert len(reading.take(moving.page(first))[1]) == 3


@pytest.mark.parametrize("style", PAGED)
def test_rows_deleted_while_reading_do_not_hide_others(style: str) -> None:
    moving = MovingList(ids(12), WITH_TOTAL[style])
    moving.watch()
    pages = iter(range(100))

    def delete_rows_already_read(m: MovingList) -> None:
        if next(pages) == 2:
            m.delete(0)
            m.delete(0)

    reading = SweptScope("s", moving.paging, sweeps=5)
    read(moving, reading, between=delete_rows_already_read)
    assert reading.verdict == "complete"
    assert reading.ids == moving.lived
    assert reading.sweeps > 1


@pytest.mark.parametrize("style", PAGED)
def test_one_deleted_and_one_added_hides_nothing_though_the_total_never_moves(style: str) -> None:
    moving = MovingList(ids(12), WITH_TOTAL[style])
    moving.watch()
    pages = iter(range(100))

    def swap(m: MovingList) -> None:
        if next(pages) == 2:
            m.delete(0)
            m.insert(len(m.ids))

    reading = SweptScope("s", moving.paging, sweeps=5)
    read(moving, reading, between=swap)
    assert reading.verdict == "complete"
    assert moving.lived <= reading.ids


@pytest.mark.parametrize("style", NUMBERED)
def test_a_list_cut_short_is_incomplete_and_says_what_is_missing(style: str) -> None:
    reading = read_whole(MovingList(ids(12), WITH_TOTAL[style], truncate_after=6))
    assert reading.verdict == "incomplete"
    assert reading.reason == "the API's total is 12, but 6 records came (after 2 sweeps)"


@pytest.mark.parametrize("style", NUMBERED)
def test_a_page_served_twice_is_incomplete(style: str) -> None:
    reading = read_whole(MovingList(ids(12), WITH_TOTAL[style], replay={6: 3}))
    assert reading.verdict == "incomplete"
    assert "a record came twice" in str(reading.reason)


@pytest.mark.parametrize("style", NUMBERED)
def test_a_server_that_repeats_its_last_page_for_ever_is_left_after_a_few(style: str) -> None:
    moving = MovingList(ids(6), WITHOUT_TOTAL[style], totals=False, replay=dict.fromkeys(range(6, 90), 3))
    reading = read_whole(moving)
    assert reading.verdict == "incomplete"
    assert "brought nothing new" in str(reading.reason)
    assert reading.requests < 20


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


def test_a_single_record_that_is_not_there_is_said_to_be_not_found() -> None:
    reading = SweptScope("7", WITH_TOTAL["none"], sweeps=5, single=True)
    reading.start()
    reading.fail(NotFound("not there", status=404))
    assert (reading.verdict, reading.finished) == ("not_found", True)


def test_a_total_that_counts_what_the_account_may_not_see_is_never_complete() -> None:
    reading = read_whole(MovingList(ids(10), WITH_TOTAL["page from 1"], claimed_total=11))
    assert (reading.verdict, reading.sweeps) == ("incomplete", 2)
