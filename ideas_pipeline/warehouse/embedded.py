"""Embedded rows that their record no longer contains: marked deleted, or held if there are too many at once.

Held embedded rows are in ``_absences`` under the name of their table: ``id`` is their key (without the community) as a
JSON list, ``scope`` the record that contains them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import orjson
import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import ABSENCES
from ideas_pipeline.tables.columns import own_keys
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse import history
from ideas_pipeline.warehouse.batch import Batch, too_many
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.merge import Deletion, mark_deleted, same_row
from ideas_pipeline.warehouse.staging import stage_ids, staging_ids

Key = tuple[str, ...]


def mark_absent(
    tx: Transaction, table: sa.Table, staged: sa.Table, complete: sa.Table, batch: Batch
) -> tuple[int, int]:
    """Mark absent rows of an embedded table as deleted, or hold them.

    A held row is held until it is seen again or confirmed.

    Args:
        tx: A transaction that writes.
        table: The embedded table.
        staged: Its staged rows.
        complete: The staged ids of the records whose list came complete. Their rows that are not staged are absent.
        batch: The batch that is being loaded.

    Returns:
        How many rows were marked, and how many are held.
    """
    of_these = sa.and_(tx.live(table), owner(table).in_(sa.select(complete.c.id)))
    absent = sa.and_(of_these, ~sa.exists().where(same_row(table, staged)))
    count = _count(tx, table, absent)
    held = _held(tx, table, complete)
    if not count and not held:
        return 0, 0
    live = _count(tx, table, of_these)
    deletion = Deletion(batch.run_id, batch.at)
    if not held and not too_many(count, live, batch.mass_absence_percent):
        mark_deleted(tx, table, absent, deletion)
        return count, 0
    keys = {tuple(row) for row in tx.execute(sa.select(*own_keys(table)).where(absent))}
    _release(tx, table, held - keys)
    new = keys - held
    if not too_many(len(new), live, batch.mass_absence_percent):
        _mark(tx, table, new, deletion)
        return len(new), len(keys & held)
    because = (
        f"{len(new)} of {live} rows of {table.name} are missing at once, more than {batch.mass_absence_percent:g} %: "
        "deleted, or left out by the API? Nothing was marked as deleted"
    )
    _hold(tx, table, new, batch, because)
    return 0, len(keys)


def confirm_embedded(tx: Transaction, name: str, ids: Collection[str], deletion: Deletion) -> int:
    """Mark the rows of the embedded table ``name`` that are held under ``ids`` as deleted. Return how many.

    Ids that are not (or no longer) held are ignored.
    """
    table = TABLES[name]
    held = tx.scalars(sa.select(ABSENCES.c.id).where(_of(tx, table))).all()
    keys = [_key(id_) for id_ in set(ids).intersection(held)]
    _mark(tx, table, keys, deletion)
    _release(tx, table, keys)
    if name == "idea_labels" and keys:
        ideas = staging_ids("labelled")
        stage_ids(tx.connection, ideas, (key[_owner_at(table)] for key in keys))
        history.record(tx, sa.select(ideas.c.id), deletion.run_id, utc(deletion.at))
        ideas.drop(tx.connection, checkfirst=False)
    return len(keys)


def release_of(tx: Transaction, names: Collection[str], owners: sa.Select[tuple[str]]) -> None:
    """Stop holding the rows of the embedded tables ``names`` whose records, the ``owners``, are deleted themselves."""
    if names:
        of_these = sa.and_(ABSENCES.c.stream.in_(names), ABSENCES.c.scope.in_(owners))
        tx.execute(sa.delete(ABSENCES).where(tx.owns(ABSENCES), of_these))


def _count(tx: Transaction, table: sa.Table, which: sa.ColumnElement[bool]) -> int:
    return int(tx.scalar(sa.select(sa.func.count()).select_from(table).where(which)))


def _held(tx: Transaction, table: sa.Table, owners: sa.Table) -> set[Key]:
    """The keys of the held rows of the records ``owners``: nearly always none."""
    of_these = sa.and_(_of(tx, table), ABSENCES.c.scope.in_(sa.select(owners.c.id)))
    return {_key(id_) for id_ in tx.scalars(sa.select(ABSENCES.c.id).where(of_these))}


def _hold(tx: Transaction, table: sa.Table, keys: Iterable[Key], batch: Batch, because: str) -> None:
    row = {
        "community": tx.community,
        "stream": table.name,
        "run_id": batch.run_id,
        "noticed_at": utc(batch.at),
        "held_because": because,
    }
    at = _owner_at(table)
    tx.execute(
        sa.insert(ABSENCES), [{**row, "id": orjson.dumps(key).decode(), "scope": key[at]} for key in sorted(keys)]
    )


def _release(tx: Transaction, table: sa.Table, keys: Collection[Key]) -> None:
    """Stop holding rows that were seen again or marked."""
    if keys:
        tx.execute(
            sa.delete(ABSENCES).where(_of(tx, table), ABSENCES.c.id == sa.bindparam("of_id")),
            [{"of_id": orjson.dumps(key).decode()} for key in keys],
        )


def _mark(tx: Transaction, table: sa.Table, keys: Iterable[Key], deletion: Deletion) -> None:
    for key in keys:
        mark_deleted(tx, table, sa.and_(*(c == v for c, v in zip(own_keys(table), key, strict=True))), deletion)


def _of(tx: Transaction, table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(tx.owns(ABSENCES), ABSENCES.c.stream == table.name)


def _key(id_: str) -> Key:
    return tuple(orjson.loads(id_))


def _owner_at(table: sa.Table) -> int:
    """Position in the key of the id of the record that contains the row."""
    return next(at for at, column in enumerate(own_keys(table)) if column.info["parent"])


def owner(table: sa.Table) -> sa.Column[str]:
    """The column of an embedded table that names the record that contains the row."""
    return own_keys(table)[_owner_at(table)]
