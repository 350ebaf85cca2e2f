"""What is stored already of people, where the policy says less than it did: rows that are gone are never read anew."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.privacy.key import HEX, Key, is_hash
from ideas_pipeline.privacy.policy import KNOWN_BY_TEXT, columns_not_kept
from ideas_pipeline.setting_types import Policy
from ideas_pipeline.tables.columns import own_keys
from ideas_pipeline.tables.community import TABLES

# Such a row differs from whatever is read next, so that what is to be kept again comes back.
_UNLIKE_ANY = ""

Column = tuple[str, str, bool]
"""Table, column, and whether it is to be hashed; else it is to be empty."""


def not_as_allowed(connection: sa.Connection, community: str, policy: Policy) -> list[Column]:
    """The columns in which the community has rows that hold more than ``policy`` allows."""
    found = []
    for table in TABLES.values():
        for name, hashed in columns_not_kept(policy, table.name):
            column = table.c[name]
            more = sa.func.length(column) != HEX if hashed else column.is_not(None)
            query = sa.select(sa.exists().where(table.c.community == community, more))
            if connection.scalar(query):
                found.append((table.name, name, hashed))
    return found


def make_allowed(connection: sa.Connection, community: str, columns: list[Column], key: Key, at: datetime) -> set[str]:
    """Empties or hashes ``columns``, also of rows that are gone. ``at`` (it knows its zone) becomes ``_changed_at``.

    Returns the tables that were changed.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")  # what is overwritten is gone from the page
    for name, column, hashed in columns:
        table = TABLES[name]
        if hashed or name in KNOWN_BY_TEXT:
            _one_by_one(connection, community, table, column, key, at, hashed=hashed)
        else:
            new: dict[str, Any] = {column: None, "_changed_at": at, "_row_hash": _UNLIKE_ANY}
            ours = sa.and_(table.c.community == community, table.c[column].is_not(None))
            connection.execute(sa.update(table).where(ours).values(new))
    return {name for name, _, _ in columns}


def _one_by_one(
    connection: sa.Connection,
    community: str,
    table: sa.Table,
    column: str,
    key: Key,
    at: datetime,
    *,
    hashed: bool,
) -> None:
    """The rows of ``table`` whose ``column`` holds more than it may. A key that is the same text is hashed, too."""
    keys = [str(c.name) for c in own_keys(table)]
    ours = sa.and_(table.c.community == community, table.c[column].is_not(None))
    updates = []
    for row in connection.execute(sa.select(table.c[column].label("text"), *(table.c[k] for k in keys)).where(ours)):
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
        connection.execute(
            sa.update(table)
            .where(table.c.community == community, *(table.c[k] == sa.bindparam(f"of_{k}") for k in keys))
            .values(
                {k: sa.bindparam(f"new_{k}") for k in keys}
                | {column: sa.bindparam("new", type_=table.c[column].type), "_changed_at": at, "_row_hash": _UNLIKE_ANY}
            ),
            updates,
        )
