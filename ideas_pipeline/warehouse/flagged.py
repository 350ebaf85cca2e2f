"""Records that the API lists, and calls deleted: their rows are marked at once, and not written again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import sqlalchemy as sa

from ideas_pipeline.tables.columns import parent_of
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.absences import confirm_absences, explained, note_rows
from ideas_pipeline.warehouse.batch import Batch
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.merge import Deletion, same_row
from ideas_pipeline.warehouse.staging import stage_ids, staging_ids


@dataclass(frozen=True, slots=True)
class Flagged:
    """Staged records that say that they are deleted.

    Attributes:
        known: those that have a row, with the scope that brought them. The row keeps what it has.
        to_mark: those whose row is live, or not yet there.
    """

    known: dict[str, str] = field(default_factory=dict)
    to_mark: set[str] = field(default_factory=set)


def find_flagged(tx: Transaction, table: sa.Table, staged: sa.Table, ids: Collection[str]) -> Flagged:
    """The staged records among ``ids``."""
    found = Flagged()
    if not ids:
        return found
    wanted = staging_ids("flagged")
    stage_ids(tx.connection, wanted, ids)
    rows = tx.execute(
        sa.select(staged.c.id, staged.c._scope, table.c.community.is_not(None), table.c._deleted_at.is_(None))
        .select_from(staged.outerjoin(table, sa.and_(tx.owns(table), same_row(table, staged))))
        .where(staged.c.id.in_(sa.select(wanted.c.id)))
    )
    for id_, scope, is_known, is_live in rows:
        if is_known:
            found.known[id_] = scope
        if is_live:
            found.to_mark.add(id_)
    wanted.drop(tx.connection, checkfirst=False)
    return found


def mark_flagged(tx: Transaction, batch: Batch, ids: set[str]) -> dict[str, int]:
    """Mark the rows ``ids`` as deleted, with their embedded rows. Return how many were marked, by scope."""
    marked = Counter[str]()
    if ids:
        stream = batch.stream
        note_rows(tx, stream, batch.listed_by, ids, batch.run_id, batch.at)
        cleared = explained(tx, stream, batch.listed_by, batch.run_id, batch.at).get("cleared", set())
        below = [name for name, table in TABLES.items() if (parent_of(table) or ("", ""))[1] == stream]
        embedded = [name for name in below if "id" not in TABLES[name].c]
        for because, some in (("cleared", ids & cleared), ("flagged", ids - cleared)):
            marked.update(confirm_absences(tx, stream, some, embedded, Deletion(batch.run_id, batch.at, because)))
    return marked
