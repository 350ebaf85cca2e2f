"""The policy for personal data: which columns are kept, hashed or dropped before anything is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.privacy.key import HEX, Key, is_hash
from ideas_pipeline.setting_types import Choice, Policy
from ideas_pipeline.tables.columns import kind, own_keys, pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.text import json_text
from ideas_pipeline.warehouse.database import Transaction

# The hash of no row: the next sweep writes the row again, so that a value that may be kept again comes back.
_UNLIKE_ANY = ""
# Table, column, and whether the column is to be hashed; otherwise it is to be empty.
Column = tuple[str, str, bool]

# Tables whose rows describe a person: their unmapped fields are a profile, too.
ABOUT_A_PERSON = ("users", "user_answers")
# A file without an id is identified by its name, so its key is a text, too. Other keys equal a text only by chance.
KNOWN_BY_TEXT = {"idea_attachments": ("attachment_id",)}


def apply(policy: Policy, key: Key, table: str, records: Sequence[Record]) -> None:
    """Apply the policy to the columns and unmapped fields of records, in place.

    Only texts can be hashed: a time or a number of a class that is to be hashed is dropped.

    Args:
        policy: the policy.
        key: hashes.
        table: the table of the records.
        records: the records.
    """
    plan, clears, drops_words = _plan(policy, table)
    if not plan and not clears:
        return
    for record in records:
        columns = record.columns
        for name, hashed in plan:
            value = columns.get(name)
            if value is None:
                continue
            columns[name] = key.word(_text(value)) if hashed else None
            for part in KNOWN_BY_TEXT.get(table, ()):
                if columns.get(part) == value:
                    columns[part] = key.word(_text(value))
        if clears:
            record.extra.clear()
        elif drops_words:
            drop_words(record.extra)


def drop_words(extra: dict[str, Any]) -> None:
    """Remove from unmapped fields, in place, what can hold a text. Numbers stay."""
    for name in [name for name, value in extra.items() if not says_no_words(value)]:
        del extra[name]


def says_no_words(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float)


def columns_not_kept(policy: Policy, table: str) -> tuple[tuple[str, bool], ...]:
    """The columns of ``table`` that ``policy`` does not keep, each with whether it is hashed."""
    return _plan(policy, table)[0]


@cache
def _plan(policy: Policy, table: str) -> tuple[tuple[tuple[str, bool], ...], bool, bool]:
    """How ``policy`` treats a table.

    Returns:
        The columns that are not kept, each with whether it is hashed; whether the unmapped fields are a profile that is
        not kept; and whether they can repeat a text that is not kept.
    """
    chosen = {c.name: _choice(policy, c) for c in TABLES[table].columns}
    plan = tuple((str(name), choice == "hash") for name, choice in chosen.items() if choice != "keep")
    has_texts = any(pii(c) == "free_text" for c in TABLES[table].columns)
    clears = table in ABOUT_A_PERSON and policy.profile != "keep"
    return plan, clears, has_texts and policy.free_text != "keep"


def _choice(policy: Policy, column: sa.Column[Any]) -> Choice:
    of = pii(column)
    if of is None or of == "person_id":
        return "keep"
    choice: Choice = getattr(policy, of)
    return "drop" if choice == "hash" and kind(column) not in ("id", "text") else choice


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return json_text(value)
    except ValueError:
        return ""


def not_as_allowed(tx: Transaction, policy: Policy) -> list[Column]:
    """The columns with stored values that ``policy`` does not allow."""
    found = []
    for table in TABLES.values():
        for name, hashed in columns_not_kept(policy, table.name):
            column = table.c[name]
            more = sa.func.length(column) != HEX if hashed else column.is_not(None)
            query = sa.select(sa.exists().where(tx.owns(table), more))
            if tx.scalar(query):
                found.append((table.name, name, hashed))
    return found


def make_allowed(tx: Transaction, columns: list[Column], key: Key, at: datetime) -> set[str]:
    """Empty or hash ``columns``, also in deleted rows.

    Args:
        tx: the transaction.
        columns: what to change.
        key: hashes.
        at: becomes ``_changed_at`` of changed rows; timezone-aware.

    Returns:
        The tables that were changed.
    """
    if tx.dialect.name == "sqlite":
        tx.connection.exec_driver_sql("PRAGMA secure_delete = ON")  # what is overwritten is gone from the page
    for name, column, hashed in columns:
        table = TABLES[name]
        if hashed or name in KNOWN_BY_TEXT:
            _one_by_one(tx, table, column, key, at, hashed=hashed)
        else:
            new: dict[str, Any] = {column: None, "_changed_at": at, "_row_hash": _UNLIKE_ANY}
            ours = sa.and_(tx.owns(table), table.c[column].is_not(None))
            tx.execute(sa.update(table).where(ours).values(new))
    return {name for name, _, _ in columns}


def _one_by_one(
    tx: Transaction,
    table: sa.Table,
    column: str,
    key: Key,
    at: datetime,
    *,
    hashed: bool,
) -> None:
    """Change the rows of ``table`` whose ``column`` is not allowed. A key that is the same text is hashed, too."""
    keys = [str(c.name) for c in own_keys(table)]
    ours = sa.and_(tx.owns(table), table.c[column].is_not(None))
    updates = []
    for row in tx.execute(sa.select(table.c[column].label("text"), *(table.c[k] for k in keys)).where(ours)):
        done = is_hash(row.text)
        if done and hashed:
            continue
        word = row.text if done else key.word(row.text)
        of = {k: row._mapping[k] for k in keys}
        new = {k: word if k in KNOWN_BY_TEXT.get(table.name, ()) and v == row.text else v for k, v in of.items()}
        updates.append(
            {f"of_{k}": v for k, v in of.items()}
            | {f"new_{k}": v for k, v in new.items()}
            | {"new": word if hashed else None}
        )
    if updates:
        tx.execute(
            sa.update(table)
            .where(tx.owns(table), *(table.c[k] == sa.bindparam(f"of_{k}") for k in keys))
            .values(
                {k: sa.bindparam(f"new_{k}") for k in keys}
                | {column: sa.bindparam("new", type_=table.c[column].type), "_changed_at": at, "_row_hash": _UNLIKE_ANY}
            ),
            updates,
        )
