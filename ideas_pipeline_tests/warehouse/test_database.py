from __future__ import annotations

import logging

import pytest

from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held, idea, load


def test_the_planner_of_postgresql_learns_at_once_of_a_table_that_has_grown(postgresql_url: str) -> None:
    def known(warehouse: Warehouse) -> int:
        with warehouse.engine.begin() as connection:
            rows = connection.exec_driver_sql("SELECT reltuples FROM pg_class WHERE relname = 'ideas'").scalar_one()
        return int(rows)

    with Warehouse.open(postgresql_url, COMMUNITY) as warehouse:
        load(warehouse, "ideas", [idea(str(n), title="a title" * 100) for n in range(1000)], on=1)
        assert known(warehouse) <= 0
        load(warehouse, "ideas", [], on=2)
        assert known(warehouse) == 1000


def test_no_value_of_a_row_is_logged_whatever_the_level(warehouse_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="sqlalchemy"), Warehouse.open(warehouse_url, COMMUNITY) as warehouse:
        load(warehouse, "ideas", [idea("1", title="canary title")], on=1)
        assert held(warehouse, "ideas")[0]["title"] == "canary title"
    assert "FROM ideas" in caplog.text
    assert "canary" not in caplog.text
