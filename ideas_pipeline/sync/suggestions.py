"""Contract lines that would map fields which the contract does not know, where a column seems to be meant."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from ideas_pipeline.contract.model import Contract, Fields
from ideas_pipeline.probe.guess import likeness
from ideas_pipeline.tables.columns import Kind, kind
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.drift import EXTRA, Field

_LIKE_ENOUGH = 0.6
_FITTING: dict[Kind, set[str]] = {
    "id": {"text", "number"},
    "text": {"text", "number"},
    "integer": {"text", "number"},
    "number": {"text", "number"},
    "boolean": {"true/false", "text", "number"},
    "timestamp": {"text", "number"},
    "json": {"list", "map"},
}


def suggested_lines(contract: Contract, fields: Iterable[Field]) -> dict[tuple[str, str], str]:
    """By table and column, the contract line that fills it from a field that nothing maps, the most alike first.

    ``fields``: all that is known of the tables. Only columns that get no value now are filled; no field is used twice.
    """
    known = list(fields)
    there = [f for f in known if not f.missing_since]
    filled = {(f.table, f.field) for f in there if f.is_mapped}
    pairs = sorted(
        (-likeness(column, name.field.removeprefix(EXTRA), name.table), name.table, column, name.field)
        for name in there
        if not name.is_mapped and name.kinds
        for column in _free_columns(contract, name.table, filled)
        if name.kinds <= _FITTING[kind(TABLES[name.table].columns[column])]
    )
    lines: dict[tuple[str, str], str] = {}
    used: set[tuple[str, str]] = set()
    for unlike, table, column, name in pairs:
        if -unlike >= _LIKE_ENOUGH and (table, column) not in lines and (table, name) not in used:
            used.add((table, name))
            lines[table, column] = _line(contract, table, column, name.removeprefix(EXTRA))
    return lines


def _free_columns(contract: Contract, table: str, filled: set[tuple[str, str]]) -> list[str]:
    stream = contract.tables()[table]
    each = contract.streams[stream].each
    given = {each.placeholder} if each and table == stream else set()
    return [
        str(c.name)  # SQLAlchemy's names are a kind of str that YAML refuses
        for c in TABLES[table].columns
        if not c.primary_key and not c.name.startswith("_") and (table, c.name) not in filled and c.name not in given
    ]


def _line(contract: Contract, table: str, column: str, path: str) -> str:
    stream = contract.tables()[table]
    place = ["streams", stream, *(["embedded", table] if table != stream else []), "fields", column]
    source = _fields_of(contract, table).get(column)
    value: object = {"paths": path} if source and (source.none or source.epoch != "seconds") else path
    for name in reversed(place):
        value = {name: value}
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True).strip()[1:-1]


def _fields_of(contract: Contract, table: str) -> Fields:
    spec = contract.streams[contract.tables()[table]]
    return spec.fields if table in contract.streams else spec.embedded[table].fields
