"""Where the last run stands, if it has not come to its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import SYNC_RUNS, SYNC_SCOPES, SYNC_STREAMS
from ideas_pipeline.warehouse.engines import reading, utc


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
