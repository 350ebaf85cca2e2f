"""Whether a failed night is reported: its second try may mend it, may fail as well, or may never come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from ideas_pipeline.definitions import build_defs
from ideas_pipeline.defs.second_try import due
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.alerts.servers import WebhookServer
from ideas_pipeline_tests.defs.alerting import (
    FAILURE,
    Daemon,
    next_tick,
    nights_begin_now,
    reported,
    stop_schedule,
    the_community,
)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """One that keeps which sensors are switched off."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as opened:
        yield opened


@pytest.fixture
def nights(
    instance: dg.DagsterInstance, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], dg.DagsterRun]:
    """Runs that the schedules have launched."""
    nights_begin_now(monkeypatch)
    defs = build_defs()
    tags = {"dagster/schedule_name": "a_schedule"}
    return lambda job: instance.create_run_for_job(defs.resolve_job_def(job), tags=tags)


def test_a_night_that_fails_while_the_next_one_waits_for_it_has_no_second_try_and_is_reported(
    nights: Callable[[str], dg.DagsterRun], instance: dg.DagsterInstance, hook: WebhookServer
) -> None:
    daemon = Daemon(instance, FAILURE)
    daemon.tick()
    full = nights("weekly_full")
    nights("nightly_sync")
    instance.report_run_failed(full)

    tick = next_tick(instance)
    assert not any(
        isinstance(due(instance, the_community(), job, tick, tick), dg.RunRequest)
        for job in ("weekly_full", "nightly_sync")
    )
    assert daemon.tick() == "Sent: [acme] weekly_full failed (webhook)."


def test_a_night_that_nobody_tries_again_because_the_schedule_was_stopped_is_reported(
    nights: Callable[[str], dg.DagsterRun], instance: dg.DagsterInstance, hook: WebhookServer
) -> None:
    daemon = Daemon(instance, FAILURE)
    daemon.tick()
    instance.report_run_failed(nights("nightly_sync"))
    assert daemon.tick() == "No alert to send."
    stop_schedule(instance, "nightly_sync_second_try")

    assert daemon.tick() == "Sent: [acme] nightly_sync failed (webhook)."
    assert daemon.tick() == "No alert to send."


def test_an_alert_that_arrives_late_does_not_tell_of_a_night_that_was_tried_again(
    nights: Callable[[str], dg.DagsterRun], instance: dg.DagsterInstance, simulator: Simulator
) -> None:
    instance.report_run_failed(nights("nightly_sync"))
    nights("nightly_sync")

    assert reported(instance, the_community(), datetime.now(UTC) + timedelta(hours=13)) == []
