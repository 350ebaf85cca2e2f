"""Bulk copies into temporary tables, through each engine's fastest door.

A frame becomes an Arrow table and stays one until the door: turning its timestamps into Python's is ten times slower.
``ideas_pipeline_tests/benchmarks/bulk_doors.py`` measures the doors against the others.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from functools import cache
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import sqlalchemy as sa

from ideas_pipeline.tables.columns import ARROW, column, kind
from ideas_pipeline.tables.community import TABLES

_MADE_BY_THE_MERGE = {"community", "_first_seen_at", "_changed_at", "_deleted_at", "_deleted_because", "_run_id"}


@cache
def staging_table(name: str) -> sa.Table:
    """The temporary table that takes the rows of the table ``name``, with the scope in which each was read."""
    columns = [c for c in TABLES[name].columns if c.name not in _MADE_BY_THE_MERGE]
    return _temporary(name, *columns, column("_scope", "id", "The scope.", required=True))


@cache
def staging_ids(name: str) -> sa.Table:
    """A temporary table of ids."""
    return _temporary(name, column("id", "id", "The id.", key=True))


def _temporary(name: str, *columns: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        f"_staged_{name}",
        sa.MetaData(),
        # Without their comments, which would be a statement each.
        *(sa.Column(c.name, c.type, primary_key=c.primary_key, nullable=c.nullable, info=c.info) for c in columns),
        prefixes=["TEMPORARY"],
    )


def stage_frame(connection: sa.Connection, table: sa.Table, frame: pd.DataFrame | None) -> None:
    """Creates the temporary ``table`` and copies ``frame`` into it. The caller drops it; so does a rollback."""
    table.create(connection, checkfirst=False)
    if frame is not None and len(frame):
        copy(connection, table, pa.Table.from_pandas(frame, schema=arrow_schema(table), preserve_index=False))


def stage_ids(connection: sa.Connection, table: sa.Table, ids: Iterable[str]) -> None:
    """Creates the temporary ``table`` and fills it with the distinct ``ids``. It is dropped as above."""
    table.create(connection, checkfirst=False)
    if distinct := list(dict.fromkeys(ids)):
        copy(connection, table, pa.table({"id": distinct}, schema=arrow_schema(table)))


def arrow_schema(table: sa.Table) -> pa.Schema:
    """The types in which the rows of ``table`` travel; a JSON column is text."""
    return pa.schema([(c.name, ARROW[kind(c)]) for c in table.columns])


def copy(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Copies ``rows``, whose schema is ``arrow_schema(table)``, into ``table``."""
    match connection.dialect.name, connection.dialect.driver:
        case "postgresql", "psycopg":
            _copy_postgresql(connection, table, rows)
        case "sqlite", _:
            _copy_sqlite(connection, table, rows)
        case _:
            copy_portably(connection, table, rows)


def _copy_postgresql(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """COPY of CSV, in which null is nothing at all and an empty text is two quotes."""
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(c.name) for c in table.columns)
    options = pa.csv.WriteOptions(include_header=False, quoting_style="needed")
    cursor = connection.connection.cursor()
    with cursor.copy(f"COPY {quote(table.name)} ({names}) FROM STDIN WITH (FORMAT csv)") as door:
        for part in rows.to_batches(max_chunksize=20_000):
            text = io.BytesIO()
            pa.csv.write_csv(part, text, options)
            door.write(text.getbuffer())
    cursor.close()


def _copy_sqlite(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Tuples on the raw driver; a timestamp is text in UTC, as SQLAlchemy writes and reads it there."""
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(c.name) for c in table.columns)
    marks = ", ".join("?" * len(table.columns))
    statement = f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks})"  # noqa: S608  # our own names, quoted
    naive, utc = pa.timestamp("us"), pa.timestamp("us", tz="UTC")
    cursor = connection.connection.cursor()
    for part in rows.to_batches(max_chunksize=20_000):
        values = (c.cast(naive).cast(pa.string()) if c.type == utc else c for c in part.columns)
        cursor.executemany(statement, list(zip(*(c.to_pylist() for c in values), strict=True)))
    cursor.close()


def copy_portably(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Through SQLAlchemy, for any other engine: slower, as every value passes through Python."""
    documents = [c.name for c in table.columns if kind(c) == "json"]
    for part in rows.to_batches(max_chunksize=20_000):
        records = part.to_pylist()
        for record in records:
            for name in documents:
                record[name] = None if record[name] is None else json.loads(record[name])
        connection.execute(sa.insert(table), records)
