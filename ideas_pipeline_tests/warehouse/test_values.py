"""What goes in comes out, on every engine and through every door."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ideas_pipeline.warehouse.database import writing
from ideas_pipeline.warehouse.staging import arrow_schema, copy, copy_portably, staging_table
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import frame, held, idea, load

Door = Callable[[sa.Connection, sa.Table, pa.Table], None]

VALUES: list[dict[str, Any]] = [
    {"title": "", "body": None},
    {"title": "🌳 plant a tree 👩‍👩‍👧", "body": "ünïcödé \u202eright to left\u202c"},
    {"title": "\"quoted\", 'twice', `once`", "body": "line\nline\r\nline\r\\.\n\\.\n"},
    {"title": "\\N", "body": "tab\there \\t \\ back\\\\slash"},
    {"title": "NULL", "body": ",;|"},
    {"title": " ", "body": "x" * 100_000},
    {"_extra": json.dumps({"a": [1, 2.5, None, "é\n\\\"'"], "": {"ünï": True}})},
    {"_extra": "{}"},
    {"view_count": 2**63 - 1, "vote_count": -(2**63), "comment_count": 0, "follower_count": None},
    {"score": 1e300, "is_anonymous": True},
    {"score": -0.1, "is_anonymous": False},
    {"score": 0.1 + 0.2, "is_anonymous": None},
    {"score": 5e-324},
    {"created_at": datetime(1811, 7, 23, 15, 6, 39, 999999, UTC), "updated_at": datetime(1, 1, 1, tzinfo=UTC)},
    {"created_at": datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), "updated_at": datetime(1969, 12, 31, tzinfo=UTC)},
    {"created_at": datetime(2026, 3, 29, 2, 30, 0, 1, UTC), "updated_at": datetime(1970, 1, 1, tzinfo=UTC)},
]


@pytest.mark.parametrize("door", [copy, copy_portably], ids=["the engine's door", "the portable door"])
def test_every_value_comes_out_of_staging_as_it_went_in(warehouse: Warehouse, door: Door) -> None:
    staging = staging_table("ideas")
    rows = [idea(str(n), **values) for n, values in enumerate(VALUES)]
    with writing(warehouse.engine) as connection:
        staging.create(connection)
        door(connection, staging, pa.Table.from_pandas(frame("ideas", rows), schema=arrow_schema(staging)))
        stored = {row.id: row for row in connection.execute(sa.select(staging))}
        staging.drop(connection)
    for n, values in enumerate(VALUES):
        for name, value in values.items():
            assert _comparable(getattr(stored[str(n)], name)) == _expected(name, value), name


def test_every_value_comes_out_of_the_table_as_it_went_in(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea(f"{n:02}", **values) for n, values in enumerate(VALUES)], on=1)
    for row, values in zip(held(warehouse, "ideas"), VALUES, strict=True):
        for name, value in values.items():
            assert row[name] == _expected(name, value), name


def test_an_empty_text_is_not_null(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", title="", body=None)], on=1)
    with warehouse.engine.begin() as connection:
        row = connection.exec_driver_sql("SELECT title = '', title IS NULL, body IS NULL FROM ideas").one()
    assert tuple(map(bool, row)) == (True, False, True)


def test_timestamps_of_another_zone_are_the_same_instant(warehouse: Warehouse) -> None:
    noon = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    load(warehouse, "ideas", [idea("1", created_at=noon)], on=1)
    [row] = held(warehouse, "ideas")
    assert row["created_at"] == datetime(2026, 1, 31, 6, 30, tzinfo=UTC)


def test_fields_that_are_not_mapped_can_be_queried(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", _extra='{"mood": {"today": "glad"}}')], on=1)
    with warehouse.engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT _extra -> 'mood' ->> 'today' FROM ideas").scalar() == "glad"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), max_size=20))
def test_any_text_comes_out_as_it_went_in(warehouse: Warehouse, texts: list[str]) -> None:
    staging = staging_table("ideas")
    rows = [idea(f"{n}{text}", title=text, _extra=json.dumps({text: text})) for n, text in enumerate(texts)]
    with writing(warehouse.engine) as connection:
        staging.create(connection)
        copy(connection, staging, pa.Table.from_pandas(frame("ideas", rows), schema=arrow_schema(staging)))
        stored = {(row.id, row.title, json.dumps(row._extra)) for row in connection.execute(sa.select(staging))}
        staging.drop(connection)
    assert stored == {(row["id"], row["title"], row["_extra"]) for row in rows}


def _expected(name: str, value: Any) -> Any:
    return json.loads(value) if name == "_extra" and value is not None else value


def _comparable(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
