"""Dagster's own daemon sends alerts, whatever the webhook does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.alerts.servers import webhook_server
from ideas_pipeline_tests.dagster_processes import REPOSITORY, ask, dagster_dev, launch, loaded, until
from ideas_pipeline_tests.end_to_end.pipeline import small_village

TICKS = """query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
    sensorState { status ticks(limit: 20) { status skipReason } } } } }"""


@pytest.fixture
def simulator(no_settings: None) -> Iterator[Simulator]:
    with Simulator(load_contract(None), small_village(1)) as running:
        running.faults.add(Fault(kind="status", status=403, stream="challenges", times=None))
        yield running


@pytest.mark.slow
def test_an_alert_that_hangs_is_sent_at_a_later_tick_and_no_secret_is_left_behind(
    simulator: Simulator, tmp_path: Path
) -> None:
    with webhook_server() as hook:
        hook.status = None
        (tmp_path / ".env").write_text(
            f"IDEAS_COMMUNITY=acme\nIDEAS_CLIENT_ID={simulator.client_id}\n"
            f"IDEAS_CLIENT_SECRET={simulator.client_secret}\nIDEAS_API_BASE_URL={simulator.base_url}\n"
            f"IDEAS_ALERT_WEBHOOK={hook.address}\n"
        )
        with dagster_dev(tmp_path) as ui:
            loaded(ui)

            def ticks() -> Any:
                sensor = ask(ui, TICKS, selector=REPOSITORY | {"sensorName": "failure_alerts"})["sensorOrError"]
                assert sensor["sensorState"]["status"] == "RUNNING"
                return [
                    tick["skipReason"] or "" for tick in sensor["sensorState"]["ticks"] if tick["status"] != "STARTED"
                ]

            until(ticks)
            launch(ui, "nightly_sync")
            until(lambda: [tick for tick in ticks() if "the webhook did not answer" in tick])
            assert hook.texts == []
            hook.status = 200
            until(lambda: hook.texts)
            until(lambda: [tick for tick in ticks() if tick == "Sent: [acme] nightly_sync failed (webhook)."])

    assert len(hook.texts) == 1
    assert "\n- challenges: " in hook.texts[0]
    kept = b"".join(f.read_bytes() for f in tmp_path.rglob("*") if f.is_file() and f.name != ".env")
    assert b"failure_alerts" in kept  # the search looks where the sensor left its traces
    assert b"canary" not in kept
