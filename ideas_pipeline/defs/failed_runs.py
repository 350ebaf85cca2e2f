"""Failed runs as Dagster recorded them, in sentences that may leave the machine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from ideas_pipeline.alerts.messages import FailedRun
from ideas_pipeline.defs.configuration import Community
from ideas_pipeline.defs.failures import FINDINGS
from ideas_pipeline.defs.jobs import SELECTED_ASSETS, names_of_jobs
from ideas_pipeline.defs.second_try import DAGSTER_RETRIES, second_try_of

_AT_ONCE = 50


def newest_failure(instance: dg.DagsterInstance) -> int:
    """The place of the newest failure in Dagster's event log, for ``failed_runs``; 0 if there is none."""
    newest = instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=1).records
    return newest[0].storage_id if newest else 0


def failed_runs(
    context: dg.SensorEvaluationContext, community: Community, after: int, now: datetime
) -> tuple[list[FailedRun], int]:
    """The failed runs of a community to send an alert for.

    A run that was started again, by Dagster or by ``second_try``, is left out: if the last try fails, the alert is
    about that one. The place stays before a run whose second try is still to come: if it is never made, a later call
    returns the run. So each failed night is returned once, when it is known that no second try mends it.

    Args:
        context: the tick of the sensor.
        community: the community.
        after: the place in Dagster's event log up to which failures are settled.
        now: timezone-aware.

    Returns:
        The runs, the oldest first, and the place for the next call.
    """
    instance = context.instance
    records = instance.fetch_run_status_changes(
        dg.RunStatusChangeRecordsFilter(dg.DagsterEventType.RUN_FAILURE, after_storage_id=after),
        limit=_AT_ONCE,
        ascending=True,
    ).records
    found = []
    place = after
    for record in records:
        run = instance.get_run_by_id(record.run_id)
        if run and _is_ours(context, run, community) and run.tags.get(DAGSTER_RETRIES) != "true":
            at = datetime.fromtimestamp(record.timestamp, UTC)
            again = second_try_of(instance, community, run, at, now)
            if again == "to come":
                break
            if again is None:
                found.append(_failed_run(instance, run, at))
        place = record.storage_id
    return found, place


def _is_ours(context: dg.SensorEvaluationContext, run: dg.DagsterRun, community: Community) -> bool:
    """Whether the run is one of the community."""
    return is_here(context, run) and (community.is_alone or _runs_community(run, community))


def is_here(context: dg.SensorEvaluationContext, run: dg.DagsterRun) -> bool:
    """Whether the run is one of this code location, or of Dagster's command line, whose runs have none."""
    origin = run.remote_job_origin
    here = context.code_location_origin
    return (
        origin is None
        or here is None
        or origin.repository_origin.code_location_origin.location_name == here.location_name
    )


def _runs_community(run: dg.DagsterRun, community: Community) -> bool:
    """Whether the run is one of the community's jobs, or one of selected assets, some of which are the community's."""
    if not run.job_name.startswith(SELECTED_ASSETS):
        return run.job_name in names_of_jobs(community)
    keys = {*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())}
    return any(key.path[0] == community.name for key in keys)


def _failed_run(instance: dg.DagsterInstance, run: dg.DagsterRun, at: datetime) -> FailedRun:
    return FailedRun(
        run_id=run.run_id,
        name="a run of selected assets" if run.job_name.startswith(SELECTED_ASSETS) else run.job_name,
        at=at,
        # Streams that fail for the same reason give it once.
        reasons=list(dict.fromkeys(_reasons(instance, run.run_id))),
    )


def _reasons(instance: dg.DagsterInstance, run_id: str) -> Iterator[str]:
    """Why the run failed: the failures of its steps, then the findings that are errors."""
    steps, findings = [], []
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
    for entry in instance.all_logs(run_id, of_type=kinds):
        event = entry.get_dagster_event()
        if event.is_step_failure:
            steps += _why(event)
        else:
            check = event.asset_check_evaluation_data
            if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR:
                findings.append(f"{check.asset_key.path[-1]}: {check.description or check.check_name}")
    if not (steps or findings):
        yield "It ended without an error: it was killed, or did not start. The run's log in Dagster says more."
    yield from steps
    yield from findings


def _why(event: dg.DagsterEvent) -> list[str]:
    """Why a step failed; nothing if it only repeats findings."""
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        repeats = FINDINGS in failure.user_failure_data.metadata
        return [] if repeats else [failure.user_failure_data.description]
    # The words of an unexpected error can quote what was being read, so they stay in Dagster.
    error = failure.error and (failure.error.cause or failure.error)
    what = f"an unexpected {error.cls_name}" if error and error.cls_name else "an unexpected error"
    return [f"{event.step_key}: {what}. The run's log in Dagster says more."]
