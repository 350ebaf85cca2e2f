"""By when a table must have been synced."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from ideas_pipeline.settings import Settings

_HOURS = 6


def freshness(settings: Settings) -> dg.FreshnessPolicy:
    """Every day between IDEAS_SCHEDULE_HOUR and six hours later, in IDEAS_TIMEZONE."""
    return dg.FreshnessPolicy.cron(
        deadline_cron=f"0 {_deadline(settings)} * * *",
        lower_bound_delta=timedelta(hours=_HOURS),
        timezone=settings.timezone,
    )


def about_freshness(settings: Settings) -> str:
    """What the policy does and does not say."""
    return (
        f"Fresh: synced since {settings.schedule_hour:02}:00 ({settings.timezone}), said at "
        f"{_deadline(settings):02}:00. That supposes that the schedules are switched on: where they are not, the table "
        "is overdue a day after the last run. A backfill counts, too: whether everything was read, the check "
        "`completeness` says."
    )


def _deadline(settings: Settings) -> int:
    return (settings.schedule_hour + _HOURS) % 24
