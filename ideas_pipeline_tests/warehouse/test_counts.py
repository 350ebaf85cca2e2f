from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ideas_pipeline.warehouse.counts import arrivals, pages_by_scope, rows_by_day, rows_by_scope
from ideas_pipeline.warehouse.runs import RunStart, finish_stream, start_run, start_stream
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import idea, load, night, read
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing

NOW = datetime(2026, 3, 31, 6, tzinfo=UTC)

SECOND = timedelta(seconds=1)


def midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Madrid", date(2026, 3, 29)),  # 23 hours
        ("Europe/Madrid", date(2026, 10, 25)),  # 25 hours
        ("Asia/Kathmandu", date(2026, 6, 1)),  # a quarter to the hour
        ("UTC", date(2026, 6, 1)),
    ],
)
def test_a_row_counts_for_the_day_of_its_zone(warehouse: Warehouse, zone: str, day: date) -> None:
    start, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    moments = [start - SECOND, start, start + timedelta(hours=2, minutes=20), end - SECOND / 2, end]
    load(warehouse, "ideas", [idea(f"i{n}", created_at=at) for n, at in enumerate(moments)], on=1)
    around = midnight(day - timedelta(days=1), zone), midnight(day + timedelta(days=2), zone)

    counts = call_reading(warehouse, rows_by_day, "ideas", "created_at", *around, zone)

    assert counts == {day - timedelta(days=1): 1, day: 3, day + timedelta(days=1): 1}
    assert call_reading(warehouse, rows_by_day, "ideas", "created_at", start, end, zone) == {day: 3}


def test_rows_are_counted_by_list_between_the_moments_that_are_given(warehouse: Warehouse) -> None:
    at = datetime(2026, 6, 1, tzinfo=UTC)
    rows = [
        idea("i1", "c1", created_at=at),
        idea("i2", "c1", created_at=at + SECOND),
        idea("i3", "c2", created_at=at + SECOND),
        idea("i4", "c2", created_at=None),
    ]
    load(warehouse, "ideas", rows, on=1)

    def counted(start: datetime | None, end: datetime | None) -> dict[str, int]:
        return call_reading(warehouse, rows_by_scope, "ideas", "challenge_id", "created_at", start, end)

    assert counted(at, at + SECOND) == {"c1": 1}
    assert counted(at, None) == {"c1": 2, "c2": 1}
    assert counted(None, at + SECOND) == {"c1": 1}


def test_an_estimate_is_of_the_pages_that_the_api_sent_whatever_was_replayed_since(warehouse: Warehouse) -> None:
    for on, mode, pages, total in ((1, "incremental", 9, 800), (2, "replay", 3, None)):
        call_writing(warehouse, start_run, RunStart(f"night-{on}", "https://api.example.com/v2", night(on), mode=mode))
        load(warehouse, "ideas", [], on=on, scopes=[read("c1", swept_at=night(on), pages=pages, total_last=total)])
    assert call_reading(warehouse, pages_by_scope, "ideas") == {"c1": (9, True)}


def ran(
    warehouse: Warehouse, at: datetime, inserted: int, verdict: str = "complete", mode: str = "incremental"
) -> None:
    run_id = at.isoformat()
    call_writing(warehouse, start_run, RunStart(run_id, "https://api.example.com/v2/", at, mode=mode))
    call_writing(warehouse, start_stream, run_id, "ideas", at)
    call_writing(warehouse, finish_stream, run_id, "ideas", at, verdict, None, inserted=inserted)


def at_night(day: int, hour: int = 2) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def found(warehouse: Warehouse, zone: str = "UTC") -> dict[int, int]:
    """By day of March, the new rows a day."""
    told = call_reading(warehouse, arrivals, "ideas", zone, NOW)
    return {day.day: round(rows) for day, rows in told.items()}


def test_each_night_is_listed_except_the_first_which_brings_everything(
    warehouse: Warehouse, other_warehouse: Warehouse
) -> None:
    for day, rows in ((10, 5_000), (11, 40), (12, 50)):
        ran(warehouse, at_night(day), rows)

    assert found(warehouse) == {11: 40, 12: 50}
    assert call_reading(other_warehouse, arrivals, "ideas", "UTC", NOW) == {}


def test_a_first_reading_that_took_several_nights_is_left_out_whole(warehouse: Warehouse) -> None:
    for day, rows, verdict in ((10, 3_000, "incomplete"), (11, 2_000, "complete"), (12, 50, "complete")):
        ran(warehouse, at_night(day), rows, verdict)

    assert found(warehouse) == {12: 50}


def test_runs_of_a_day_are_one_whatever_each_came_to(warehouse: Warehouse) -> None:
    ran(warehouse, at_night(10), 5_000)
    ran(warehouse, at_night(11), 30, "failed")
    ran(warehouse, at_night(11, hour=3), 10, mode="full")
    ran(warehouse, at_night(12, hour=3), 50)

    assert list(found(warehouse)) == [11, 12]
    assert found(warehouse)[12] == 50


def test_days_without_a_run_are_shared_out(warehouse: Warehouse) -> None:
    ran(warehouse, at_night(10), 5_000)
    ran(warehouse, at_night(14), 400)

    assert found(warehouse) == {14: 100}


def test_a_run_a_few_hours_after_that_of_the_day_before_says_nothing(warehouse: Warehouse) -> None:
    ran(warehouse, at_night(10), 5_000)
    ran(warehouse, at_night(11), 40)
    ran(warehouse, at_night(11, hour=22), 35)
    ran(warehouse, at_night(12), 3)

    assert list(found(warehouse)) == [11]


@pytest.mark.parametrize("mode", ["window", "replay"])
def test_what_an_operator_had_read_again_is_not_a_night(warehouse: Warehouse, mode: str) -> None:
    for day in (10, 11):
        ran(warehouse, at_night(day), 40)
    ran(warehouse, at_night(11, hour=9), 700, mode=mode)

    assert found(warehouse) == {11: 40}


def test_no_night_is_listed_if_the_last_run_left_something_unread(warehouse: Warehouse) -> None:
    for day, verdict in ((10, "complete"), (11, "complete"), (12, "incomplete")):
        ran(warehouse, at_night(day), 40, verdict)

    assert found(warehouse) == {}


def test_days_are_those_of_the_zone_and_of_the_last_four_weeks(warehouse: Warehouse) -> None:
    for at in (datetime(2026, 2, 1, 2, tzinfo=UTC), at_night(20, hour=23), at_night(21, hour=23)):
        ran(warehouse, at, 40)

    assert found(warehouse, "Europe/Madrid") == {22: 40}
    assert list(call_reading(warehouse, arrivals, "ideas", "Europe/Madrid", NOW)) == [date(2026, 3, 22)]
    assert call_reading(warehouse, arrivals, "ideas", "UTC", NOW + timedelta(days=60)) == {}
