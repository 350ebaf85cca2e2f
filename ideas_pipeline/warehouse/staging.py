"""Bulk loads into temporary tables, in the fastest way that each engine offers.

A frame becomes an Arrow table and stays one as long as possible: conversion to Python's timestamps is ten times slower.
``ideas_pipeline_tests/benchmarks/bulk_doors.py`` compares the ways.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from functools import cache
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.late.arrow import pa, pa_csv
from ideas_pipeline.late.frames import pd
from ideas_pipeline.library_errors import library_failure
from ideas_pipeline.tables.columns import arrow_type, column, kind
from ideas_pipeline.tables.community import TABLES

_SET_BY_MERGE = {"community", "_first_seen_at", "_changed_at", "_deleted_at", "_deleted_because", "_run_id"}


@cache
def staging_table(name: str) -> sa.Table:
    """Define the temporary table for rows of the table ``name``, with the scope in which each was read."""
    columns = [c for c in TABLES[name].columns if c.name not in _SET_BY_MERGE]
    return _temporary(name, *columns, column("_scope", "id", "The scope.", required=True))


@cache
def staging_ids(name: str) -> sa.Table:
    """Define a temporary table of ids."""
    return _temporary(name, column("id", "id", "The id.", key=True))


def _temporary(name: str, *columns: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        f"_staged_{name}",
        sa.MetaData(),
        # Without comments: each would be a statement of its own.
        *(sa.Column(c.name, c.type, primary_key=c.primary_key, nullable=c.nullable, info=c.info) for c in columns),
        prefixes=["TEMPORARY"],
    )


def stage_frame(connection: sa.Connection, table: sa.Table, frame: pd.DataFrame | None) -> None:
    """Create the temporary ``table`` and copy ``frame`` into it. The caller drops it; a rollback does, too."""
    table.create(connection, checkfirst=False)
    if frame is not None and len(frame):
        copy(connection, table, pa.Table.from_pandas(frame, schema=arrow_schema(table), preserve_index=False))


def stage_ids(connection: sa.Connection, table: sa.Table, ids: Iterable[str]) -> None:
    """Create the temporary ``table`` and insert the distinct ``ids``. The caller drops it; a rollback does, too."""
    table.create(connection, checkfirst=False)
    if distinct := list(dict.fromkeys(ids)):
        copy(connection, table, pa.table({"id": distinct}, schema=arrow_schema(table)))


def arrow_schema(table: sa.Table) -> pa.Schema:
    """The Arrow schema of the rows of ``table``; a JSON column is text."""
    return pa.schema([(c.name, arrow_type(kind(c))) for c in table.columns])


def copy(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Copy ``rows``, whose schema is ``arrow_schema(table)``, into ``table``.

    Raises:
        WarehouseError: the driver cannot send a value. Errors of the database are raised as they come.
    """
    try:
        match connection.dialect.name, connection.dialect.driver:
            case "postgresql", "psycopg":
                _copy_postgresql(connection, table, rows)
            case "sqlite", _:
                _copy_sqlite(connection, table, rows)
            case _:
                copy_portably(connection, table, rows)
    except (OverflowError, TypeError, ValueError) as error:  # drivers raise these, too, and Arrow's are among them
        raise library_failure(f"the rows of {table.name} cannot be sent to the database", error) from None


def _copy_postgresql(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Copy CSV with COPY. An empty field is null; two quotes are an empty text."""
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(c.name) for c in table.columns)
    options = pa_csv.WriteOptions(include_header=False, quoting_style="needed")
    cursor = connection.connection.cursor()
    with cursor.copy(f"COPY {quote(table.name)} ({names}) FROM STDIN WITH (FORMAT csv)") as sink:
        for part in rows.to_batches(max_chunksize=20_000):
            text = io.BytesIO()
            pa_csv.write_csv(part, text, options)
            sink.write(text.getbuffer())
    cursor.close()


def _copy_sqlite(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Insert tuples with the raw driver. Timestamps are text in UTC, as SQLAlchemy writes and reads them on SQLite."""
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(c.name) for c in table.columns)
    marks = ", ".join("?" * len(table.columns))
    statement = f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks})"  # noqa: S608  # names from tables/, quoted
    naive, utc = pa.timestamp("us"), pa.timestamp("us", tz="UTC")
    cursor = connection.connection.cursor()
    for part in rows.to_batches(max_chunksize=20_000):
        values = (c.cast(naive).cast(pa.string()) if c.type == utc else c for c in part.columns)
        cursor.executemany(statement, list(zip(*(c.to_pylist() for c in values), strict=True)))
    cursor.close()


def copy_portably(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Insert with SQLAlchemy, for any other engine. Slower, because every value becomes a Python object."""
    documents = [c.name for c in table.columns if kind(c) == "json"]
    for part in rows.to_batches(max_chunksize=20_000):
        records = part.to_pylist()
        for record in records:
            for name in documents:
                record[name] = None if record[name] is None else json.loads(record[name])
        connection.execute(sa.insert(table), records)
