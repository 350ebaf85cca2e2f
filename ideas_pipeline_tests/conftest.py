from __future__ import annotations

import gc
import os
from pathlib import Path

import hypothesis
import pytest

from ideas_pipeline_tests.compiled import share_compiled
from ideas_pipeline_tests.engines import (  # fixtures
    other_warehouse,
    postgresql_server,
    postgresql_url,
    sqlite_url,
    warehouse,
    warehouse_url,
)
from ideas_pipeline_tests.processes import accept_interrupts

__all__ = ["other_warehouse", "postgresql_server", "postgresql_url", "sqlite_url", "warehouse", "warehouse_url"]

# How long an example takes depends on the machine and on what else it does. Every run of the suite tries the same
# examples, so that it fails only because of what changed; with IDEAS_SOAK, others each time.
hypothesis.settings.register_profile(
    "any machine",
    deadline=None,
    derandomize="IDEAS_SOAK" not in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any machine")


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of ours in the environment."""
    for name in [name for name in os.environ if name.startswith("IDEAS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def empty_folder(no_settings: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no setting of ours in the environment."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pytest_configure() -> None:
    accept_interrupts()
    share_compiled()


def pytest_collection_finish() -> None:
    """Let the garbage collector leave alone what imports and collection have created, which never becomes garbage."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow tests first, so that no process is left with them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
