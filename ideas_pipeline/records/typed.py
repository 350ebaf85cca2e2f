"""Conversion of records to a typed frame for one table. Records that cannot be typed become rejects."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from ideas_pipeline.records.kinds import Values, convert
from ideas_pipeline.tables.columns import kind
from ideas_pipeline.text import clean_text, json_text
from ideas_pipeline.times import utc

Json = Any
Row = Mapping[str, Json]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Hashed in place of a value that the API no longer sends. No column has a list as its value.
_UNKNOWN: list[Json] = []


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A record that could not be typed.

    Attributes:
        position: its place among the records given.
        key: the values of the key columns as a JSON list, or a fingerprint of scope and content if one is missing.
        id: the value of the column ``id``, if it could be read.
        reason: what is wrong with it, without personal data.
        payload: what was received, by column, as JSON values.
    """

    position: int
    key: str
    id: str | None
    reason: str
    payload: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Typed:
    """``frame``: one row per record that could be typed, in the order given. ``rejects``: the other records."""

    frame: pd.DataFrame
    rejects: list[RejectedRow]


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """How the API writes the records of a table.

    Attributes:
        timezone: the zone of times without one.
        epochs: by column, the unit of times that are numbers, ``seconds`` (the default) or ``milliseconds`` since 1970.
        volatile: columns and unmapped fields that do not count as changes of a record.
        vanished: columns that the API no longer sends. Nothing is known of their values.
    """

    timezone: str = "UTC"
    epochs: Mapping[str, str] = field(default_factory=dict)
    volatile: Collection[str] = ()
    vanished: Collection[str] = ()


def typed(
    table: sa.Table, rows: Sequence[Row], extras: Sequence[Row], scopes: Sequence[str], source: SourceFormat
) -> Typed:
    """Type records for ``table``. A record that cannot be typed is a reject, and changes nothing for its neighbours.

    If a key comes more than once, the last record counts and the others are left out.

    Args:
        table: the table that the records are for.
        rows: per record, its JSON values by column.
        extras: per record, its unmapped fields.
        scopes: per record, the scope that it was read in.
        source: how the API writes the records.

    Returns:
        A frame with the table's own columns (without ``community``), then ``_extra`` (JSON text with sorted names, or
        null), ``_row_hash`` and ``_scope``, all backed by Arrow; times are in UTC. ``_row_hash`` is equal for records
        that mean the same. It ignores volatile columns, and says which columns vanished, so that it equals no hash of
        known values.
    """
    columns = [c for c in table.columns if c.name != "community" and not c.name.startswith("_")]
    keys = [c.name for c in columns if c.primary_key]
    texts, extra_reasons = _extra_texts(extras)

    def read(column: sa.Column[Any]) -> Values:
        values = [row.get(column.name) for row in rows]
        return convert(kind(column), values, timezone=source.timezone, epoch=source.epochs.get(column.name, "seconds"))

    values = {column.name: read(column) for column in columns}
    reasons = _reasons(rows, values, keys, extra_reasons)
    record_keys = [_record_key(position_key) for position_key in zip(*(values[k].plain for k in keys), strict=True)]
    for position, key in enumerate(record_keys):
        if key is None:
            record_keys[position] = _fingerprint(rows[position], extras[position], scopes[position])
    last = {key: position for position, key in enumerate(record_keys)}
    kept = sorted(position for position in last.values() if position not in reasons)

    ids = values["id"].plain if "id" in values else None
    rejects = [
        RejectedRow(
            position,
            str(record_keys[position]),
            ids[position] if ids else None,
            reasons[position],
            _payload(rows[position], extras[position]),
        )
        for position in sorted(last.values())
        if position in reasons
    ]
    hashed = {
        name: [_UNKNOWN] * len(rows) if name in source.vanished else column.plain
        for name, column in values.items()
        if name not in source.volatile
    }
    compared = _extra_texts([_less(extra, source.volatile) for extra in extras])[0] if source.volatile else texts
    arrays = {name: column.array for name, column in values.items()} | {
        "_extra": pa.array(texts, pa.string()),
        "_row_hash": pa.array(_row_hashes(hashed | {"_extra": compared}), pa.string()),
        "_scope": pa.array([clean_text(scope) for scope in scopes], pa.string()),
    }
    whole = pa.table(arrays)
    chosen = whole if len(kept) == len(rows) else whole.take(pa.array(kept, pa.int64()))
    return Typed(chosen.to_pandas(types_mapper=pd.ArrowDtype), rejects)


def row_hash(table: sa.Table, row: Row, extra: Row, volatile: Collection[str]) -> str:
    """Hash a stored row as ``typed`` does.

    Args:
        table: the table of the row.
        row: the values of its own columns, as the database returns them. Times without a zone are in UTC.
        extra: its unmapped fields.
        volatile: columns and unmapped fields that do not count as changes.
    """
    own = [c for c in table.columns if c.name != "community" and not c.name.startswith("_")]
    values = {c.name: [_plain(row[c.name])] for c in own if c.name not in volatile}
    return _row_hashes(values | {"_extra": _extra_texts([_less(extra, volatile)])[0]})[0]


def _plain(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return (utc(value) - _EPOCH) // timedelta(microseconds=1)


def _extra_texts(extras: Sequence[Row]) -> tuple[list[str | None], dict[int, str]]:
    texts: list[str | None] = [None] * len(extras)
    reasons: dict[int, str] = {}
    for position, extra in enumerate(extras):
        if extra:
            try:
                texts[position] = json_text(extra)
            except ValueError as error:
                reasons[position] = f"_extra {error}"
    return texts, reasons


def _less(extra: Row, volatile: Collection[str]) -> Row:
    return {name: value for name, value in extra.items() if name not in volatile} if extra else extra


def _reasons(
    rows: Sequence[Row], values: Mapping[str, Values], keys: Sequence[str], extra_reasons: Mapping[int, str]
) -> dict[int, str]:
    """By position, why records are rejected: columns that cannot be read, and key columns that are missing."""
    found: dict[int, list[str]] = {position: [reason] for position, reason in extra_reasons.items()}
    for name, column in values.items():
        for position, reason in column.reasons.items():
            found.setdefault(position, []).append(f"{name} {reason} (it is {_described(rows[position][name])})")
    for name in keys:
        column = values[name]
        if column.array.null_count:
            for position, value in enumerate(column.plain):
                if value is None and position not in column.reasons:
                    found.setdefault(position, []).append(f"{name} is missing, and is part of the key")
    return {position: "; ".join(sentences) for position, sentences in found.items()}


def _described(value: Json) -> str:
    """Describe a value by kind and size; quote it only if it is short and cannot be an e-mail address."""
    if isinstance(value, str):
        shown = f": {clean_text(value)!r}" if len(value) <= 20 and "@" not in value else ""
        return f"text of {len(value)} characters{shown}"
    if isinstance(value, dict | list):
        return f"a {'map' if isinstance(value, dict) else 'list'} of {len(value)} values"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "a large number" if abs(value) >= 1e20 else f"the number {value}"


def _record_key(values: tuple[str | None, ...]) -> str | None:
    return None if None in values else orjson.dumps(values).decode()


def _fingerprint(row: Row, extra: Row, scope: str) -> str:
    content = json_text([scope, _payload(row, extra)])
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


def _payload(row: Row, extra: Row) -> dict[str, Json]:
    """What was received, as JSON that every database can store."""
    return {name: _storable(value) for name, value in {**row, "_extra": dict(extra) or None}.items()}


def _storable(value: Json) -> Json:
    try:
        return orjson.loads(json_text(value))
    except ValueError:
        return f"(not stored: {_described(value)})"


def _row_hashes(columns: Mapping[str, list[Any]]) -> list[str]:
    """A fingerprint of each row's values by column. Nulls are left out, so that a new column changes no old hash."""
    names = [str(name) for name in columns]  # SQLAlchemy's names are a subclass of str, which orjson refuses
    return [
        hashlib.blake2b(
            orjson.dumps({name: value for name, value in zip(names, row, strict=True) if value is not None}),
            digest_size=16,
        ).hexdigest()
        for row in zip(*columns.values(), strict=True)
    ]
