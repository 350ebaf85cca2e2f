"""Since when the warehouse is known to be true to the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import MARTS, SYNC_RUNS, SYNC_STREAMS, WAREHOUSE
from ideas_pipeline.warehouse.engines import reading, utc

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
