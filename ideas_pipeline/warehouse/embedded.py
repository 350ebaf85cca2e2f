"""Embedded rows that their record's list no longer states: gone, or too many at once to be believed.

Those that are not believed wait in ``_absences`` under the name of their table: ``id`` is their key (without the
community) as a JSON list, ``scope`` the record that they are part of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import orjson
import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import ABSENCES
from ideas_pipeline.tables.columns import own_keys
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse import history
from ideas_pipeline.warehouse.batch import Batch, too_many
from ideas_pipeline.warehouse.database import utc
from ideas_pipeline.warehouse.merge import mark_deleted, same_row
from ideas_pipeline.warehouse.staging import stage_ids, staging_ids

Key = tuple[str, ...]


def mark_unstated(
    connection: sa.Connection, table: sa.Table, staged: sa.Table, stated: sa.Table, batch: Batch, at: datetime
) -> tuple[int, int]:
    """Marks the rows of ``table`` that are gone: not staged, though their record's list was stated in full.

    Returns how many were marked, and how many are held back. A row that is held stays so until it is seen again or
    confirmed.
    """
    community = batch.community
    of_these = sa.and_(table.c.community == community, _owner(table).in_(sa.select(stated.c.id)))
    live = sa.and_(of_these, table.c._deleted_at.is_(None))
    unstated = sa.and_(live, ~sa.exists().where(same_row(table, staged)))
    missing = connection.scalar(sa.select(sa.func.count()).select_from(table).where(unstated)) or 0
    waiting = _waiting(connection, table, community, stated)
    if not missing and not waiting:
        return 0, 0
    there = connection.scalar(sa.select(sa.func.count()).select_from(table).where(live)) or 0
    if not waiting and not too_many(missing, there, batch.mass_absence_percent):
        mark_deleted(connection, table, unstated, batch.run_id, at)
        return missing, 0
    gone = {tuple(row) for row in connection.execute(sa.select(*own_keys(table)).where(unstated))}
    _let_go(connection, table, community, waiting - gone)
    new = gone - waiting
    if not too_many(len(new), there, batch.mass_absence_percent):
        _mark(connection, table, community, new, batch.run_id, at, "gone")
        return len(new), len(gone & waiting)
    because = (
        f"{len(new)} of {there} rows of {table.name} are missing at once, more than {batch.mass_absence_percent:g} %: "
        "gone, or left out by the API? Nothing was marked as deleted"
    )
    _hold(connection, table, new, batch, because)
    return 0, len(gone)


def confirm_parts(
    connection: sa.Connection, community: str, name: str, ids: Collection[str], run_id: str, at: datetime, because: str
) -> int:
    """Marks the rows of the embedded table ``name`` that are held under ``ids`` deleted ``because``; returns how many.

    An id that is not held (any more) is left alone.
    """
    table = TABLES[name]
    held = connection.scalars(sa.select(ABSENCES.c.id).where(_of(community, name))).all()
    keys = [_key(id_) for id_ in set(ids).intersection(held)]
    _mark(connection, table, community, keys, run_id, utc(at), because)
    _let_go(connection, table, community, keys)
    if name == "idea_labels" and keys:
        ideas = staging_ids("labelled")
        stage_ids(connection, ideas, (key[_owner_at(table)] for key in keys))
        history.record(connection, community, sa.select(ideas.c.id), run_id, utc(at))
        ideas.drop(connection, checkfirst=False)
    return len(keys)


def forget_parts(
    connection: sa.Connection, community: str, names: Collection[str], owners: sa.Select[tuple[str]]
) -> None:
    """What is held of records that are gone themselves waits no longer."""
    if names:
        of_these = sa.and_(ABSENCES.c.stream.in_(names), ABSENCES.c.scope.in_(owners))
        connection.execute(sa.delete(ABSENCES).where(ABSENCES.c.community == community, of_these))


def _waiting(connection: sa.Connection, table: sa.Table, community: str, owners: sa.Table) -> set[Key]:
    """The keys of the rows that are held of the records ``owners``: nearly always none."""
    of_these = sa.and_(_of(community, table.name), ABSENCES.c.scope.in_(sa.select(owners.c.id)))
    return {_key(id_) for id_ in connection.scalars(sa.select(ABSENCES.c.id).where(of_these))}


def _hold(connection: sa.Connection, table: sa.Table, keys: Iterable[Key], batch: Batch, because: str) -> None:
    row = {
        "community": batch.community,
        "stream": table.name,
        "run_id": batch.run_id,
        "noticed_at": utc(batch.at),
        "held_because": because,
    }
    owner = _owner_at(table)
    connection.execute(
        sa.insert(ABSENCES), [{**row, "id": orjson.dumps(key).decode(), "scope": key[owner]} for key in sorted(keys)]
    )


def _let_go(connection: sa.Connection, table: sa.Table, community: str, keys: Collection[Key]) -> None:
    """They were seen again, or marked."""
    if keys:
        connection.execute(
            sa.delete(ABSENCES).where(_of(community, table.name), ABSENCES.c.id == sa.bindparam("of_id")),
            [{"of_id": orjson.dumps(key).decode()} for key in keys],
        )


def _mark(
    connection: sa.Connection,
    table: sa.Table,
    community: str,
    keys: Iterable[Key],
    run_id: str,
    at: datetime,
    because: str,
) -> None:
    for key in keys:
        one = sa.and_(table.c.community == community, *(c == v for c, v in zip(own_keys(table), key, strict=True)))
        mark_deleted(connection, table, one, run_id, at, because)


def _of(community: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(ABSENCES.c.community == community, ABSENCES.c.stream == name)


def _key(id_: str) -> Key:
    return tuple(orjson.loads(id_))


def _owner_at(table: sa.Table) -> int:
    """The place in a key where the record stands that the row is part of."""
    return next(at for at, column in enumerate(own_keys(table)) if column.info["parent"])


def _owner(table: sa.Table) -> sa.Column[str]:
    return own_keys(table)[_owner_at(table)]
