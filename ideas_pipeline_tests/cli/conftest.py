from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.cli.command import ideas_pipeline, lead_to


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(load_contract(None), generate("small", seed=1)) as running:
        yield running


@pytest.fixture(scope="session")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a synced warehouse, which no test changes. Its API is gone."""
    folder = tmp_path_factory.mktemp("synced")
    with Simulator(load_contract(None), generate("small", seed=1)) as running:
        lead_to(running, folder)
        done = ideas_pipeline("sync", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(synced: Path, tmp_path: Path) -> Path:
    """A folder with a synced warehouse of the test's own. Its API is gone."""
    return Path(shutil.copytree(synced, tmp_path / "community"))
