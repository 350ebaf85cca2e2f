from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ideas_pipeline.alerts.staleness import due, late_streams

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
LIMIT = timedelta(hours=36)


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def test_each_stream_is_late_for_itself() -> None:
    proven = {"ideas": hours_ago(37), "votes": hours_ago(35)}

    assert late_streams(["ideas", "votes"], proven, hours_ago(999), LIMIT, NOW) == {"ideas": hours_ago(37)}


def test_what_was_never_proven_is_late_some_time_after_the_warehouse_was_created() -> None:
    assert late_streams(["ideas"], {}, hours_ago(35), LIMIT, NOW) == {}
    assert late_streams(["ideas"], {}, hours_ago(37), LIMIT, NOW) == {"ideas": None}


@pytest.mark.parametrize(
    ("is_late", "said", "now"),
    [
        (False, None, None),
        (True, None, "stale"),
        (True, hours_ago(23.9), None),
        (True, hours_ago(24), "stale"),
        (False, hours_ago(1), "over"),
    ],
)
def test_it_is_said_once_and_again_each_day_and_when_it_is_over(
    is_late: bool, said: datetime | None, now: str | None
) -> None:
    assert due(is_late, said, NOW) == now
