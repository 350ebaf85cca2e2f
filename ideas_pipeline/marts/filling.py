"""Create, fill and drop the temporary tables that a build of marts reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from ideas_pipeline.marts import facts, stages
from ideas_pipeline.marts.mart import BuildContext

SELECTS = facts.SELECTS | stages.SELECTS
"""The SELECT that fills each temporary table, in the order in which they are filled."""

# What a statement of a build may use to sort: in PostgreSQL's server; with SQLite in this process, and for pages, too.
# More did not make it faster at 1,400,000 acts. And what SQLite uses by default.
_POSTGRESQL_MEGABYTES = 64
_SQLITE_KILOBYTES = 8_000
_SQLITE_DEFAULT = 2_000


def needed_by(selects: Iterable[sa.Select[Any]], context: BuildContext) -> list[sa.Table]:
    """The temporary tables that SELECTs read, directly or through others, in the order in which they are filled."""
    open_: list[sa.Select[Any]] = [*selects]
    needed: set[sa.Table] = set()
    while open_:
        for element in visitors.iterate(open_.pop()):
            table = element.table if isinstance(element, sa.Column) else element
            if isinstance(table, sa.Table) and table in SELECTS and table not in needed:
                needed.add(table)
                open_.append(SELECTS[table](context))
    return [table for table in SELECTS if table in needed]


def fill(connection: sa.Connection, context: BuildContext, tables: Iterable[sa.Table]) -> None:
    """Create and fill the temporary ``tables`` in the transaction of ``connection``."""
    if context.dialect == "postgresql":  # by default it sorts more than 4 MB on disk
        connection.exec_driver_sql(f"SET LOCAL work_mem = '{_POSTGRESQL_MEGABYTES}MB'")
    else:
        _cache(connection, _SQLITE_KILOBYTES)
    for table in tables:
        table.create(connection, checkfirst=False)
        connection.execute(sa.insert(table).from_select([c.name for c in table.columns], SELECTS[table](context)))
        if context.dialect == "postgresql":  # without statistics its planner assumes a small table
            connection.exec_driver_sql(f"ANALYZE {table.name}")


def drop(connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
    """Drop the temporary ``tables``."""
    if connection.dialect.name == "sqlite":
        _cache(connection, _SQLITE_DEFAULT)
    for table in tables:
        table.drop(connection, checkfirst=False)


def _cache(connection: sa.Connection, kilobytes: int) -> None:
    """Set what SQLite may use for pages and for sorting, of the warehouse and of temporary tables."""
    for schema in ("main", "temp"):
        connection.exec_driver_sql(f"PRAGMA {schema}.cache_size = -{kilobytes}")
