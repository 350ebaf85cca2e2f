"""The location as Dagster's own processes load and run it."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import dagster as dg
import pytest

from ideas_pipeline.definitions import build_defs
from ideas_pipeline.errors import SettingsError
from ideas_pipeline_tests.cli.command import ideas_pipeline
from ideas_pipeline_tests.dagster_processes import DAGSTER, WORKSPACE, environment
from ideas_pipeline_tests.processes import run


def _validate(folder: Path, **variables: str) -> CompletedProcess[str]:
    return run([*DAGSTER, "definitions", "validate", *WORKSPACE], cwd=folder, env=environment(folder, **variables))


def test_the_definitions_are_valid_without_any_configuration(empty_folder: Path) -> None:
    done = _validate(empty_folder)

    assert done.returncode == 0, done.stderr
    assert "Validation successful for code location ideas_pipeline" in done.stderr + done.stdout


def test_a_wrong_setting_is_reported_where_the_location_loads(empty_folder: Path) -> None:
    done = _validate(empty_folder, IDEAS_TIMEZONE="Nowhere/Else")

    assert done.returncode != 0
    assert "IDEAS_TIMEZONE must be the name of a time zone" in done.stderr + done.stdout


def test_a_wrong_contract_is_reported_where_the_location_loads(empty_folder: Path) -> None:
    (empty_folder / "mine.yaml").write_text("limits: {concurrency: many}", encoding="utf-8")

    done = _validate(empty_folder, IDEAS_CONTRACT="mine.yaml")

    assert done.returncode != 0
    assert "mine.yaml" in done.stderr + done.stdout
    assert "limits.concurrency" in done.stderr + done.stdout


def test_credentials_without_a_region_are_reported(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDEAS_CLIENT_ID", "me")
    monkeypatch.setenv("IDEAS_CLIENT_SECRET", "canary-secret")

    with pytest.raises(SettingsError, match="IDEAS_API_REGION is not set") as caught:
        build_defs()

    assert "canary-secret" not in str(caught.value)


def test_credentials_of_the_environment_are_not_blanked_by_the_file_that_init_wrote(empty_folder: Path) -> None:
    ideas_pipeline("init", "--community", "acme", "--region", "EU", folder=empty_folder)

    done = _validate(empty_folder, IDEAS_CLIENT_ID="me", IDEAS_CLIENT_SECRET="canary-secret")

    assert done.returncode == 0, done.stderr
    assert "Loaded environment variables from .env" in done.stderr + done.stdout
    assert "Simulated" not in done.stderr + done.stdout


@pytest.mark.usefixtures("empty_folder")
def test_resources_can_be_replaced() -> None:
    mine = dg.ResourceDefinition.none_resource()

    assert (build_defs({"communities": mine}).resources or {})["communities"] is mine
