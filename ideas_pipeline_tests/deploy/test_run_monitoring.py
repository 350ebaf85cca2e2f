"""A run whose process never began: each ``dagster.yaml`` fails it, so that its account is free again."""

from __future__ import annotations

import logging
import time
import uuid

import dagster as dg
import pytest
import yaml
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._daemon.monitoring.run_monitoring import monitor_starting_run

from ideas_pipeline_tests.processes import ROOT

# Each launcher, and how long its runs may take to start.
SECONDS = {"dagster.yaml": 180, "celery/dagster.yaml": 600, "compose/dagster.yaml": 180}


def launched(instance: dg.DagsterInstance, seconds_ago: float) -> str:
    """A run that the launcher was given, and that has not begun."""
    run_id = str(uuid.uuid4())
    instance.run_storage.add_run(dg.DagsterRun("nightly_sync", run_id, status=dg.DagsterRunStatus.NOT_STARTED))
    event = DagsterEvent(DagsterEventType.PIPELINE_STARTING.value, "nightly_sync")
    instance.handle_new_event(
        EventLogEntry(
            error_info=None,
            level="debug",
            user_message="",
            run_id=run_id,
            timestamp=time.time() - seconds_ago,
            dagster_event=event,
        )
    )
    return run_id


@pytest.mark.parametrize(("file", "limit"), SECONDS.items())
def test_a_run_that_does_not_begin_is_failed_and_started_again(file: str, limit: int) -> None:
    settings = yaml.safe_load((ROOT / "deploy" / file).read_text())
    with dg.DagsterInstance.ephemeral(settings=settings) as instance:
        lost, new = launched(instance, limit + 1), launched(instance, limit / 2)

        assert instance.run_monitoring_enabled
        for record in instance.get_run_records():  # as the daemon does, whatever the launcher
            monitor_starting_run(instance, record, logging.getLogger("monitoring"))

        runs = {run.run_id: run for run in instance.get_runs()}
        assert runs[new].status is dg.DagsterRunStatus.STARTING
        assert runs[lost].status is dg.DagsterRunStatus.FAILURE
        assert runs[lost].tags["dagster/will_retry"] == "true"
