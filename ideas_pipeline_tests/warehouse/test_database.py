from __future__ import annotations

from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, idea, load


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
