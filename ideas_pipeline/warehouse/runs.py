"""The account of what the pipeline did: runs, streams, scopes, and how each stream stands."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import ACCOUNT, REJECTED_RECORDS, SYNC_RUNS, SYNC_STREAMS
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.database import Transaction, utc
from ideas_pipeline.warehouse.status import last_syncs

# A statement takes 32,766 parameters on SQLite, 65,535 on PostgreSQL.
_IDS_AT_ONCE = 10_000
_COUNTERS = [c.name for c in SYNC_STREAMS.columns if c.info["kind"] == "integer"]


@dataclass(frozen=True, slots=True)
class RunStart:
    """What a run sets out to do. Times know their zone.

    ``source``: the API's base URL. ``mode``: incremental, full, window or replay. ``goal_since``: of a full run, since
    when a list must have been proven to count as read. ``account_role``: as the API says it; None where it does not.
    """

    run_id: str
    community: str
    source: str
    at: datetime
    mode: str = "incremental"
    window: tuple[datetime, datetime] | None = None
    goal_since: datetime | None = None
    account_role: str | None = None


# A full run or a backfill that broke off longer ago is not gone on with: what it read is too old to count.
GOAL_LASTS = timedelta(days=3)


def start_run(connection: sa.Connection, start: RunStart) -> None:
    """Notes that a run began; one that goes on, as each asset of a Dagster run does, keeps its beginning."""
    going_on = connection.execute(
        sa.update(SYNC_RUNS)
        .where(SYNC_RUNS.c.run_id == start.run_id, SYNC_RUNS.c.community == start.community)
        .values(verdict="running", retryable=None, finished_at=None)
    )
    if not going_on.rowcount:
        connection.execute(
            sa.insert(SYNC_RUNS).values(
                run_id=start.run_id,
                community=start.community,
                source=start.source,
                started_at=utc(start.at),
                verdict="running",
                mode=start.mode,
                window_from=start.window and utc(start.window[0]),
                window_to=start.window and utc(start.window[1]),
                goal_since=start.goal_since and utc(start.goal_since),
                account_role=start.account_role,
            )
        )


def full_goal(connection: sa.Connection, community: str, run_id: str, at: datetime) -> datetime:
    """Since when a list must have been proven for a full run that starts ``at`` to count as read.

    That is its own beginning; or, where the full run before it broke off, the goal of that one, so that it goes on.
    """
    runs = SYNC_RUNS.c
    last = connection.execute(
        sa.select(runs.run_id, runs.verdict, runs.goal_since)
        .where(runs.community == community, runs.mode == "full", runs.goal_since.is_not(None))
        .order_by(runs.started_at.desc())
        .limit(1)
    ).first()
    if last is None:
        return at
    goal = utc(last.goal_since)
    broke_off = last.verdict in ("running", "failed") and at - goal < GOAL_LASTS
    return goal if broke_off or last.run_id == run_id else at


def finish_run(
    connection: sa.Connection,
    run_id: str,
    community: str,
    verdict: str,
    reason: str | None,
    at: datetime,
    retryable: bool | None = None,
) -> None:
    connection.execute(
        sa.update(SYNC_RUNS)
        .where(SYNC_RUNS.c.run_id == run_id, SYNC_RUNS.c.community == community)
        .values(verdict=verdict, reason=reason, retryable=retryable, finished_at=utc(at))
    )


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended, or stands.

    ``verdict``: running, complete, incomplete or failed. ``reason``: why it is not complete.
    ``retryable``: whether the same run, started again later, can be complete; None if it is, or if it is not known.
    """

    verdict: str
    reason: str | None
    retryable: bool | None


def outcome(transaction: Transaction, run_id: str) -> RunOutcome | None:
    """How a run ended, or stands; None if it never began."""
    runs = SYNC_RUNS.c
    query = sa.select(runs.verdict, runs.reason, runs.retryable)
    query = query.where(runs.run_id == run_id, runs.community == transaction.community)
    row = transaction.connection.execute(query).first()
    return row and RunOutcome(*row)


def stream_verdicts(
    connection: sa.Connection, community: str, run_id: str
) -> dict[str, tuple[str, str | None, bool | None]]:
    """The run's streams so far, in the order in which they began: verdict, reason, retryable."""
    columns = SYNC_STREAMS.c
    rows = connection.execute(
        sa.select(columns.stream, columns.verdict, columns.reason, columns.retryable)
        .where(columns.run_id == run_id, columns.community == community)
        .order_by(columns.started_at)
    )
    return {row.stream: (row.verdict, row.reason, row.retryable) for row in rows}


def unproven(connection: sa.Connection, community: str, streams: Collection[str], run_id: str) -> dict[str, str]:
    """Those of ``streams`` that their last sync did not read whole, with what is wrong.

    What the run ``run_id`` has read itself, a backfill perhaps, must be whole as well: its other lists hang on it.
    No other backfill and no replay counts: it reads a part of a stream, or what is old.
    Rows that are held back do not count: they are there, and their lists are read.
    """
    columns = SYNC_STREAMS.c
    own = sa.select(SYNC_STREAMS).where(columns.run_id == run_id, columns.community == community)
    syncs = {sync.stream: sync for sync, _ in last_syncs(connection, community)}
    latest = syncs | {reading.stream: reading for reading in connection.execute(own)}
    wrong = {}
    for stream in streams:
        if stream not in syncs:
            wrong[stream] = "was never synced"
        elif lacking := _lacking(syncs[stream]) or _lacking(latest[stream]):
            wrong[stream] = lacking
        elif unloaded := _unloaded(connection, community, stream):
            wrong[stream] = f"has {unloaded} records that could not be typed and have no row"
    return wrong


def _lacking(reading: sa.Row[Any]) -> str | None:
    """What is wrong with a reading of a stream, a row of ``_sync_streams``."""
    if reading.verdict in ("failed", "running"):
        return "could not be read"
    return "was not read whole" if reading.scopes_complete < reading.scopes else None


def _unloaded(connection: sa.Connection, community: str, stream: str) -> int:
    """How many rejected records of a stream have no row from before: what hangs on them is not read."""
    rejects, table = REJECTED_RECORDS.c, TABLES[stream]
    keys = connection.scalars(
        sa.select(rejects.record_key).where(rejects.community == community, rejects.table_name == stream)
    ).all()
    ids = list({json.loads(key)[0] for key in keys if key.startswith("[")})
    there = 0
    for start in range(0, len(ids), _IDS_AT_ONCE):
        these = table.c.id.in_(ids[start : start + _IDS_AT_ONCE])
        of_these = sa.select(sa.func.count()).select_from(table).where(table.c.community == community, these)
        there += connection.scalar(of_these) or 0
    return len(keys) - there


def start_stream(connection: sa.Connection, run_id: str, community: str, stream: str, at: datetime) -> None:
    """Notes that a run began with a stream; one that is started again begins anew."""
    connection.execute(sa.delete(SYNC_STREAMS).where(*_one_stream(run_id, community, stream)))
    connection.execute(
        sa.insert(SYNC_STREAMS).values(
            run_id=run_id,
            community=community,
            stream=stream,
            started_at=utc(at),
            verdict="running",
            **dict.fromkeys(_COUNTERS, 0),
        )
    )


def finish_stream(
    connection: sa.Connection,
    run_id: str,
    community: str,
    stream: str,
    at: datetime,
    verdict: str,
    reason: str | None,
    *,
    retryable: bool | None = None,
    **counters: int,
) -> None:
    """Note how a stream ended. ``counters``: the integer columns of ``_sync_streams``; the others stay."""
    connection.execute(
        sa.update(SYNC_STREAMS)
        .where(*_one_stream(run_id, community, stream))
        .values(verdict=verdict, reason=reason, retryable=retryable, finished_at=utc(at), **counters)
    )


def _one_stream(run_id: str, community: str, stream: str) -> tuple[sa.ColumnElement[bool], ...]:
    columns = SYNC_STREAMS.c
    return columns.run_id == run_id, columns.community == community, columns.stream == stream


def role(connection: sa.Connection, community: str) -> tuple[bool, str | None]:
    """Whether a role was ever accepted, and which; None is a role that the API does not tell."""
    row = connection.execute(sa.select(ACCOUNT.c.role).where(ACCOUNT.c.community == community)).first()
    return (False, None) if row is None else (True, row.role)


def accept_role(connection: sa.Connection, community: str, role: str | None, at: datetime) -> None:
    connection.execute(sa.delete(ACCOUNT).where(ACCOUNT.c.community == community))
    connection.execute(sa.insert(ACCOUNT).values(community=community, role=role, accepted_at=utc(at)))
