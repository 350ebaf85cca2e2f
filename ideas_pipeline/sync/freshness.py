"""Freshness: whether a stream was synced in its last night, by the clocks of the community.

Not a freshness policy of Dagster: its windows are elapsed hours before a deadline on the clock, so that on the day on
which the clocks change a window begins an hour too late or too early.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from ideas_pipeline.sync.finding import Finding
from ideas_pipeline.times import CLOCKS_DIFFER, at_clock_time, clock, on_the_clock

FRESHNESS = "freshness"
# How long a night may take, on the clock.
_HOURS = timedelta(hours=6)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Nights:
    """When the nights of a community begin, on the clocks of a time zone. Their deadline is six hours later.

    Attributes:
        timezone: the name of the time zone.
        hour: IDEAS_SCHEDULE_HOUR.
        minute: IDEAS_SCHEDULE_MINUTE.
    """

    timezone: str
    hour: int
    minute: int = 0

    def begins(self, day: date) -> datetime:
        """What the clocks show when the night of a day begins."""
        return datetime.combine(day, time(self.hour, self.minute))

    def __str__(self) -> str:
        """The rule in words."""
        begins = self.begins(date.min)
        return (
            f"Fresh at {begins + _HOURS:%H:%M} ({self.timezone}) if it was synced since {begins:%H:%M}, "
            "on the clocks of that time zone."
        )


@dataclass(frozen=True, slots=True)
class Night:
    """The time in which a community is synced, in UTC. ``start``: a sync that ended before it does not count."""

    start: datetime
    deadline: datetime


def last_night(nights: Nights, now: datetime) -> Night:
    """The last night whose deadline has passed. ``now``: timezone-aware."""
    day = on_the_clock(now, nights.timezone).date()
    while True:
        begins = nights.begins(day)
        deadline = at_clock_time(begins + _HOURS, nights.timezone)
        if deadline <= now:
            return Night(at_clock_time(begins, nights.timezone), deadline)
        day -= _DAY


def not_fresh(stream: str, synced_at: datetime | None, nights: Nights, now: datetime) -> Finding | None:
    """The finding that a stream was not synced in its last night; None if it was, or if it never was synced at all.

    A sync that ended in the future is a finding, too: a wrong clock must not make a stream fresh for years.

    Args:
        stream: the stream.
        synced_at: when its last sync ended that loaded something; timezone-aware.
        nights: the nights of the community.
        now: timezone-aware.
    """
    if synced_at is not None and synced_at > now + CLOCKS_DIFFER:
        return Finding(
            FRESHNESS,
            stream,
            "warning",
            f"The last sync of {stream} ended {clock(synced_at)}, and it is {clock(now)} by this machine's clock.",
            "Whether the stream was synced in its last night cannot be known until then.",
            "Check the clocks of this machine and of those that sync (timedatectl).",
        )
    night = last_night(nights, now)
    if synced_at is None or synced_at >= night.start:
        return None
    begins, ends = (on_the_clock(at, nights.timezone) for at in (night.start, night.deadline))
    return Finding(
        FRESHNESS,
        stream,
        "warning",
        f"{stream} was not synced in the night from {begins:%Y-%m-%d %H:%M} to {ends:%H:%M} ({nights.timezone}); "
        f"its last sync ended {clock(synced_at)}.",
        "What has changed since is not in the warehouse.",
        "See whether the schedules and the daemon run, and why the last runs failed; or run `ideas-pipeline sync`.",
    )
