"""How far each list has been read: what its parent said then, when it was proven, and up to which moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa
import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import ABSENCES, SCOPES, SYNC_RUNS, SYNC_SCOPES
from ideas_pipeline.tables.columns import is_live, scope_of
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.batch import Batch, Counts, ScopeRead
from ideas_pipeline.warehouse.database import reading, utc, writing
from ideas_pipeline.warehouse.runs import GOAL_LASTS
from ideas_pipeline.warehouse.staging import arrow_schema, copy, stage_ids, staging_ids

_LISTS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class ScopeState:
    """A row of ``_scopes``. Times are in UTC. ``suspect``: it had changed though its parent did not say so."""

    fingerprint: str | None
    completed_at: datetime | None
    watermark: datetime | None
    suspect: bool


def states(
    connection: sa.Connection, community: str, stream: str, among: sa.Table | None = None
) -> dict[str, ScopeState]:
    """The state of each list of the stream that was ever proven, or read up to a watermark; or of those ``among``."""
    query = sa.select(SCOPES).where(SCOPES.c.community == community, SCOPES.c.stream == stream)
    rows = connection.execute(query if among is None else query.where(SCOPES.c.scope.in_(sa.select(among.c.id))))
    return {
        row.scope: ScopeState(
            fingerprint=row.fingerprint,
            completed_at=row.completed_at and utc(row.completed_at),
            watermark=row.watermark and utc(row.watermark),
            suspect=bool(row.suspect),
        )
        for row in rows
    }


def remember(connection: sa.Connection, batch: Batch, counts: Mapping[str, Counts]) -> None:
    """Moves the state of the batch's lists on, in the transaction that loads them.

    A list that was read from a watermark on was not read whole: only its watermark moves.
    """
    reads = [read for read in batch.scopes if read.remembered]
    if not reads:
        return
    these = staging_ids("remembered")
    stage_ids(connection, these, (read.scope for read in reads))
    before = states(connection, batch.community, batch.stream, these)
    missing = _missing(connection, batch)
    rows = []
    for read in reads:
        known = before.get(read.scope)
        total = read.counts + counts[read.scope]
        changed = total.inserted + total.updated > 0 or read.scope in missing
        rows.append(
            {
                "community": batch.community,
                "stream": batch.stream,
                "scope": read.scope,
                "fingerprint": read.fingerprint if read.judged else known and known.fingerprint,
                "completed_at": utc(read.swept_at) if read.judged else known and known.completed_at,
                "watermark": _watermark(read, known),
                "suspect": read.verifying and changed,
                "run_id": batch.run_id,
            }
        )
    connection.execute(
        sa.delete(SCOPES).where(
            SCOPES.c.community == batch.community,
            SCOPES.c.stream == batch.stream,
            SCOPES.c.scope.in_(sa.select(these.c.id)),
        )
    )
    copy(connection, SCOPES, pa.Table.from_pylist(rows, schema=arrow_schema(SCOPES)))
    these.drop(connection, checkfirst=False)


def _watermark(read: ScopeRead, known: ScopeState | None) -> datetime | None:
    """Up to which moment the list was read: never one after its reading began, whatever times its records tell.

    What changed while it was read, or came after a record that tells a time to come, would never be asked for.
    """
    told = max((m for m in (read.watermark, known and known.watermark) if m), default=None)
    return min(told, utc(read.started_at)) if told and read.started_at else told


def read_in_window(
    connection: sa.Connection, community: str, stream: str, start: datetime, end: datetime, at: datetime
) -> set[str]:
    """The lists that runs for just this window have proven, unless such a run has come to its end since.

    A run that began before the window was over did not see all of it, and what was read long before ``at`` is too old
    to count.
    """
    runs = SYNC_RUNS.c
    window = sa.and_(runs.community == community, runs.window_from == utc(start), runs.window_to == utc(end))
    ended = sa.select(sa.func.max(runs.started_at)).where(window, runs.verdict.in_(["complete", "incomplete"]))
    last_end = ended.scalar_subquery()
    broken = sa.select(runs.run_id).where(
        window,
        runs.verdict.in_(["running", "failed"]),
        runs.started_at >= max(utc(end), utc(at) - GOAL_LASTS),
        sa.or_(last_end.is_(None), runs.started_at > last_end),
    )
    return set(
        connection.scalars(
            sa.select(SYNC_SCOPES.c.scope).where(
                SYNC_SCOPES.c.community == community,
                SYNC_SCOPES.c.stream == stream,
                SYNC_SCOPES.c.verdict == "complete",
                SYNC_SCOPES.c.run_id.in_(broken),
            )
        )
    )


def _missing(connection: sa.Connection, batch: Batch) -> set[str]:
    """The lists from which this run found rows missing."""
    return set(
        connection.scalars(
            sa.select(ABSENCES.c.scope)
            .distinct()
            .where(
                ABSENCES.c.community == batch.community,
                ABSENCES.c.stream == batch.stream,
                ABSENCES.c.run_id == batch.run_id,
            )
        )
    )


def values(connection: sa.Connection, community: str, sources: Sequence[str]) -> list[str]:
    """The distinct values of the columns ``sources`` (``table.column``), nulls left out, in order of their text."""
    found: set[str] = set()
    for source in sources:
        table, column = _column(source)
        query = sa.select(column).distinct().where(is_live(table, community), column.is_not(None))
        found.update(connection.scalars(query))
    return sorted(found)


def parents(
    connection: sa.Connection, community: str, source: str, columns: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """By the value of ``source`` (``ideas.id``), what the live row says in ``columns``."""
    table, key = _column(source)
    query = sa.select(key.label("_of"), *(table.c[c] for c in columns)).where(is_live(table, community))
    rows = connection.execute(query.where(key.is_not(None))).mappings()
    return {row["_of"]: {c: row[c] for c in columns} for row in rows}


def live_ids(connection: sa.Connection, community: str, stream: str, scope: str | None) -> set[str]:
    """The ids of a stream's rows in ``scope``, or in all of its scopes where that is None."""
    table = TABLES[stream]
    query = sa.select(table.c.id).where(is_live(table, community))
    if scope is not None:
        query = query.where(scope_of(table) == scope)
    return set(connection.scalars(query))


def live_counts(connection: sa.Connection, community: str, stream: str) -> dict[str, int]:
    """How many of a stream's rows there are, by scope. A row that names no parent is in the scope ``""``."""
    table = TABLES[stream]
    scope = sa.func.coalesce(scope_of(table), "").label("scope")
    rows = sa.select(scope).where(is_live(table, community)).subquery()
    query = sa.select(rows.c.scope, sa.func.count()).group_by(rows.c.scope)
    return dict(connection.execute(query).all())


def _column(source: str) -> tuple[sa.Table, sa.Column[str]]:
    table, _, column = source.partition(".")
    return TABLES[table], TABLES[table].c[column]


def forget_old_readings(engine: sa.Engine, community: str, stream: str, before: datetime) -> int:
    """Deletes how the lists of ``stream`` were read before ``before`` (it knows its zone); returns how many rows.

    Of each list, the last reading of each verdict stays, however old it is; a replay is no reading. A transaction holds
    so many lists that nobody waits for it long; where nothing is old, nothing is written. Raises WarehouseError.
    """
    rows, later = SYNC_SCOPES.c, SYNC_SCOPES.alias("later")
    same_list = sa.and_(*(rows[name] == later.c[name] for name in ("community", "stream", "scope", "verdict")))
    replays = sa.select(SYNC_RUNS.c.run_id).where(SYNC_RUNS.c.community == community, SYNC_RUNS.c.mode == "replay")
    old = sa.and_(
        rows.community == community,
        rows.stream == stream,
        rows.swept_at < utc(before),
        sa.exists().where(same_list, later.c.swept_at > rows.swept_at, later.c.run_id.not_in(replays)),
    )
    deleted, last = 0, None
    while True:
        query = sa.select(rows.scope).distinct().where(old).order_by(rows.scope).limit(_LISTS_AT_ONCE)
        with reading(engine) as connection:
            lists = connection.scalars(query if last is None else query.where(rows.scope > last)).all()
        if not lists:
            return deleted
        last = lists[-1]
        with writing(engine) as connection:
            among = rows.scope.between(lists[0], last)
            deleted += connection.execute(sa.delete(SYNC_SCOPES).where(old, among)).rowcount


class LastReading(NamedTuple):
    """``pages``: those of its last walk through the list."""

    run_id: str
    pages: int


def last_readings(engine: sa.Engine, community: str, stream: str) -> dict[str, LastReading]:
    """The last reading of each list of the stream that came from the API and was loaded, by scope."""
    query = last_of_each_list(community, stream, SYNC_SCOPES.c.run_id, SYNC_SCOPES.c.pages)
    with reading(engine) as connection:
        return {row.scope: LastReading(row.run_id, row.pages) for row in connection.execute(query)}


def last_of_each_list(community: str, stream: str, *columns: sa.Column[Any]) -> sa.Select[Any]:
    """The scope and these ``columns`` of ``_sync_scopes``, of the last reading of each list that was no replay."""
    c = SYNC_SCOPES.c
    replays = sa.select(SYNC_RUNS.c.run_id).where(SYNC_RUNS.c.community == community, SYNC_RUNS.c.mode == "replay")
    of_stream = sa.and_(c.community == community, c.stream == stream, c.run_id.not_in(replays))
    last = sa.select(c.scope, sa.func.max(c.swept_at).label("at")).where(of_stream).group_by(c.scope).subquery()
    is_last = sa.and_(last.c.scope == c.scope, last.c.at == c.swept_at)
    return sa.select(c.scope, *columns).join(last, is_last).where(of_stream)
