"""The check `freshness` and the sensor that evaluates it, and the hours of the second try, by the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from ideas_pipeline.communities import load_settings
from ideas_pipeline.definitions import build_defs
from ideas_pipeline.defs.second_try import tick_after
from ideas_pipeline.settings import Settings
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.defs.alerting import Daemon, proven
from ideas_pipeline_tests.sync.test_freshness import changes

STREAMS = ["challenges", "users", "ideas", "comments", "votes"]


class Night(Daemon):
    """The daemon, which also records the evaluations of a tick, as Dagster's does."""

    def evaluated(self) -> dict[str, bool]:
        """Run a tick; each evaluation by its stream."""
        done = self.evaluate()
        for event in done.asset_events:
            self.instance.report_runless_asset_event(event)
        return {
            event.asset_key.path[-1]: event.passed
            for event in done.asset_events
            if isinstance(event, dg.AssetCheckEvaluation)
        }


def test_a_missed_night_fails_the_check_of_every_table_until_it_is_synced(
    simulator: Simulator, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A night whose deadline was an hour ago.
    monkeypatch.setenv("IDEAS_SCHEDULE_HOUR", str((datetime.now(UTC) - timedelta(hours=7)).hour))
    night = Night(instance, "freshness")
    assert night.evaluated() == {}
    assert night.tick() == "Nothing was synced yet."
    for stream in STREAMS:
        instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey(["acme", stream])))
    proven(hours_ago=20)

    assert night.evaluated() == dict.fromkeys(STREAMS, False)
    assert night.evaluated() == {}
    check = dg.AssetCheckKey(dg.AssetKey(["acme", "ideas"]), "freshness")
    (record,) = instance.event_log_storage.get_asset_check_execution_history(check, limit=1)
    assert "ideas was not synced in the night from" in str(record.event)

    proven(hours_ago=0)
    assert night.evaluated() == dict.fromkeys(STREAMS, True)
    assert night.tick() == "Every table was synced in the last night."


def test_a_table_has_the_check_and_says_when_it_is_fresh(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDEAS_SCHEDULE_HOUR", "20")
    defs = build_defs()
    checks = defs.resolve_asset_graph().asset_check_keys
    assert {check.asset_key.path[-1] for check in checks if check.name == "freshness"} == set(STREAMS)
    sensor = defs.get_repository_def().get_sensor_def("freshness")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert "Fresh at 02:00 (UTC) if it was synced since 20:00" in str(sensor.description)
    assert load_settings().schedule_hour == 20


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe"])
def test_the_second_try_is_at_the_next_tick_of_its_schedule_on_every_change_of_clocks(zone: str) -> None:
    for day in list(changes(zone))[:6]:
        noon_before = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) - timedelta(hours=12)
        for begins in range(24):
            settings = Settings(timezone=zone, schedule_hour=begins)
            hours = ",".join(str((begins + after) % 24) for after in range(1, 7))
            all_ticks = schedule_execution_time_iterator(noon_before.timestamp(), f"0 {hours} * * *", zone)
            ticks = [tick.astimezone(UTC) for tick in islice(all_ticks, 12)]
            for before, tick in pairwise(ticks):
                for minutes in (1, 29, 59):
                    ended = max(before, tick - timedelta(minutes=minutes))
                    assert tick_after(settings, ended) == tick
                if tick - before > timedelta(hours=3):
                    assert tick_after(settings, before + timedelta(minutes=1)) is None
