"""Dagster keeps what it is given, in its databases, in files and in the UI. No secret and no person may be there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap  # what the UI and the daemon are sent

from ideas_pipeline.definitions import build_defs
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests import processes
from ideas_pipeline_tests.accounts.hosts import KEY
from ideas_pipeline_tests.cli.command import settings_of
from ideas_pipeline_tests.defs.running import some_assets
from ideas_pipeline_tests.end_to_end.erasing import NEEDLES, PERSON, people_one_by_one, simulated
from ideas_pipeline_tests.processes import ROOT

PASSWORD = "canary-password"


def test_no_secret_and_no_person_gets_into_what_dagster_keeps_of_a_run(
    simulator: Simulator, unconfigured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured = {name: value for name, value in os.environ.items() if name.startswith("IDEAS_")}
    (unconfigured / ".env").write_text("".join(f"{name}={value}\n" for name, value in configured.items()))
    for name in configured:
        monkeypatch.delenv(name)
    simulator.faults.add(Fault(kind="status", status=403, stream="comments", times=None))
    simulator.faults.add(Fault(kind="poison_value", stream="users"))
    home = tmp_path / "dagster"
    home.mkdir()

    done = processes.run(
        [sys.executable, "-m", "dagster", "job", "execute", "-m", "ideas_pipeline.definitions", "-j", "nightly_sync"],
        env=os.environ | {"DAGSTER_HOME": str(home), "PYTHONPATH": str(ROOT)},
    )

    with dg.DagsterInstance.from_config(str(home)) as instance:
        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.FAILURE
        job = dg.serialize_value(instance.get_job_snapshot(str(run.job_snapshot_id)))
    kept = (done.stdout + done.stderr + job).encode()
    kept += b"".join(file.read_bytes() for file in sorted(home.rglob("*")) if file.is_file())
    assert b"acme__comments" in kept  # the search looks where the run left its traces
    assert b"users: " in kept
    assert len(simulator.issued_secrets) >= 3
    for secret in [simulator.client_secret, simulator.client_id, *simulator.issued_secrets]:
        assert secret.encode() not in kept
    tables = simulator.tables
    written = {idea["body"] for idea in tables["ideas"].values()} - {
        c["description"] for c in tables["challenges"].values()
    }
    names = {user["display_name"] for user in tables["users"].values()}
    assert len(written) > 10
    for text in written | names:
        assert text.encode() not in kept


def test_no_person_whose_list_cannot_be_read_gets_into_the_log_of_a_run(
    unconfigured: Path,
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    contract = people_one_by_one()
    (tmp_path / "contract.yaml").write_text(contract.model_dump_json(by_alias=True))
    monkeypatch.setenv("IDEAS_CONTRACT", str(tmp_path / "contract.yaml"))
    with simulated(contract) as running:
        for name, value in settings_of(running).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("IDEAS_COMMUNITY", "acme")
        assert some_assets(instance, "challenges", "ideas").success
        for status in (404, 500):
            running.faults.clear()
            running.faults.add(Fault(kind="status", status=status, stream="users", scope=PERSON, times=None))
            some_assets(instance, "users")
    logs = [entry for run in instance.get_runs() for entry in instance.all_logs(run.run_id)]
    kept = "".join(map(dg.serialize_value, logs)) + repr(capfd.readouterr())
    assert "no usable response after 3 attempts" in kept  # the search looks where the run left its traces
    for needle in NEEDLES:
        assert needle not in kept


def test_no_secret_is_in_what_the_location_tells_the_ui(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDEAS_WAREHOUSE_URL", f"postgresql+psycopg://ann:{PASSWORD}@db.example/ideas")
    monkeypatch.setenv("IDEAS_TOKEN_STORE", f"postgresql+psycopg://ben:{PASSWORD}@db.example/accounts")
    monkeypatch.setenv("IDEAS_TOKEN_KEY", KEY)
    monkeypatch.setenv("IDEAS_PII_KEY", f"{PASSWORD} for people")

    snapshot = dg.serialize_value(RepositorySnap.from_def(build_defs().get_repository_def()))

    assert "IDEAS_CLIENT_SECRET" in snapshot
    assert "IDEAS_WAREHOUSE_URL" in snapshot
    for secret in (simulator.client_id, simulator.client_secret, PASSWORD, KEY):
        assert secret not in snapshot


def test_a_resource_that_is_printed_hides_its_secrets(simulator: Simulator) -> None:
    with dg.build_resources(build_defs().resources or {}) as opened:
        acme = opened.communities.of("acme")
        assert acme.client.base_url == simulator.base_url
        assert simulator.client_secret not in repr(vars(acme))
        assert simulator.client_id not in repr(vars(acme))
