"""Second try of a failed scheduled run: one schedule per job, evaluated hourly for six hours after the night begins."""

# No `from __future__ import annotations`: Dagster compares the annotation of `context` with its own classes.
from datetime import UTC, datetime, time, timedelta
from typing import Literal

import dagster as dg

from ideas_pipeline.app import open_warehouse
from ideas_pipeline.defs.configuration import Community
from ideas_pipeline.defs.jobs import COMMUNITY, names_of_jobs
from ideas_pipeline.errors import WarehouseError, WarehouseMisconfigured
from ideas_pipeline.settings import Settings
from ideas_pipeline.times import at_clock_time, clock_time_between, on_the_clock
from ideas_pipeline.visible import visible
from ideas_pipeline.warehouse.runs import outcome

# Tag of a second try: the id of the run that failed.
RETRY_OF = "ideas_pipeline/retry_of"

# Tag that Dagster sets to "true" on a failed run that it will retry itself (run_retries in dagster.yaml).
DAGSTER_RETRIES = "dagster/will_retry"

# A nightly run can take longer than an hour, so the schedule is evaluated every hour for some hours.
_HOURS_AFTER = range(1, 7)
# The daemon can be late. A tick evaluated later than this is skipped, and the failure is reported instead.
_GRACE = timedelta(minutes=30)
_HOUR = timedelta(hours=1)
# Number of runs among which the last one of a community is looked for.
_RUNS = 50
_SCHEDULED = "dagster/schedule_name"


def second_try_schedules(community: Community) -> list[dg.ScheduleDefinition]:
    """One schedule per job, enabled by default. It skips unless a scheduled run has failed."""
    return [_second_try(community, job) for job in names_of_jobs(community)]


def _second_try(community: Community, job: str) -> dg.ScheduleDefinition:
    settings = community.settings
    hours = ",".join(str(hour) for hour in _hours(settings))

    @dg.schedule(
        name=_name(job),
        job_name=job,
        cron_schedule=f"0 {hours} * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            f"Starts `{job}` again at the next full hour if tonight's scheduled run failed. Skips, with the reason, if "
            "the run succeeded, if a retry cannot help (the API refuses the account, a setting or the contract is "
            "wrong, rows are held for a decision), or if another run has started since."
        ),
    )
    def second_try(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return due(context.instance, community, job, context.scheduled_execution_time, datetime.now(UTC))

    return second_try


def due(
    instance: dg.DagsterInstance, community: Community, job: str, tick: datetime, now: datetime
) -> dg.RunRequest | dg.SkipReason:
    """Decide whether to start the second try of ``job`` at ``tick``.

    Args:
        instance: the Dagster instance.
        community: the community.
        job: one of its jobs.
        tick: the full hour for which the schedule is evaluated; timezone-aware.
        now: the time of the evaluation, later than ``tick`` if the daemon was down; timezone-aware.

    Returns:
        A RunRequest tagged with ``RETRY_OF``, or a SkipReason that says why not.
    """
    latest = _latest(instance, community)
    if latest is None or latest.dagster_run.job_name != job:
        return dg.SkipReason(f"{job} was not the last job to run.")
    run = latest.dagster_run
    if latest.end_time is None:
        return dg.SkipReason(f"The run {run.run_id} has not ended.")
    if reason := _why_not(instance, community, run):
        return dg.SkipReason(community.settings.worded(visible(reason)))
    if tick_after(community.settings, datetime.fromtimestamp(latest.end_time, UTC)) != tick:
        return dg.SkipReason(f"The run {run.run_id} did not fail in the hour before this tick.")
    if now - tick > _GRACE:
        return dg.SkipReason("This tick comes too late: the daemon was down.")
    return dg.RunRequest(run_key=f"second try of {run.run_id}", tags={RETRY_OF: run.run_id})


def tick_after(settings: Settings, ended: datetime) -> datetime | None:
    """The next tick after ``ended``; None if the schedule has none within an hour, on the clock or elapsed.

    A full hour that the clocks show twice has its tick the second time, as Dagster has it.
    """
    today = on_the_clock(ended, settings.timezone).date()
    ticks = [
        at_clock_time(datetime.combine(day, time(hour)), settings.timezone, last=True)
        for day in (today, today + timedelta(days=1))
        for hour in sorted(_hours(settings))
    ]
    tick = next(tick for tick in ticks if tick > ended)
    return tick if min(tick - ended, clock_time_between(ended, tick, settings.timezone)) <= _HOUR else None


def second_try_of(
    instance: dg.DagsterInstance, community: Community, run: dg.DagsterRun, ended: datetime, now: datetime
) -> Literal["to come", "made"] | None:
    """Find out whether a failed run gets a second try.

    Args:
        instance: the Dagster instance.
        community: the community.
        run: the run that failed.
        ended: when it failed; timezone-aware.
        now: the current time; timezone-aware.

    Returns:
        ``to come`` if the second try is still due. ``made`` if a run of either job was created after the failure; that
        run then reports its own result. None without a second try: the failure must then be reported.
    """
    if _why_not(instance, community, run):
        return None
    latest = _latest(instance, community)
    if latest and latest.dagster_run.run_id != run.run_id:
        # A run created before this one failed (the next night's, if this one took too long) is not a second try.
        return "made" if latest.create_timestamp > ended else None
    tick = tick_after(community.settings, ended)
    comes = tick is not None and now - tick <= _GRACE and not _is_stopped(instance, run.job_name)
    return "to come" if comes else None


def _why_not(instance: dg.DagsterInstance, community: Community, run: dg.DagsterRun) -> str | None:
    """Reason why ``run``, which has ended, gets no second try; None if it failed and a second try can help."""
    subject = f"The run {run.run_id}"
    if run.status is not dg.DagsterRunStatus.FAILURE:
        return f"{subject} did not fail."
    if RETRY_OF in run.tags:
        return f"{subject} was the second try itself."
    if run.job_name not in names_of_jobs(community) or _SCHEDULED not in run.tags:
        return f"{subject} was not started by a schedule."
    if run.tags.get(DAGSTER_RETRIES) == "true":
        return f"Dagster itself starts the run {run.run_id} again."
    if not instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        return None  # no step failed: the process was lost, or never started
    try:
        with open_warehouse(community.settings) as warehouse, warehouse.reading() as transaction:
            ended = outcome(transaction, run.run_id)
    except WarehouseMisconfigured as error:
        return f"A second try cannot help: {error}"
    except WarehouseError:
        return None  # the database may be back by the time the run starts
    if ended and ended.verdict == "complete":
        return f"The sync of the run {run.run_id} is complete; a later step failed, and another sync cannot fix that."
    if ended and ended.retryable is False:
        return f"A second try cannot help: {ended.reason}"
    return None


def _hours(settings: Settings) -> list[int]:
    return [(settings.schedule_hour + after) % 24 for after in _HOURS_AFTER]


def _latest(instance: dg.DagsterInstance, community: Community) -> dg.RunRecord | None:
    """The most recently created run of either job of the community; None if there is none."""
    newest = [
        record
        for job in names_of_jobs(community)
        for record in instance.get_run_records(dg.RunsFilter(job_name=job), limit=_RUNS)
        # A community that is alone in another code location has jobs of the same names. Older runs have no such tag.
        if record.dagster_run.tags.get(COMMUNITY, community.name) == community.name
    ]
    return max(newest, key=lambda record: record.create_timestamp, default=None)


def _is_stopped(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether the second-try schedule of ``job`` was stopped by hand."""
    return any(s.instigator_name == _name(job) and not s.is_running for s in instance.all_instigator_state())


def _name(job: str) -> str:
    return f"{job}_second_try"
