"""Moments in UTC, and moments and durations as people read them.

``humanize`` was weighed and does not fit: it calls 47 hours "a day" and 90 minutes "2 hours", and 400 days "1 year, 1
month", where an operator who compares it with a limit of 36 hours needs the number.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

# No idea community is older. An earlier time of something that happened is a mistake of the source.
EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)
# No deadline is later.
LATEST_PLAN = datetime(2200, 1, 1, tzinfo=UTC)
# A clock may be wrong by this much.
TOMORROW = timedelta(days=1)

_MINUTE = timedelta(minutes=1)
# The clocks of two machines may differ by this much.
CLOCKS_DIFFER = _MINUTE

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


def utc(at: datetime) -> datetime:
    """Return a moment as timezone-aware, in UTC. A naive one, as SQLite returns them, is taken to be in UTC already."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def duration(seconds: float, *, digits: int = 0) -> str:
    """Describe a duration in the largest unit of which it has at least two: ``36 hours``, ``3 minutes``, ``1 second``.

    Args:
        seconds: the duration; less than one second counts as one.
        digits: digits after the decimal point, left out if they are zero: ``3.5 days``. Seconds have none.
    """
    for unit, size in _UNITS:
        if abs(seconds) >= 2 * size:
            number = f"{seconds / size:,.{digits}f}"
            return f"{number.removesuffix('.' + digits * '0')} {unit}s"
    count = max(1, round(seconds))
    return f"{count} second{'s' if count > 1 else ''}"


def ago(then: datetime, now: datetime) -> str:
    """Describe how long ago ``then`` was, in the largest unit that has passed: ``5 minutes ago``.

    Args:
        then: a timezone-aware moment, in any zone.
        now: the present, timezone-aware.

    Returns:
        ``just now`` for less than a minute, and for a moment in the future.
    """
    passed = max(now - then, timedelta())
    for unit, size in _UNITS:
        if count := int(passed.total_seconds() // size):
            return f"{count:,} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def clock(at: datetime) -> str:
    """Write a timezone-aware moment in UTC, to the minute: ``2026-11-23 02:04 UTC``."""
    return f"{utc(at):%Y-%m-%d %H:%M} UTC"


def moment(then: datetime, now: datetime) -> str:
    """Write a timezone-aware moment with its age: ``2026-11-23 02:04 UTC, 5 hours ago``."""
    return f"{clock(then)}, {ago(then, now)}"


def at_clock_time(local: datetime, timezone: str, *, last: bool = False) -> datetime:
    """The moment at which the clocks of a time zone show a time, in UTC.

    If the clocks skip that time, it is the moment at which they are moved forward, as it is for cron.

    Args:
        local: the date and time on the clock, without a time zone, to the minute.
        timezone: the name of the time zone.
        last: if the clocks show that time twice, because they are moved back, whether the second time is meant.
    """
    zone = ZoneInfo(timezone)
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return second if last else first
    # The clocks skip it, and each of the two is read with the offset of the other side (PEP 495).
    minutes = range(int((first - second) / _MINUTE) + 1)
    skipped = bisect_left(minutes, local, key=lambda minute: on_the_clock(second + minute * _MINUTE, timezone))
    return second + skipped * _MINUTE


def on_the_clock(at: datetime, timezone: str) -> datetime:
    """What the clocks of a time zone show at a timezone-aware moment: the date and time, without a time zone."""
    return at.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)


def clock_time_between(then: datetime, now: datetime, timezone: str) -> timedelta:
    """How much later the clocks of a time zone show at ``now`` than at ``then``: a day from midnight to midnight.

    Args:
        then: timezone-aware.
        now: timezone-aware.
        timezone: the name of the time zone.
    """
    return on_the_clock(now, timezone) - on_the_clock(then, timezone)
