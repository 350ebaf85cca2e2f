"""Whatever a driver, SQLAlchemy, Arrow or pandas raises is a WarehouseError, without a value of a row."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from ideas_pipeline.cli.failures import failure
from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.defs.failures import errors_as_failures
from ideas_pipeline.errors import WarehouseError, WarehouseMisconfigured
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.library_errors import as_warehouse_errors
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.batching import About, Rows, batch
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.staging import arrow_schema, copy, staging_table
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, frame, held, idea, load

NAME = "Quirina Zoltanfy"
IDEAS = TABLES["ideas"]
Fault = Callable[[Transaction], object]


def stored_as(column: str, value: str) -> Fault:
    """Another program has stored what no program of ours would, and it is read."""

    def run(tx: Transaction) -> object:
        tx.connection.exec_driver_sql(f"UPDATE ideas SET {column} = {value}")
        return tx.execute(sa.select(IDEAS)).all()

    return run


def inserted(**values: object) -> Fault:
    row = {"id": "2", "community": COMMUNITY, "_row_hash": "", "_run_id": "1", "title": NAME}
    times = dict.fromkeys(("_first_seen_at", "_changed_at"), datetime(2026, 1, 1, tzinfo=UTC))
    return lambda tx: tx.execute(sa.insert(IDEAS), [row | times | values])


def copied(**values: object) -> Fault:
    """A batch of which the last step before the database fails."""

    def run(tx: Transaction) -> None:
        staging = staging_table("ideas")
        staging.create(tx.connection)
        rows = pa.Table.from_pandas(frame("ideas", [idea("2")]), schema=arrow_schema(staging))
        for name, value in values.items():
            rows = rows.set_column(rows.column_names.index(name), name, pa.array([value]))
        copy(tx.connection, staging, rows)

    return run


EVERYWHERE = {
    "a number beyond 64 bits": inserted(view_count=2**70),
    "a surrogate": inserted(title=f"{NAME}\ud83d"),
    "a type that no driver knows": inserted(title={NAME}),
    "two rows of one key": inserted(id="1"),
    "a null that is refused": inserted(_row_hash=None),
    "a table that is not there": lambda tx: tx.connection.exec_driver_sql("SELECT * FROM nothing"),
    "no SQL at all": lambda tx: tx.connection.exec_driver_sql(f"SELEKT '{NAME}'"),
    "SQLAlchemy": lambda tx: tx.execute(sa.select(IDEAS.c.title).where(IDEAS.c.title == sa.bindparam("x"))),
    "pandas": lambda _: pd.to_datetime(pd.Series([NAME])),
    "Arrow": lambda _: pa.array([NAME]).cast(pa.int64()),
}
SQLITE = {
    "bytes that are no text": stored_as("title", f"CAST(X'{NAME.encode().hex()}FF' AS TEXT)"),
    "a time that is none": stored_as("created_at", f"'{NAME}'"),
    "JSON that is none": stored_as("_extra", f"'{{{NAME}'"),
    "a batch with a number beyond 64 bits": copied(view_count=2**64 - 1),
}
POSTGRESQL = {
    "a batch": copied(view_count=NAME),
    "a time that Python lacks": stored_as("created_at", "'infinity'"),
    "a text for a number": lambda tx: tx.connection.exec_driver_sql("SELECT CAST(%s AS bigint)", (f'"{NAME}"',)),
    "a server that ends the session": lambda tx: tx.connection.exec_driver_sql(
        "SELECT pg_terminate_backend(pg_backend_pid())"
    ),
    "NUL": inserted(title=f"{NAME}\0"),
    "a type that the server lacks": lambda tx: tx.connection.exec_driver_sql("SELECT CAST('x' AS nothing)"),
}


def _check(warehouse: Warehouse, fault: Fault) -> None:
    load(warehouse, "ideas", [idea("1", title="Bike racks")], on=1)
    before = held(warehouse, "ideas")
    with pytest.raises(WarehouseError) as caught, warehouse.writing() as tx:
        fault(tx)
    said = str(caught.value)
    assert NAME not in said
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert said.endswith(".")
    assert "\n" not in said
    assert held(warehouse, "ideas") == before


@pytest.mark.parametrize("fault", EVERYWHERE.values(), ids=EVERYWHERE)
def test_a_fault_of_a_driver_is_a_sentence_without_a_value_and_nothing_is_kept(
    fault: Fault, warehouse: Warehouse
) -> None:
    _check(warehouse, fault)


@pytest.mark.parametrize("fault", SQLITE.values(), ids=SQLITE)
def test_a_fault_of_sqlites_driver_is_a_sentence(fault: Fault, sqlite_url: str) -> None:
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        _check(warehouse, fault)


@pytest.mark.parametrize("fault", POSTGRESQL.values(), ids=POSTGRESQL)
def test_a_fault_of_postgresqls_driver_is_a_sentence(fault: Fault, postgresql_url: str) -> None:
    with Warehouse.open(postgresql_url, COMMUNITY) as warehouse:
        _check(warehouse, fault)


def test_a_mistake_of_our_own_stays_one(warehouse: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), warehouse.writing():
        _ = 1 / 0
    with pytest.raises(ValueError, match="mine"), as_warehouse_errors():
        raise ValueError("mine")


def test_the_command_line_has_a_sentence_for_a_library_even_where_nothing_caught_it() -> None:
    with pytest.raises(pa.ArrowInvalid) as caught:
        pa.array([NAME]).cast(pa.int64())
    said = failure(caught.value).format_message()
    assert "(pyarrow.ArrowInvalid)" in said
    assert "unexpected" not in said
    assert NAME not in said


def test_a_damaged_file_is_not_taken_for_a_full_disk(sqlite_url: str) -> None:
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        load(warehouse, "ideas", [idea(str(n), title="x" * 500) for n in range(200)], on=1)
        file = Path(str(warehouse.engine.url.database))
        with warehouse.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    file.write_bytes(content)
    with pytest.raises(WarehouseMisconfigured, match="restore it from a backup"), warehouse.reading() as tx:
        tx.execute(sa.select(IDEAS)).all()


def fills_the_disk(tx: Transaction) -> None:
    pages = tx.scalar(sa.text("PRAGMA page_count"))
    tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    for n in range(100):
        inserted(id=str(n), body="x" * 50_000)(tx)


def writes_though_it_may_not(tx: Transaction) -> None:
    tx.connection.exec_driver_sql("PRAGMA query_only = ON")
    inserted()(tx)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (fills_the_disk, r"full\. Check the free space"),
        (writes_though_it_may_not, r"Check the permissions of the file"),
    ],
)
def test_a_full_disk_and_a_file_that_may_only_be_read_are_named(fault: Fault, sentence: str, sqlite_url: str) -> None:
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse, ExitStack() as stack:
        stack.enter_context(pytest.raises(WarehouseError, match=sentence))
        fault(stack.enter_context(warehouse.writing()))


def test_a_file_that_another_program_keeps_locked_is_named(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ideas_pipeline.warehouse.database._WRITER_WAITS", 0.05)
    with (
        Warehouse.open(sqlite_url, COMMUNITY) as warehouse,
        closing(sqlite3.connect(str(warehouse.engine.url.database), isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(WarehouseError, match="Another program has been writing"), warehouse.writing():
            pass


def _cast(*_: object, **__: object) -> object:
    return pa.array([NAME]).cast(pa.int64())


def test_dagster_shows_the_sentence_for_a_library_even_where_nothing_caught_it() -> None:
    with pytest.raises(dg.Failure) as caught, errors_as_failures(Settings()):
        _cast()
    assert "(pyarrow.ArrowInvalid)" in str(caught.value.description)
    assert NAME not in str(caught.value.description)
    assert caught.value.__suppress_context__


def test_records_that_arrow_cannot_take_fail_the_run_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ideas_pipeline.sync.batching.typed", _cast)
    about = About(load_contract(None), "users", "1", datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(
        WarehouseError, match=r"The records of users cannot be typed \(pyarrow\.ArrowInvalid\)"
    ) as caught:
        batch(about, Rows([Record({"id": "1", "display_name": NAME}, {})], [""]))
    assert NAME not in str(caught.value)
