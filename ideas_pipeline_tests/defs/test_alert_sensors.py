"""The sensors, evaluated as Dagster's daemon does, on an instance that keeps its events as `make dev` does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from ideas_pipeline.alerts import webhook
from ideas_pipeline.definitions import build_defs
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.alerts.servers import MailServer, WebhookServer, mail_server
from ideas_pipeline_tests.defs.alerting import (
    FAILURE,
    STALENESS,
    Daemon,
    dagster_home,
    next_tick,
    nights_begin_now,
    proven,
    reported,
    the_community,
)
from ideas_pipeline_tests.defs.running import some_assets


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return dagster_home(tmp_path, "{enabled: true}")


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as server:
        monkeypatch.setenv("IDEAS_SMTP_URL", f"smtp://127.0.0.1:{server.port}")
        monkeypatch.setenv("IDEAS_ALERT_EMAILS", "canary-ann@example.com,canary-ben@example.com")
        yield server


def a_failed_run(simulator: Simulator, instance: dg.DagsterInstance, status: int = 403, **tags: str) -> None:
    """Of challenges alone, which is soon over."""
    simulator.faults.add(Fault(kind="status", status=status, stream="challenges", times=None))
    ran = some_assets(instance, "challenges", tags={f"dagster/{name}": value for name, value in tags.items()})
    assert not ran.success
    simulator.faults.clear()


@pytest.mark.usefixtures("unconfigured")
@pytest.mark.parametrize("name", [FAILURE, STALENESS])
def test_without_anybody_to_tell_a_sensor_is_stopped_and_says_why(name: str, instance: dg.DagsterInstance) -> None:
    sensor = build_defs().get_repository_def().get_sensor_def(name)

    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    assert "No alert is sent: set IDEAS_ALERT_WEBHOOK, or IDEAS_SMTP_URL and IDEAS_ALERT_EMAILS" in str(
        sensor.description
    )
    assert "No alert is sent" in Daemon(instance, name).tick()


@pytest.mark.usefixtures("unconfigured", "hook", "mail")
@pytest.mark.parametrize("name", [FAILURE, STALENESS])
def test_with_somebody_to_tell_a_sensor_runs_and_says_how(name: str) -> None:
    sensor = build_defs().get_repository_def().get_sensor_def(name)

    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert str(sensor.description).endswith("By webhook and e-mail.")


def test_a_failed_run_is_reported_once_with_its_reason_and_since_when_the_numbers_are_old(
    simulator: Simulator, instance: dg.DagsterInstance, hook: WebhookServer, mail: MailServer
) -> None:
    daemon = Daemon(instance, FAILURE)
    proven(hours_ago=5)
    daemon.tick()
    a_failed_run(simulator, instance)

    message = daemon.tick()

    assert message == "Sent: [acme] nightly_sync failed (webhook). Sent: [acme] nightly_sync failed (e-mail)."
    (text,) = hook.texts
    assert "\n- challenges: " in text
    assert ", 5 hours ago.\n" in text
    assert "What to do: " in text
    (message,) = mail.mails
    assert message["Subject"] == "[acme] nightly_sync failed"
    assert daemon.tick() == "No alert to send."
    assert (len(hook.texts), len(mail.mails)) == (1, 1)


def test_what_failed_before_the_sensor_was_first_started_is_not_reported(
    simulator: Simulator, instance: dg.DagsterInstance, hook: WebhookServer
) -> None:
    a_failed_run(simulator, instance)
    daemon = Daemon(instance, FAILURE)

    assert [daemon.tick(), daemon.tick()] == ["No alert to send."] * 2
    assert hook.texts == []


def test_a_run_that_dagster_tries_again_is_not_reported_and_its_last_try_is(
    simulator: Simulator, instance: dg.DagsterInstance, hook: WebhookServer
) -> None:
    daemon = Daemon(instance, FAILURE)
    daemon.tick()
    a_failed_run(simulator, instance, max_retries="1")

    (run,) = instance.get_runs()
    assert run.tags["dagster/will_retry"] == "true"
    assert daemon.tick() == "No alert to send."

    a_failed_run(simulator, instance, max_retries="0")
    daemon.tick()
    assert len(hook.texts) == 1


def test_a_night_that_is_tried_again_is_not_reported_and_the_second_try_is(
    simulator: Simulator, instance: dg.DagsterInstance, hook: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights_begin_now(monkeypatch)
    # One attempt is enough to see that it can pass.
    Path(os.environ["IDEAS_CONTRACT"]).write_text("limits: {requests_per_second: null, attempts: 1}")
    daemon = Daemon(instance, FAILURE)
    daemon.tick()
    a_failed_run(simulator, instance, 500, schedule_name="nightly_sync_schedule")
    assert daemon.tick() == "No alert to send."

    a_failed_run(simulator, instance, 500)
    daemon.tick()
    assert len(hook.texts) == 1


def test_a_night_that_is_found_too_late_to_be_tried_again_is_reported(
    simulator: Simulator, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights_begin_now(monkeypatch)
    Path(os.environ["IDEAS_CONTRACT"]).write_text("limits: {requests_per_second: null, attempts: 1}")
    a_failed_run(simulator, instance, 500, schedule_name="nightly_sync_schedule")
    tick = next_tick(instance)
    assert reported(instance, the_community(), tick + timedelta(minutes=30)) == []
    (failure,) = reported(instance, the_community(), tick + timedelta(minutes=31))

    assert failure.name == "nightly_sync"


def test_a_mail_server_that_is_set_wrong_does_not_repeat_the_alert_elsewhere(
    simulator: Simulator,
    instance: dg.DagsterInstance,
    hook: WebhookServer,
    mail: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IDEAS_SMTP_URL", "smtp://mail..example.com")
    daemon = Daemon(instance, FAILURE)
    daemon.tick()
    a_failed_run(simulator, instance)

    assert "An alert was not delivered" in daemon.tick()
    daemon.tick()
    assert len(hook.texts) == 1


@pytest.mark.parametrize("status", [500, None], ids=["fails", "hangs"])
def test_a_webhook_that_does_not_take_an_alert_is_asked_again_and_keeps_it_from_nobody_else(
    simulator: Simulator,
    instance: dg.DagsterInstance,
    hook: WebhookServer,
    mail: MailServer,
    monkeypatch: pytest.MonkeyPatch,
    status: int | None,
) -> None:
    monkeypatch.setattr(webhook, "_SECONDS", 0.2)
    daemon = Daemon(instance, FAILURE)
    daemon.tick()
    a_failed_run(simulator, instance)
    hook.status = status

    assert daemon.tick().startswith("An alert was not delivered, and will be sent again: the webhook ")
    assert daemon.tick().startswith("An alert was not delivered, and will be sent again: the webhook ")
    a_failed_run(simulator, instance)
    hook.status = 200
    daemon.tick()

    assert [m["Subject"] for m in mail.mails] == ["[acme] nightly_sync failed"] * 2
    (text,) = hook.texts
    assert text.startswith("*[acme] 2 runs failed*")


def test_a_run_that_was_killed_and_a_warehouse_that_cannot_be_asked_are_reported_too(
    simulator: Simulator, instance: dg.DagsterInstance, hook: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Daemon(instance, FAILURE)
    daemon.tick()
    run = instance.create_run_for_job(build_defs().resolve_job_def("nightly_sync"))
    instance.report_run_failed(run)
    monkeypatch.setenv("IDEAS_WAREHOUSE_URL", "postgresql+psycopg://ann:canary-password@127.0.0.1:1/ideas")

    daemon.tick()

    (text,) = hook.texts
    assert "- It ended without an error: it was killed, or did not start." in text
    assert "When everything was last complete is unknown: The warehouse postgresql" in text
    assert "canary-password" not in text


def test_an_error_that_nobody_foresaw_is_reported_without_its_words(
    simulator: Simulator, instance: dg.DagsterInstance, hook: WebhookServer
) -> None:
    @dg.op
    def broken() -> None:
        raise KeyError("ann@example.com")

    @dg.job
    def mine() -> None:
        broken()

    daemon = Daemon(instance, FAILURE)
    daemon.tick()
    mine.execute_in_process(instance=instance, raise_on_error=False)
    daemon.tick()

    (text,) = hook.texts
    assert "- broken: an unexpected KeyError. The run's log in Dagster says more." in text
    assert "ann@example.com" not in text


def test_no_address_and_no_password_of_an_alert_is_in_what_dagster_keeps_or_shows(
    simulator: Simulator,
    instance: dg.DagsterInstance,
    home: Path,
    hook: WebhookServer,
    mail: MailServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("IDEAS_SMTP_URL", f"smtp://canary-user:canary-password@127.0.0.1:{mail.port}")
    daemon = Daemon(instance, FAILURE)
    daemon.tick()
    a_failed_run(simulator, instance)
    hook.status = 500

    message = daemon.tick()

    assert message.count("An alert was not delivered") == 2
    assert "canary" not in message + str(daemon.cursor)
    shown = capfd.readouterr()
    assert "An alert was not delivered" in shown.err  # the search looks where the sensor left its traces
    assert "canary" not in shown.out + shown.err
    assert b"canary" not in b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
