"""Lists that change while they are read."""

from __future__ import annotations

import random
from itertools import count

import pytest

from ideas_pipeline.contract.paging import OffsetPaging, PagePaging
from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline_tests.sync.moving_list import (
    NUMBERED,
    PAGED,
    TOTAL,
    WITH_TOTAL,
    WITHOUT_TOTAL,
    MovingList,
    ids,
    read,
)


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
def test_a_list_in_the_order_of_the_last_edit_proves_nothing_by_overlap(style: str) -> None:
    moving = MovingList(ids(40), WITH_TOTAL[style])
    edits = iter(range(10**6))
    moving.edited = {key: f"2026-01-01T00:{59 - n:02}" for n, key in enumerate(moving.ids)}

    def edit_the_last(m: MovingList) -> None:
        m.move(len(m.ids) - 1, 0)
        m.edited[m.ids[0]] = f"2026-02-{next(edits):06}"

    reading = SweptScope("s", moving.paging, sweeps=3, edited="updated_at")
    read(moving, reading, between=edit_the_last)
    assert reading.verdict == "incomplete"


@pytest.mark.parametrize("a_day", [1, 12, 30], ids="{} edits a day".format)
def test_edits_that_move_unread_records_to_the_head_hide_none_of_them(a_day: int) -> None:
    paging = OffsetPaging(style="offset", size_parameter="limit", size=10)
    chance = random.Random(5)
    keys = chance.sample(ids(60), 60)
    moving = MovingList(keys, paging, totals=False)
    moving.edited = {key: f"2026-01-{(60 - n // a_day):02}" for n, key in enumerate(keys)}
    pages = iter(range(1000))

    def edit_records_that_are_not_read_yet(m: MovingList) -> None:
        if next(pages) == 3:
            for _ in range(15):
                m.move(59, 0)
                m.edited[m.ids[0]] = "2026-02-01"

    reading = SweptScope("s", paging, sweeps=5, edited="updated_at")
    read(moving, reading, between=edit_records_that_are_not_read_yet)
    assert (reading.verdict, reading.ids) == ("complete", set(keys))


@pytest.mark.parametrize(
    ("length", "edits_before_page"), [(9, {2: 1, 5: 2, 6: 1}), (7, {2: 1, 4: 2, 5: 1})], ids=["filled up", "pinned"]
)
def test_edits_that_move_the_head_of_a_list_to_its_end_hide_no_record(
    length: int, edits_before_page: dict[int, int]
) -> None:
    """They look like a last page that is filled up with the first records, or like a page with a pinned record alone.

    Pages are counted from 0. In both sweeps r6 moves to a page that was read before.
    """
    moving = MovingList(ids(length), WITHOUT_TOTAL["page from 1"], totals=False, ignores_size=True)
    moving.edited = {key: f"2026-01-{n + 1:02}" for n, key in enumerate(moving.ids)}
    days, pages = iter(range(10, 20)), iter(range(1000))

    def edit_the_first(m: MovingList) -> None:
        for _ in range(edits_before_page.get(next(pages), 0)):
            m.move(0, len(m.ids) - 1)
            m.edited[m.ids[-1]] = f"2026-02-{next(days)}"

    reading = SweptScope("s", moving.paging, sweeps=2, edited="updated_at")
    read(moving, reading, between=edit_the_first)
    assert reading.verdict == "incomplete" or "r6" in reading.ids


@pytest.mark.parametrize("style", NUMBERED)
@pytest.mark.parametrize("a_page", [1, 2])
def test_a_record_on_every_page_links_none_of_them(a_page: int, style: str) -> None:
    """Some APIs repeat a pinned record at the head of each page."""
    moving = MovingList(ids(200), WITHOUT_TOTAL[style].model_copy(update={"size": 10}), totals=False, pinned="r0")
    moving.watch()

    def delete_rows_already_read(m: MovingList) -> None:
        for _ in range(a_page):
            m.delete(1)

    reading = SweptScope("s", moving.paging, sweeps=3)
    read(moving, reading, between=delete_rows_already_read)
    assert reading.verdict == "incomplete" or moving.lived <= reading.ids


def test_records_that_are_seen_to_change_their_order_prove_nothing_by_overlap() -> None:
    moving = MovingList(ids(40), WITHOUT_TOTAL["offset"], totals=False)
    pages = iter(range(1000))

    def move_a_read_record_to_the_end(m: MovingList) -> None:
        if next(pages) == 4:
            m.move(1, len(m.ids) - 1)

    reading = SweptScope("s", moving.paging, sweeps=5)
    read(moving, reading, between=move_a_read_record_to_the_end)
    assert (reading.verdict, reading.sweeps > 1) == ("complete", True)


def test_a_known_record_that_moved_to_the_head_unseen_is_noticed() -> None:
    moving = MovingList(ids(40), WITHOUT_TOTAL["offset"], totals=False)
    moving.watch()
    pages = iter(range(1000))

    def move_an_unread_record_to_the_head(m: MovingList) -> None:
        if next(pages) == 4:
            m.move(30, 0)

    reading = SweptScope("s", moving.paging, sweeps=5, known=lambda: set(ids(40)))
    read(moving, reading, between=move_an_unread_record_to_the_head)
    assert reading.verdict == "complete"
    assert moving.lived <= reading.ids
    assert reading.sweeps > 1


@pytest.mark.parametrize("totals", [True, False])
@pytest.mark.parametrize(("style", "most"), [("page", 2.05), ("offset", 1.05)])
def test_a_list_that_never_stands_still_is_proven(style: str, most: float, totals: bool) -> None:
    """Twenty requests a second, an insert every 200 ms and a delete every second, at random places."""
    total = TOTAL if totals else None
    paging: PagePaging | OffsetPaging = OffsetPaging(style="offset", size_parameter="limit", total=total)
    if style == "page":
        paging = PagePaging(style="page", size_parameter="per_page", total=total)
    moving, chance, requests = MovingList(ids(20_000), paging, totals=totals), random.Random(style), count(1)
    moving.watch()

    def a_twentieth_of_a_second(m: MovingList) -> None:
        number = next(requests)
        if number % 4 == 0:
            m.insert(chance.randrange(len(m.ids)))
        if number % 20 == 0:
            m.delete(chance.randrange(len(m.ids)))

    known = set(moving.ids)
    reading = SweptScope("s", paging, sweeps=5, known=lambda: known)
    read(moving, reading, between=a_twentieth_of_a_second)
    assert reading.verdict == "complete"
    assert moving.lived <= reading.ids
    assert reading.requests <= most * len(moving.ids) / 100
