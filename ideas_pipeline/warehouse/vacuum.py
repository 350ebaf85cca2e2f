"""Removal of overwritten rows from the files in which the database still keeps them."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from ideas_pipeline.tables.community import METADATA
from ideas_pipeline.warehouse.warehouse import Warehouse

_WAIT_SECONDS = 10

# The columns of which PostgreSQL keeps statistics, with their types.
_QUOTED_COLUMNS = """
SELECT tablename, pg_stats.attname,
    format_type(atttypid, atttypmod) || coalesce(' COLLATE ' || quote_ident(collname), '')
FROM pg_stats
JOIN pg_attribute ON attrelid = to_regclass(quote_ident(tablename)) AND pg_attribute.attname = pg_stats.attname
LEFT JOIN pg_collation ON pg_collation.oid = attcollation
WHERE schemaname = current_schema()
"""


def compact(warehouse: Warehouse, tables: Collection[str]) -> str | None:
    """Rewrite the database's files without what ``tables`` held before, for all communities in the database.

    SQLite: the whole file and its log. PostgreSQL: these tables, each locked meanwhile, and the statistics of all
    tables, which quote values; the server's own log (WAL) and backups are the administrator's responsibility.

    Returns:
        None, or a sentence that says why it could not be done and what to do. The rows themselves are blank anyway.
    """
    match warehouse.dialect.name:
        case "sqlite":
            return _sqlite(warehouse.engine)
        case "postgresql":
            return _postgresql(warehouse.engine, tables)
    return f"Compacting {warehouse.dialect.name} is not supported: ask its administrator to rewrite the tables."


def _sqlite(engine: sa.Engine) -> str | None:
    connection = engine.raw_connection()
    try:
        raw = connection.driver_connection
        assert raw is not None  # noqa: S101 - it is connected
        raw.execute(f"PRAGMA busy_timeout = {_WAIT_SECONDS * 1000}")
        raw.execute("VACUUM")
        busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except engine.dialect.loaded_dbapi.Error as error:
        return _later(str(error))
    finally:
        connection.invalidate()  # other users of the pool have another timeout
        connection.close()
    return _later("another program is reading the database") if busy else None


def _postgresql(engine: sa.Engine, tables: Collection[str]) -> str | None:
    quote = engine.dialect.identifier_preparer.quote
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"SET lock_timeout = '{_WAIT_SECONDS}s'")
            for table in sorted(tables):
                connection.exec_driver_sql(f"VACUUM (FULL) {quote(table)}")
            _renew_statistics(connection)
            connection.invalidate()
    except sa.exc.DBAPIError as error:
        return _later(str(error.orig).splitlines()[0])
    return None


def _renew_statistics(connection: sa.Connection) -> None:
    """Replace PostgreSQL's statistics of the pipeline's tables: a table can have lost its person before the erasure.

    ANALYZE keeps the statistics of a table that is empty now. ALTER COLUMN drops them, although the type stays.
    """
    quote = connection.dialect.identifier_preparer.quote
    columns: dict[str, list[str]] = {}
    for table, column, kind in connection.execute(sa.text(_QUOTED_COLUMNS)):
        if table in METADATA.tables or table.startswith("mart_"):
            columns.setdefault(table, []).append(f"ALTER COLUMN {quote(column)} TYPE {kind}")
    for table, changes in sorted(columns.items()):
        if connection.scalar(sa.text(f"SELECT EXISTS (SELECT FROM {quote(table)})")):  # noqa: S608 - it is quoted
            connection.exec_driver_sql(f"ANALYZE {quote(table)}")
        else:
            connection.exec_driver_sql(f"ALTER TABLE {quote(table)} {', '.join(changes)}")


def _later(why: str) -> str:
    return (
        f"The rows are blank, but the database's file can still contain their earlier content: {why.rstrip('.')}."
        " Run the same command again when nothing else uses the warehouse."
    )
