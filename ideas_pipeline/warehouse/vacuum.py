"""Removal of overwritten rows from the files in which the database still keeps them."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from ideas_pipeline.warehouse.warehouse import Warehouse

_WAIT_SECONDS = 10


def compact(warehouse: Warehouse, tables: Collection[str]) -> str | None:
    """Rewrite the database's files without what ``tables`` held before, for all communities in the database.

    SQLite: the whole file and its log. PostgreSQL: these tables and their statistics, each locked meanwhile; the
    server's own log (WAL) and backups are the administrator's responsibility.

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
                connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {quote(table)}")
            connection.invalidate()
    except sa.exc.DBAPIError as error:
        return _later(str(error.orig).splitlines()[0])
    return None


def _later(why: str) -> str:
    return (
        f"The rows are blank, but the database's file can still contain their earlier content: {why.rstrip('.')}."
        " Run the same command again when nothing else uses the warehouse."
    )
