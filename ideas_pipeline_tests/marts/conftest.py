from __future__ import annotations

from collections.abc import Iterator

import pytest

from ideas_pipeline.warehouse.warehouse import Warehouse


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(sqlite_url) as opened:
        yield opened


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(postgresql_url) as opened:
        yield opened
