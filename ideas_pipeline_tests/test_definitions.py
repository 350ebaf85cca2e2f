"""The location as Dagster's own processes load and run it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from ideas_pipeline.definitions import build_defs
from ideas_pipeline.defs.resources import WarehouseResource
from ideas_pipeline.settings import SettingsError

ROOT = Path(__file__).parents[1]
DAGSTER = [sys.executable, "-m", "dagster"]
WORKSPACE = ["-w", str(ROOT / "workspace.yaml")]

LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
    loadStatus locationOrLoadError { ... on RepositoryLocation { name } ... on PythonError { message } } } } } }"""
LAUNCH = """mutation($selector: JobOrPipelineSelector!) {
    launchRun(executionParams: {selector: $selector, mode: "default"}) {
        ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUN = """query($id: ID!) { runOrError(runId: $id) { ... on Run {
    status assetMaterializations { assetKey { path } } } } }"""
CHECKS = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
    assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } } }"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("IDEAS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _environment(folder: Path, **variables: str) -> dict[str, str]:
    home = folder / "dagster"
    home.mkdir(exist_ok=True)
    shutil.copy(ROOT / "deploy" / "dagster.yaml", home)
    return os.environ | {"PYTHONPATH": str(ROOT), "DAGSTER_HOME": str(home)} | variables


def _validate(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DAGSTER, "definitions", "validate", *WORKSPACE],
        cwd=folder,
        env=_environment(folder, **variables),
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_definitions_are_valid_without_any_configuration(folder: Path) -> None:
    done = _validate(folder)

    assert done.returncode == 0, done.stderr
    assert "Validation successful for code location ideas_pipeline" in done.stderr + done.stdout


def test_a_wrong_setting_is_said_where_the_location_loads(folder: Path) -> None:
    done = _validate(folder, IDEAS_TIMEZONE="Nowhere/Else")

    assert done.returncode != 0
    assert "IDEAS_TIMEZONE must be a time zone's name" in done.stderr + done.stdout


def test_a_wrong_contract_is_said_where_the_location_loads(folder: Path) -> None:
    (folder / "mine.yaml").write_text("limits: {concurrency: many}", encoding="utf-8")

    done = _validate(folder, IDEAS_CONTRACT="mine.yaml")

    assert done.returncode != 0
    assert "mine.yaml" in done.stderr + done.stdout
    assert "limits.concurrency" in done.stderr + done.stdout


def test_credentials_without_a_region_are_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDEAS_CLIENT_ID", "me")
    monkeypatch.setenv("IDEAS_CLIENT_SECRET", "canary-secret")

    with pytest.raises(SettingsError, match="IDEAS_API_REGION is not set") as caught:
        build_defs()

    assert "canary-secret" not in str(caught.value)


@pytest.mark.usefixtures("folder")
def test_resources_can_be_replaced() -> None:
    mine = WarehouseResource(url="sqlite:///mine.db")

    assert (build_defs({"warehouse": mine}).resources or {})["warehouse"] is mine


@pytest.fixture
def ui(folder: Path) -> Iterator[str]:
    """``dagster dev`` as ``make dev`` starts it; its GraphQL address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "dev.log").open("w") as log:
        process = subprocess.Popen(
            [*DAGSTER, "dev", *WORKSPACE, "-h", "127.0.0.1", "-p", str(port)],
            cwd=folder,
            env=_environment(folder),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield f"http://127.0.0.1:{port}/graphql"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def _ask(ui: str, query: str, **variables: Any) -> Any:
    answer = requests.post(ui, json={"query": query, "variables": variables}, timeout=30).json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def _until(answered: Callable[[], Any]) -> Any:
    """Asks until there is an answer. One that never comes fails by pytest's time limit."""
    while True:
        try:
            if answer := answered():
                return answer
        except requests.ConnectionError:
            pass  # it is still starting
        time.sleep(0.5)


@pytest.mark.slow
def test_dagster_dev_opens_without_configuration_and_runs_the_nightly_job(ui: str, folder: Path) -> None:
    def loaded() -> Any:
        entries = _ask(ui, LOCATIONS)["workspaceOrError"]["locationEntries"]
        return entries if entries and entries[0]["loadStatus"] == "LOADED" else None

    assert [entry["locationOrLoadError"] for entry in _until(loaded)] == [{"name": "ideas_pipeline"}]

    selector = {
        "repositoryLocationName": "ideas_pipeline",
        "repositoryName": "__repository__",
        "pipelineName": "nightly_sync",
    }
    run = _ask(ui, LAUNCH, selector=selector)["launchRun"]["run"]["runId"]

    def ended() -> Any:
        found = _ask(ui, RUN, id=run)["runOrError"]
        return found if found["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None

    done = _until(ended)
    assert done["status"] == "SUCCESS", (folder / "dev.log").read_text()
    streams = ["challenges", "comments", "ideas", "users", "votes"]
    assert sorted(m["assetKey"]["path"] for m in done["assetMaterializations"]) == [["demo", s] for s in streams]
    for stream in streams:
        found = _ask(ui, CHECKS, key={"path": ["demo", stream]})["assetNodeOrError"]["assetChecksOrError"]["checks"]
        assert {check["name"]: check["executionForLatestMaterialization"]["status"] for check in found} == {
            "completeness": "SUCCEEDED",
            "mass_absence": "SUCCEEDED",
            "referential_integrity": "SUCCEEDED",
            "rejects": "SUCCEEDED",
        }
    assert (folder / ".demo" / "warehouse.db").exists()
