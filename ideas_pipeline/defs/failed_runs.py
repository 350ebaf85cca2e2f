"""Runs that failed, as Dagster recorded them, in sentences that may leave it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from ideas_pipeline.alerts.messages import FailedRun
from ideas_pipeline.defs.failures import FINDINGS
from ideas_pipeline.defs.second_try import DAGSTER_RETRIES, second_try_of
from ideas_pipeline.settings import Settings

_AT_ONCE = 50
_ASSETS_CHOSEN = "__ASSET_JOB"


def newest_failure(instance: dg.DagsterInstance) -> int:
    """The place of the newest failure, for ``failed_runs``; that of none is 0."""
    newest = instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=1).records
    return newest[0].storage_id if newest else 0


def failed_runs(
    context: dg.SensorEvaluationContext, settings: Settings, after: int, now: datetime
) -> tuple[list[FailedRun], int]:
    """This location's runs that failed after the place ``after``, the oldest first, and the place to go on from.

    Runs that were tried again, by Dagster or by ``second_try``, are left out: if the last try fails, that one is told.
    The place stays before a run whose second try is still to come, so that its failure is told if nobody makes it.
    ``now`` is timezone-aware.
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
        if run and _is_ours(context, run) and run.tags.get(DAGSTER_RETRIES) != "true":
            at = datetime.fromtimestamp(record.timestamp, UTC)
            again = second_try_of(instance, settings, run, at, now)
            if again == "to come":
                break
            if again is None:
                found.append(_failed_run(instance, run, at))
        place = record.storage_id
    return found, place


def _is_ours(context: dg.SensorEvaluationContext, run: dg.DagsterRun) -> bool:
    """Whether the run is of this code location. One that Dagster's command line ran has none."""
    origin = run.remote_job_origin
    here = context.code_location_origin
    return (
        origin is None
        or here is None
        or origin.repository_origin.code_location_origin.location_name == here.location_name
    )


def _failed_run(instance: dg.DagsterInstance, run: dg.DagsterRun, at: datetime) -> FailedRun:
    return FailedRun(
        run_id=run.run_id,
        name="a run of chosen assets" if run.job_name.startswith(_ASSETS_CHOSEN) else run.job_name,
        at=at,
        # Streams that fail for the same reason tell it once.
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
