"""Rewrite stored rows, and their keys, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from ideas_pipeline.records.typed import fingerprint
from ideas_pipeline.tables.columns import own_keys
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.rejects import values_of

Row = Mapping[str, Any]

ROWS_AT_ONCE = 2_000
"""How many rows of a large table are read at once."""


def update_rows(tx: Transaction, table: sa.Table, updates: Sequence[tuple[Row, Row]], at: datetime) -> None:
    """Update rows of one of the community's tables.

    If several rows get the same key, the last one remains. It also replaces a row that has this key already.

    Args:
        tx: the transaction.
        table: the table.
        updates: per row, its present key and its new values by column, which include the key. All rows have the same
            columns.
        at: becomes ``_changed_at`` of the rows; timezone-aware.
    """
    if not updates:
        return
    keys = [str(c.name) for c in own_keys(table)]
    last = {_place(new, keys): (old, new) for old, new in updates}
    lost = [old for old, new in updates if last[_place(new, keys)][0] is not old]
    lost += [new for old, new in last.values() if _place(old, keys) != _place(new, keys)]
    there = sa.and_(tx.owns(table), *(table.c[k] == sa.bindparam(f"old_{k}") for k in keys))
    if lost:
        tx.execute(sa.delete(table).where(there), [{f"old_{k}": row[k] for k in keys} for row in lost])
    names = updates[0][1]
    values = {name: sa.bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    tx.execute(
        sa.update(table).where(there).values(**values, _changed_at=at),
        [
            {f"new_{name}": new[name] for name in names} | {f"old_{k}": old[k] for k in keys}
            for old, new in last.values()
        ],
    )


def rewrite_rows(
    tx: Transaction,
    table: sa.Table,
    rewritten: Callable[[dict[str, Any]], dict[str, Any]],
    which: sa.ColumnElement[bool] | None = None,
) -> int:
    """Replace each row of a bookkeeping table that ``rewritten`` changes. Returns how many. These tables are small."""
    query = sa.select(table).where(tx.owns(table))
    rows = [dict(row) for row in tx.execute(query if which is None else query.where(which)).mappings()]
    pairs = [(row, new) for row in rows if (new := rewritten(row)) != row]
    if not pairs:
        return 0
    keys = [str(c.name) for c in table.primary_key.columns]
    places = {_place(row, keys): None for pair in pairs for row in pair}
    tx.execute(
        sa.delete(table).where(*(table.c[k] == sa.bindparam(f"of_{k}") for k in keys)),
        [{f"of_{k}": v for k, v in zip(keys, place, strict=True)} for place in places],
    )
    news = {_place(new, keys): new for _, new in pairs}
    tx.execute(sa.insert(table), list(news.values()))
    return len(pairs)


def rename_in_history(tx: Transaction, other: Callable[[str], str | None]) -> int:
    """Rename ideas in their history.

    Args:
        tx: a write transaction.
        other: from a composite id to the new id; None if it stays.

    Returns:
        How many rows changed.
    """
    ids = IDEA_HISTORY.c.idea_id
    composite = tx.scalars(sa.select(ids).distinct().where(tx.owns(IDEA_HISTORY), ids.startswith("["))).all()
    return sum(replace_in_history(tx, ids, id_, new) for id_ in composite if (new := other(id_)))


def replace_in_history(tx: Transaction, column: sa.Column[str], old: str, new: str | None) -> int:
    """Replace a value of a column of the history. If two intervals get the same key, the longer one remains.

    Args:
        tx: a write transaction.
        column: the column.
        old: the value.
        new: the value in its place; not null in a column of the key.

    Returns:
        How many rows changed.
    """
    if column.primary_key:
        twin = IDEA_HISTORY.alias("twin")
        same = [twin.c[c.name] == c for c in IDEA_HISTORY.primary_key.columns if c is not column]
        lasts = sa.or_(twin.c.observed_to.is_(None), twin.c.observed_to >= IDEA_HISTORY.c.observed_to)
        for value, of_twin in ((old, new), (new, old)):
            there = sa.exists().where(*same, twin.c[column.name] == of_twin, lasts)
            tx.execute(sa.delete(IDEA_HISTORY).where(tx.owns(IDEA_HISTORY), column == value, there))
    changed = sa.update(IDEA_HISTORY).where(tx.owns(IDEA_HISTORY), column == old).values({column: new})
    return tx.execute(changed).rowcount


def rewritten_key(table: str, key: str, left: Callable[[str, str], str], scope: str, payload: Mapping[str, Any]) -> str:
    """The key of a reject or of a held row, with other values. A fingerprint in it is computed again.

    Args:
        table: the table that the record is for.
        key: the record's key.
        left: from a key column and its value to the value that is left.
        scope: the scope in which the record was read.
        payload: what is left of the record.
    """
    parts = []
    if values := values_of(key):
        names = [str(c.name) for c in own_keys(TABLES[table])]
        parts.append(orjson.dumps([left(name, value) for name, value in zip(names, values, strict=True)]).decode())
    if not key.endswith("]"):
        parts.append(fingerprint(scope, payload))
    return " ".join(parts)


def _place(row: Row, keys: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[k] for k in keys)
