"""Days and months follow the community's time zone, including changes to and from daylight saving time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.marts.following import following
from ideas_pipeline_tests.marts.proof import assert_true_on_both

# Ahead of UTC and behind it, by half and quarter hours, too; in the last, midnight is skipped and comes twice. CET has
# daylight saving time, but PostgreSQL also has an abbreviation CET, without it.
ZONES = ("UTC", "CET", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo")
# The last part of a second, where it is lost if seconds are rounded.
FRACTIONS = ("", ".000001", ".999400", ".999600", ".999999")


def edges(timezone: str) -> list[datetime]:
    """Critical moments of a zone: midnights, ends of months, daylight-saving changes."""
    zone = ZoneInfo(timezone)
    days = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(365)]
    clocks = [
        day for day in days if day.astimezone(zone).utcoffset() != (day + timedelta(1)).astimezone(zone).utcoffset()
    ]
    hours = [day + timedelta(minutes=30 * n) for day in clocks for n in range(49)]
    midnights = [
        datetime(2025, month, day, tzinfo=zone).astimezone(UTC) for month in (1, 2, 3, 10, 12) for day in (1, 15, 28)
    ]
    return [edge + timedelta(seconds=s) for edge in (*midnights, *hours) for s in (-1, 0)]


def at_the_edges(timezone: str) -> Tables:
    """A community in which everything happens at such moments."""
    tables = generate("small", seed=5)
    moments = edges(timezone)
    texts = [f"{at:%Y-%m-%dT%H:%M:%S}{FRACTIONS[n % len(FRACTIONS)]}Z" for n, at in enumerate(moments)]
    rows = [*tables["ideas"].values(), *tables["comments"].values(), *tables["votes"].values()]
    for number, row in enumerate(rows):
        row["created_at"] = texts[number * 7 % len(texts)]
    for number, row in enumerate(tables["ideas"].values()):
        row["published_at"] = row["published_at"] and texts[number * 11 % len(texts)]
    for number, row in enumerate(tables["users"].values()):
        row["joined_at"] = texts[number % len(texts)]
    return tables


@pytest.mark.parametrize("timezone", ZONES)
def test_acts_at_the_edge_of_a_day_count_on_the_right_day(
    timezone: str, sqlite: Warehouse, postgresql: Warehouse, tmp_path: Path
) -> None:
    with following(at_the_edges(timezone), sqlite, tmp_path) as follower:
        assert_true_on_both(follower, postgresql, {}, timezone)
