from __future__ import annotations

import dagster as dg
import pytest

from ideas_pipeline.definitions import build_defs


@pytest.mark.usefixtures("unconfigured")
def test_the_schedule_is_at_the_configured_hour_of_the_configured_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDEAS_SCHEDULE_HOUR", "4")
    monkeypatch.setenv("IDEAS_TIMEZONE", "Europe/Madrid")

    schedule = build_defs().resolve_schedule_def("nightly_sync_schedule")

    assert schedule.cron_schedule == "0 4 * * *"
    assert schedule.execution_timezone == "Europe/Madrid"
    assert schedule.job_name == "nightly_sync"


@pytest.mark.usefixtures("unconfigured")
def test_the_schedule_waits_to_be_started_and_says_so() -> None:
    schedule = build_defs().resolve_schedule_def("nightly_sync_schedule")

    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert "stopped until you start it" in str(schedule.description)
