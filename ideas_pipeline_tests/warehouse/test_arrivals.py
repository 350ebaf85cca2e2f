from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from ideas_pipeline.warehouse.arrivals import arrivals
from ideas_pipeline.warehouse.runs import RunStart
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

NOW = datetime(2026, 3, 31, 6, tzinfo=UTC)


def ran(
    warehouse: Warehouse, at: datetime, inserted: int, verdict: str = "complete", mode: str = "incremental"
) -> None:
    run_id = at.isoformat()
    warehouse.start_run(RunStart(run_id, COMMUNITY, "https://api.example.com/v2/", at, mode=mode))
    warehouse.start_stream(run_id, COMMUNITY, "ideas", at)
    warehouse.finish_stream(run_id, COMMUNITY, "ideas", at, verdict, None, inserted=inserted)


def night(day: int, hour: int = 2) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def found(warehouse: Warehouse, zone: str = "UTC") -> dict[int, int]:
    """By day of March, the new rows a day."""
    told = arrivals(warehouse.engine, COMMUNITY, "ideas", zone, NOW)
    return {day.day: round(rows) for day, rows in told.items()}


def test_each_night_is_told_but_the_first_which_brings_all_there_ever_was(warehouse: Warehouse) -> None:
    for day, rows in ((10, 5_000), (11, 40), (12, 50)):
        ran(warehouse, night(day), rows)

    assert found(warehouse) == {11: 40, 12: 50}
    assert arrivals(warehouse.engine, "another", "ideas", "UTC", NOW) == {}


def test_a_first_reading_that_took_several_nights_is_left_out_whole(warehouse: Warehouse) -> None:
    for day, rows, verdict in ((10, 3_000, "incomplete"), (11, 2_000, "complete"), (12, 50, "complete")):
        ran(warehouse, night(day), rows, verdict)

    assert found(warehouse) == {12: 50}


def test_runs_of_a_day_are_one_whatever_each_came_to(warehouse: Warehouse) -> None:
    ran(warehouse, night(10), 5_000)
    ran(warehouse, night(11), 30, "failed")
    ran(warehouse, night(11, hour=3), 10, mode="full")
    ran(warehouse, night(12, hour=3), 50)

    assert list(found(warehouse)) == [11, 12]
    assert found(warehouse)[12] == 50


def test_days_without_a_run_are_shared_out(warehouse: Warehouse) -> None:
    ran(warehouse, night(10), 5_000)
    ran(warehouse, night(14), 400)

    assert found(warehouse) == {14: 100}


def test_a_run_a_few_hours_after_that_of_the_day_before_says_nothing(warehouse: Warehouse) -> None:
    ran(warehouse, night(10), 5_000)
    ran(warehouse, night(11), 40)
    ran(warehouse, night(11, hour=22), 35)
    ran(warehouse, night(12), 3)

    assert list(found(warehouse)) == [11]


@pytest.mark.parametrize("mode", ["window", "replay"])
def test_what_an_operator_had_read_anew_is_no_night(warehouse: Warehouse, mode: str) -> None:
    for day in (10, 11):
        ran(warehouse, night(day), 40)
    ran(warehouse, night(11, hour=9), 700, mode=mode)

    assert found(warehouse) == {11: 40}


def test_nothing_is_told_where_the_last_run_left_something_unread(warehouse: Warehouse) -> None:
    for day, verdict in ((10, "complete"), (11, "complete"), (12, "incomplete")):
        ran(warehouse, night(day), 40, verdict)

    assert found(warehouse) == {}


def test_days_are_those_of_the_zone_and_of_the_last_four_weeks(warehouse: Warehouse) -> None:
    for at in (datetime(2026, 2, 1, 2, tzinfo=UTC), night(20, hour=23), night(21, hour=23)):
        ran(warehouse, at, 40)

    assert found(warehouse, "Europe/Madrid") == {22: 40}
    assert list(arrivals(warehouse.engine, COMMUNITY, "ideas", "Europe/Madrid", NOW)) == [date(2026, 3, 22)]
    assert arrivals(warehouse.engine, COMMUNITY, "ideas", "UTC", NOW + timedelta(days=60)) == {}
