"""Merge of staged rows into their table; only rows that differ are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.tables.columns import parent_of
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.batch import Batch
from ideas_pipeline.warehouse.database import Transaction

_IDS_AT_ONCE = 500


def same_row(table: sa.Table, staged: sa.Table) -> sa.ColumnElement[bool]:
    """Condition: a staged row has the key of a row of ``table``. The caller restricts ``table`` to the community."""
    return sa.and_(*(table.c[key.name] == key for key in staged.primary_key.columns))


def count(tx: Transaction, table: sa.Table, staged: sa.Table, batch: Batch) -> dict[str, tuple[int, int, int]]:
    """Count the staged rows, per scope, that are new, that differ from their row, and that are equal to it."""
    is_new = table.c.community.is_(None)
    differs = sa.and_(table.c.community.is_not(None), _differs(table, staged, batch))
    inserted = sa.func.sum(sa.case((is_new, 1), else_=0))
    updated = sa.func.sum(sa.case((differs, 1), else_=0))
    rows = tx.execute(
        sa.select(staged.c._scope, inserted, updated, sa.func.count())
        .select_from(staged.outerjoin(table, sa.and_(tx.owns(table), same_row(table, staged))))
        .group_by(staged.c._scope)
    )
    return {scope: (int(new), int(changed), int(all_ - new - changed)) for scope, new, changed, all_ in rows}


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A staged row whose live row has another parent. ``scope``: where it was read; ``home``: the live row's parent."""

    scope: str
    home: str


def elsewhere(tx: Transaction, table: sa.Table, staged: sa.Table) -> dict[str, Elsewhere]:
    """The staged rows that have the id of a live row of another live parent, by id."""
    parent = parent_of(table)
    if not parent:
        return {}
    above, own = TABLES[parent[1]], table.c[parent[0]]
    there = sa.and_(tx.live(table), same_row(table, staged), own != staged.c[parent[0]])
    rows = tx.execute(
        sa.select(staged.c.id, staged.c._scope, own)
        .join(table, there)
        # Redundant, but lets SQLite use the primary-key index instead of scanning the community.
        .where(table.c.id.in_(sa.select(staged.c.id).correlate(None)))
        .where(sa.exists().where(tx.live(above), above.c.id == own))
    )
    return {id_: Elsewhere(scope, home) for id_, scope, home in rows}


def live_rows(tx: Transaction, table: sa.Table, ids: Sequence[str]) -> Iterator[sa.RowMapping]:
    """The live rows with these ids."""
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = table.c.id.in_(ids[start : start + _IDS_AT_ONCE])
        yield from tx.execute(sa.select(table).where(tx.live(table), some)).mappings()


def update_changed(tx: Transaction, table: sa.Table, staged: sa.Table, batch: Batch) -> int:
    """Update the rows of ``table`` that differ from their staged rows, or come back. Return how many there were.

    Nothing is known of the columns that vanished from the API, so rows keep what they have there.
    """
    vanished = batch.vanished.get(table.name, frozenset())
    values = {c.name: c for c in _values(staged) if c.name not in vanished}
    # Redundant, but lets SQLite use the primary-key index instead of scanning the community.
    first = next(iter(staged.primary_key.columns))
    among = table.c[first.name].in_(sa.select(first).correlate(None))
    written = {"_changed_at": utc(batch.at), "_deleted_at": None, "_deleted_because": None, "_run_id": batch.run_id}
    updated = tx.execute(
        sa.update(table)
        .where(tx.owns(table), among, same_row(table, staged), _differs(table, staged, batch))
        .values(**values, **written)
    )
    return updated.rowcount


def insert_new(tx: Transaction, table: sa.Table, staged: sa.Table, batch: Batch) -> int:
    """Insert the staged rows whose key no row of ``table`` has. Return how many there were."""
    names = [c.name for c in staged.columns if c.name != "_scope"]
    moment = sa.literal(utc(batch.at), table.c._changed_at.type)
    known = sa.exists().where(tx.owns(table), same_row(table, staged))
    rows = sa.select(
        sa.literal(tx.community, table.c.community.type),
        *(staged.c[name] for name in names),
        moment,
        moment,
        sa.literal(batch.run_id, table.c._run_id.type),
    )
    inserted = tx.execute(
        sa.insert(table)
        .from_select(["community", *names, "_first_seen_at", "_changed_at", "_run_id"], rows.where(~known))
        .execution_options(preserve_rowcount=True)
    )
    return inserted.rowcount


@dataclass(frozen=True, slots=True)
class Deletion:
    """What is written to rows that are marked deleted.

    Attributes:
        run_id: The run that marks them.
        at: When; timezone-aware.
        because: The reason.
    """

    run_id: str
    at: datetime
    because: str = "gone"


def mark_deleted(tx: Transaction, table: sa.Table, which: sa.ColumnElement[bool], deletion: Deletion) -> None:
    """Mark the community's live rows for which ``which`` holds as deleted."""
    at = utc(deletion.at)
    tx.execute(
        sa.update(table)
        .where(tx.live(table), which)
        .values(_deleted_at=at, _deleted_because=deletion.because, _changed_at=at, _run_id=deletion.run_id)
    )


def _values(staged: sa.Table) -> list[sa.Column[Any]]:
    return [c for c in staged.columns if not c.primary_key and c.name != "_scope"]


def _differs(table: sa.Table, staged: sa.Table, batch: Batch) -> sa.ColumnElement[bool]:
    """Whether a row must be updated. If columns vanished, the stored hash may still count them: the values decide.

    As in the hash, volatile values do not count. A volatile field that is not mapped is somewhere in ``_extra``.
    """
    changed = table.c._row_hash != staged.c._row_hash
    if vanished := batch.vanished.get(table.name):
        volatile = batch.volatile.get(table.name, frozenset())
        extra = set() if volatile <= set(table.columns.keys()) else {"_extra"}
        compared = [c for c in _values(staged) if c.name not in {"_row_hash", *vanished, *volatile, *extra}]
        changed = sa.and_(changed, sa.or_(*(table.c[c.name].is_distinct_from(c) for c in compared)))
    differs = sa.or_(changed, table.c._deleted_at.is_not(None))
    return sa.and_(differs, ~_went_with_parent(table, staged)) if table.name == batch.stream else differs


def _went_with_parent(table: sa.Table, staged: sa.Table) -> sa.ColumnElement[bool]:
    """Condition: a row was deleted with its parent, and comes again with a parent that is deleted.

    It can still come in a list that is not that of its parent. It stays as it is until its parent comes back.
    """
    parent = parent_of(table)
    if parent is None:
        return sa.false()
    above = TABLES[parent[1]]
    is_parent = sa.and_(above.c.community == table.c.community, above.c.id == staged.c[parent[0]])
    return sa.and_(
        table.c._deleted_at.is_not(None),
        table.c._deleted_because == "parent_gone",
        sa.exists().where(is_parent, above.c._deleted_at.is_not(None)),
    )
