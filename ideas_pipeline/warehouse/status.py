"""Since when the warehouse is known to be true to the source."""

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
)
from ideas_pipeline.tables.columns import part_of
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.database import reading, utc

# None of these asks the API for a list; and a backfill reads some days alone, so it proves nothing of today either.
_READ_NOTHING = ("replay", "retry", "confirm")
_NO_SYNCS = ("window", *_READ_NOTHING)


def _not_of(modes: Sequence[str]) -> sa.ColumnElement[bool]:
    """Of a row of ``_sync_streams``: whether its run is of another mode."""
    same_run = sa.and_(SYNC_RUNS.c.run_id == SYNC_STREAMS.c.run_id, SYNC_RUNS.c.community == SYNC_STREAMS.c.community)
    return ~sa.exists().where(same_run, SYNC_RUNS.c.mode.in_(modes))


OF_SYNCS = _not_of(_NO_SYNCS)
OF_SYNCS_AND_BACKFILLS = _not_of(_READ_NOTHING)


@dataclass(frozen=True, slots=True)
class LastSync:
    """The last sync that ended. Times are in UTC. ``hidden_changes``: rows changed though their parent did not say."""

    run_id: str
    mode: str
    verdict: str
    started_at: datetime
    finished_at: datetime
    requests: int
    hidden_changes: int


def last_syncs(connection: sa.Connection, community: str) -> list[tuple[sa.Row[Any], datetime | None]]:
    """Of each stream that was ever synced: the row of its last sync, and when one last proved it complete, in UTC.

    In the order of these last syncs.
    """
    streams = SYNC_STREAMS.c
    mine = sa.select(SYNC_STREAMS).where(streams.community == community, OF_SYNCS).order_by(streams.started_at)
    syncs = connection.execute(mine).all()
    last = {sync.stream: sync for sync in syncs}
    proven = {sync.stream: utc(sync.finished_at) for sync in syncs if sync.verdict == "complete"}
    in_order = sorted(last.values(), key=lambda sync: sync.started_at)
    return [(sync, proven.get(sync.stream)) for sync in in_order]


def last_proven(engine: sa.Engine, community: str) -> dict[str, datetime]:
    """By stream, when a sync last proved it complete, in UTC. A stream that never was is missing.

    Raises WarehouseError.
    """
    streams = SYNC_STREAMS.c
    query = (
        sa.select(streams.stream, sa.func.max(streams.finished_at))
        .where(streams.community == community, streams.verdict == "complete", OF_SYNCS)
        .group_by(streams.stream)
    )
    with reading(engine) as connection:
        return {stream: utc(at) for stream, at in connection.execute(query)}


def created_at(engine: sa.Engine) -> datetime:
    """When the warehouse was created, in UTC. Raises WarehouseError."""
    with reading(engine) as connection:
        return utc(connection.execute(sa.select(WAREHOUSE.c.created_at)).scalar_one())


def marts_built_at(engine: sa.Engine, community: str) -> datetime | None:
    """When the oldest of the marts was built, in UTC; None where there are none. Raises WarehouseError."""
    with reading(engine) as connection:
        at = connection.scalar(sa.select(sa.func.min(MARTS.c.built_at)).where(MARTS.c.community == community))
    return at and utc(at)


def last_sync(engine: sa.Engine, community: str) -> LastSync | None:
    """The last sync that came to its end; None where there was none. Raises WarehouseError."""
    runs, streams = SYNC_RUNS.c, SYNC_STREAMS.c
    last = (
        sa.select(SYNC_RUNS)
        .where(runs.community == community, runs.finished_at.is_not(None))
        # A run of before there were modes was a sync.
        .where(runs.mode.is_(None) | runs.mode.not_in(_NO_SYNCS))
        .order_by(runs.started_at.desc())
        .limit(1)
    )
    with reading(engine) as connection:
        run = connection.execute(last).first()
        if run is None:
            return None
        requests, hidden = connection.execute(
            sa.select(sa.func.sum(streams.requests), sa.func.sum(streams.hidden_changes)).where(
                streams.run_id == run.run_id, streams.community == community
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
    """How a stream stands. Times are in UTC.

    ``verdict``, ``reason``, ``finished_at``: of its last sync. ``last_complete_at``: when one last proved it complete.
    A backfill or a replay is no sync: it says nothing of what is there today.
    ``rows``: those that are there; ``deleted``: those marked absent; ``rejects``: records that wait to be mended;
    ``held``: rows that look absent and are not believed to be. The last two include those of its embedded tables.
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


def status(connection: sa.Connection, community: str) -> list[StreamStatus]:
    """How each stream of ``community`` that was ever synced stands, in the order of their last syncs."""
    rejects = _by(connection, REJECTED_RECORDS, REJECTED_RECORDS.c.table_name, community)
    held = _by(connection, ABSENCES, ABSENCES.c.stream, community, ABSENCES.c.held_because.is_not(None))
    found = []
    for sync, proven_at in last_syncs(connection, community):
        stream, table = sync.stream, TABLES[sync.stream]
        deleted = table.c._deleted_at.is_not(None)
        rows = _by(connection, table, deleted, community)
        tables = [stream, *_embedded(stream)]
        found.append(
            StreamStatus(
                stream=stream,
                verdict=sync.verdict,
                reason=sync.reason,
                finished_at=sync.finished_at and utc(sync.finished_at),
                last_complete_at=proven_at,
                rows=rows.get(False, 0),
                deleted=rows.get(True, 0),
                rejects=sum(rejects.get(name, 0) for name in tables),
                held=sum(held.get(name, 0) for name in tables),
            )
        )
    return found


def _embedded(stream: str) -> list[str]:
    """The tables whose rows come inside the stream's records: those that name it in their key."""
    parents = {name: part_of(table) for name, table in TABLES.items()}
    return [
        name
        for name, parent in parents.items()
        if parent and parent[1] == stream and TABLES[name].c[parent[0]].primary_key
    ]


def _by(
    connection: sa.Connection,
    table: sa.Table,
    what: sa.ColumnElement[Any],
    community: str,
    which: sa.ColumnElement[bool] | None = None,
) -> dict[Any, int]:
    """How many rows of ``community`` the table has, by ``what``."""
    rows = sa.select(what.label("what")).where(table.c.community == community)
    counted = (rows if which is None else rows.where(which)).subquery()
    query = sa.select(counted.c.what, sa.func.count()).group_by(counted.c.what)
    return dict(connection.execute(query).all())


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that still runs, or broke off. Times are in UTC.

    ``reason``: why it broke off; None where it still runs, or was killed. ``lists``: by stream, in the order in which
    they were begun, how many lists were read and loaded. ``last_sign_at``: when it last loaded one, or began.
    """

    run_id: str
    mode: str
    window: tuple[datetime, datetime] | None
    started_at: datetime
    reason: str | None
    lists: dict[str, int]
    last_sign_at: datetime


def unfinished_run(engine: sa.Engine, community: str) -> Unfinished | None:
    """The last run, where it did not come to its end; None where it did, or where there never was one.

    An incomplete sync came to its end, as the next one reads what is missing; an incomplete backfill did not.
    """
    runs, streams, scopes = SYNC_RUNS.c, SYNC_STREAMS.c, SYNC_SCOPES.c
    last = (
        sa.select(SYNC_RUNS)
        .where(runs.community == community)
        # An operator's, which is over at once.
        .where(runs.mode.is_(None) | runs.mode.not_in(["retry", "confirm"]))
        .order_by(runs.started_at.desc())
        .limit(1)
    )
    with reading(engine) as connection:
        run = connection.execute(last).first()
        if run is None or run.verdict == "complete" or (run.verdict == "incomplete" and run.mode != "window"):
            return None
        begun = connection.scalars(
            sa.select(streams.stream)
            .where(streams.run_id == run.run_id, streams.community == community)
            .order_by(streams.started_at)
        ).all()
        counted = connection.execute(
            sa.select(scopes.stream, sa.func.count(), sa.func.max(scopes.swept_at))
            .where(scopes.run_id == run.run_id, scopes.community == community)
            .group_by(scopes.stream)
        ).all()
        read = {stream: count for stream, count, _ in counted}
    return Unfinished(
        run_id=run.run_id,
        mode=run.mode or "incremental",
        window=(utc(run.window_from), utc(run.window_to)) if run.window_from else None,
        started_at=utc(run.started_at),
        reason=None if run.verdict == "running" else run.reason,
        lists={stream: read.get(stream, 0) for stream in begun},
        last_sign_at=max([utc(run.started_at), *(utc(swept_at) for *_, swept_at in counted)]),
    )
