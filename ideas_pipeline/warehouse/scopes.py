"""State of each scope (`_scopes`), its past sweeps (`_sync_scopes`), and the live rows that scopes come from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from ideas_pipeline.id_set import IdSet
from ideas_pipeline.late.arrow import pa
from ideas_pipeline.tables.bookkeeping import ABSENCES, SCOPES, SYNC_RUNS, SYNC_SCOPES, ContradictionCode
from ideas_pipeline.tables.community import TABLES, is_listed_in, scope_of
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.batch import Batch, Counts, ScopeRead
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.runs import GOAL_LASTS
from ideas_pipeline.warehouse.staging import arrow_schema, copy, stage_ids, staging_ids
from ideas_pipeline.warehouse.warehouse import Warehouse

_ROWS_AT_ONCE = 1_000  # PostgreSQL's driver would else hold all ids of a large list


@dataclass(frozen=True, slots=True)
class ScopeState:
    """State of a scope. Times are in UTC.

    Attributes:
        fingerprint: The parent's values that change with the scope, as text, as of the last complete sweep.
        completed_at: When the scope was last complete.
        watermark: Time up to which the scope was read.
        suspect: Whether the scope had changed although no parent column showed it.
    """

    fingerprint: str | None
    completed_at: datetime | None
    watermark: datetime | None
    suspect: bool


def scope_states(tx: Transaction, stream: str, among: sa.Table | None = None) -> dict[str, ScopeState]:
    """State of each scope that was ever complete or read up to a watermark; of the staged ids ``among``, if given."""
    query = sa.select(SCOPES).where(tx.owns(SCOPES), SCOPES.c.stream == stream)
    rows = tx.execute(query if among is None else query.where(SCOPES.c.scope.in_(sa.select(among.c.id))))
    return {
        row.scope: ScopeState(
            fingerprint=row.fingerprint,
            completed_at=row.completed_at and utc(row.completed_at),
            watermark=row.watermark and utc(row.watermark),
            suspect=bool(row.suspect),
        )
        for row in rows
    }


def update_scope_states(tx: Transaction, batch: Batch, counts: Mapping[str, Counts]) -> None:
    """Update the state of the batch's scopes, in the transaction that loads them.

    A sweep that started at a watermark did not read the whole scope: it moves only the watermark.
    """
    reads = [read for read in batch.scopes if read.remembered]
    if not reads:
        return
    these = staging_ids("remembered")
    stage_ids(tx.connection, these, (read.scope for read in reads))
    before = scope_states(tx, batch.stream, these)
    absent = _with_absences(tx, batch)
    rows = []
    for read in reads:
        known = before.get(read.scope)
        total = read.counts + counts[read.scope]
        changed = total.inserted + total.updated + total.absent > 0 or read.scope in absent
        rows.append(
            {
                "community": tx.community,
                "stream": batch.stream,
                "scope": read.scope,
                "fingerprint": read.fingerprint if read.judged else known and known.fingerprint,
                "completed_at": utc(read.swept_at) if read.judged else known and known.completed_at,
                "watermark": _watermark(read, known),
                "suspect": read.verifying and changed,
                "run_id": batch.run_id,
                "contradiction": None,
                "contradiction_code": None,
            }
        )
    tx.execute(
        sa.delete(SCOPES).where(
            tx.owns(SCOPES), SCOPES.c.stream == batch.stream, SCOPES.c.scope.in_(sa.select(these.c.id))
        )
    )
    copy(tx.connection, SCOPES, pa.Table.from_pylist(rows, schema=arrow_schema(SCOPES)))
    these.drop(tx.connection, checkfirst=False)


def note_contradictions(
    tx: Transaction, stream: str, found: Mapping[str, str], code: ContradictionCode | None = None
) -> None:
    """Note what contradicts other lists, by scope, for scopes whose state is known; ``code``: as a word."""
    if found:
        tx.execute(
            sa.update(SCOPES)
            .where(tx.owns(SCOPES), SCOPES.c.stream == stream, SCOPES.c.scope == sa.bindparam("in_scope"))
            .values(contradiction=sa.bindparam("what"), contradiction_code=code),
            [{"in_scope": scope, "what": what} for scope, what in found.items()],
        )


def forget_complete(tx: Transaction, stream: str, scopes: Collection[str]) -> None:
    """Forget that ``scopes`` were ever complete: the next run reads them from the start."""
    if scopes:
        forgotten = staging_ids("forgotten")
        stage_ids(tx.connection, forgotten, scopes)
        these = sa.and_(tx.owns(SCOPES), SCOPES.c.stream == stream, SCOPES.c.scope.in_(sa.select(forgotten.c.id)))
        tx.execute(sa.update(SCOPES).where(these).values(fingerprint=None, completed_at=None))
        forgotten.drop(tx.connection, checkfirst=False)


def was_complete(tx: Transaction, stream: str) -> bool:
    """Whether any of the stream's scopes was ever complete, and is not forgotten."""
    query = sa.select(SCOPES.c.scope).where(tx.owns(SCOPES), SCOPES.c.stream == stream)
    return tx.scalar(query.where(SCOPES.c.completed_at.is_not(None)).limit(1)) is not None


def contradictions(tx: Transaction, stream: str) -> dict[str, int]:
    """What contradicted other lists in the last complete sweeps of a stream, with the number of scopes."""
    what = SCOPES.c.contradiction
    query = sa.select(what, sa.func.count()).where(tx.owns(SCOPES), SCOPES.c.stream == stream, what.is_not(None))
    return dict(tx.execute(query.group_by(what).order_by(sa.func.count().desc(), what)).all())


def _watermark(read: ScopeRead, known: ScopeState | None) -> datetime | None:
    """Time up to which the scope was read: at most the start of its sweep, whatever times its records have.

    Otherwise what changed during the sweep, or followed a record with a time in the future, would never be requested.
    """
    latest = max((m for m in (read.watermark, known and known.watermark) if m), default=None)
    return min(latest, utc(read.started_at)) if latest and read.started_at else latest


def read_in_window(tx: Transaction, stream: str, start: datetime, end: datetime, at: datetime) -> set[str]:
    """The scopes that interrupted backfills of exactly this window have read completely.

    Empty if a backfill of the window has ended since. Runs that started before the end of the window did not see all
    of it, and runs long before ``at`` are too old to count.

    Args:
        tx: The transaction.
        stream: The stream.
        start: Start of the window; timezone-aware.
        end: End of the window; timezone-aware.
        at: The current time; timezone-aware.
    """
    runs = SYNC_RUNS.c
    window = sa.and_(tx.owns(SYNC_RUNS), runs.window_from == utc(start), runs.window_to == utc(end))
    ended = sa.select(sa.func.max(runs.started_at)).where(window, runs.verdict.in_(["complete", "incomplete"]))
    last_end = ended.scalar_subquery()
    interrupted = sa.select(runs.run_id).where(
        window,
        runs.verdict.in_(["running", "failed"]),
        runs.started_at >= max(utc(end), utc(at) - GOAL_LASTS),
        sa.or_(last_end.is_(None), runs.started_at > last_end),
    )
    return set(
        tx.scalars(
            sa.select(SYNC_SCOPES.c.scope).where(
                tx.owns(SYNC_SCOPES),
                SYNC_SCOPES.c.stream == stream,
                SYNC_SCOPES.c.verdict == "complete",
                SYNC_SCOPES.c.run_id.in_(interrupted),
            )
        )
    )


def _with_absences(tx: Transaction, batch: Batch) -> set[str]:
    """The scopes in which this run found absent rows."""
    return set(
        tx.scalars(
            sa.select(ABSENCES.c.scope)
            .distinct()
            .where(tx.owns(ABSENCES), ABSENCES.c.stream == batch.stream, ABSENCES.c.run_id == batch.run_id)
        )
    )


def distinct_values(tx: Transaction, sources: Sequence[str]) -> list[str]:
    """The distinct values of the columns ``sources`` (``table.column``) in live rows, sorted, without null."""
    found: set[str] = set()
    for source in sources:
        table, column = _column(source)
        query = sa.select(column).distinct().where(tx.live(table), column.is_not(None))
        found.update(tx.scalars(query))
    return sorted(found)


def verified_before(
    tx: Transaction, stream: str, sources: Sequence[str], moment: datetime
) -> tuple[int, datetime | None]:
    """How many of the stream's present scopes were last complete before a moment, and when the oldest of them was.

    Args:
        tx: a transaction that reads.
        stream: the stream.
        sources: the columns (``table.column``) whose values are its scopes.
        moment: timezone-aware.
    """
    present = []
    for source in sources:
        table, column = _column(source)
        present.append(sa.select(column).where(tx.live(table)))
    query = sa.select(sa.func.count(), sa.func.min(SCOPES.c.completed_at)).where(
        tx.owns(SCOPES),
        SCOPES.c.stream == stream,
        SCOPES.c.completed_at < moment,
        sa.or_(*(SCOPES.c.scope.in_(values) for values in present)),
    )
    count, oldest = tx.execute(query).one()
    return count, oldest and utc(oldest)


def parent_values(tx: Transaction, source: str, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The values of ``columns`` in live rows, by the value of the column ``source`` (such as ``ideas.id``)."""
    table, key = _column(source)
    query = sa.select(key.label("_of"), *(table.c[c] for c in columns)).where(tx.live(table))
    rows = tx.execute(query.where(key.is_not(None))).mappings()
    return {row["_of"]: {c: row[c] for c in columns} for row in rows}


def has_rows(tx: Transaction, stream: str) -> bool:
    """Whether the stream has, or ever had, a row."""
    table = TABLES[stream]
    return tx.scalar(sa.select(table.c.id).where(tx.owns(table)).limit(1)) is not None


def any_id(tx: Transaction, name: str) -> str | None:
    """The id of any live row of a table with ids; None if it has none."""
    table = TABLES[name]
    id_: str | None = tx.scalar(sa.select(table.c.id).where(tx.live(table)).limit(1))
    return id_


def live_ids(tx: Transaction, stream: str, listed_by: str | None = None, scope: str = "") -> IdSet:
    """The ids of the stream's live rows in ``scope``; of all if the stream is one list (see ``scope_of``)."""
    table = TABLES[stream]
    query = sa.select(table.c.id).where(tx.live(table))
    if listed_by is not None:
        query = query.where(is_listed_in(table, tx.community, listed_by, sa.select(sa.literal(scope))))
    return IdSet(tx.scalars(query.execution_options(yield_per=_ROWS_AT_ONCE)))


def deleted_ids(tx: Transaction, stream: str) -> set[str]:
    """The ids of the stream's rows that are marked deleted."""
    table = TABLES[stream]
    return set(tx.scalars(sa.select(table.c.id).where(tx.owns(table), table.c._deleted_at.is_not(None))))


def changed_since(tx: Transaction, stream: str, moment: datetime) -> int:
    """The number of the stream's live rows that a run wrote after ``moment``, which is timezone-aware."""
    table = TABLES[stream]
    return int(tx.scalar(sa.select(sa.func.count()).where(tx.live(table), table.c["_changed_at"] > moment)))


def live_counts(tx: Transaction, stream: str, listed_by: str | None = None) -> dict[str, int]:
    """Number of live rows of a stream, per scope (see ``scope_of``)."""
    table = TABLES[stream]
    scope = sa.func.coalesce(scope_of(table, listed_by), "").label("scope")
    rows = sa.select(scope).where(tx.live(table)).subquery()
    query = sa.select(rows.c.scope, sa.func.count()).group_by(rows.c.scope)
    return dict(tx.execute(query).all())


def _column(source: str) -> tuple[sa.Table, sa.Column[str]]:
    table, _, column = source.partition(".")
    return TABLES[table], TABLES[table].c[column]


def prune_sweeps(warehouse: Warehouse, stream: str, before: datetime) -> int:
    """Prune old rows of ``_sync_scopes``. The last sweep of each scope and verdict stays; replays are not sweeps.

    Each transaction covers a limited number of scopes, so that other writers do not wait long. Nothing is written if
    no row is old.

    Args:
        warehouse: The warehouse.
        stream: The stream.
        before: Rows before it are old; timezone-aware.

    Returns:
        How many rows were deleted.
    """
    rows, later = SYNC_SCOPES.c, SYNC_SCOPES.alias("later")
    replays = _replays(warehouse.community)
    same_scope = sa.and_(*(rows[name] == later.c[name] for name in ("community", "stream", "scope", "verdict")))
    old = sa.and_(
        rows.community == warehouse.community,
        rows.stream == stream,
        rows.swept_at < utc(before),
        sa.exists().where(same_scope, later.c.swept_at > rows.swept_at, later.c.run_id.not_in(replays)),
    )
    deleted, last = 0, None
    while True:
        query = sa.select(rows.scope).distinct().where(old).order_by(rows.scope).limit(_ROWS_AT_ONCE)
        with warehouse.reading() as tx:
            scopes = tx.scalars(query if last is None else query.where(rows.scope > last)).all()
        if not scopes:
            return deleted
        last = scopes[-1]
        with warehouse.writing() as tx:
            deleted += tx.execute(sa.delete(SYNC_SCOPES).where(old, rows.scope.between(scopes[0], last))).rowcount


class Declared(NamedTuple):
    """Counts of one sweep of a scope. ``declared``: the number of records that the parent declared."""

    declared: int | None
    inserted: int


def declared_in(tx: Transaction, stream: str, scopes: Collection[str], run_id: str) -> dict[str, Declared]:
    """The counts of a run's sweeps of ``scopes``, by scope."""
    c = SYNC_SCOPES.c
    staged = staging_ids("declared")
    stage_ids(tx.connection, staged, scopes)
    of_run = sa.and_(tx.owns(SYNC_SCOPES), c.stream == stream, c.run_id == run_id)
    query = sa.select(c.scope, c.declared, c.inserted).where(of_run, c.scope.in_(sa.select(staged.c.id)))
    found = {scope: Declared(declared, inserted) for scope, declared, inserted in tx.execute(query)}
    staged.drop(tx.connection, checkfirst=False)
    return found


def declared_before(tx: Transaction, stream: str, scopes: Collection[str], run_id: str) -> dict[str, int | None]:
    """What the parents of ``scopes`` declared at their last complete sweep before the run ``run_id``, by scope."""
    staged = staging_ids("declared")
    stage_ids(tx.connection, staged, scopes)
    among = SYNC_SCOPES.c.scope.in_(sa.select(staged.c.id))
    found = dict(tx.execute(_select_declared_before(tx, stream, run_id).where(among)).all())
    staged.drop(tx.connection, checkfirst=False)
    return found


def declared_before_of(tx: Transaction, stream: str, scope: str, run_id: str) -> int | None:
    """What the parent of ``scope`` declared at its last complete sweep before the run ``run_id``."""
    query = _select_declared_before(tx, stream, run_id).where(SYNC_SCOPES.c.scope == scope)
    return dict(tx.execute(query).all()).get(scope)


def _select_declared_before(tx: Transaction, stream: str, run_id: str) -> sa.Select[str, int | None]:
    """Select scope and declared number of the complete sweeps of a stream, the last of each scope last."""
    c = SYNC_SCOPES.c
    earlier = sa.and_(
        tx.owns(SYNC_SCOPES),
        c.stream == stream,
        c.verdict == "complete",
        c.run_id.not_in(sa.union(sa.select(sa.literal(run_id)), _replays(tx.community))),
    )
    return sa.select(c.scope, c.declared).where(earlier).order_by(c.swept_at)


class LastSweep(NamedTuple):
    """The last sweep of a scope. ``pages``: number of its pages. ``rows``: number of its records."""

    run_id: str
    verdict: str
    pages: int
    rows: int
    total: int | None


def last_sweeps(tx: Transaction, stream: str) -> dict[str, LastSweep]:
    """The last loaded sweep of each scope that came from the API, by scope."""
    c = SYNC_SCOPES.c
    query = select_last_sweeps(tx, stream, c.run_id, c.verdict, c.pages, c.seen, c.total_last)
    return {
        row.scope: LastSweep(row.run_id, row.verdict, row.pages, row.seen, row.total_last) for row in tx.execute(query)
    }


def complete_scopes(tx: Transaction, run_id: str, stream: str) -> set[str]:
    """The scopes of a stream that a run has read completely from the API."""
    c = SYNC_SCOPES.c
    of_run = sa.and_(tx.owns(SYNC_SCOPES), c.stream == stream, c.run_id == run_id, c.verdict == "complete")
    return set(tx.execute(sa.select(c.scope).where(of_run)).scalars())


def select_last_sweeps(tx: Transaction, stream: str, *columns: sa.Column[Any]) -> sa.Select[Any]:
    """Select the scope and ``columns`` of ``_sync_scopes``, for the last sweep of each scope. Replays are left out."""
    c = SYNC_SCOPES.c
    of_stream = sa.and_(tx.owns(SYNC_SCOPES), c.stream == stream, c.run_id.not_in(_replays(tx.community)))
    last = sa.select(c.scope, sa.func.max(c.swept_at).label("at")).where(of_stream).group_by(c.scope).subquery()
    is_last = sa.and_(last.c.scope == c.scope, last.c.at == c.swept_at)
    return sa.select(c.scope, *columns).join(last, is_last).where(of_stream)


def _replays(community: str) -> sa.Select[str]:
    """Select the run ids of the community's replays."""
    return sa.select(SYNC_RUNS.c.run_id).where(SYNC_RUNS.c.community == community, SYNC_RUNS.c.mode == "replay")
