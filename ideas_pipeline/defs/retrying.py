"""A scheduled run that failed is tried once more, later: what was wrong at the source has often passed by then."""

# Without `from __future__ import annotations`: Dagster reads the type of `context` and does not evaluate a text.
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import dagster as dg

from ideas_pipeline.defs.failures import RETRY_CAN_HELP
from ideas_pipeline.defs.jobs import NIGHTLY, WEEKLY

if TYPE_CHECKING:  # it has no public name
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

JOBS = [NIGHTLY, WEEKLY]
SENSOR = "retry_once_later"
# On a run that is a second try: the run that failed.
RETRY_OF = "ideas_pipeline/retry_of"

# Dagster sets it to "true" on a run that it starts again by itself, as it does where the process was lost.
DAGSTER_RETRIES = "dagster/will_retry"

_LATER = timedelta(hours=1)
# A failure that is older, as after a day without the daemon, is not worth it: another night comes.
_TOO_LATE = timedelta(hours=12)
_SCHEDULED = "dagster/schedule_name"


def retry_sensor(jobs: "Sequence[UnresolvedAssetJobDefinition]") -> dg.SensorDefinition:
    """It runs from the start: without a schedule that is switched on, there is nothing for it to do."""

    @dg.sensor(
        name=SENSOR,
        description=(
            f"Starts a scheduled run that failed once more, an hour later: {' or '.join(JOBS)}. Not where trying again "
            "cannot help (the account is refused, a setting or the contract is wrong, a check waits for a person), and "
            "not where a run of these jobs has started since."
        ),
        jobs=jobs,
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def retry_once_later(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        yield from due(context.instance, datetime.now(UTC))

    return retry_once_later


def due(instance: dg.DagsterInstance, now: datetime) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """The run to start ``now``, or why there is none."""
    latest = _latest(instance)
    if latest is None or latest.end_time is None:
        yield dg.SkipReason("No scheduled run has ended.")
        return
    run, ended = latest.dagster_run, datetime.fromtimestamp(latest.end_time, UTC)
    if not will_be_tried_again(instance, run):
        yield dg.SkipReason("The last run is not one to be tried again.")
    elif now - ended < _LATER:
        yield dg.SkipReason(f"The run {run.run_id} is tried again at {ended + _LATER:%H:%M} UTC.")
    elif now - ended > _TOO_LATE:
        yield dg.SkipReason(f"The run {run.run_id} failed too long ago.")
    else:
        yield dg.RunRequest(run_key=f"retry of {run.run_id}", job_name=run.job_name, tags={RETRY_OF: run.run_id})


def second_try(
    instance: dg.DagsterInstance, run: dg.DagsterRun, ended: datetime, now: datetime
) -> Literal["to come", "made"] | None:
    """What becomes of ``run``, which failed when it ``ended``; None: nothing, so that it is for a person.

    ``made``: a run of these jobs has started since, which speaks for itself. ``ended`` and ``now`` know their zone.
    """
    if not will_be_tried_again(instance, run):
        return None
    latest = _latest(instance)
    if latest and latest.dagster_run.run_id != run.run_id:
        # One that had begun before, as the next night's where this one took too long, is no second try.
        return "made" if latest.create_timestamp > ended else None
    return "to come" if now - ended <= _TOO_LATE and not _is_stopped(instance) else None


def will_be_tried_again(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether ``run`` is a scheduled one that failed for a reason that can have passed an hour later.

    It is, where no other has begun by then.
    """
    if run.status is not dg.DagsterRunStatus.FAILURE or run.job_name not in JOBS:
        return False
    if run.tags.get(DAGSTER_RETRIES) == "true" or _SCHEDULED not in run.tags or RETRY_OF in run.tags:
        return False
    failures = [
        entry.get_dagster_event().step_failure_data
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    ]
    # No step that failed: the process was lost, or never started. No word of ours: nobody foresaw it.
    hopes = [f.user_failure_data.metadata.get(RETRY_CAN_HELP) if f.user_failure_data else None for f in failures]
    return not hopes or any(hope is None or hope.value for hope in hopes)


def _latest(instance: dg.DagsterInstance) -> dg.RunRecord | None:
    """The newest run of these jobs, as it stands."""
    newest = [record for job in JOBS for record in instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)]
    return max(newest, key=lambda record: record.create_timestamp, default=None)


def _is_stopped(instance: dg.DagsterInstance) -> bool:
    """Whether somebody has stopped the sensor."""
    return any(s.instigator_name == SENSOR and not s.is_running for s in instance.all_instigator_state())
