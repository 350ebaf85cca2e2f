"""The second try of a scheduled run that failed: a schedule per job that looks each hour after the night began."""

# Without `from __future__ import annotations`: Dagster reads the type of `context` and does not evaluate a text.
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import dagster as dg

from ideas_pipeline.app import open_warehouse
from ideas_pipeline.defs.jobs import NIGHTLY, WEEKLY
from ideas_pipeline.errors import WarehouseError, WarehouseMisconfigured
from ideas_pipeline.settings import Settings
from ideas_pipeline.warehouse.runs import outcome

JOBS = [NIGHTLY, WEEKLY]
# Tag of a second try: the id of the run that failed.
RETRY_OF = "ideas_pipeline/retry_of"

# Dagster sets it to "true" on a run that it starts again by itself, because its process was lost.
DAGSTER_RETRIES = "dagster/will_retry"

# A night can take longer than an hour, so the schedule looks again each hour, until the tables count as overdue.
_HOURS_AFTER = range(1, 7)
# The daemon can be late; a tick that it makes up for later than this is left out, and the failure is told instead.
_GRACE = timedelta(minutes=30)
_SCHEDULED = "dagster/schedule_name"


def second_try_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """One schedule per job, running from the start: it does nothing unless a scheduled run has failed."""
    return [_second_try(settings, job) for job in JOBS]


def _second_try(settings: Settings, job: str) -> dg.ScheduleDefinition:
    hours = ",".join(str(hour) for hour in _hours(settings))

    @dg.schedule(
        name=_name(job),
        job_name=job,
        cron_schedule=f"0 {hours} * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            f"Starts `{job}` once more, at the next full hour, if tonight's scheduled run failed. Skips, with the "
            "reason, if the run succeeded, if a retry cannot help (the account is refused, a setting or the contract "
            "is wrong, rows wait for a decision), or if another run was started since."
        ),
    )
    def second_try(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return due(context.instance, settings, job, context.scheduled_execution_time, datetime.now(UTC))

    return second_try


def due(
    instance: dg.DagsterInstance, settings: Settings, job: str, tick: datetime, now: datetime
) -> dg.RunRequest | dg.SkipReason:
    """The second try of ``job`` to start at ``tick``, or why there is none.

    Args:
        instance: Dagster's record of the runs.
        settings: the community, its time zone and its warehouse.
        job: one of ``JOBS``.
        tick: the full hour for which the schedule is evaluated; timezone-aware.
        now: when that happens, later than ``tick`` if the daemon was down; timezone-aware.

    Returns:
        A request tagged with ``RETRY_OF``, or a SkipReason with a sentence.
    """
    latest = _latest(instance)
    if latest is None or latest.dagster_run.job_name != job:
        return dg.SkipReason(f"{job} was not the last job to run.")
    run = latest.dagster_run
    if latest.end_time is None:
        return dg.SkipReason(f"The run {run.run_id} has not ended.")
    if reason := _why_not(instance, settings, run):
        return dg.SkipReason(reason)
    if _tick_after(settings, datetime.fromtimestamp(latest.end_time, UTC)) != tick:
        return dg.SkipReason(f"The run {run.run_id} failed too long ago.")
    if now - tick > _GRACE:
        return dg.SkipReason("This tick comes too late: the daemon was down.")
    return dg.RunRequest(run_key=f"second try of {run.run_id}", tags={RETRY_OF: run.run_id})


def second_try_of(
    instance: dg.DagsterInstance, settings: Settings, run: dg.DagsterRun, ended: datetime, now: datetime
) -> Literal["to come", "made"] | None:
    """Whether a run that failed gets a second try; None if it gets none, so that its failure must be told.

    ``made`` if a run of these jobs has started since: that one speaks for itself.

    Args:
        instance: Dagster's record of the runs.
        settings: the community, its time zone and its warehouse.
        run: the run that failed.
        ended: when it failed; timezone-aware.
        now: timezone-aware.
    """
    if _why_not(instance, settings, run):
        return None
    latest = _latest(instance)
    if latest and latest.dagster_run.run_id != run.run_id:
        # A run that was created before this one failed (the next night's, if this one took too long) is no second try.
        return "made" if latest.create_timestamp > ended else None
    tick = _tick_after(settings, ended)
    comes = tick is not None and now - tick <= _GRACE and not _is_stopped(instance, run.job_name)
    return "to come" if comes else None


def _why_not(instance: dg.DagsterInstance, settings: Settings, run: dg.DagsterRun) -> str | None:
    """Why ``run``, which has ended, gets no second try; None if it failed and a second try can help."""
    said = f"The run {run.run_id}"
    if run.status is not dg.DagsterRunStatus.FAILURE:
        return f"{said} did not fail."
    if RETRY_OF in run.tags:
        return f"{said} was the second try itself."
    if run.job_name not in JOBS or _SCHEDULED not in run.tags:
        return f"{said} was not started by a schedule."
    if run.tags.get(DAGSTER_RETRIES) == "true":
        return f"Dagster itself starts the run {run.run_id} again."
    if not instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        return None  # no step failed: the process was lost, or never started
    try:
        with open_warehouse(settings) as warehouse, warehouse.reading() as transaction:
            ended = outcome(transaction, run.run_id)
    except WarehouseMisconfigured as error:
        return f"A second try cannot help: {error}"
    except WarehouseError:
        return None  # the database may be back by the time the run starts
    if ended and ended.verdict == "complete":
        return f"The sync of the run {run.run_id} is complete; what failed after it is not mended by another sync."
    if ended and ended.retryable is False:
        return f"A second try cannot help: {ended.reason}"
    return None


def _hours(settings: Settings) -> list[int]:
    return [(settings.schedule_hour + after) % 24 for after in _HOURS_AFTER]


def _tick_after(settings: Settings, ended: datetime) -> datetime | None:
    """The tick at which a run that ``ended`` then is tried again: the next full hour, if the schedule has it."""
    local = ended.astimezone(ZoneInfo(settings.timezone))
    tick = local.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return tick if tick.hour in _hours(settings) else None


def _latest(instance: dg.DagsterInstance) -> dg.RunRecord | None:
    """The newest run of these jobs, as it stands."""
    newest = [record for job in JOBS for record in instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)]
    return max(newest, key=lambda record: record.create_timestamp, default=None)


def _is_stopped(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether somebody has stopped the schedule of the second try."""
    return any(s.instigator_name == _name(job) and not s.is_running for s in instance.all_instigator_state())


def _name(job: str) -> str:
    return f"{job}_second_try"
