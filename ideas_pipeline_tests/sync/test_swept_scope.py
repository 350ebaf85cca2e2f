"""What a swept scope counts and hands on, and what it says about itself. When it is complete: test_completeness.py."""

from __future__ import annotations

from typing import Any

import pytest

from ideas_pipeline.errors import Unavailable
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.ideas_api.pagination import Page
from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline_tests.sync.moving_list import WITH_TOTAL, WITHOUT_TOTAL, MovingList, ids, read


def page(records: list[Record], *, following: str | None = None, position: str = "", **more: Any) -> Page:
    return Page(records, None, following, requests=2, received_at=0.0, position=position, **more)


def test_records_without_an_id_are_handed_on_by_the_first_sweep_alone() -> None:
    reading = SweptScope("s", WITHOUT_TOTAL["cursor"], sweeps=2)
    reading.start()
    keyed, keyless, nested = Record({"id": "1"}, {}), Record({"id": None}, {}), Record({"id": "2"}, {})
    fresh, _ = reading.take(page([keyed, keyless], following="x", nested=[nested]))
    assert fresh == [keyed, keyless, nested]
    reading.take(page([Record({"id": "3"}, {})], position="x"))
    assert reading.sweeps == 2
    assert reading.take(page([keyed, keyless], following="x", nested=[nested]))[0] == []
    assert (reading.requests, reading.received) == (6, 7), "nested ones count as received"


def test_requests_of_pages_that_failed_count() -> None:
    reading = SweptScope("s", WITHOUT_TOTAL["cursor"], sweeps=2)
    reading.start()
    reading.take(page([Record({"id": "1"}, {})], following="x"))
    reading.fail(Unavailable("no answer").after(5))
    assert (reading.requests, reading.verdict, reading.reason) == (7, "incomplete", "no answer")


@pytest.mark.parametrize(("limit", "says"), [(1, "(after one sweep)"), (2, "(after 2 sweeps)")])
def test_the_reason_names_the_number_of_sweeps(limit: int, says: str) -> None:
    moving = MovingList(ids(10), WITHOUT_TOTAL["cursor"], totals=False)

    def another(there: MovingList) -> None:
        there.ids = [f"{name}x" for name in there.ids]

    reading = SweptScope("s", moving.paging, sweeps=limit)
    read(moving, reading, between=another)
    assert reading.verdict == "incomplete"
    assert str(reading.reason).endswith(says)


def test_a_scope_knows_whether_a_record_vanished_between_its_sweeps() -> None:
    for vanished in (False, True):
        moving = MovingList(ids(10), WITH_TOTAL["cursor"])
        reading = SweptScope("s", moving.paging, sweeps=5)

        def lose_one(there: MovingList = moving, of: SweptScope = reading, lost: bool = vanished) -> None:
            if lost and of.sweeps == 2:
                there.ids = ids(9)

        read(moving, reading, on_sweep=lose_one)
        assert (reading.verdict, bool(reading.vanished)) == ("complete", vanished)


@pytest.mark.parametrize(("declared", "not_found"), [(None, True), (3, True), (0, False)])
def test_a_list_that_is_not_found_is_empty_without_doubt_only_if_its_parent_says_so(
    declared: int | None, not_found: bool
) -> None:
    reading = SweptScope("s", WITHOUT_TOTAL["cursor"], sweeps=2, declared=declared)
    first = reading.start()[0]
    reading.take(page([], position=first, refused=404))
    assert (reading.verdict, reading.not_found) == ("complete", not_found)


def test_a_list_that_was_found_is_not_called_missing() -> None:
    reading = SweptScope("s", WITHOUT_TOTAL["cursor"], sweeps=2)
    reading.take(page([], position=reading.start()[0]))
    assert (reading.verdict, reading.not_found) == ("complete", False)
