"""Rejects: values and records that could not be typed, in `_rejected_records` until they load or no longer exist."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.late.frames import pd
from ideas_pipeline.tables.bookkeeping import REJECTED_RECORDS
from ideas_pipeline.tables.columns import own_keys
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.reject_reasons import RecordReason, sentence
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.batch import Batch, Reject
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.staging import stage_ids, staging_ids

_R = REJECTED_RECORDS.c


@dataclass(frozen=True, slots=True)
class StoredReject:
    """A stored reject. Times are in UTC. ``value`` and ``payload`` can be personal.

    ``key``: of the record. ``column``: of the value; None if the record itself is rejected. ``code``: what is
    wrong, as a word; None if an earlier version stored it. ``reason``: the same in words.
    """

    table: str
    key: str
    scope: str
    reason: str
    payload: dict[str, Any]
    first_seen_at: datetime
    run_id: str
    column: str | None = None
    value: Any = None
    code: str | None = None


def stored_rejects(tx: Transaction, table: str | None = None) -> list[StoredReject]:
    """The rejects of one table, or of all, in the order in which they came."""
    query = sa.select(REJECTED_RECORDS).where(tx.owns(REJECTED_RECORDS))
    if table is not None:
        query = query.where(_R.table_name == table)
    return [
        StoredReject(
            table=row.table_name,
            key=key_of(row.record_key, row.column_name),
            scope=row.scope,
            reason=sentence(row.reason_code, row.key_reasons) or row.reason,
            payload=row.payload or {},
            first_seen_at=utc(row.first_seen_at),
            run_id=row.run_id,
            column=row.column_name,
            value=row.value,
            code=row.reason_code,
        )
        for row in tx.execute(query.order_by(_R.first_seen_at, _R.table_name, _R.record_key))
    ]


def record_key_of(key: str, column: str | None) -> str:
    """The key under which a reject is stored: of the record, and of the column if only its value is rejected."""
    return key if column is None else f"{key}.{column}"


def key_of(record_key: str, column: str | None) -> str:
    """The record's key, in the key under which a reject is stored."""
    return record_key if column is None else record_key.removesuffix(f".{column}")


def values_of(key: str) -> list[str]:
    """The values in a record's key; empty if the key is a fingerprint. A repeated key is followed by a fingerprint."""
    values: list[str] = json.JSONDecoder().raw_decode(key)[0] if key.startswith("[") else []
    return values


@dataclass(frozen=True, slots=True)
class RejectedOf:
    """Rejects of one table: number of its live rows, of rejected records, and of rejected values."""

    live: int
    records: int
    values: int


def live_and_rejected(tx: Transaction, tables: Collection[str]) -> dict[str, RejectedOf]:
    """Number of live rows, and of rejects, per table that has rejects."""
    records = sa.func.sum(sa.case((_R.column_name.is_(None), 1), else_=0))
    rejects = (
        sa.select(_R.table_name, records, sa.func.count())
        .where(tx.owns(REJECTED_RECORDS), _R.table_name.in_(tables))
        .group_by(_R.table_name)
        .order_by(_R.table_name)
    )
    found = {}
    for name, rejected, all_ in tx.execute(rejects).all():
        table = TABLES[name]
        live = sa.select(sa.func.count()).select_from(table).where(tx.live(table))
        found[name] = RejectedOf(tx.execute(live).scalar_one(), int(rejected), int(all_ - rejected))
    return found


def repeated_ids(tx: Transaction, table: str, scope: str, most: int) -> set[str]:
    """The ids of which a scope had several records when it was last read; none if more than ``most`` were rejected."""
    codes = [reason.code for reason in (RecordReason.OLDER, RecordReason.UNDATED)]
    of_scope = sa.and_(tx.owns(REJECTED_RECORDS), _R.table_name == table, _R.scope == scope, _R.reason_code.in_(codes))
    keys = tx.scalars(sa.select(_R.record_key).where(of_scope).limit(most + 1)).all()
    return {values_of(key)[0] for key in keys} if len(keys) <= most else set()


def delete_retried(tx: Transaction, run_id: str, tables: Collection[str], scopes: Iterable[str]) -> None:
    """Delete the rejects of scopes that a run has loaded completely, unless the run rejected them again.

    Args:
        tx: the transaction.
        run_id: the run.
        tables: the stream of the scopes, and its embedded tables.
        scopes: the scopes.
    """
    staged = staging_ids("retried")
    stage_ids(tx.connection, staged, scopes)
    tx.execute(
        sa.delete(REJECTED_RECORDS).where(
            tx.owns(REJECTED_RECORDS),
            _R.table_name.in_(sorted(tables)),
            _R.scope.in_(sa.select(staged.c.id)),
            _R.run_id != run_id,
        )
    )
    staged.drop(tx.connection, checkfirst=False)


def update_rejects(tx: Transaction, batch: Batch) -> None:
    """Store the batch's rejects. Delete rejects that loaded, and those that a judged scope no longer lists."""
    tables = {batch.stream, *batch.frames, *batch.stated, *(reject.table for reject in batch.rejects)}
    rows = tx.execute(
        sa.select(_R.table_name, _R.record_key, _R.column_name, _R.scope, _R.run_id).where(
            tx.owns(REJECTED_RECORDS), _R.table_name.in_(sorted(tables))
        )
    ).all()
    known = {(row.table_name, row.record_key): row for row in rows}
    rejects = {(r.table, record_key_of(r.record_key, r.column)): r for r in batch.rejects}
    judged = {read.scope for read in batch.scopes if read.judged}
    keys = {reject: key_of(row.record_key, row.column_name) for reject, row in known.items() if reject not in rejects}
    loaded = _loaded(keys, batch)
    settled = [
        reject
        for reject, (_, _, _, scope, run_id) in known.items()
        # Rejects of this run come from an earlier batch of the same scope.
        if reject not in rejects and (reject in loaded or (scope in judged and run_id != batch.run_id))
    ]

    one = _one(tx)
    if settled:
        tx.execute(
            sa.delete(REJECTED_RECORDS).where(one), [{"of_table": table, "of_key": key} for table, key in settled]
        )
    again = [
        {
            "of_table": reject.table,
            "of_key": key[1],
            **_received(reject),
            "run_id": batch.run_id,
        }
        for key, reject in rejects.items()
        if key in known
    ]
    if again:
        tx.execute(sa.update(REJECTED_RECORDS).where(one), again)
    new = [
        {
            "community": tx.community,
            "table_name": reject.table,
            "record_key": key[1],
            **_received(reject),
            "first_seen_at": utc(batch.at),
            "run_id": batch.run_id,
        }
        for key, reject in rejects.items()
        if key not in known
    ]
    if new:
        tx.execute(sa.insert(REJECTED_RECORDS), new)


def _one(tx: Transaction) -> sa.ColumnElement[bool]:
    """Condition for one reject, whose table and key are bound as ``of_table`` and ``of_key``."""
    return sa.and_(
        tx.owns(REJECTED_RECORDS),
        _R.table_name == sa.bindparam("of_table"),
        _R.record_key == sa.bindparam("of_key"),
    )


def _received(reject: Reject) -> dict[str, Any]:
    return {
        "scope": reject.scope,
        "column_name": reject.column,
        "reason": reject.reason,
        "reason_code": reject.code,
        "key_reasons": reject.key_codes,
        "value": reject.value,
        "payload": reject.payload,
    }


def _loaded(rejects: Mapping[tuple[str, str], str], batch: Batch) -> set[tuple[str, str]]:
    """Those of ``rejects`` (with the key of their record) whose key is the key of a row in the batch's frames."""
    found: set[tuple[str, str]] = set()
    for name in {table for table, _ in rejects} & set(batch.frames):
        keys = _keys(TABLES[name], batch.frames[name])
        found |= {reject for reject, key in rejects.items() if reject[0] == name and _parsed(key) in keys}
    return found


def _keys(table: sa.Table, frame: pd.DataFrame) -> set[tuple[str, ...]]:
    names = [c.name for c in own_keys(table)]
    return set(zip(*(frame[name].tolist() for name in names), strict=True))


def _parsed(record_key: str) -> tuple[str, ...] | None:
    """The key's values as text; None if the key is, or is followed by, a fingerprint."""
    return tuple(map(str, values_of(record_key))) if record_key.endswith("]") else None
