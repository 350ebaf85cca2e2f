from __future__ import annotations

import dagster as dg
import pytest

from ideas_pipeline.definitions import build_defs
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.defs.running import metadata, nightly_sync

SCHEDULES = ["nightly_sync_schedule", "weekly_full_schedule"]


@pytest.mark.usefixtures("unconfigured")
def test_the_schedules_are_at_the_configured_hour_of_the_configured_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDEAS_SCHEDULE_HOUR", "4")
    monkeypatch.setenv("IDEAS_TIMEZONE", "Europe/Madrid")
    monkeypatch.setenv("IDEAS_FULL_WEEKDAY", "saturday")

    nightly, weekly = (build_defs().resolve_schedule_def(name) for name in SCHEDULES)

    assert (nightly.job_name, nightly.cron_schedule) == ("nightly_sync", "0 4 * * 0,1,2,3,4,5")
    assert (weekly.job_name, weekly.cron_schedule) == ("weekly_full", "0 4 * * 6")
    assert nightly.execution_timezone == weekly.execution_timezone == "Europe/Madrid"


@pytest.mark.usefixtures("unconfigured")
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_waits_to_be_started_and_says_so(name: str) -> None:
    schedule = build_defs().resolve_schedule_def(name)

    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert "stopped until you start it" in str(schedule.description)


def test_the_weekly_job_reads_every_list_and_the_nightly_one_what_may_have_changed(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    first, second = nightly_sync(instance), nightly_sync(instance)
    weekly = nightly_sync(instance, job="weekly_full")

    lists = metadata(first)["votes"]["scopes"]
    assert metadata(second)["votes"]["scopes"] == -(-lists // 14)
    assert metadata(second)["votes"]["skipped"] == lists - -(-lists // 14)
    assert metadata(weekly)["votes"]["scopes"] == lists
    assert metadata(weekly)["votes"]["skipped"] == 0


def test_within_how_many_nights_every_list_is_read_again_is_a_setting(
    simulator: Simulator, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDEAS_VERIFY_DAYS", "2")
    nightly_sync(instance)

    assert metadata(nightly_sync(instance))["votes"]["scopes"] == len(simulator.tables["ideas"]) / 2
