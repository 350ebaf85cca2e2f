"""A run uses the configuration that its definitions were built from, and a change of it is reported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.repository_definition import RepositoryDefinition

from ideas_pipeline.communities import load_settings
from ideas_pipeline.defs.configuration import Loaded, Snapshot, as_text, load
from ideas_pipeline.errors import SettingsError
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.alerts.servers import WebhookServer
from ideas_pipeline_tests.defs.alerting import Daemon, the_community
from ideas_pipeline_tests.defs.code_server import code_server, in_run

BROKEN = "limits: {concurrency: many}"


@pytest.fixture
def contract(simulator: Simulator, unconfigured: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The contract file of the community."""
    file = unconfigured / "contract.yaml"
    file.write_text("limits: {requests_per_second: null, concurrency: 3}")
    monkeypatch.setenv("IDEAS_CONTRACT", "contract.yaml")
    return file


@pytest.fixture
def loaded(contract: Path) -> Iterator[RepositoryDefinition]:
    """The definitions as a code server loads them."""
    with code_server() as repository:
        yield repository


def test_a_run_does_not_see_what_was_changed_after_the_definitions_were_loaded(
    loaded: RepositoryDefinition, contract: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract.write_text(BROKEN)
    Path(".env").write_text("IDEAS_SCHEDULE_HOUR 5\n")
    monkeypatch.setenv("IDEAS_SCHEDULE_HOUR", "noon")

    job = in_run(loaded).get_job("nightly_sync")
    done = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(["acme", "challenges"])])

    assert done.success
    assert done.get_step_success_events()
    version = loaded.get_job("nightly_sync").tags["ideas_pipeline/configuration"]
    assert instance.get_runs()[0].tags["ideas_pipeline/configuration"] == version
    assert loaded.metadata["configuration"].value == version


def test_what_dagster_keeps_of_the_configuration_has_no_secret(
    loaded: RepositoryDefinition, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDEAS_WAREHOUSE_URL", "postgresql+psycopg://ann:canary@db.example/ideas")
    monkeypatch.setenv("IDEAS_PII_KEY", "canary-canary-canary")
    one = the_community()
    text = as_text([one])

    (after,) = Snapshot(text).communities()

    assert after.settings.model_dump() == one.settings.model_dump()
    assert after.contract == one.contract
    assert after.version == one.version
    kept = dg.serialize_value(loaded.repository_load_data)
    for secret in (simulator.client_secret, simulator.client_id, "canary"):
        assert secret not in kept
    monkeypatch.delenv("IDEAS_PII_KEY")
    with pytest.raises(SettingsError, match="IDEAS_PII_KEY was set when Dagster loaded the settings of acme"):
        Snapshot(text).communities()


def test_the_version_follows_contract_and_settings_and_not_the_secrets(
    contract: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = the_community().version
    monkeypatch.setenv("IDEAS_CLIENT_SECRET", "another-secret")
    assert the_community().version == first
    contract.write_text("limits: {requests_per_second: null, concurrency: 4}")
    second = the_community().version
    assert second != first
    monkeypatch.setenv("IDEAS_SCHEDULE_HOUR", "5")
    assert the_community().version not in (first, second)


def test_a_changed_configuration_is_a_finding_whether_it_is_valid_or_not(contract: Path, unconfigured: Path) -> None:
    text = contract.read_text()
    loaded = Loaded(load()[0])
    assert loaded.finding(load_settings()) is None

    contract.write_text(BROKEN)
    finding = loaded.finding(load_settings())
    assert finding is not None
    assert (finding.code, finding.severity) == ("configuration", "error")
    assert "contract.yaml, line 1" in finding.what
    contract.write_text("limits: {requests_per_second: null, concurrency: 4}")
    finding = loaded.finding(load_settings())
    assert finding is not None
    assert finding.severity == "warning"
    contract.write_text(text)
    assert loaded.finding(load_settings()) is None
    (unconfigured / ".env").write_text("IDEAS_SCHEDULE_HOUR=5\n")
    finding = loaded.finding(load_settings())
    assert finding is not None
    assert finding.severity == "warning"


def test_a_changed_contract_is_alerted_once_per_change(
    contract: Path, instance: dg.DagsterInstance, hook: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = contract.read_text()
    loaded = Loaded(load()[0])
    # Each tick builds the definitions again, as a code server does not.
    monkeypatch.setattr("ideas_pipeline.definitions.Loaded", lambda _: loaded)
    configurations = load()
    monkeypatch.setattr("ideas_pipeline.definitions.load", lambda: configurations)
    daemon = Daemon(instance, "configuration_alerts")
    assert daemon.tick() == "What Dagster loaded is what the files say."

    contract.write_text(BROKEN)
    assert daemon.tick() == "Sent: [acme] the configuration is wrong (webhook)."
    assert "Runs use what was loaded" in hook.texts[0]
    assert daemon.tick() == "No alert to send."
    contract.write_text("limits: {requests_per_second: null, concurrency: 4}")
    assert daemon.tick() == "Sent: [acme] a changed configuration is waiting (webhook)."
    contract.write_text(text)
    assert daemon.tick() == "No alert to send."
    contract.write_text(BROKEN)
    assert daemon.tick() == "Sent: [acme] the configuration is wrong (webhook)."
    assert len(hook.texts) == 3
