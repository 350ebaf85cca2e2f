from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ideas_pipeline.warehouse.runs import RunStart
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline.warehouse.windows import pages_by_scope, rows_by_day, rows_by_scope
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, idea, load, night, read

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

    counts = rows_by_day(warehouse.engine, COMMUNITY, "ideas", "created_at", *around, zone)

    assert counts == {day - timedelta(days=1): 1, day: 3, day + timedelta(days=1): 1}
    assert rows_by_day(warehouse.engine, COMMUNITY, "ideas", "created_at", start, end, zone) == {day: 3}


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
        return rows_by_scope(warehouse.engine, COMMUNITY, "ideas", "created_at", start, end)

    assert counted(at, at + SECOND) == {"c1": 1}
    assert counted(at, None) == {"c1": 2, "c2": 1}
    assert counted(None, at + SECOND) == {"c1": 1}


def test_an_estimate_is_of_the_pages_that_the_api_sent_whatever_was_replayed_since(warehouse: Warehouse) -> None:
    for on, mode, pages, total in ((1, "incremental", 9, 800), (2, "replay", 3, None)):
        warehouse.start_run(RunStart(f"night-{on}", COMMUNITY, "https://api.example.com/v2", night(on), mode=mode))
        load(warehouse, "ideas", [], on=on, scopes=[read("c1", swept_at=night(on), pages=pages, total_last=total)])
    assert pages_by_scope(warehouse.engine, COMMUNITY, "ideas") == {"c1": (9, True)}
