"""Marts and tables filled directly by a test instead of by a sync and a build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.report.figures import Figures, read_figures
from ideas_pipeline.tables.bookkeeping import MARTS as BUILT_MARTS
from ideas_pipeline.tables.bookkeeping import SYNC_RUNS, SYNC_STREAMS
from ideas_pipeline.tables.columns import kind
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.database import make_engine, writing
from ideas_pipeline.warehouse.warehouse import Warehouse

Rows = Sequence[Mapping[str, Any]]

COMMUNITY = "acme"
LAST_DAY = date(2026, 3, 31)
AS_OF = datetime(2026, 4, 2, 3, tzinfo=UTC)
_NOTHING: dict[str, Any] = {"integer": 0, "number": 0.0, "boolean": False, "text": "", "id": ""}


def fill(url: str, as_of: datetime = AS_OF, /, tables: Mapping[str, Rows] | None = None, **marts: Rows) -> sa.Engine:
    """Create a warehouse at ``url`` with rows of marts, by name without ``mart_``, and of ``tables``.

    Required columns that a row of a mart leaves out are 0.
    """
    engine = make_engine(url)
    with writing(engine) as connection:
        for table in (BUILT_MARTS, SYNC_RUNS, SYNC_STREAMS, *(mart.table for mart in MARTS.values()), *TABLES.values()):
            table.create(connection, checkfirst=True)
        built = {"community": COMMUNITY, "timezone": "Europe/Madrid", "as_of": as_of, "built_at": as_of, "rows": 0}
        connection.execute(sa.insert(BUILT_MARTS), [built | {"mart": name} for name in MARTS])
        for name, rows in marts.items():
            table = MARTS[f"mart_{name}"].table
            blank = {c.name: _NOTHING[kind(c)] for c in table.columns if not c.nullable and kind(c) in _NOTHING}
            every = {c.name: None for c in table.columns} | blank | {"community": COMMUNITY}
            connection.execute(sa.insert(table), [every | dict(row) for row in rows])
        for name, rows in (tables or {}).items():
            seen = {
                "community": COMMUNITY,
                "_run_id": "r",
                "_row_hash": "",
                "_first_seen_at": as_of,
                "_changed_at": as_of,
            }
            for row in rows:
                connection.execute(sa.insert(TABLES[name]), seen | dict(row))
    return engine


def figures(url: str, as_of: datetime = AS_OF, /, tables: Mapping[str, Rows] | None = None, **marts: Rows) -> Figures:
    """The figures of a warehouse made by ``fill``."""
    engine = fill(url, as_of, tables, **marts)
    try:
        return read_figures(Warehouse(engine, COMMUNITY))
    finally:
        engine.dispose()


def days(count: int, last: date = LAST_DAY, **each: int) -> list[dict[str, Any]]:
    """Rows of daily activity for ``count`` days up to ``last``, all with the same values; one person was active."""
    return [{"day": last - timedelta(days=back), "active_28d": 1, **each} for back in range(count - 1, -1, -1)]
