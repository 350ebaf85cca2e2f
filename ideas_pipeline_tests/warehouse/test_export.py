from __future__ import annotations

import json
import stat
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.tables.columns import column
from ideas_pipeline.warehouse.absences import confirm_absences
from ideas_pipeline.warehouse.export import export, exportable
from ideas_pipeline.warehouse.merge import Deletion
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, candidates, held, idea, label, load, night
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing

# An hour that the clocks of Madrid show twice.
FIRST, SECOND = datetime(2026, 10, 25, 0, 30, 0, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)

IDEAS = [
    idea("1", title='Bikes, "free"\nand – ünïcödé 🚲', score=2.5, vote_count=2**53 + 1, created_at=FIRST),
    idea("2", title="", score=0.1 + 0.2, is_anonymous=True, created_at=SECOND, _extra='{"colour": "blue", "n": [1]}'),
    idea("3", is_anonymous=False, vote_count=0),
    idea("4"),
]
MART = sa.Table(
    "mart_daily_activity",
    sa.MetaData(),
    column("community", "id", "", key=True),
    column("day", "date", "", key=True),
    column("ideas", "integer", ""),
    column("share", "number", ""),
    column("last_at", "timestamp", ""),
    column("is_quiet", "boolean", ""),
)


@pytest.fixture(autouse=True)
def _sessions_are_not_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGTZ", "Europe/Madrid")


@pytest.fixture
def filled(warehouse: Warehouse) -> Warehouse:
    """Four ideas, of which one is marked as deleted, a mart, and rows of another community."""
    load(warehouse, "ideas", IDEAS, on=1, embedded={"idea_labels": [label("1", "l1", text="Adopted")]})
    load(warehouse, "ideas", IDEAS[:3], on=2)
    assert candidates(warehouse, "ideas") == {"4": "c1"}
    call_writing(warehouse, confirm_absences, "ideas", ["4"], [], Deletion("night-2", night(2)))
    with warehouse.engine.begin() as connection:
        MART.create(connection)
        day = {"community": COMMUNITY, "day": date(2026, 1, 2), "ideas": 3, "share": 0.75, "last_at": FIRST}
        connection.execute(
            sa.insert(MART), [day | {"is_quiet": False}, day | {"community": "another", "is_quiet": True}]
        )
    return warehouse


def exported(warehouse: Warehouse, folder: Path, names: Sequence[str] | None = None) -> dict[str, int]:
    tables = call_reading(warehouse, exportable)
    return export(warehouse, [tables[name] for name in names or tables], folder)


def in_database(warehouse: Warehouse, table: sa.Table) -> list[dict[str, Any]]:
    return [row for row in held(warehouse, table) if row["community"] == COMMUNITY]


def read_by_pandas(file: Path, keys: list[str]) -> list[dict[str, Any]]:
    frame = pd.read_parquet(file, dtype_backend="pyarrow").sort_values(keys)
    return [
        {name: None if value is pd.NA else value for name, value in row.items()} for row in frame.to_dict("records")
    ]


def read_by_duckdb(file: Path, keys: list[str]) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(f"SELECT * FROM read_parquet('{file}') ORDER BY {', '.join(keys)}")
        names = [name for name, *_ in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


@pytest.mark.parametrize("reader", [read_by_pandas, read_by_duckdb])
def test_the_files_hold_what_the_database_holds_value_by_value(filled: Warehouse, tmp_path: Path, reader: Any) -> None:
    rows = exported(filled, tmp_path)
    for name, table in call_reading(filled, exportable).items():
        found = reader(tmp_path / f"{name}.parquet", [c.name for c in table.primary_key.columns])
        for row in found:
            assert row.get("_extra") is None or isinstance(row["_extra"], str)
            row.update({"_extra": json.loads(row["_extra"])} if row.get("_extra") else {})
        assert found == in_database(filled, table)
        assert rows[name] == len(found)
    assert {name: count for name, count in rows.items() if count} == {
        "ideas": 4,
        "idea_labels": 1,
        "idea_history": rows["idea_history"],
        "mart_daily_activity": 1,
    }


def test_columns_have_the_types_of_the_tables(filled: Warehouse, tmp_path: Path) -> None:
    exported(filled, tmp_path)
    types = {name: str(kind) for name, kind in _types(tmp_path / "ideas.parquet").items()}
    expected = {"id": "string", "score": "double", "vote_count": "int64", "is_anonymous": "bool", "_extra": "string"}
    assert {name: types[name] for name in expected} == expected
    assert types["created_at"] == types["_deleted_at"] == "timestamp[us, tz=UTC]"
    assert {name: str(kind) for name, kind in _types(tmp_path / "mart_daily_activity.parquet").items()} == {
        "community": "string",
        "day": "date32[day]",
        "ideas": "int64",
        "share": "double",
        "last_at": "timestamp[us, tz=UTC]",
        "is_quiet": "bool",
    }


def _types(file: Path) -> dict[str, Any]:
    schema = pq.read_schema(file)
    return dict(zip(schema.names, schema.types, strict=True))


def test_a_table_without_rows_is_a_file_with_its_columns(warehouse: Warehouse, tmp_path: Path) -> None:
    assert set(exported(warehouse, tmp_path).values()) == {0}
    votes = pd.read_parquet(tmp_path / "votes.parquet")
    assert len(votes) == 0
    assert list(votes.columns) == call_reading(warehouse, exportable)["votes"].columns.keys()


def test_the_pipelines_own_tables_are_left_out(warehouse: Warehouse) -> None:
    names = set(call_reading(warehouse, exportable))
    assert {"challenges", "ideas", "users", "votes", "idea_history"} <= names
    assert [name for name in names if name.startswith("_")] == []


def test_more_rows_than_are_held_in_memory_at_once_are_all_there(warehouse: Warehouse, tmp_path: Path) -> None:
    ids = [str(number) for number in range(20_001)]
    load(warehouse, "ideas", [idea(id_) for id_ in ids], on=1)
    assert exported(warehouse, tmp_path, ["ideas"]) == {"ideas": 20_001}
    file = pq.ParquetFile(tmp_path / "ideas.parquet")
    assert max(file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)) == 10_000
    assert sorted(file.read(["id"]).column("id").to_pylist()) == sorted(ids)


def test_all_files_are_of_one_moment(filled: Warehouse, tmp_path: Path) -> None:
    """When the first table is read, an idea is added, and the mart is made anew, before the others are read."""
    change = threading.Thread(target=_change_everything, args=(filled,))

    @sa.event.listens_for(filled.engine, "after_cursor_execute")
    def _meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM idea_labels" in statement and change.ident is None:
            change.start()
            while change.is_alive() and not _waits_for_us(filled.engine):
                pass

    exported(filled, tmp_path, ["idea_labels", "ideas", "mart_daily_activity"])
    change.join()
    assert len(pd.read_parquet(tmp_path / "ideas.parquet")) == 4
    assert list(pd.read_parquet(tmp_path / "mart_daily_activity.parquet")["ideas"]) == [3]
    exported(filled, tmp_path)
    assert len(pd.read_parquet(tmp_path / "ideas.parquet")) == 5
    assert list(pd.read_parquet(tmp_path / "mart_daily_activity.parquet")["ideas"]) == [4]


def _waits_for_us(engine: sa.Engine) -> bool:
    """Whether another transaction waits for one of ours, as they do on PostgreSQL, for the table that is to be made."""
    if engine.dialect.name == "sqlite":
        return False
    with engine.connect() as connection:
        return bool(connection.scalar(sa.text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")))


def _change_everything(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [*IDEAS[:3], idea("5")], on=3)
    with warehouse.engine.execution_options(writes=True).begin() as connection:
        MART.drop(connection)
        MART.create(connection)
        tomorrow = date(2026, 1, 2) + timedelta(days=1)
        connection.execute(sa.insert(MART).values(community=COMMUNITY, day=tomorrow, ideas=4))


def test_folder_and_files_are_for_their_owner_alone(warehouse: Warehouse, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "export"
    exported(warehouse, folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_an_export_that_fails_leaves_the_files_of_the_last_one_and_nothing_else(
    filled: Warehouse, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    exported(filled, folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    load(filled, "ideas", [*IDEAS[:3], idea("5")], on=3)
    gone = sa.Table("mart_gone", sa.MetaData(), column("community", "id", ""))
    with pytest.raises(WarehouseError, match="mart_gone"):
        export(filled, [*call_reading(filled, exportable).values(), gone], folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_table_of_an_analysts_own_is_in_nobodys_way(filled: Warehouse, tmp_path: Path) -> None:
    with filled.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE mart_of_my_own (answer INTEGER)")
    rows = exported(filled, tmp_path)
    assert rows["mart_daily_activity"] == 1
    assert "mart_of_my_own" not in rows
