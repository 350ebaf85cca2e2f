from __future__ import annotations

from collections.abc import Iterator

import pytest

from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(sqlite_url, COMMUNITY) as opened:
        yield opened


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(postgresql_url, COMMUNITY) as opened:
        yield opened
