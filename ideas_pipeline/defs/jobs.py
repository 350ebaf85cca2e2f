"""The nightly job and its schedule."""

from __future__ import annotations

import dagster as dg

from ideas_pipeline.defs.assets import GROUP
from ideas_pipeline.settings import Settings

JOB = "nightly_sync"


def nightly_sync() -> dg.UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.groups(GROUP),
        description="Reads the whole community, brings the warehouse up to date, and checks what came of it.",
    )


def nightly_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """At the configured hour of the configured time zone (IDEAS_SCHEDULE_HOUR, IDEAS_TIMEZONE)."""
    return dg.ScheduleDefinition(
        name=f"{JOB}_schedule",
        job_name=JOB,
        cron_schedule=f"0 {settings.schedule_hour} * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=(
            f"Every night at {settings.schedule_hour:02}:00 ({settings.timezone}). "
            "It is stopped until you start it, here or with `dagster schedule start`."
        ),
    )
