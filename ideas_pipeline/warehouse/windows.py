"""What the warehouse holds of a stretch of time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES, SYNC_STREAMS
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.engines import reading, utc
from ideas_pipeline.warehouse.live import is_live, scope_of
from ideas_pipeline.warehouse.readings import last_of_each_list

# Engines that turn a moment into the session's time zone before they take it apart.
_IN_SESSION_ZONE = {"postgresql", "duckdb"}


def rows_by_day(
    engine: sa.Engine, community: str, stream: str, column: str, start: datetime, end: datetime, zone: str
) -> Counter[date]:
    """How many live rows have their ``column`` in [start, end), by day in ``zone``. Both know their zone.

    The engine counts by the quarter of an hour, on which every zone's days begin.
    """
    table = TABLES[stream]
    moment: sa.ColumnElement[Any] = table.c[column]
    if engine.dialect.name in _IN_SESSION_ZONE:
        moment = sa.func.timezone("UTC", moment)
    parts = [sa.cast(sa.extract(part, moment), sa.Integer) for part in ("year", "month", "day", "hour", "minute")]
    quarters = [*parts[:-1], parts[-1] // 15]
    # Named in a query of its own: PostgreSQL does not see that two equal expressions with parameters are equal.
    rows = sa.select(*(part.label(f"part_{n}") for n, part in enumerate(quarters)))
    found = rows.where(is_live(table, community), table.c[column] >= utc(start), table.c[column] < utc(end)).subquery()
    counted = sa.select(*found.c).add_columns(sa.func.count()).group_by(*found.c)
    days: Counter[date] = Counter()
    with reading(engine) as connection:
        for row in connection.execute(counted):
            year, month, day, hour, quarter, count = row
            began = datetime(year, month, day, hour, quarter * 15, tzinfo=UTC)
            days[began.astimezone(ZoneInfo(zone)).date()] += count
    return days


def rows_by_scope(
    engine: sa.Engine, community: str, stream: str, column: str, start: datetime | None, end: datetime | None
) -> dict[str, int]:
    """How many live rows each list has whose ``column`` is not before ``start`` and before ``end``, where given."""
    table = TABLES[stream]
    rows = sa.select(scope_of(table).label("scope")).where(is_live(table, community))
    if start:
        rows = rows.where(table.c[column] >= utc(start))
    if end:
        rows = rows.where(table.c[column] < utc(end))
    found = rows.subquery()
    with reading(engine) as connection:
        return dict(connection.execute(sa.select(found.c.scope, sa.func.count()).group_by(found.c.scope)).all())


def pages_by_scope(engine: sa.Engine, community: str, stream: str) -> dict[str, tuple[int, bool]]:
    """Of the last reading of each list that came from the API: its pages, and whether the API told a total."""
    query = last_of_each_list(community, stream, SYNC_SCOPES.c.pages, SYNC_SCOPES.c.total_last)
    with reading(engine) as connection:
        return {row.scope: (row.pages, row.total_last is not None) for row in connection.execute(query)}


def last_pace(engine: sa.Engine, community: str, stream: str, least: int) -> float | None:
    """Seconds that a request took on the whole in the stream's last run that ended and sent ``least`` or more."""
    c = SYNC_STREAMS.c
    query = (
        sa.select(c.started_at, c.finished_at, c.requests)
        .where(c.community == community, c.stream == stream, c.requests >= least, c.finished_at.is_not(None))
        .order_by(c.started_at.desc())
        .limit(1)
    )
    with reading(engine) as connection:
        last = connection.execute(query).first()
    return None if last is None else (last.finished_at - last.started_at).total_seconds() / last.requests
