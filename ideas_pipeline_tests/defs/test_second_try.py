"""A scheduled run that failed is tried once more, at the next full hour, if that can help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from ideas_pipeline.definitions import build_defs
from ideas_pipeline.defs.second_try import RETRY_OF, due, second_try_of
from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.defs.alerting import next_tick, nights_begin_now, the_community
from ideas_pipeline_tests.defs.running import some_assets

SCHEDULED = {"dagster/schedule_name": "nightly_sync_schedule"}
REFUSED = Fault(kind="status", status=403, stream="challenges", times=None)
BUSY = Fault(kind="status", status=503, stream="challenges", times=None)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """One that keeps which schedules are switched off."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _quick(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again here is the run, not the request."""
    contract = tmp_path / "quick.yaml"
    contract.write_text("limits: {requests_per_second: null, attempts: 1}")
    monkeypatch.setenv("IDEAS_CONTRACT", str(contract))
    nights_begin_now(monkeypatch)


def ran(
    instance: dg.DagsterInstance, job: str = "nightly_sync", *, assets: Sequence[str] = ("challenges",), **tags: str
) -> dg.DagsterRun:
    """A run of some of the assets, as the schedule starts it."""
    result = some_assets(instance, *assets, job=job, tags={**SCHEDULED, **tags})
    return recorded(instance, result.run_id)


def recorded(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run


def at_tick(
    instance: dg.DagsterInstance, job: str = "nightly_sync", tick: datetime | None = None, late: float = 0
) -> dg.RunRequest | str:
    """What the schedule does at ``tick``, the next full hour by default; a skip is its sentence."""
    tick = tick or next_tick(instance)
    done = due(instance, the_community(), job, tick, tick + timedelta(minutes=late))
    return str(done.skip_message) if isinstance(done, dg.SkipReason) else done


def awaits_second_try(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the failure is not reported yet, because the second try is still to come."""
    now = datetime.now(UTC)
    return second_try_of(instance, the_community(), run, now, now) == "to come"


@pytest.mark.parametrize(("job", "other"), [("nightly_sync", "weekly_full"), ("weekly_full", "nightly_sync")])
def test_an_api_that_was_down_is_asked_again_at_the_next_full_hour_by_the_same_job(
    simulator: Simulator, instance: dg.DagsterInstance, job: str, other: str
) -> None:
    simulator.faults.add(BUSY)
    failed = ran(instance, job)

    assert awaits_second_try(instance, failed)
    assert at_tick(instance, other) == f"{other} was not the last job to run."
    request = at_tick(instance, job)
    assert isinstance(request, dg.RunRequest)
    assert (request.run_key, request.tags[RETRY_OF]) == (f"second try of {failed.run_id}", failed.run_id)
    assert (
        at_tick(instance, job, next_tick(instance) + timedelta(hours=1))
        == f"The run {failed.run_id} did not fail in the hour before this tick."
    )


def test_a_second_try_that_fails_is_the_last(simulator: Simulator, instance: dg.DagsterInstance) -> None:
    simulator.faults.add(BUSY)
    first = ran(instance)
    second = ran(instance, **{RETRY_OF: first.run_id})

    assert not awaits_second_try(instance, second)
    assert at_tick(instance) == f"The run {second.run_id} was the second try itself."


def test_what_a_second_try_cannot_mend_is_left_to_a_person(simulator: Simulator, instance: dg.DagsterInstance) -> None:
    simulator.faults.add(REFUSED)
    failed = ran(instance)

    assert failed.status is dg.DagsterRunStatus.FAILURE
    assert not awaits_second_try(instance, failed)
    message = at_tick(instance)
    assert str(message).startswith("A second try cannot help: challenges: ")
    assert "(HTTP 403)" in str(message)


def test_a_client_that_is_refused_before_the_sync_begins_is_not_tried_again(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDEAS_CLIENT_SECRET", "wrong")
    failed = ran(instance)

    assert not awaits_second_try(instance, failed)
    assert str(at_tick(instance)).startswith("A second try cannot help: ")


def test_a_list_that_was_not_read_whole_can_be_another_time(simulator: Simulator, instance: dg.DagsterInstance) -> None:
    simulator.faults.add(Fault(kind="wrong_total", stream="challenges", times=None))

    assert awaits_second_try(instance, ran(instance))
    assert isinstance(at_tick(instance), dg.RunRequest)


def test_rows_that_wait_for_a_decision_are_not_asked_for_again(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    ran(instance)
    with simulator.changing() as tables:
        for key in list(tables["challenges"])[1:]:
            del tables["challenges"][key]
    failed = ran(instance)

    assert failed.status is dg.DagsterRunStatus.FAILURE
    assert not awaits_second_try(instance, failed)
    assert str(at_tick(instance)).startswith("A second try cannot help: challenges: ")


def test_a_report_that_cannot_be_written_waits_for_a_person(instance: dg.DagsterInstance, unconfigured: Path) -> None:
    in_its_way = unconfigured / ".ideas/report-acme.html"
    in_its_way.mkdir(parents=True)
    failed = ran(instance, assets=["challenges", *MARTS, "report"])

    assert failed.status is dg.DagsterRunStatus.FAILURE
    assert not awaits_second_try(instance, failed)
    assert at_tick(instance) == (
        f"The sync of the run {failed.run_id} is complete; a later step failed, and another sync cannot fix that."
    )
    (failure,) = instance.all_logs(failed.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    message = failure.get_dagster_event().step_failure_data.user_failure_data.description
    assert message.startswith(f"The report {in_its_way} cannot be written: Is a directory.")
    assert "IDEAS_STATE_DIR" in message
    in_its_way.rmdir()
    assert ran(instance, assets=["report"]).is_success  # which is what the sentence says to do


def test_a_warehouse_that_cannot_be_reached_may_be_there_again_and_one_that_is_set_wrong_is_not(
    simulator: Simulator, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.faults.add(BUSY)
    ran(instance)

    monkeypatch.setenv("IDEAS_WAREHOUSE_URL", "postgresql+psycopg://ann:canary-password@127.0.0.1:1/ideas")
    assert isinstance(at_tick(instance), dg.RunRequest)
    monkeypatch.setenv("IDEAS_WAREHOUSE_URL", "sqlite://")
    assert str(at_tick(instance)).startswith("A second try cannot help: ")


def test_a_run_that_was_killed_is_tried_again(instance: dg.DagsterInstance) -> None:
    job = build_defs().resolve_job_def("nightly_sync")
    run = instance.create_run_for_job(job, tags=SCHEDULED)
    assert at_tick(instance) == f"The run {run.run_id} has not ended."
    instance.report_run_failed(run)

    assert awaits_second_try(instance, recorded(instance, run.run_id))
    assert isinstance(at_tick(instance), dg.RunRequest)


def test_a_run_that_dagster_starts_again_by_itself_is_left_to_it(instance: dg.DagsterInstance) -> None:
    job = build_defs().resolve_job_def("nightly_sync")
    run = instance.create_run_for_job(job, tags=SCHEDULED)
    instance.report_run_failed(run)
    instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})

    assert not awaits_second_try(instance, recorded(instance, run.run_id))
    assert at_tick(instance) == f"Dagster itself starts the run {run.run_id} again."


def test_a_run_that_a_person_started_is_that_person_s(simulator: Simulator, instance: dg.DagsterInstance) -> None:
    simulator.faults.add(BUSY)
    ran(instance)
    by_hand = some_assets(instance, "challenges")

    assert not awaits_second_try(instance, recorded(instance, by_hand.run_id))
    # Nor is the scheduled run tried again, because a run has started since.
    assert at_tick(instance) == f"The run {by_hand.run_id} was not started by a schedule."


def test_a_run_that_succeeded_is_not_repeated(instance: dg.DagsterInstance) -> None:
    run = ran(instance)

    assert at_tick(instance) == f"The run {run.run_id} did not fail."


def test_a_daemon_that_was_down_starts_no_second_try_in_the_morning(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    simulator.faults.add(BUSY)
    ran(instance)

    assert at_tick(instance, late=31) == "This tick comes too late: the daemon was down."


def test_the_schedules_run_from_the_start_and_look_each_hour_until_the_tables_are_overdue(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDEAS_SCHEDULE_HOUR", "21")
    monkeypatch.setenv("IDEAS_TIMEZONE", "Europe/Madrid")
    for job in ("nightly_sync", "weekly_full"):
        schedule = build_defs().resolve_schedule_def(f"{job}_second_try")

        tick = datetime(2026, 7, 1, 23, tzinfo=ZoneInfo("Europe/Madrid"))
        tick_data = schedule.evaluate_tick(dg.build_schedule_context(instance, scheduled_execution_time=tick))

        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 22,23,0,1,2,3 * * *", "Europe/Madrid")
        assert tick_data.run_requests == []
        assert tick_data.skip_message == f"{job} was not the last job to run."


def test_a_run_of_a_community_in_another_code_location_does_not_count(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    simulator.faults.add(BUSY)
    failed = ran(instance)
    ran(instance, **{"ideas_pipeline/community": "globex"})

    request = at_tick(instance)
    assert isinstance(request, dg.RunRequest)
    assert request.tags[RETRY_OF] == failed.run_id
