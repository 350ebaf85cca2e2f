"""The rows of ``_sync_scopes`` that nobody needs any more: one a list and run would otherwise be kept for ever."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import SYNC_RUNS, SYNC_SCOPES
from ideas_pipeline.warehouse.engines import reading, utc, writing

_LISTS_AT_ONCE = 1_000


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
