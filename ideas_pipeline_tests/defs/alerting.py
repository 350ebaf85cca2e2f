"""What the tests of sensors need: a daemon that ticks them, and a warehouse that was complete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)

from ideas_pipeline.alerts.messages import FailedRun
from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.definitions import build_defs
from ideas_pipeline.defs.configuration import Community, load
from ideas_pipeline.defs.failed_runs import failed_runs
from ideas_pipeline.tables.bookkeeping import WAREHOUSE
from ideas_pipeline.warehouse.runs import RunStart, finish_run, finish_stream, start_run, start_stream
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.calls import call_writing

FAILURE, STALENESS = "failure_alerts", "staleness_alerts"


def dagster_home(folder: Path, run_retries: str) -> Path:
    """A new folder of a Dagster instance that starts failed runs again as ``run_retries`` says."""
    home = folder / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text(f"telemetry: {{enabled: false}}\nrun_retries: {run_retries}\n")
    return home


class Daemon:
    """Ticks a sensor, as the daemon does: with the cursor that the last tick left."""

    def __init__(self, instance: dg.DagsterInstance, sensor: str) -> None:
        self.instance = instance
        self.sensor = sensor
        self.cursor: str | None = None

    def tick(self) -> str:
        """Run a tick, and return its message in the UI."""
        return str(self.evaluate().skip_message)

    def evaluate(self) -> SensorExecutionData:
        """Run a tick, and return all that the sensor asks for."""
        defs = build_defs()
        with dg.build_sensor_context(self.instance, cursor=self.cursor, definitions=defs) as context:
            done = defs.get_repository_def().get_sensor_def(self.sensor).evaluate_tick(context)
        self.cursor = done.cursor
        return done


def nights_begin_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a run that fails now has its second try at the next full hour."""
    monkeypatch.setenv("IDEAS_SCHEDULE_HOUR", str(datetime.now(UTC).hour))
    monkeypatch.setenv("IDEAS_TIMEZONE", "UTC")


def next_tick(instance: dg.DagsterInstance, run_id: str | None = None) -> datetime:
    """The full hour after a run ended, at which its second try is due; without ``run_id``, after the last one ended."""
    runs = [record for record in instance.get_run_records() if run_id in (None, record.dagster_run.run_id)]
    ended = datetime.fromtimestamp(max(record.end_time or record.create_timestamp.timestamp() for record in runs), UTC)
    return ended.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def stop_schedule(instance: dg.DagsterInstance, name: str) -> None:
    """What the UI does when somebody switches a schedule off."""
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("ideas_pipeline"), "__repository__")
    origin = RemoteInstigatorOrigin(repository_origin=repository, instigator_name=name)
    data = ScheduleInstigatorData("0 3 * * *")
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.STOPPED, data))


def proven(hours_ago: float) -> None:
    """A sync proved everything complete so long ago, which is also when the warehouse was created."""
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    run_id = at.isoformat()
    with Warehouse.open("sqlite:///.ideas/warehouse.db", "acme") as warehouse:
        with warehouse.engine.begin() as connection:
            connection.execute(sa.update(WAREHOUSE).values(created_at=at))
        call_writing(warehouse, start_run, RunStart(run_id, "https://api.example.com/v2/", at))
        for stream in load_contract(None).order():
            call_writing(warehouse, start_stream, run_id, stream, at)
            call_writing(warehouse, finish_stream, run_id, stream, at, "complete", None)
        call_writing(warehouse, finish_run, run_id, "complete", None, at)


def reported(instance: dg.DagsterInstance, community: Community, at: datetime) -> list[FailedRun]:
    """The failed runs that are reported for a community at a time, if none was before."""
    with dg.build_sensor_context(instance, definitions=build_defs()) as context:
        return failed_runs(context, community, 0, at)[0]


def the_community() -> Community:
    """The only one that is configured."""
    (community,), _ = load()
    return community
