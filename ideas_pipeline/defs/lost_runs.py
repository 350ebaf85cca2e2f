"""Watchdog: fails runs whose process was lost, so that Dagster starts them again.

Dagster's own monitoring asks the run launcher whether a run's process is alive. Some launchers cannot know that, above
all Celery's, and their runs stay STARTED for ever: https://github.com/dagster-io/dagster/pull/33493. So each run writes
heartbeats (see ``heartbeats``), and a sensor counts them.
"""

# Without `from __future__ import annotations`: Dagster reads the type of `context` and does not evaluate a text.
import json
from collections.abc import Sequence

import dagster as dg

from ideas_pipeline.accounts.heartbeats import Heartbeat, Heartbeats
from ideas_pipeline.defs import heartbeats as of_runs
from ideas_pipeline.defs.configuration import Community
from ideas_pipeline.defs.failed_runs import is_here
from ideas_pipeline.errors import IdeasApiError, SettingsError
from ideas_pipeline.times import duration
from ideas_pipeline.visible import visible

NAME = "lost_runs"
# So many ticks must see a run silent. After an outage of the database, its first heartbeat can be later than a tick.
_SIGHTINGS = 4


def lost_runs_sensors(communities: Sequence[Community]) -> list[dg.SensorDefinition]:
    """The sensor; none if no community keeps its account's state in a database."""
    databases = of_runs.databases(communities)
    if not databases:
        return []

    @dg.sensor(
        name=NAME,
        description=(
            f"Fails a run whose process has given no sign of life for {duration(of_runs.PATIENCE)}, so that it is"
            " started again, as run_retries in dagster.yaml says."
        ),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=max(1, round(of_runs.PATIENCE / _SIGHTINGS)),
    )
    def lost_runs(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
        runs = {run.run_id: run for run in context.instance.get_runs(started) if is_here(context, run)}
        if not runs:
            return dg.SensorResult(skip_reason="No run is under way.", cursor="{}")
        before: dict[str, list[float]] = json.loads(context.cursor or "{}")
        after: dict[str, list[float]] = {}
        lost, problems = [], []
        for url, settings in databases.items():
            try:
                lost += _lost(Heartbeats(url), list(runs), before, after)
            except (IdeasApiError, SettingsError) as error:
                problems.append(settings.worded(visible(f"Whether runs are alive is unknown: {error}")))
                context.log.error(problems[-1])
        for heartbeat in lost:
            _fail(context.instance, heartbeat)
        done = [*problems, *(f"Failed: the run {heartbeat.run_id}." for heartbeat in lost)]
        # What a database could not say stays as it was.
        kept = {run: seen for run, seen in before.items() if run in runs} if problems else {}
        return dg.SensorResult(skip_reason=" ".join(done) or "Every run is alive.", cursor=json.dumps(kept | after))

    return [lost_runs]


def _lost(
    heartbeats: Heartbeats, run_ids: Sequence[str], before: dict[str, list[float]], after: dict[str, list[float]]
) -> list[Heartbeat]:
    """The heartbeats of the runs that are lost.

    The clock is the database's, and only counts are compared, so the clocks of the machines do not matter. A tick that
    could not ask the database counts nothing.

    Args:
        heartbeats: where they are.
        run_ids: the runs that Dagster thinks are alive.
        before: per run, from the last tick: its count, since when it has not changed, and how many ticks saw that.
        after: the same for the next tick; this adds what it saw.
    """
    lost = []
    try:
        now, found = heartbeats.of(run_ids)
        for heartbeat in found:
            count, since, ticks = before.get(heartbeat.run_id, (0, now, 0))
            if count != heartbeat.beats:
                since, ticks = now, 0
            after[heartbeat.run_id] = [heartbeat.beats, since, ticks + 1]
            is_silent = ticks + 1 >= _SIGHTINGS and now - since >= of_runs.PATIENCE
            # Given up already: an earlier tick was interrupted before it could report the failure.
            if heartbeat.given_up or (is_silent and heartbeats.give_up(heartbeat)):
                lost.append(heartbeat)
    finally:
        heartbeats.close()
    return lost


def _fail(instance: dg.DagsterInstance, heartbeat: Heartbeat) -> None:
    run = instance.get_run_by_id(heartbeat.run_id)
    if run is None or run.status is not dg.DagsterRunStatus.STARTED:  # it ended, or was cancelled, during this tick
        return
    instance.report_run_failed(
        run,
        f"The run's process ({heartbeat.process}) has given no sign of life for {duration(of_runs.PATIENCE)}: it was"
        " killed, or its machine has stopped or cannot reach the database. What it had loaded is kept.",
    )
