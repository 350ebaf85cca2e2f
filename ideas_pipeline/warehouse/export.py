"""The warehouse as Parquet files, for notebooks and BI tools: the tables that analysts read, and the marts."""

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
from ideas_pipeline.tables.columns import ARROW, Kind
from ideas_pipeline.warehouse.database import reading, reading_one_moment

# In memory at once. Some rows are pages of text.
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


def exportable(engine: sa.Engine) -> dict[str, sa.Table]:
    """The tables that can be exported, by name: all but the pipeline's own bookkeeping, and the marts that are there.

    Those in ``tables/`` are as they are said to be there, and the marts as they are found.
    """
    tables = dict(ANALYST_TABLES)
    with reading(engine) as connection:
        found = sa.MetaData()
        for name in sorted(sa.inspect(connection).get_table_names()):
            if name.startswith("mart_"):
                table = sa.Table(name, found, autoload_with=connection)
                if "community" in table.c:  # else it is somebody's own
                    tables[name] = table
    return tables


def export(engine: sa.Engine, community: str, tables: Sequence[sa.Table], folder: Path) -> dict[str, int]:
    """Writes each of ``tables`` as ``folder/NAME.parquet``: the rows of ``community``, those marked deleted included.

    All are as they were at one moment. A file that is there is replaced, once all of them are written in full.
    Folder and files are made for their owner alone. Returns how many rows each has.
    Raises WarehouseError where the database fails, and OSError where the files cannot be written.
    """
    private_file.make_folder(folder)
    rows = {}
    with TemporaryDirectory(dir=folder, prefix=".export-") as unfinished:
        with reading_one_moment(engine, tables) as connection:
            for table in tables:
                rows[table.name] = _write(connection, table, community, Path(unfinished) / f"{table.name}.parquet")
        for table in tables:
            (Path(unfinished) / f"{table.name}.parquet").replace(folder / f"{table.name}.parquet")
    return rows


def _write(connection: sa.Connection, table: sa.Table, community: str, file: Path) -> int:
    schema = pa.schema([pa.field(c.name, _arrow(c), nullable=bool(c.nullable)) for c in table.columns])
    count = 0
    with private_file.create(file) as sink, pa.parquet.ParquetWriter(sink, schema) as writer:
        for rows in _read(connection, table, community):
            columns = zip(*rows, strict=True)
            arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            count += len(rows)
    return count


def _read(connection: sa.Connection, table: sa.Table, community: str) -> Iterator[Sequence[sa.Row[Any]]]:
    as_text = [sa.cast(c, sa.Text) if isinstance(c.type, sa.JSON) else c for c in table.columns]
    query = sa.select(*as_text).where(table.c.community == community)
    return connection.execution_options(yield_per=_ROWS).execute(query).partitions()


def _arrow(column: sa.Column[Any]) -> pa.DataType:
    return ARROW[next((kind for type_, kind in _KINDS if isinstance(column.type, type_)), "text")]
