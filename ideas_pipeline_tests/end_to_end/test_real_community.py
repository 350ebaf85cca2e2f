"""The whole path on a real community: citizens' proposals of Madrid, 5,633 comments, in Spanish, times as published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.simulator.folder import read_folder
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES
from ideas_pipeline.tables.community import COMMENTS, IDEAS
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream, sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

# Shared beside the checkout, not part of it: the test runs wherever the folder is, CI among them.
FOLDER = Path(__file__).parents[3] / "shared" / "data" / "decide_madrid"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared data set is not beside this checkout")


def test_the_warehouse_equals_the_files_value_by_value(warehouse: Warehouse, tmp_path: Path) -> None:
    contract = contract_with({"timezone": "Europe/Madrid"})
    tables = read_folder(FOLDER)
    with Simulator(contract, tables) as simulator:
        result = sync(simulator, warehouse, tmp_path)
        assert result.verdict == "complete"
        assert [s.counts.seen for s in result.streams] == [5, 2272, 80, 5633, 0]
        assert_true_to(warehouse.engine, COMMUNITY, contract, tables)

        assert extras(warehouse, IDEAS) == {
            i: {"code": row["code"], "is_association": row["is_association"]} for i, row in tables["ideas"].items()
        }
        assert extras(warehouse, COMMENTS) == {
            i: {k: row[k] for k in ("votes_against", "author_kind") if k in row}
            for i, row in tables["comments"].items()
        }
        again = sync(simulator, warehouse, tmp_path)
        assert (again.verdict, again.changed) == ("complete", False)


def test_counts_that_the_source_declares_stand_beside_those_that_were_loaded(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    contract = contract_with({"timezone": "Europe/Madrid"})
    tables = read_folder(FOLDER)
    with Simulator(contract, tables) as simulator:
        result = sync(simulator, warehouse, tmp_path)
    present = {i: sum(c["idea_id"] == i for c in tables["comments"].values()) for i in tables["ideas"]}
    with warehouse.engine.connect() as connection:
        rows = connection.execute(
            sa.select(SYNC_SCOPES.c.scope, SYNC_SCOPES.c.declared, SYNC_SCOPES.c.seen).where(
                SYNC_SCOPES.c.stream == "comments", SYNC_SCOPES.c.run_id == result.run_id
            )
        )
        assert {scope: (declared, seen) for scope, declared, seen in rows} == {
            i: (row["comment_count"], present[i]) for i, row in tables["ideas"].items()
        }
    assert stream(result, "comments").counts.seen == 5633


def extras(warehouse: Warehouse, table: sa.Table) -> dict[str, dict[str, object]]:
    with warehouse.engine.connect() as connection:
        rows = connection.execute(sa.select(table.c.id, table.c._extra)).all()
    return {i: json.loads(extra) if isinstance(extra, str) else extra for i, extra in rows}
