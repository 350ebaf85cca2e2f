from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.report.figures import read_figures
from ideas_pipeline.tables.bookkeeping import MARTS as BOOKS
from ideas_pipeline.warehouse.engines import make_engine, writing
from ideas_pipeline_tests.report.marts_with import COMMUNITY, days, fill


def test_all_figures_are_of_one_moment_also_where_a_mart_is_made_anew_meanwhile(warehouse_url: str) -> None:
    engine = fill(warehouse_url, daily_activity=days(1, ideas=1), people=[{"status": "active", "people": 7}])
    change = threading.Thread(target=_make_people_anew, args=(warehouse_url,))

    @sa.event.listens_for(engine, "after_cursor_execute")
    def _meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM mart_daily_activity" in statement and change.ident is None:
            change.start()
            while change.is_alive() and not _somebody_waits(engine):
                pass

    found = read_figures(engine, COMMUNITY)
    change.join()
    assert [row.people for row in found.people] == [7]
    assert [row.people for row in read_figures(engine, COMMUNITY).people] == []
    engine.dispose()


def test_a_mart_that_is_missing_since_an_upgrade_is_built_first(warehouse_url: str) -> None:
    engine = fill(warehouse_url)
    with writing(engine) as connection:
        MARTS["mart_people"].table.drop(connection)
        connection.execute(sa.delete(BOOKS).where(BOOKS.c.mart == "mart_people"))
    with pytest.raises(WarehouseError, match=r"not built yet\. Run: .* ideas-pipeline marts"):
        read_figures(engine, COMMUNITY)
    engine.dispose()


def _make_people_anew(url: str) -> None:
    engine = make_engine(url)
    with writing(engine) as connection:
        MARTS["mart_people"].table.drop(connection)
        MARTS["mart_people"].table.create(connection)
    engine.dispose()


def _somebody_waits(engine: sa.Engine) -> bool:
    """Whether another transaction waits for ours, as on PostgreSQL the one that drops what is being read."""
    if engine.dialect.name == "sqlite":
        return False
    with engine.connect() as connection:
        return bool(connection.scalar(sa.text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")))
