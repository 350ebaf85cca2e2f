from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.alerts.servers import WebhookServer, webhook_server
from ideas_pipeline_tests.end_to_end.pipeline import small_village


@pytest.fixture
def unconfigured(no_settings: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder and no setting of ours in the environment."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def simulator(unconfigured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A running API whose account is configured, so that the pipeline takes it for a real one."""
    # The API's rate limit would only make the tests wait.
    contract = tmp_path / "contract.yaml"
    contract.write_text("limits: {requests_per_second: null}")
    monkeypatch.setenv("IDEAS_CONTRACT", str(contract))
    with Simulator(load_contract(None), small_village(), page_cap=20) as running:
        monkeypatch.setenv("IDEAS_COMMUNITY", "acme")
        monkeypatch.setenv("IDEAS_CLIENT_ID", running.client_id)
        monkeypatch.setenv("IDEAS_CLIENT_SECRET", running.client_secret)
        monkeypatch.setenv("IDEAS_API_BASE_URL", running.base_url)
        yield running


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookServer]:
    """A webhook that takes alerts, and is configured."""
    with webhook_server() as server:
        monkeypatch.setenv("IDEAS_ALERT_WEBHOOK", server.address)
        yield server
