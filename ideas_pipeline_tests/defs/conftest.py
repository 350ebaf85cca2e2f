from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.alerts.servers import WebhookServer, webhook_server
from ideas_pipeline_tests.defs.running import configured


@pytest.fixture
def unconfigured(no_settings: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder and no setting of ours in the environment."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def simulator(unconfigured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with configured(tmp_path, monkeypatch) as running:
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
