"""Bookkeeping of runs and their streams, and the accepted role of the API account."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError, is_retryable
from ideas_pipeline.tables.bookkeeping import ACCOUNT, REJECTED_RECORDS, SYNC_RUNS, SYNC_STREAMS, RunMode
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.rejects import values_of
from ideas_pipeline.warehouse.status import last_syncs
from ideas_pipeline.warehouse.warehouse import Warehouse

# SQLite allows 32,766 parameters per statement, PostgreSQL 65,535.
_IDS_AT_ONCE = 10_000
_COUNTERS = [c.name for c in SYNC_STREAMS.columns if c.info["kind"] == "integer"]


@dataclass(frozen=True, slots=True)
class RunStart:
    """What a run sets out to do. Times are timezone-aware.

    Attributes:
        run_id: The run's id.
        source: The API's base URL.
        at: When the run began.
        mode: The run mode.
        window: For a backfill, the start and the end of its window.
        goal_since: For a full run, scopes that are complete since this time count as read.
        account_role: The role of the API account, if the API states it.
    """

    run_id: str
    source: str
    at: datetime
    mode: RunMode = "incremental"
    window: tuple[datetime, datetime] | None = None
    goal_since: datetime | None = None
    account_role: str | None = None


# An interrupted full run or backfill that is older than this is not resumed: what it read is too old to count.
GOAL_LASTS = timedelta(days=3)


def start_run(tx: Transaction, start: RunStart) -> None:
    """Record the start of a run. A run that is already recorded is resumed and keeps its start time.

    Each asset of a Dagster run resumes the same run.
    """
    resumed = tx.execute(
        sa.update(SYNC_RUNS)
        .where(SYNC_RUNS.c.run_id == start.run_id, tx.owns(SYNC_RUNS))
        .values(verdict="running", retryable=None, finished_at=None)
    )
    if not resumed.rowcount:
        tx.execute(
            sa.insert(SYNC_RUNS).values(
                run_id=start.run_id,
                community=tx.community,
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


def full_goal(tx: Transaction, run_id: str, at: datetime) -> datetime:
    """Time since which a scope must be complete to count as read by the full run ``run_id``, which starts ``at``.

    It is the start of the run itself. If the previous full run was interrupted, it is that run's goal, so that this
    run resumes the other. A run that is dated in the future is not resumed: its clock was wrong.
    """
    runs = SYNC_RUNS.c
    last = tx.execute(
        sa.select(runs.run_id, runs.verdict, runs.goal_since)
        .where(tx.owns(SYNC_RUNS), runs.mode == "full", runs.goal_since.is_not(None))
        .where(sa.or_(runs.started_at <= utc(at), runs.run_id == run_id))
        .order_by(runs.started_at.desc())
        .limit(1)
    ).first()
    if last is None:
        return at
    goal = utc(last.goal_since)
    interrupted = last.verdict in ("running", "failed") and at - goal < GOAL_LASTS
    return goal if interrupted or last.run_id == run_id else at


def run_ahead(tx: Transaction, at: datetime) -> tuple[str, datetime] | None:
    """The run with the latest start, and that start in UTC, if it lies after ``at``; None if no run began later."""
    runs = SYNC_RUNS.c
    query = sa.select(runs.run_id, runs.started_at).where(tx.owns(SYNC_RUNS), runs.started_at > utc(at))
    row = tx.execute(query.order_by(runs.started_at.desc()).limit(1)).first()
    return row and (row.run_id, utc(row.started_at))


def finish_run(
    tx: Transaction, run_id: str, verdict: str, reason: str | None, at: datetime, *, retryable: bool | None = None
) -> None:
    """Record the end of a run.

    Args:
        tx: The transaction.
        run_id: The run's id.
        verdict: ``complete``, ``incomplete`` or ``failed``.
        reason: Why the run is not complete.
        at: When it ended; timezone-aware.
        retryable: Whether the same run, started again later, can be complete; None if it is, or if that is unknown.
    """
    tx.execute(
        sa.update(SYNC_RUNS)
        .where(SYNC_RUNS.c.run_id == run_id, tx.owns(SYNC_RUNS))
        .values(verdict=verdict, reason=reason, retryable=retryable, finished_at=utc(at))
    )


@contextmanager
def failure_recorded(
    warehouse: Warehouse, start: RunStart, *expected: type[Exception], streams: Collection[str] = ()
) -> Iterator[None]:
    """Record an ``expected`` error of the block as the reason why the run failed, and raise it again.

    This includes errors before the start of the run: a night whose login failed is a failed run. Nothing is recorded
    if the warehouse itself cannot be written.

    Args:
        warehouse: The warehouse.
        start: The run.
        *expected: The errors to record.
        streams: The streams that the block reads. Those that it did not finish have failed, too, so that a later part
            of the same run cannot call the run complete.
    """
    try:
        yield
    except expected as error:
        with suppress(WarehouseError), warehouse.writing() as tx:
            start_run(tx, start)
            at, retryable = datetime.now(UTC), is_retryable(error)
            finished = {
                name for name, (verdict, _, _) in stream_verdicts(tx, start.run_id).items() if verdict != "running"
            }
            for stream in [name for name in streams if name not in finished]:
                start_stream(tx, start.run_id, stream, at)
                finish_stream(tx, start.run_id, stream, at, "failed", str(error), retryable=retryable)
            finish_run(tx, start.run_id, "failed", str(error), at, retryable=retryable)
        raise


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """Result of a run, or its state if it has not ended.

    Attributes:
        verdict: ``running``, ``complete``, ``incomplete`` or ``failed``.
        reason: Why the run is not complete.
        retryable: Whether the same run, started again later, can be complete; None if it is, or if that is unknown.
    """

    verdict: str
    reason: str | None
    retryable: bool | None


def outcome(tx: Transaction, run_id: str) -> RunOutcome | None:
    """Result of a run; None if it never started."""
    runs = SYNC_RUNS.c
    query = sa.select(runs.verdict, runs.reason, runs.retryable)
    row = tx.execute(query.where(runs.run_id == run_id, tx.owns(SYNC_RUNS))).first()
    return row and RunOutcome(*row)


def stream_verdicts(tx: Transaction, run_id: str) -> dict[str, tuple[str, str | None, bool | None]]:
    """Verdict, reason and retryable of each stream of the run so far, in the order in which they started."""
    streams = SYNC_STREAMS.c
    rows = tx.execute(
        sa.select(streams.stream, streams.verdict, streams.reason, streams.retryable)
        .where(streams.run_id == run_id, tx.owns(SYNC_STREAMS))
        .order_by(streams.started_at)
    )
    return {row.stream: (row.verdict, row.reason, row.retryable) for row in rows}


def incomplete_streams(tx: Transaction, streams: Collection[str], run_id: str) -> dict[str, str]:
    """Those of ``streams`` whose last sync did not read every scope completely, with a description of the problem.

    If the run ``run_id`` (perhaps a backfill) has read a stream itself, that result must be complete as well, because
    its other scopes depend on it. Other backfills and replays do not count: they read part of a stream, or old data.
    Held rows do not count either: their scopes were read.
    """
    own = sa.select(SYNC_STREAMS).where(SYNC_STREAMS.c.run_id == run_id, tx.owns(SYNC_STREAMS))
    syncs = {sync.stream: sync for sync, _ in last_syncs(tx)}
    latest = syncs | {row.stream: row for row in tx.execute(own)}
    problems = {}
    for stream in streams:
        if stream not in syncs:
            problems[stream] = "was never synced"
        elif problem := _problem(syncs[stream]) or _problem(latest[stream]):
            problems[stream] = problem
        elif unloaded := _rejects_without_row(tx, stream):
            problems[stream] = f"has {unloaded} rejected records and no earlier rows for them"
    return problems


def _problem(row: sa.Row[Any]) -> str | None:
    """The problem with a row of ``_sync_streams``, if any."""
    if row.verdict in ("failed", "running"):
        return "could not be read"
    return "was not read completely" if row.scopes_complete < row.scopes else None


def _rejects_without_row(tx: Transaction, stream: str) -> int:
    """Number of rejected records that have no row from an earlier run: the scopes below them are unknown."""
    rejects, table = REJECTED_RECORDS.c, TABLES[stream]
    keys = tx.scalars(
        sa.select(rejects.record_key).where(
            tx.owns(REJECTED_RECORDS), rejects.table_name == stream, rejects.column_name.is_(None)
        )
    ).all()
    ids = [values[0] for key in keys if (values := values_of(key))]
    distinct = sorted(set(ids))
    with_row: set[str] = set()
    for start in range(0, len(distinct), _IDS_AT_ONCE):
        among = table.c.id.in_(distinct[start : start + _IDS_AT_ONCE])
        with_row.update(tx.scalars(sa.select(table.c.id).where(tx.owns(table), among)))
    return len(keys) - sum(id_ in with_row for id_ in ids)


def start_stream(tx: Transaction, run_id: str, stream: str, at: datetime) -> None:
    """Record that a run started a stream; if it is started again, its earlier result is dropped."""
    tx.execute(sa.delete(SYNC_STREAMS).where(*_one_stream(tx, run_id, stream)))
    tx.execute(
        sa.insert(SYNC_STREAMS).values(
            run_id=run_id,
            community=tx.community,
            stream=stream,
            started_at=utc(at),
            verdict="running",
            **dict.fromkeys(_COUNTERS, 0),
        )
    )


def finish_stream(
    tx: Transaction,
    run_id: str,
    stream: str,
    at: datetime,
    verdict: str,
    reason: str | None,
    *,
    retryable: bool | None = None,
    **counters: int,
) -> None:
    """Record the result of a stream.

    Args:
        tx: The transaction.
        run_id: The run's id.
        stream: The stream.
        at: When the stream ended; timezone-aware.
        verdict: ``complete``, ``incomplete`` or ``failed``.
        reason: Why the stream is not complete.
        retryable: Whether another run can complete it; None if it is complete, or if that is unknown.
        **counters: Integer columns of ``_sync_streams``; those that are left out do not change.
    """
    tx.execute(
        sa.update(SYNC_STREAMS)
        .where(*_one_stream(tx, run_id, stream))
        .values(verdict=verdict, reason=reason, retryable=retryable, finished_at=utc(at), **counters)
    )


def _one_stream(tx: Transaction, run_id: str, stream: str) -> tuple[sa.ColumnElement[bool], ...]:
    columns = SYNC_STREAMS.c
    return columns.run_id == run_id, tx.owns(SYNC_STREAMS), columns.stream == stream


def accepted_role(tx: Transaction) -> tuple[bool, str | None]:
    """Whether a role of the API account was ever accepted, and which. None is a role that the API does not state."""
    row = tx.execute(sa.select(ACCOUNT.c.role).where(tx.owns(ACCOUNT))).first()
    return (False, None) if row is None else (True, row.role)


def accept_role(tx: Transaction, role: str | None, at: datetime) -> None:
    """From now on, believe absences that are seen under ``role``."""
    tx.execute(sa.delete(ACCOUNT).where(tx.owns(ACCOUNT)))
    tx.execute(sa.insert(ACCOUNT).values(community=tx.community, role=role, accepted_at=utc(at)))
