"""Freshness by the clocks of the community, over every change of clocks of ten zones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from ideas_pipeline.sync.freshness import Night, Nights, last_night, not_fresh
from ideas_pipeline.times import at_clock_time, clock_time_between, on_the_clock

# By an hour, half an hour or two hours; at night, at midnight or shortly before; north and south.
ZONES = [
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/St_Johns",
    "America/Santiago",
    "America/Havana",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Antarctica/Troll",
]
_MINUTE = timedelta(minutes=1)


def changes(zone: str) -> Iterator[date]:
    """The days from 2024 to 2031 on which the clocks of a zone change."""
    midnights = [datetime(2024, 1, 1) + timedelta(days=day) for day in range(8 * 365)]
    for before, after in pairwise(at.replace(tzinfo=ZoneInfo(zone)) for at in midnights):
        if before.utcoffset() != after.utcoffset():
            yield before.date()


def night_of(day: date, zone: str, hour: int) -> Night:
    """The night that begins on a day, as it is known a minute after its deadline."""
    deadline = at_clock_time(datetime.combine(day, time(hour)) + timedelta(hours=6), zone)
    return last_night(Nights(zone, hour), deadline + _MINUTE)


@pytest.mark.parametrize("zone", ZONES)
def test_a_night_begins_and_ends_by_the_clock_on_every_change_of_clocks(zone: str) -> None:
    days = list(changes(zone))
    assert len(days) >= 14

    for changed in days:
        for day in (changed - timedelta(days=1), changed, changed + timedelta(days=1)):
            for hour in range(24):
                night = night_of(day, zone, hour)
                begins = datetime.combine(day, time(hour))
                for at, wanted in ((night.start, begins), (night.deadline, begins + timedelta(hours=6))):
                    shown = on_the_clock(at, zone)
                    skipped = shown > wanted > on_the_clock(at - _MINUTE, zone) - _MINUTE
                    assert shown == wanted or skipped, (at, wanted)
                assert last_night(Nights(zone, hour), night.deadline) == night
                before = last_night(Nights(zone, hour), night.deadline - _MINUTE)
                assert before.start < night.start


@pytest.mark.parametrize("zone", ZONES)
def test_a_sync_of_the_night_makes_a_table_fresh_and_one_before_it_does_not(zone: str) -> None:
    for day in changes(zone):
        for hour in range(24):
            night = night_of(day, zone, hour)
            where = Nights(zone, hour)
            for now in (night.deadline, night.deadline + timedelta(hours=17)):
                assert not_fresh("ideas", night.start, where, now) is None
                assert not_fresh("ideas", night.start - _MINUTE, where, now) is not None


# Dagster leaves a tick out if the clocks skip two hours, as they do in Troll.
@pytest.mark.parametrize("zone", ZONES[:-1])
def test_the_tick_of_a_schedule_is_in_its_night(zone: str) -> None:
    for day in changes(zone):
        for hour in range(24):
            night = night_of(day, zone, hour)
            ticks = schedule_execution_time_iterator(night.start.timestamp(), f"0 {hour} * * *", zone)
            tick = next(ticks).astimezone(UTC)
            begins = datetime.combine(day, time(hour))
            twice = at_clock_time(begins, zone, last=True)
            assert tick in (night.start, twice)


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_has_24_hours_on_the_clock_on_every_change_of_clocks(zone: str) -> None:
    for day in changes(zone):
        noon = datetime.combine(day, time(12))
        before, after = (at_clock_time(noon + timedelta(days=days), zone) for days in (-1, 1))
        assert clock_time_between(before, after, zone) == timedelta(days=2) != after - before


def test_a_night_in_which_summer_time_ends_counts_from_its_hour_on_the_clock() -> None:
    where = Nights("Europe/Berlin", 1)
    now = datetime(2026, 10, 25, 6, 0, tzinfo=UTC)  # 07:00 in Berlin

    assert not_fresh("ideas", datetime(2026, 10, 24, 23, 10, tzinfo=UTC), where, now) is None
    assert not_fresh("ideas", datetime(2026, 10, 24, 22, 59, tzinfo=UTC), where, now) is not None


def test_a_missed_night_in_which_summer_time_begins_is_not_fresh() -> None:
    where = Nights("Europe/Berlin", 1)
    synced = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)  # 00:30 in Berlin
    now = datetime(2026, 3, 29, 5, 0, tzinfo=UTC)  # 07:00

    finding = not_fresh("ideas", synced, where, now)

    assert finding is not None
    assert finding.severity == "warning"
    assert "not synced in the night from 2026-03-29 01:00 to 07:00 (Europe/Berlin)" in finding.text
    assert not_fresh("ideas", synced, where, now - _MINUTE) is None
    assert not_fresh("ideas", None, where, now) is None


def test_a_sync_that_ended_in_the_future_makes_nothing_fresh() -> None:
    where, now = Nights("UTC", 1), datetime(2026, 3, 29, 8, 0, tzinfo=UTC)

    assert not_fresh("ideas", now + _MINUTE, where, now) is None  # the clocks of two machines
    finding = not_fresh("ideas", datetime(2028, 3, 29, 2, 0, tzinfo=UTC), where, now)

    assert finding is not None
    assert "ended 2028-03-29 02:00 UTC, and it is 2026-03-29 08:00 UTC by this machine's clock" in finding.text
