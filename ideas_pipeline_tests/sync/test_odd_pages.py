"""Pages with records that have no place on them: repeated, pinned or filled up. The lists are complete all the same."""

from __future__ import annotations

from typing import Any

import pytest

from ideas_pipeline_tests.sync.moving_list import WITHOUT_TOTAL, MovingList, ids, read_whole

PAGES = WITHOUT_TOTAL["page from 1"]
CURSORS = WITHOUT_TOTAL["cursor"]
LENGTHS = [1, 2, 4, 5, 7, 10, 11, 26]


@pytest.mark.parametrize(
    ("paging", "habit"),
    [
        (PAGES, {"wraps_around": True}),
        (PAGES, {"pads_last_page": True}),
        (PAGES, {"pinned": "r0"}),
        (PAGES, {"pinned": "r0", "ignores_size": True}),
        (CURSORS, {"inclusive": True}),
        (CURSORS, {"inclusive": True, "cursor_at_the_end": "same"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("length", LENGTHS)
def test_a_list_with_such_pages_is_complete(paging: Any, habit: dict[str, Any], length: int) -> None:
    reading = read_whole(MovingList(ids(length), paging, totals=False, **habit), edited="updated_at")
    assert (reading.verdict, reading.ids) == ("complete", set(ids(length))), reading.reason
    assert reading.requests < 12 + 3 * length


@pytest.mark.parametrize("habit", [{"wraps_around": True}, {"pads_last_page": True}, {"pinned": "r0"}], ids=str)
@pytest.mark.parametrize("replayed", [0, 1, 5])
def test_a_page_that_is_missing_among_such_pages_is_noticed(habit: dict[str, Any], replayed: int) -> None:
    moving = MovingList(ids(20), PAGES, totals=False, ignores_size=True, replay={6: replayed}, **habit)
    assert read_whole(moving).verdict == "incomplete"


def test_the_first_page_again_after_a_full_one_may_not_be_the_end() -> None:
    reading = read_whole(MovingList(ids(300), PAGES, totals=False, ignores_size=True, replay={99: 0}))
    assert (reading.verdict, "the first page again after 99 records" in str(reading.reason)) == ("incomplete", True)


def test_a_cursor_that_only_sometimes_repeats_a_record_is_a_list_that_moves() -> None:
    moving = MovingList(ids(9), CURSORS, totals=False, replay={3: 2})
    assert "a record came twice" in str(read_whole(moving).reason)
