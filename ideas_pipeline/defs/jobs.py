"""The nightly and the weekly job, and their schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import dagster as dg

from ideas_pipeline.defs.assets import FULL, GROUP
from ideas_pipeline.defs.marts import MARTS_GROUP, REPORT_GROUP
from ideas_pipeline.settings import Settings, Weekday

if TYPE_CHECKING:  # it has no public name
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

NIGHTLY = "nightly_sync"
WEEKLY = "weekly_full"


def jobs(version: str) -> list[UnresolvedAssetJobDefinition]:
    """The two jobs. They differ in one tag, which makes a run read every scope.

    Args:
        version: the version of the configuration, which each run shows as a tag.
    """
    tags = {"ideas_pipeline/configuration": version}
    community = dg.AssetSelection.groups(GROUP, MARTS_GROUP, REPORT_GROUP)
    return [
        dg.define_asset_job(
            NIGHTLY,
            selection=community,
            tags=tags,
            description="Reads what may have changed, and updates and checks the tables, the marts and the report.",
        ),
        dg.define_asset_job(
            WEEKLY,
            selection=community,
            tags=tags | FULL,
            description="Reads every scope, and updates and checks the tables, the marts and the report.",
        ),
    ]


def schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedules at IDEAS_SCHEDULE_HOUR: the weekly job on IDEAS_FULL_WEEKDAY, the nightly one on other days."""
    weekdays = get_args(Weekday)  # in cron's order: Sunday is 0
    full = weekdays.index(settings.full_weekday)
    others = ",".join(str(day) for day in range(len(weekdays)) if day != full)
    return [
        _schedule(settings, NIGHTLY, others, f"Every day but {settings.full_weekday.capitalize()}"),
        _schedule(settings, WEEKLY, str(full), f"Every {settings.full_weekday.capitalize()}"),
    ]


def _schedule(settings: Settings, job: str, weekdays: str, when: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=f"{job}_schedule",
        job_name=job,
        cron_schedule=f"{settings.schedule_minute} {settings.schedule_hour} * * {weekdays}",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=(
            f"{when} at {settings.schedule_hour:02}:{settings.schedule_minute:02} ({settings.timezone}). "
            "It is stopped until you start it, here or with `dagster schedule start`."
        ),
    )
