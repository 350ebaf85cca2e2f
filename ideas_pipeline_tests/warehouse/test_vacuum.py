"""What PostgreSQL keeps of rows that were overwritten. Bytes in a SQLite file: end_to_end/test_erasure.py."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import ABSENCES
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.vacuum import compact
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.erasing import analyze
from ideas_pipeline_tests.warehouse.batches import idea, load, read

on_postgresql = pytest.mark.parametrize("warehouse_url", ["postgresql"], indirect=True)


def quoted(warehouse: Warehouse) -> str:
    """The planner's statistics of all tables."""
    with warehouse.engine.connect() as connection:
        return repr(connection.exec_driver_sql("SELECT * FROM pg_stats WHERE schemaname = 'public'").all())


@on_postgresql
def test_statistics_quote_no_value_that_rows_have_lost(warehouse: Warehouse) -> None:
    ideas = [idea(str(number), author_id="ann") for number in range(9)]
    load(warehouse, "ideas", ideas, on=1)
    load(warehouse, "ideas", [], on=2, scopes=[read("c1")])
    with warehouse.engine.begin() as connection:
        connection.execute(sa.update(ABSENCES).values(scope="ann"))
    analyze(warehouse)
    assert quoted(warehouse).count("ann") >= 2
    with warehouse.engine.begin() as connection:
        connection.execute(sa.update(TABLES["ideas"]).values(author_id="bob"))
        connection.execute(sa.delete(ABSENCES))
    assert compact(warehouse, ["users"]) is None
    assert "ann" not in quoted(warehouse)
    assert "bob" in quoted(warehouse)


@on_postgresql
def test_tables_of_others_are_left_alone(warehouse: Warehouse) -> None:
    with warehouse.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE lunch AS SELECT 'soup' AS menu FROM generate_series(1, 9)")
    analyze(warehouse)
    with warehouse.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM lunch")
    assert compact(warehouse, ["users"]) is None
    assert "soup" in quoted(warehouse)


@on_postgresql
def test_a_table_that_is_locked_for_long_is_reported(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ideas_pipeline.warehouse.vacuum._WAIT_SECONDS", 1)
    with warehouse.engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE users IN ACCESS SHARE MODE")
        left = compact(warehouse, ["users"])
    assert left is not None
    assert "Run the same command again when nothing else uses the warehouse." in left
