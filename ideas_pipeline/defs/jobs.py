"""The nightly and the weekly job, and their schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import dagster as dg

from ideas_pipeline.defs.assets import FULL
from ideas_pipeline.defs.configuration import Community, thing_name
from ideas_pipeline.defs.marts import REPORT
from ideas_pipeline.defs.specs import asset_key
from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.settings import Settings, Weekday

if TYPE_CHECKING:  # it has no public name
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

NIGHTLY = "nightly_sync"
WEEKLY = "weekly_full"
# Dagster's own job, of which a run of selected assets, such as a backfill, is a subset.
SELECTED_ASSETS = "__ASSET_JOB"
# Tag of a run of either job: the community. Another code location may have jobs of the same names.
COMMUNITY = "ideas_pipeline/community"


def nightly(community: Community) -> UnresolvedAssetJobDefinition:
    """The nightly job. Each run has the community and the version of its configuration as tags."""
    tables = [*community.contract.order(), *MARTS, REPORT]
    return dg.define_asset_job(
        community.named(NIGHTLY),
        selection=dg.AssetSelection.assets(*(asset_key(community.settings, table) for table in tables)),
        tags={COMMUNITY: community.name, "ideas_pipeline/configuration": community.version},
        description="Reads what may have changed, and updates and checks the tables, the marts and the report.",
    )


def weekly(community: Community, resolved: dg.JobDefinition) -> dg.JobDefinition:
    """The weekly job. It has the steps of the nightly one; a tag makes a run read every scope.

    Args:
        community: the community.
        resolved: the nightly job. To resolve the same selection again would take as long as for that job.
    """
    return resolved.graph.to_job(
        name=community.named(WEEKLY),
        description="Reads every scope, and updates and checks the tables, the marts and the report.",
        tags={**resolved.tags, **FULL},
        resource_defs=resolved.resource_defs,
        executor_def=resolved.executor_def,
        partitions_def=resolved.partitions_def,
        asset_layer=resolved.asset_layer,
    )


def schedules(community: Community) -> list[dg.ScheduleDefinition]:
    """The schedules at the configured time: the weekly job on IDEAS_FULL_WEEKDAY, the nightly one on other days."""
    settings = community.settings
    weekdays = get_args(Weekday)  # in cron's order: Sunday is 0
    full = weekdays.index(settings.full_weekday)
    others = ",".join(str(day) for day in range(len(weekdays)) if day != full)
    return [
        _schedule(settings, community.named(NIGHTLY), others, f"Every day but {settings.full_weekday.capitalize()}"),
        _schedule(settings, community.named(WEEKLY), str(full), f"Every {settings.full_weekday.capitalize()}"),
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


def job_names(community: str, *, is_alone: bool) -> list[str]:
    """The names of a community's jobs. ``is_alone``: whether it is the only one."""
    return [thing_name(community, job, is_alone=is_alone) for job in (NIGHTLY, WEEKLY)]


def names_of_jobs(community: Community) -> list[str]:
    """The names of the community's jobs."""
    return job_names(community.name, is_alone=community.is_alone)
