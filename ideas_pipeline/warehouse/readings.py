"""Which run read a list last."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import SYNC_RUNS, SYNC_SCOPES
from ideas_pipeline.warehouse.engines import reading


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
