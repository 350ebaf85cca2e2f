"""Export of the analysts' tables and marts to Parquet files, for notebooks and BI tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import sqlalchemy as sa

from ideas_pipeline import private_file
from ideas_pipeline.tables.all_tables import ANALYST_TABLES
from ideas_pipeline.tables.columns import Kind, arrow_type
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.warehouse import Warehouse

# Rows in memory at once. Some rows are pages of text.
_ROWS = 10_000

# The first that fits; anything else is exported as text. A mart found in the database has no kind of its own.
_KINDS: tuple[tuple[type[sa.types.TypeEngine[Any]], Kind], ...] = (
    (sa.Boolean, "boolean"),
    (sa.DateTime, "timestamp"),
    (sa.Date, "date"),
    (sa.Integer, "integer"),
    (sa.Float, "number"),
    (sa.Numeric, "number"),
)


def exportable(tx: Transaction) -> dict[str, sa.Table]:
    """The tables that can be exported, by name: the analysts' tables, and the marts that are built.

    Definitions come from ``tables/``; those of marts come from the database.
    """
    tables = dict(ANALYST_TABLES)
    found = sa.MetaData()
    for name in sorted(sa.inspect(tx.connection).get_table_names()):
        if name.startswith("mart_"):
            table = sa.Table(name, found, autoload_with=tx.connection)
            if "community" in table.c:  # otherwise somebody else created it
                tables[name] = table
    return tables


def export(warehouse: Warehouse, tables: Sequence[sa.Table], folder: Path) -> dict[str, int]:
    """Write the community's rows of each table to ``folder/NAME.parquet``, including rows that are marked deleted.

    All files show the same instant. Existing files are replaced once all new ones are complete. Folder and files are
    private to their owner.

    Args:
        warehouse: The warehouse.
        tables: The tables, as ``exportable`` returns them.
        folder: The folder; it is created if necessary.

    Returns:
        The number of rows by table.

    Raises:
        WarehouseError: The database cannot be read.
        OSError: The files cannot be written.
    """
    private_file.make_folder(folder)
    rows = {}
    with TemporaryDirectory(dir=folder, prefix=".export-") as unfinished:
        with warehouse.reading_snapshot(tables) as tx:
            for table in tables:
                rows[table.name] = _write(tx, table, Path(unfinished) / f"{table.name}.parquet")
        for table in tables:
            (Path(unfinished) / f"{table.name}.parquet").replace(folder / f"{table.name}.parquet")
    return rows


def _write(tx: Transaction, table: sa.Table, file: Path) -> int:
    schema = pa.schema([pa.field(c.name, _arrow(c), nullable=bool(c.nullable)) for c in table.columns])
    count = 0
    with private_file.create(file) as sink, pa.parquet.ParquetWriter(sink, schema) as writer:
        for rows in _read(tx, table):
            columns = zip(*rows, strict=True)
            arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            count += len(rows)
    return count


def _read(tx: Transaction, table: sa.Table) -> Iterator[Sequence[sa.Row[Any]]]:
    as_text = [sa.cast(c, sa.Text) if isinstance(c.type, sa.JSON) else c for c in table.columns]
    query = sa.select(*as_text).where(tx.owns(table))
    return tx.execute(query.execution_options(yield_per=_ROWS)).partitions()


def _arrow(column: sa.Column[Any]) -> pa.DataType:
    return arrow_type(next((kind for type_, kind in _KINDS if isinstance(column.type, type_)), "text"))
