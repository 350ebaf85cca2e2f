from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.marts.build import build_marts
from ideas_pipeline.report.page import write_report
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.living import CONTRACT
from ideas_pipeline_tests.end_to_end.pipeline import sync
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_writing

ADOPTED_LABEL = "12"


@pytest.fixture(scope="session")
def community() -> Tables:
    """The tables of a simulated community."""
    return generate("small")


@pytest.fixture(scope="session")
def synced(community: Tables, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A warehouse with the community and its marts."""
    folder = tmp_path_factory.mktemp("report")
    with (
        Simulator(CONTRACT, community) as simulator,
        Warehouse.open(f"sqlite:///{folder}/warehouse.db", COMMUNITY) as warehouse,
    ):
        assert sync(simulator, warehouse, folder).verdict == "complete"
        with warehouse.engine.begin() as connection:
            adopted = {"community": COMMUNITY, "label_id": ADOPTED_LABEL, "class": "adopted"}
            connection.execute(sa.insert(LABEL_CLASSES).values(adopted))
        call_writing(warehouse, build_marts, "Europe/Madrid")
        yield warehouse


@pytest.fixture(scope="session")
def report(synced: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the community."""
    path = tmp_path_factory.mktemp("written") / "report.html"
    write_report(synced, path)
    return path
