"""Conversion of records to a typed frame for one table. Records that cannot be typed become rejects."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import orjson
import sqlalchemy as sa

from ideas_pipeline.late.arrow import pa
from ideas_pipeline.late.frames import pd
from ideas_pipeline.records.kinds import Values, convert
from ideas_pipeline.records.time_format import TimeFormat
from ideas_pipeline.tables.columns import kind, known_values, known_word, own_columns, own_keys, pii
from ideas_pipeline.tables.reject_reasons import Reason, RecordReason, sentence
from ideas_pipeline.text import TooDeep, clean_text, json_text
from ideas_pipeline.times import utc

Json = Any
Row = Mapping[str, Json]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Hashed in place of a value that the API no longer sends. No column has a list as its value.
_UNKNOWN: list[Json] = []
# The columns that say which of two records with one key is newer.
_STATES = ("updated_at", "created_at")


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A record that could not be typed, or a value of a record that was.

    Attributes:
        position: the record's place among the records given.
        key: the values of the key columns as a JSON list; a fingerprint of scope and content if one is missing; both if
            another record has the key.
        id: the value of the column ``id``, if it could be read.
        code: what is wrong with it: a word of ``tables.reject_reasons``.
        payload: of a record, what was received, by column, as JSON values; of a value, what its record says of people.
        column: the column of the value that could not be typed; None if the record itself is rejected.
        value: that value, as JSON.
        repeats: whether the record is rejected because another one has its key.
        key_codes: of a record without a usable key, by column of the key, what is wrong with it.
    """

    position: int
    key: str
    id: str | None
    code: str
    payload: dict[str, Json]
    column: str | None = None
    value: Json = None
    repeats: bool = False
    key_codes: Mapping[str, str] | None = None

    @property
    def reason(self) -> str:
        """What is wrong with it, in words."""
        return str(sentence(self.code, self.key_codes))


@dataclass(frozen=True, slots=True)
class Typed:
    """The result of typing.

    Attributes:
        frame: one row per record that could be typed, in the order given.
        rejects: other records, and values.
        superseded: the positions of records that were edited while their list was read, as they were before.
    """

    frame: pd.DataFrame
    rejects: list[RejectedRow]
    superseded: Set[int] = frozenset()


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """How the API writes the records of a table.

    Attributes:
        time: how times are written.
        times: by column, how times are written there instead.
        volatile: columns and unmapped fields that do not count as changes of a record.
        vanished: columns that the API no longer sends. Nothing is known of their values.
        places: columns that hold a record's place in its list. Records that differ in them alone are the same.
    """

    time: TimeFormat = field(default_factory=TimeFormat)
    times: Mapping[str, TimeFormat] = field(default_factory=dict)
    volatile: Collection[str] = ()
    vanished: Collection[str] = ()
    places: Collection[str] = ()


def typed(
    table: sa.Table,
    rows: Sequence[Row],
    extras: Sequence[Row],
    scopes: Sequence[str],
    source: SourceFormat,
    repeated_since: Mapping[int, datetime] = MappingProxyType({}),
) -> Typed:
    """Type records for ``table``.

    A value that cannot be typed is null in its row, and a reject of its own. A record without a usable key is a reject.
    Neither changes anything for its neighbours.

    If a key comes more than once in a scope with different content, the newest record counts, by ``updated_at`` and
    ``created_at``, and the others are rejects; the order in which they come does not matter. What a record was before
    it was edited while its list was read is not a reject. If it comes in several scopes, the last record counts.

    Args:
        table: the table that the records are for.
        rows: per record, its JSON values by column.
        extras: per record, its unmapped fields.
        scopes: per record, the scope that it was read in.
        source: how the API writes the records.
        repeated_since: by position, the moment since which an edit explains that a record has the key of another one;
            timezone-aware.

    Returns:
        A frame with the table's own columns (without ``community``), then ``_extra`` (JSON text with sorted names, or
        null), ``_row_hash`` and ``_scope``, all backed by Arrow; times are in UTC. ``_row_hash`` is equal for records
        that mean the same. It ignores volatile columns, and says which columns vanished, so that it equals no hash of
        known values.
    """
    columns = own_columns(table)
    keys = [c.name for c in own_keys(table)]
    texts, extra_reasons = _extra_texts(extras)

    def read(column: sa.Column[Any]) -> Values:
        values = [row.get(column.name) for row in rows]
        return _in_known_words(column, convert(kind(column), values, source.times.get(column.name, source.time)))

    values = {str(column.name): read(column) for column in columns}
    hashed = {
        name: [_UNKNOWN] * len(rows) if name in source.vanished else column.plain
        for name, column in values.items()
        if name not in source.volatile
    }
    compared = _extra_texts([_less(extra, source.volatile) for extra in extras])[0] if source.volatile else texts
    hashes = _row_hashes(hashed | {"_extra": compared})

    record_keys = [_record_key(position_key) for position_key in zip(*(values[k].plain for k in keys), strict=True)]
    without_key = {n: _key_codes(values, keys, n) for n, key in enumerate(record_keys) if key is None}
    differing = {
        name: [
            [json_text(_storable(rows[n][name]))] if n in values[name].reasons else value
            for n, value in enumerate(column)
        ]
        if values[name].reasons
        else column
        for name, column in hashed.items()
        if name not in source.places
    }
    kept, repeated, superseded = _kept(
        record_keys,
        scopes,
        values,
        differing | {"_extra": compared},
        lambda n: json_text(_payload(rows[n], extras[n])),
        {n: _plain(moment) for n, moment in repeated_since.items()},
    )
    codes = {n: reason.code for n, reason in (dict.fromkeys(without_key, RecordReason.NO_KEY) | repeated).items()}

    ids = values["id"].plain if "id" in values else None
    rejects: dict[str, RejectedRow] = {}
    for position, code in sorted(codes.items()):
        payload = _payload(rows[position], extras[position])
        key = fingerprint(scopes[position], payload)
        if position in repeated:
            key = f"{record_keys[position]} {key}"
        repeats = position in repeated
        id_, key_codes = ids[position] if ids else None, without_key.get(position)
        rejects[key] = RejectedRow(position, key, id_, code, payload, repeats=repeats, key_codes=key_codes)
    result = list(rejects.values())
    about = [str(c.name) for c in columns if c.primary_key or pii(c) == "person_id" or c.info["parent"]]
    result += [
        RejectedRow(
            position,
            str(record_keys[position]),
            ids[position] if ids else None,
            reason.code,
            {name: _storable(rows[position].get(name)) for name in about},
            name,
            _storable(extras[position] if name == "_extra" else rows[position][name]),
        )
        for name, refused in [*((n, v.reasons) for n, v in values.items() if v.reasons), ("_extra", extra_reasons)]
        for position, reason in refused.items()
        if position in kept
    ]
    arrays = {name: column.array for name, column in values.items()} | {
        "_extra": pa.array(texts, pa.string()),
        "_row_hash": pa.array(hashes, pa.string()),
        "_scope": pa.array([clean_text(scope) for scope in scopes], pa.string()),
    }
    whole = pa.table(arrays)
    chosen = whole if len(kept) == len(rows) else whole.take(pa.array(sorted(kept), pa.int64()))
    return Typed(chosen.to_pandas(types_mapper=pd.ArrowDtype), result, superseded)


def _in_known_words(column: sa.Column[Any], values: Values) -> Values:
    """Spell the known values of the column as the marts and queries do."""
    words = known_values(column)
    others = set(values.plain).difference(words, [None]) if words else set()
    if not others:
        return values
    meant = {text: known_word(column, text) for text in others}
    plain = [meant.get(text, text) for text in values.plain]
    return Values(plain, pa.array(plain, pa.string()), values.reasons)


def _kept(
    keys: Sequence[str | None],
    scopes: Sequence[str],
    values: Mapping[str, Values],
    compared: Mapping[str, list[Any]],
    received: Callable[[int], str],
    repeated_since: Mapping[int, int],
) -> tuple[Set[int], dict[int, RecordReason], Set[int]]:
    """Choose one record per key.

    Args:
        keys: per record, its key; None if it has none.
        scopes: per record, its scope.
        values: the columns.
        compared: the values, by column, in which different records differ.
        received: a record as it was received. It decides which one stands for records that are equal, but written
            differently (1 and "1").
        repeated_since: by position, the moment since which an edit explains that the record has the key of another one.

    Returns:
        The positions of the chosen records; by position, why others are rejected; and those of superseded records.
    """
    last = {key: position for position, key in enumerate(keys) if key is not None}
    kept = set(last.values())
    if len(kept) == sum(key is not None for key in keys):
        return kept, {}, set()
    same: dict[tuple[str, str], list[int]] = {}
    for position, key in enumerate(keys):
        if key is not None and scopes[position] == scopes[last[key]]:
            same.setdefault((key, scopes[position]), []).append(position)
    times = [values[name].plain for name in _STATES if name in values]
    reasons: dict[int, RecordReason] = {}
    superseded: set[int] = set()
    for positions in same.values():
        if len(positions) == 1:
            continue
        columns = {name: [column[n] for n in positions] for name, column in compared.items()}
        hashes = dict(zip(positions, _row_hashes(columns), strict=True))
        if len(set(hashes.values())) == 1:
            continue
        moments = {n: tuple(-math.inf if column[n] is None else column[n] for column in times) for n in positions}
        ordered = sorted(positions, key=lambda n: (moments[n], hashes[n], received(n)))
        newest = ordered[-1]
        kept.difference_update(positions)
        kept.add(newest)
        older = {hashes[n]: n for n in ordered if hashes[n] != hashes[newest]}
        for n in older.values():
            since = min(repeated_since.get(m, math.inf) for m in (n, newest))
            if moments[newest][:1] >= (since,):  # empty if the table has no time
                superseded.update(m for m in positions if hashes[m] == hashes[n])
            else:
                reasons[n] = RecordReason.OLDER if moments[n] < moments[newest] else RecordReason.UNDATED
    return kept, reasons, superseded


def row_hash(table: sa.Table, row: Row, extra: Row, volatile: Collection[str]) -> str:
    """Hash a stored row as ``typed`` does.

    Args:
        table: the table of the row.
        row: the values of its own columns, as the database returns them. Times without a zone are in UTC.
        extra: its unmapped fields.
        volatile: columns and unmapped fields that do not count as changes.
    """
    values = {c.name: [_plain(row[c.name])] for c in own_columns(table) if c.name not in volatile}
    return _row_hashes(values | {"_extra": _extra_texts([_less(extra, volatile)])[0]})[0]


def _plain(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return (utc(value) - _EPOCH) // timedelta(microseconds=1)


def _extra_texts(extras: Sequence[Row]) -> tuple[list[str | None], dict[int, Reason]]:
    texts: list[str | None] = [None] * len(extras)
    reasons: dict[int, Reason] = {}
    for position, extra in enumerate(extras):
        if extra:
            try:
                texts[position] = json_text(extra)
            except TooDeep:
                reasons[position] = Reason.TOO_DEEP
            except ValueError:
                reasons[position] = Reason.TOO_MANY_DIGITS
    return texts, reasons


def _less(extra: Row, volatile: Collection[str]) -> Row:
    return {name: value for name, value in extra.items() if name not in volatile} if extra else extra


def _key_codes(values: Mapping[str, Values], keys: Sequence[str], position: int) -> dict[str, str]:
    """By column of the key, what is wrong with it: it is missing, or cannot be read."""
    return {
        name: values[name].reasons.get(position, Reason.MISSING).code
        for name in keys
        if values[name].plain[position] is None
    }


def _described(value: Json) -> str:
    """Describe by kind and size what no database can store: something large or nested."""
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    if isinstance(value, dict | list):
        return f"a {'map' if isinstance(value, dict) else 'list'} of {len(value)} values"
    return "a large number"


def _record_key(values: tuple[str | None, ...]) -> str | None:
    return None if None in values else orjson.dumps(values).decode()


def fingerprint(scope: str, payload: Mapping[str, Json]) -> str:
    """The key of a reject without a usable key. ``payload``: what was received, as ``RejectedRow`` has it."""
    return f"sha256:{hashlib.sha256(json_text([scope, payload]).encode()).hexdigest()}"


def _payload(row: Row, extra: Row) -> dict[str, Json]:
    """What was received, as JSON that every database can store."""
    return {name: _storable(value) for name, value in {**row, "_extra": dict(extra) or None}.items()}


def _storable(value: Json) -> Json:
    try:
        return json.loads(json_text(value))
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
