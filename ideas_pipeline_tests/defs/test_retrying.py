"""A scheduled run that failed is tried once more, an hour later, where that can help."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from ideas_pipeline.definitions import build_defs
from ideas_pipeline.defs.retrying import RETRY_OF, due, will_be_tried_again
from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator

SCHEDULED = {"dagster/schedule_name": "nightly_sync_schedule"}
REFUSED = Fault(kind="status", status=403, stream="challenges", times=None)
BUSY = Fault(kind="status", status=503, stream="challenges", times=None)


@pytest.fixture(autouse=True)
def _quick(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again here is the run, not the request."""
    contract = tmp_path / "quick.yaml"
    contract.write_text("limits: {requests_per_second: null, attempts: 1}")
    monkeypatch.setenv("IDEAS_CONTRACT", str(contract))


def ran(
    instance: dg.DagsterInstance, job: str = "nightly_sync", *, assets: Sequence[str] = ("challenges",), **tags: str
) -> dg.DagsterRun:
    """A run of some of the assets, as the schedule starts it."""
    result = (
        build_defs()
        .resolve_job_def(job)
        .execute_in_process(
            instance=instance,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(["acme", asset]) for asset in assets],
            tags={**SCHEDULED, **tags},
        )
    )
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    return run


def requested(instance: dg.DagsterInstance, **later: float) -> list[dg.RunRequest]:
    return [said for said in due(instance, datetime.now(UTC) + timedelta(**later)) if isinstance(said, dg.RunRequest)]


@pytest.mark.parametrize("job", ["nightly_sync", "weekly_full"])
def test_an_api_that_was_down_is_asked_again_an_hour_later_by_the_same_job(
    simulator: Simulator, instance: dg.DagsterInstance, job: str
) -> None:
    simulator.faults.add(BUSY)
    failed = ran(instance, job)

    assert will_be_tried_again(instance, failed)
    assert requested(instance, minutes=59) == []
    (request,) = requested(instance, minutes=61)
    assert (request.job_name, request.tags[RETRY_OF]) == (job, failed.run_id)
    assert request.run_key == f"retry of {failed.run_id}"


def test_a_second_try_that_fails_is_the_last(simulator: Simulator, instance: dg.DagsterInstance) -> None:
    simulator.faults.add(BUSY)
    first = ran(instance)
    second = ran(instance, **{RETRY_OF: first.run_id})

    assert not will_be_tried_again(instance, second)
    assert requested(instance, minutes=61) == []


def test_what_a_second_try_cannot_mend_is_left_to_a_person(simulator: Simulator, instance: dg.DagsterInstance) -> None:
    simulator.faults.add(REFUSED)
    failed = ran(instance)

    assert failed.status is dg.DagsterRunStatus.FAILURE
    assert not will_be_tried_again(instance, failed)
    assert requested(instance, minutes=61) == []


def test_a_list_that_was_not_read_whole_can_be_another_time(simulator: Simulator, instance: dg.DagsterInstance) -> None:
    simulator.faults.add(Fault(kind="wrong_total", stream="challenges", times=None))

    assert will_be_tried_again(instance, ran(instance))


def test_rows_that_wait_for_a_decision_are_not_asked_for_again(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    ran(instance)
    with simulator.changing() as tables:
        for key in list(tables["challenges"])[1:]:
            del tables["challenges"][key]
    failed = ran(instance)

    assert failed.status is dg.DagsterRunStatus.FAILURE
    assert not will_be_tried_again(instance, failed)


def test_a_report_that_cannot_be_written_waits_for_a_person(instance: dg.DagsterInstance, unconfigured: Path) -> None:
    in_its_way = unconfigured / ".ideas/report-acme.html"
    in_its_way.mkdir(parents=True)
    failed = ran(instance, assets=[*MARTS, "report"])

    assert failed.status is dg.DagsterRunStatus.FAILURE
    assert not will_be_tried_again(instance, failed)
    (failure,) = instance.all_logs(failed.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    said = failure.get_dagster_event().step_failure_data.user_failure_data.description
    assert said.startswith(f"The report {in_its_way} cannot be written: Is a directory.")
    assert "IDEAS_STATE_DIR" in said
    in_its_way.rmdir()
    assert ran(instance, assets=["report"]).is_success  # which is what the sentence says to do


def test_a_run_that_was_killed_is_tried_again(instance: dg.DagsterInstance) -> None:
    job = build_defs().resolve_job_def("nightly_sync")
    run = instance.create_run_for_job(job, tags=SCHEDULED)
    instance.report_run_failed(run)

    assert will_be_tried_again(instance, recorded(instance, run.run_id))


def test_a_run_that_dagster_starts_again_by_itself_is_left_to_it(instance: dg.DagsterInstance) -> None:
    job = build_defs().resolve_job_def("nightly_sync")
    run = instance.create_run_for_job(job, tags=SCHEDULED)
    instance.report_run_failed(run)
    instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})

    assert not will_be_tried_again(instance, recorded(instance, run.run_id))


def test_a_run_that_a_person_started_is_that_person_s(simulator: Simulator, instance: dg.DagsterInstance) -> None:
    simulator.faults.add(BUSY)
    ran(instance, **{"dagster/schedule_name": "nightly_sync_schedule"})
    job = build_defs().resolve_job_def("nightly_sync")
    by_hand = job.execute_in_process(
        instance=instance, raise_on_error=False, asset_selection=[dg.AssetKey(["acme", "challenges"])]
    )

    assert not will_be_tried_again(instance, recorded(instance, by_hand.run_id))
    assert requested(instance, minutes=61) == []  # nor the scheduled one, as a run has started since


def test_a_failure_of_yesterday_waits_for_the_night(simulator: Simulator, instance: dg.DagsterInstance) -> None:
    simulator.faults.add(BUSY)
    ran(instance)

    assert requested(instance, hours=13) == []


def test_the_sensor_runs_from_the_start_and_says_why_it_does_nothing(instance: dg.DagsterInstance) -> None:
    sensor = build_defs().resolve_sensor_def("retry_once_later")

    told = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))

    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert told.run_requests == []
    assert told.skip_message == "No scheduled run has ended."


def recorded(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run
