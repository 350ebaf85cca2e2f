"""Hold what is stored already to the policy, when the policy has changed since it was stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.privacy.policy import KNOWN_BY_TEXT, apply, columns_not_kept
from ideas_pipeline.privacy.stored_rows import (
    ROWS_AT_ONCE,
    replace_in_history,
    rewrite_rows,
    rewritten_key,
    update_rows,
)
from ideas_pipeline.privacy.unmapped import Cleaner
from ideas_pipeline.setting_types import KEEPS, Policy
from ideas_pipeline.tables.bookkeeping import ABSENCES, POLICIES, REJECTED_RECORDS
from ideas_pipeline.tables.columns import kind, own_keys
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.rejects import key_of, record_key_of

# Increased when more is recognised as personal data: what is stored is then held to the policy again.
RULES = 4

# Not the hash of any row: the next sweep writes the row again, so that a value that may be kept again comes back.
_UNLIKE_ANY = ""
_CLASSES = tuple(field.name for field in fields(Policy))
_ORDER = ("keep", "hash", "drop")


def policy_mark(policy: Policy) -> int:
    """A number that stands for a policy and the rules by which it is applied: from 1 to 2**31 - 1."""
    content = f"{RULES} {_written(policy)}"
    return int.from_bytes(hashlib.blake2b(content.encode(), digest_size=4).digest()) % (2**31 - 1) + 1


def policy_in_force(tx: Transaction) -> tuple[Policy, int]:
    """The policy to which the stored rows were held last, and the version of its rules; 0 if there was none."""
    row = tx.execute(sa.select(POLICIES).where(tx.owns(POLICIES))).first()
    if row is None:
        return KEEPS, 0
    return Policy(**dict(choice.split("=") for choice in row.policy.split())), row.rules


def looser(policy: Policy, before: Policy) -> list[str]:
    """The classes of which ``policy`` keeps more than ``before``."""
    return [name for name in _CLASSES if _ORDER.index(getattr(policy, name)) < _ORDER.index(getattr(before, name))]


def hold_rows(tx: Transaction, cleaner: Cleaner, at: datetime) -> dict[str, int]:
    """Drop or hash what the policy does not keep, in every table, and note the policy.

    Args:
        tx: the transaction.
        cleaner: the policy.
        at: becomes ``_changed_at`` of changed rows; timezone-aware.

    Returns:
        The number of changed rows, by table.
    """
    if tx.dialect.name == "sqlite":
        tx.connection.exec_driver_sql("PRAGMA secure_delete = ON")  # what is overwritten is gone from the page
    changed: dict[str, int] = {}
    if not cleaner.keeps_all:
        changed = {table.name: _hold_table(tx, table, cleaner, at) for table in TABLES.values()}
        changed[IDEA_HISTORY.name] = _hold_history(tx, cleaner)
        changed[REJECTED_RECORDS.name] = rewrite_rows(tx, REJECTED_RECORDS, _held_reject(cleaner))
        if cleaner.policy.free_text != "keep":
            # Their ids can be texts. If the rows are still absent, the next sweep holds them again.
            tx.execute(sa.delete(ABSENCES).where(tx.owns(ABSENCES), ABSENCES.c.stream.in_(KNOWN_BY_TEXT)))
    _note(tx, cleaner.policy, at)
    return {name: rows for name, rows in changed.items() if rows}


def _note(tx: Transaction, policy: Policy, at: datetime) -> None:
    tx.execute(sa.delete(POLICIES).where(tx.owns(POLICIES)))
    row = {"community": tx.community, "policy": _written(policy), "rules": RULES, "applied_at": utc(at)}
    tx.execute(sa.insert(POLICIES), [row])


def _written(policy: Policy) -> str:
    return " ".join(f"{name}={getattr(policy, name)}" for name in _CLASSES)


def _hold_table(tx: Transaction, table: sa.Table, cleaner: Cleaner, at: datetime) -> int:
    """Change the rows of ``table`` that are not as the policy allows, those that are marked deleted included."""
    keys = [str(c.name) for c in own_keys(table)]
    not_kept = {name for name, _ in columns_not_kept(cleaner.policy, table.name)}
    texts = [str(c.name) for c in table.columns if kind(c) == "text" and not c.name.startswith("_")]
    read = list(dict.fromkeys([*keys, *texts, *sorted(not_kept), "_extra"]))
    query = sa.select(*(table.c[name] for name in read)).where(tx.owns(table)).limit(ROWS_AT_ONCE)
    query = query.order_by(*(table.c[k] for k in keys))
    if cleaner.policy.profile == "keep":  # otherwise any text can be a number of a telephone
        signs = [_may_not_stay(table.c[name]) for name in dict.fromkeys([*texts, *keys])]
        stored = [table.c[name].is_not(None) for name in (*not_kept, "_extra")]
        query = query.where(sa.or_(*signs, *stored))
    changed = 0
    last: tuple[Any, ...] | None = None
    while True:
        # Page by page: a policy can concern every row of the largest table.
        page = query if last is None else query.where(sa.tuple_(*(table.c[k] for k in keys)) > sa.tuple_(*last))
        rows = tx.execute(page).mappings().all()
        if not rows:
            return changed
        last = tuple(rows[-1][k] for k in keys)
        updates = [({k: row[k] for k in keys}, new) for row in rows if (new := _held(table, cleaner, read, row))]
        update_rows(tx, table, updates, at)
        changed += len(updates)


def _may_not_stay(column: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Condition for texts that may have to change: ``not Cleaner.stays``, if the class ``profile`` is kept."""
    return sa.or_(column.contains("@"), column.startswith("{"), column.startswith("["))


def _held(table: sa.Table, cleaner: Cleaner, read: Sequence[str], row: sa.RowMapping) -> dict[str, Any] | None:
    """The new values of a row; None if the row is as the policy allows."""
    stored = {name: row[name] for name in read if name != "_extra"}
    record = Record(dict(stored), dict(row["_extra"] or {}))
    apply(cleaner, table.name, [record])
    if record.columns == stored and record.extra == (row["_extra"] or {}):
        return None
    return record.columns | {"_extra": record.extra or None, "_row_hash": _UNLIKE_ANY}


def _hold_history(tx: Transaction, cleaner: Cleaner) -> int:
    """Apply the policy to past values exactly as to current ones.

    Otherwise the history would show a change that did not happen.
    """
    changed = 0
    for column in (IDEA_HISTORY.c.name, IDEA_HISTORY.c.value):
        query = sa.select(column).distinct().where(tx.owns(IDEA_HISTORY), column.is_not(None))
        for stored in tx.scalars(query).all():
            kept = cleaner.column(stored)
            if kept is None and column.primary_key:
                kept = cleaner.text_hash(stored)
            if kept != stored:
                changed += replace_in_history(tx, column, stored, kept)
    return changed


def _held_reject(cleaner: Cleaner) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def held(row: dict[str, Any]) -> dict[str, Any]:
        received, column = row["payload"] or {}, row["column_name"]
        columns = {name: value for name, value in received.items() if name != "_extra"}
        if column is not None:  # the policy of its column applies to the value
            columns[column] = row["value"]
        record = Record(columns, dict(received.get("_extra") or {}))
        before = dict(record.columns)
        apply(cleaner, row["table_name"], [record])
        changed = {name: value for name, value in record.columns.items() if value != before[name]}
        value = None if column is None else record.columns.pop(column)
        payload = record.columns | ({"_extra": record.extra or None} if "_extra" in received else {})
        if payload == received and value == row["value"]:
            return row
        key = rewritten_key(row["table_name"], key_of(row["record_key"], column), changed.get, row["scope"], payload)
        return row | {"record_key": record_key_of(key, column), "value": value, "payload": payload}

    return held
