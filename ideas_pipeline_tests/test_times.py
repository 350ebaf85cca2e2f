from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ideas_pipeline.times import ago, duration, moment

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=119), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=400), "400 days ago"),
        (timedelta(minutes=-5), "just now"),
    ],
)
def test_an_age_is_in_the_largest_unit_that_has_passed(passed: timedelta, expected: str) -> None:
    assert ago(NOW - passed, NOW) == expected


@pytest.mark.parametrize(
    ("seconds", "digits", "expected"),
    [
        (0.2, 0, "1 second"),
        (119, 0, "119 seconds"),
        (150, 0, "2 minutes"),
        (6 * 3600, 0, "6 hours"),
        (36 * 3600, 1, "36 hours"),
        (84 * 3600, 1, "3.5 days"),
        (100 * 86400, 0, "100 days"),
        (2000 * 86400, 1, "2,000 days"),
    ],
)
def test_a_duration_is_in_the_largest_unit_of_which_it_has_two(seconds: float, digits: int, expected: str) -> None:
    assert duration(seconds, digits=digits) == expected


def test_a_moment_of_any_zone_is_written_in_utc_with_its_age() -> None:
    then = datetime(2026, 1, 31, 20, 4, tzinfo=ZoneInfo("Europe/Madrid"))
    assert moment(then, NOW) == "2026-01-31 19:04 UTC, 4 hours ago"
