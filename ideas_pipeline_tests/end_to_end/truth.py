"""The warehouse against the source's truth: table by table, row by row, value by value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.tables.columns import kind, own_columns, pii
from ideas_pipeline.tables.community import TABLES

Rows = dict[tuple[str, ...], dict[str, Any]]


def expected(contract: Contract, tables: Mapping[str, Mapping[str, Mapping[str, Any]]], name: str) -> Rows:
    """What the warehouse must hold of table ``name``, from the truth's rows."""
    table = TABLES[name]
    zone = ZoneInfo(contract.stream_timezone(contract.tables()[name]))
    rows: Rows = {}
    for truth in tables.get(name, {}).values():
        row = {c.name: canonical(kind(c), truth.get(c.name), zone) for c in own_columns(table)}
        row |= {c.name: None for c in own_columns(table) if pii(c) == "email"}  # dropped, unless it is asked for
        rows[_key(table, row)] = row
    return rows


def actual(engine: sa.Engine, community: str, name: str) -> Rows:
    """The live rows of table ``name``."""
    table = TABLES[name]
    columns = own_columns(table)
    query = sa.select(*columns).where(table.c.community == community, table.c._deleted_at.is_(None))
    with engine.connect() as connection:
        found = [dict(row) for row in connection.execute(query).mappings()]
    zone = ZoneInfo("UTC")
    rows = {}
    for row in found:
        row = {c.name: canonical(kind(c), row[c.name], zone) for c in columns}
        rows[_key(table, row)] = row
    return rows


def canonical(of: str, value: Any, zone: ZoneInfo) -> Any:
    """A value in the one form in which both sides can be compared."""
    if value is None or value in ("", [], {}):
        return None
    match of:
        case "timestamp":
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        case "id" | "text":
            return json.dumps(value) if isinstance(value, list | dict) else str(value)
        case "number":
            return float(value)
        case "integer":
            return int(value)
        case "boolean":
            return value if isinstance(value, bool) else {"0": False, "1": True}[str(int(value))]
    raise AssertionError(of)


def _key(table: sa.Table, row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[c.name]) for c in table.primary_key.columns if c.name != "community")


def assert_true_to(
    engine: sa.Engine, community: str, contract: Contract, tables: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> None:
    """The warehouse's live rows are the truth's rows: no row more, no row less, no value different."""
    for name in contract.tables():
        want, have = expected(contract, tables, name), actual(engine, community, name)
        assert have.keys() == want.keys(), (
            f"{name}: {_some(want.keys() - have.keys())} missing, {_some(have.keys() - want.keys())} too many"
        )
        for key, row in want.items():
            assert have[key] == row, f"{name} {key}"


def _some(keys: set[tuple[str, ...]]) -> str:
    return f"{len(keys)} rows {sorted(keys)[:3]}"
