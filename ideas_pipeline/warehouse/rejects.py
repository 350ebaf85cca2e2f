"""Rejects: records that could not be typed, in `_rejected_records` until they load or no longer exist."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import REJECTED_RECORDS
from ideas_pipeline.tables.columns import own_keys
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.batch import Batch
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.staging import stage_ids, staging_ids

_R = REJECTED_RECORDS.c


@dataclass(frozen=True, slots=True)
class StoredReject:
    """A stored reject. Times are in UTC. ``payload`` can be personal, and ``reason`` can quote it."""

    table: str
    key: str
    scope: str
    reason: str
    payload: dict[str, Any]
    first_seen_at: datetime
    run_id: str


def stored_rejects(tx: Transaction, table: str | None = None) -> list[StoredReject]:
    """The rejects of one table, or of all, in the order in which they came."""
    query = sa.select(REJECTED_RECORDS).where(tx.owns(REJECTED_RECORDS))
    if table is not None:
        query = query.where(_R.table_name == table)
    return [
        StoredReject(
            table=row.table_name,
            key=row.record_key,
            scope=row.scope,
            reason=row.reason,
            payload=row.payload or {},
            first_seen_at=utc(row.first_seen_at),
            run_id=row.run_id,
        )
        for row in tx.execute(query.order_by(_R.first_seen_at, _R.table_name, _R.record_key))
    ]


def live_and_rejected(tx: Transaction, tables: Collection[str]) -> dict[str, tuple[int, int]]:
    """Number of live rows and number of rejects, per table that has rejects."""
    rejects = (
        sa.select(_R.table_name, sa.func.count())
        .where(tx.owns(REJECTED_RECORDS), _R.table_name.in_(tables))
        .group_by(_R.table_name)
        .order_by(_R.table_name)
    )
    found = {}
    for name, rejected in tx.execute(rejects).all():
        table = TABLES[name]
        live = sa.select(sa.func.count()).select_from(table).where(tx.live(table))
        found[name] = (tx.execute(live).scalar_one(), rejected)
    return found


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
        sa.select(_R.table_name, _R.record_key, _R.scope, _R.run_id).where(
            tx.owns(REJECTED_RECORDS), _R.table_name.in_(sorted(tables))
        )
    )
    known = {(table, key): (scope, run_id) for table, key, scope, run_id in rows}
    rejects = {(reject.table, reject.record_key): reject for reject in batch.rejects}
    judged = {read.scope for read in batch.scopes if read.judged}
    loaded = _loaded({reject for reject in known if reject not in rejects}, batch)
    settled = [
        reject
        for reject, (scope, run_id) in known.items()
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
            "of_key": reject.record_key,
            "scope": reject.scope,
            "reason": reject.reason,
            "payload": reject.payload,
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
            "record_key": reject.record_key,
            "scope": reject.scope,
            "reason": reject.reason,
            "payload": reject.payload,
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


def _loaded(rejects: set[tuple[str, str]], batch: Batch) -> set[tuple[str, str]]:
    """Those of ``rejects`` (table, record key) whose key is the key of a row in the batch's frames."""
    found: set[tuple[str, str]] = set()
    for name in {table for table, _ in rejects} & set(batch.frames):
        keys = _keys(TABLES[name], batch.frames[name])
        found |= {(table, key) for table, key in rejects if table == name and _parsed(key) in keys}
    return found


def _keys(table: sa.Table, frame: pd.DataFrame) -> set[tuple[str, ...]]:
    names = [c.name for c in own_keys(table)]
    return set(zip(*(frame[name].tolist() for name in names), strict=True))


def _parsed(record_key: str) -> tuple[str, ...] | None:
    """The key's values as text; None for the fingerprint of a record without a usable key."""
    try:
        values = json.loads(record_key)
    except ValueError:
        return None
    return tuple(str(value) for value in values) if isinstance(values, list) else None
