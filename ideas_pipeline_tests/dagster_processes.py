"""Dagster's own processes, as an operator starts them."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import STDOUT
from typing import Any

import requests

from ideas_pipeline_tests.processes import ROOT, free_port, started

DAGSTER = [sys.executable, "-m", "dagster"]
WORKSPACE = ["-w", str(ROOT / "workspace.yaml")]

REPOSITORY = {"repositoryLocationName": "ideas_pipeline", "repositoryName": "__repository__"}
LAUNCH = """mutation($selector: JobOrPipelineSelector!) {
    launchRun(executionParams: {selector: $selector, mode: "default"}) {
        ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
    loadStatus locationOrLoadError { ... on RepositoryLocation { name } ... on PythonError { message } } } } } }"""


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """This process's environment with ``variables``, and a Dagster instance in ``folder`` set up as we deploy it."""
    home = folder / "dagster"
    home.mkdir(exist_ok=True)
    shutil.copy(ROOT / "deploy" / "dagster.yaml", home)
    return os.environ | {"PYTHONPATH": str(ROOT), "DAGSTER_HOME": str(home)} | variables


@contextmanager
def dagster_dev(folder: Path, **variables: str) -> Iterator[str]:
    """``dagster dev`` as ``make dev`` starts it, in ``folder``; its GraphQL address. It logs to ``dev.log``."""
    port = free_port()
    with (folder / "dev.log").open("w") as log:
        command = [*DAGSTER, "dev", *WORKSPACE, "-h", "127.0.0.1", "-p", str(port)]
        with started(command, cwd=folder, env=environment(folder, **variables), stdout=log, stderr=STDOUT):
            yield f"http://127.0.0.1:{port}/graphql"


def ask(ui: str, query: str, **variables: Any) -> Any:
    """What GraphQL answers."""
    answer = requests.post(ui, json={"query": query, "variables": variables}, timeout=30).json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def until(answered: Callable[[], Any]) -> Any:
    """Asks until there is an answer. One that never comes fails by pytest's time limit."""
    while True:
        try:
            if answer := answered():
                return answer
        except requests.ConnectionError:
            pass  # it is still starting
        time.sleep(0.5)


def loaded(ui: str) -> list[Any]:
    """Waits until all locations are loaded, and says what they are."""

    def entries() -> Any:
        found = ask(ui, LOCATIONS)["workspaceOrError"]["locationEntries"]
        return found if found and all(one["loadStatus"] == "LOADED" for one in found) else None

    return [entry["locationOrLoadError"] for entry in until(entries)]


def launch(ui: str, job: str) -> str:
    """Starts a job, and returns the id of its run."""
    run_id: str = ask(ui, LAUNCH, selector=REPOSITORY | {"pipelineName": job})["launchRun"]["run"]["runId"]
    return run_id


def end_of(ui: str, run_id: str) -> str:
    """Waits until a run has ended, and returns its status."""

    def ended() -> str | None:
        status: str = ask(ui, STATUS, id=run_id)["runOrError"]["status"]
        return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

    status: str = until(ended)
    return status
