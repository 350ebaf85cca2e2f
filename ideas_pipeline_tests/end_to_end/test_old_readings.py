"""Sweeps are kept for some months; of older ones, those that later runs need stay."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.sync import engine
from ideas_pipeline.sync.run import Incremental
from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, small_village, stream, sync


def readings(warehouse: Warehouse) -> Counter[str]:
    """By stream, of how many readings the warehouse tells."""
    with warehouse.engine.connect() as connection:
        return Counter(connection.scalars(sa.select(SYNC_SCOPES.c.stream)))


def test_a_complete_run_forgets_old_readings_and_an_incomplete_one_does_not(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator(contract_with({}), small_village(seed=3)) as simulator:
        sync(simulator, warehouse, tmp_path)
        once = readings(warehouse)
        sync(simulator, warehouse, tmp_path)
        assert readings(warehouse) == once + once
        monkeypatch.setattr(engine, "_SWEEPS_KEPT", timedelta(0))  # all that was read before this run is old
        simulator.faults.add(Fault(kind="status", status=404, stream="votes"))
        assert sync(simulator, warehouse, tmp_path).verdict == "incomplete"
        assert readings(warehouse) == once + once + once
        assert sync(simulator, warehouse, tmp_path).verdict == "complete"
        assert readings(warehouse) == once + Counter(votes=1), "the newest, and the one that was not complete"
        assert stream(sync(simulator, warehouse, tmp_path, mode=Incremental()), "votes").counts.skipped > 0
