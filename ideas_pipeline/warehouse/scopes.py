"""How far each list has been read: what its parent said then, when it was proven, and up to which moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import ABSENCES, SCOPES, SYNC_RUNS, SYNC_SCOPES
from ideas_pipeline.warehouse.batch import Batch, Counts, ScopeRead
from ideas_pipeline.warehouse.engines import utc
from ideas_pipeline.warehouse.runs import GOAL_LASTS
from ideas_pipeline.warehouse.staging import arrow_schema, copy, stage_ids, staging_ids


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
        total = read.earlier + counts[read.scope]
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
