"""State of the community's streams and runs, as recorded by the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import (
    ABSENCES,
    MARTS,
    REJECTED_RECORDS,
    SYNC_RUNS,
    SYNC_SCOPES,
    SYNC_STREAMS,
    WAREHOUSE,
    RunMode,
)
from ideas_pipeline.tables.columns import parent_of
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.database import Transaction

# Modes that do not read the API. A backfill reads some days only, so it is not a sync either.
_NOT_FROM_API: tuple[RunMode, ...] = ("replay", "retry", "confirm")
_NOT_SYNCS: tuple[RunMode, ...] = ("window", *_NOT_FROM_API)


def _mode_not_in(modes: Sequence[str]) -> sa.ColumnElement[bool]:
    """Condition on a row of ``_sync_streams``: its run has none of ``modes``."""
    same_run = sa.and_(SYNC_RUNS.c.run_id == SYNC_STREAMS.c.run_id, SYNC_RUNS.c.community == SYNC_STREAMS.c.community)
    return ~sa.exists().where(same_run, SYNC_RUNS.c.mode.in_(modes))


OF_SYNCS = _mode_not_in(_NOT_SYNCS)
OF_SYNCS_AND_BACKFILLS = _mode_not_in(_NOT_FROM_API)


@dataclass(frozen=True, slots=True)
class LastSync:
    """The last sync that ended. Times are in UTC.

    ``hidden_changes``: scopes that had changed although no parent column showed it.
    """

    run_id: str
    mode: RunMode
    verdict: str
    started_at: datetime
    finished_at: datetime
    requests: int
    hidden_changes: int


def last_syncs(tx: Transaction) -> list[tuple[sa.Row[Any], datetime | None]]:
    """The last sync of each stream, and when a sync of the stream was last complete, in UTC.

    A sync is a row of ``_sync_streams``; they are in the order in which they started.
    """
    rows = tx.execute(
        sa.select(SYNC_STREAMS).where(tx.owns(SYNC_STREAMS), OF_SYNCS).order_by(SYNC_STREAMS.c.started_at)
    ).all()
    last = {sync.stream: sync for sync in rows}
    complete = {sync.stream: utc(sync.finished_at) for sync in rows if sync.verdict == "complete"}
    in_order = sorted(last.values(), key=lambda sync: sync.started_at)
    return [(sync, complete.get(sync.stream)) for sync in in_order]


def last_complete(tx: Transaction) -> dict[str, datetime]:
    """When a sync of each stream was last complete, in UTC. A stream that never was is left out."""
    return _last_ended(tx, "complete")


def last_loaded(tx: Transaction) -> dict[str, datetime]:
    """When the last sync of each stream ended that did not fail, in UTC. A stream without one is left out."""
    return _last_ended(tx, "complete", "incomplete")


def _last_ended(tx: Transaction, *verdicts: str) -> dict[str, datetime]:
    """When the last sync of each stream ended that has one of the verdicts, in UTC."""
    streams = SYNC_STREAMS.c
    query = (
        sa.select(streams.stream, sa.func.max(streams.finished_at))
        .where(tx.owns(SYNC_STREAMS), streams.verdict.in_(verdicts), OF_SYNCS)
        .group_by(streams.stream)
    )
    return {stream: utc(at) for stream, at in tx.execute(query)}


def created_at(tx: Transaction) -> datetime:
    """When the warehouse was created (for all communities in it), in UTC."""
    return utc(tx.execute(sa.select(WAREHOUSE.c.created_at)).scalar_one())


def marts_built_at(tx: Transaction) -> datetime | None:
    """When the community's marts were last built or found to be current, all of them, in UTC; None if it has none."""
    current = sa.func.coalesce(MARTS.c.checked_at, MARTS.c.built_at)
    at = tx.scalar(sa.select(sa.func.min(current)).where(tx.owns(MARTS)))
    return utc(at) if at else None


def last_sync(tx: Transaction) -> LastSync | None:
    """The last sync that ended; None if there was none."""
    runs, streams = SYNC_RUNS.c, SYNC_STREAMS.c
    last = (
        sa.select(SYNC_RUNS)
        .where(tx.owns(SYNC_RUNS), runs.finished_at.is_not(None))
        # Runs of versions without modes were syncs.
        .where(runs.mode.is_(None) | runs.mode.not_in(_NOT_SYNCS))
        .order_by(runs.started_at.desc())
        .limit(1)
    )
    run = tx.execute(last).first()
    if run is None:
        return None
    requests, hidden = tx.execute(
        sa.select(sa.func.sum(streams.requests), sa.func.sum(streams.hidden_changes)).where(
            streams.run_id == run.run_id, tx.owns(SYNC_STREAMS)
        )
    ).one()
    return LastSync(
        run_id=run.run_id,
        mode=run.mode or "incremental",
        verdict=run.verdict,
        started_at=utc(run.started_at),
        finished_at=utc(run.finished_at),
        requests=int(requests or 0),
        hidden_changes=int(hidden or 0),
    )


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """State of one stream. Times are in UTC.

    Backfills and replays are not syncs: they do not show what the source holds today.

    Attributes:
        stream: The stream.
        verdict: The verdict of its last sync.
        reason: Why that sync is not complete.
        finished_at: When that sync ended.
        last_complete_at: When a sync of the stream was last complete.
        rows: Live rows.
        deleted: Rows that are marked deleted.
        rejects: Rejected records, including those of embedded tables.
        held: Held rows, including those of embedded tables.
        rejected_values: Rejected values, including those of embedded tables.
    """

    stream: str
    verdict: str
    reason: str | None
    finished_at: datetime | None
    last_complete_at: datetime | None
    rows: int
    deleted: int
    rejects: int
    held: int
    rejected_values: int = 0


def status(tx: Transaction) -> list[StreamStatus]:
    """State of each stream that was ever synced, in the order of their last syncs."""
    of_table, column = REJECTED_RECORDS.c.table_name, REJECTED_RECORDS.c.column_name
    rejects = _row_counts(tx, REJECTED_RECORDS, of_table, column.is_(None))
    values = _row_counts(tx, REJECTED_RECORDS, of_table, column.is_not(None))
    held = _row_counts(tx, ABSENCES, ABSENCES.c.stream, ABSENCES.c.held_because.is_not(None))
    found = []
    for sync, complete_at in last_syncs(tx):
        stream, table = sync.stream, TABLES[sync.stream]
        rows = _row_counts(tx, table, table.c._deleted_at.is_not(None))
        tables = [stream, *_embedded(stream)]
        found.append(
            StreamStatus(
                stream=stream,
                verdict=sync.verdict,
                reason=sync.reason,
                finished_at=sync.finished_at and utc(sync.finished_at),
                last_complete_at=complete_at,
                rows=rows.get(False, 0),
                deleted=rows.get(True, 0),
                rejects=sum(rejects.get(name, 0) for name in tables),
                held=sum(held.get(name, 0) for name in tables),
                rejected_values=sum(values.get(name, 0) for name in tables),
            )
        )
    return found


def _embedded(stream: str) -> list[str]:
    """The stream's embedded tables: those whose key contains the stream's id."""
    parents = {name: parent_of(table) for name, table in TABLES.items()}
    return [
        name
        for name, parent in parents.items()
        if parent and parent[1] == stream and TABLES[name].c[parent[0]].primary_key
    ]


def _row_counts(
    tx: Transaction, table: sa.Table, group: sa.ColumnElement[Any], which: sa.ColumnElement[bool] | None = None
) -> dict[Any, int]:
    """Number of the community's rows of ``table`` per ``group``, optionally of those for which ``which`` holds."""
    rows = sa.select(group.label("group")).where(tx.owns(table))
    counted = (rows if which is None else rows.where(which)).subquery()
    query = sa.select(counted.c.group, sa.func.count()).group_by(counted.c.group)
    return dict(tx.execute(query).all())


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that is still running or was interrupted. Times are in UTC.

    Attributes:
        run_id: The run's id.
        mode: The run mode.
        window: For a backfill, the start and the end of its window.
        started_at: When the run started.
        reason: Why it was interrupted; None if it is still running or was killed.
        lists: Number of scopes read and loaded per stream, in the order in which the streams started.
        ended: The streams that it finished, whatever their verdicts.
        interrupted: The streams that it had started and not finished.
        last_sign_at: When the run last loaded a scope, or started.
    """

    run_id: str
    mode: RunMode
    window: tuple[datetime, datetime] | None
    started_at: datetime
    reason: str | None
    lists: dict[str, int]
    ended: tuple[str, ...]
    interrupted: tuple[str, ...]
    last_sign_at: datetime


def unfinished_run(tx: Transaction) -> Unfinished | None:
    """The last run, if it has not ended; None if it has, or if there was no run.

    An incomplete sync has ended, because the next sync reads what is still to be read; an incomplete backfill has not.
    """
    runs, streams, scopes = SYNC_RUNS.c, SYNC_STREAMS.c, SYNC_SCOPES.c
    last = (
        sa.select(SYNC_RUNS)
        .where(tx.owns(SYNC_RUNS))
        # An operator's command ends at once.
        .where(runs.mode.is_(None) | runs.mode.not_in(["retry", "confirm"]))
        .order_by(runs.started_at.desc())
        .limit(1)
    )
    run = tx.execute(last).first()
    if run is None or run.verdict == "complete" or (run.verdict == "incomplete" and run.mode != "window"):
        return None
    started = tx.execute(
        sa.select(streams.stream, streams.verdict)
        .where(streams.run_id == run.run_id, tx.owns(SYNC_STREAMS))
        .order_by(streams.started_at)
    ).all()
    read = tx.execute(
        sa.select(scopes.stream, sa.func.count(), sa.func.max(scopes.swept_at))
        .where(scopes.run_id == run.run_id, tx.owns(SYNC_SCOPES))
        .group_by(scopes.stream)
    ).all()
    counts = {stream: count for stream, count, _ in read}
    return Unfinished(
        run_id=run.run_id,
        mode=run.mode or "incremental",
        window=(utc(run.window_from), utc(run.window_to)) if run.window_from else None,
        started_at=utc(run.started_at),
        reason=None if run.verdict == "running" else run.reason,
        # A stream that failed before it read anything (the login was refused) was not started.
        lists={stream: counts.get(stream, 0) for stream, verdict in started if verdict != "failed" or stream in counts},
        ended=tuple(stream for stream, verdict in started if verdict != "running"),
        interrupted=tuple(stream for stream, verdict in started if verdict == "running"),
        last_sign_at=max([utc(run.started_at), *(utc(swept_at) for *_, swept_at in read)]),
    )
