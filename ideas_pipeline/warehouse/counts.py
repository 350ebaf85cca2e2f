"""What the warehouse holds of a stretch of time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES, SYNC_STREAMS
from ideas_pipeline.tables.columns import is_live, scope_of
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.database import reading, utc
from ideas_pipeline.warehouse.scopes import last_of_each_list
from ideas_pipeline.warehouse.status import OF_SYNCS

_DAYS = 29
# A run so soon after the one of the day before says nothing of a whole day.
_TOO_SOON = timedelta(hours=12)

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


@dataclass(slots=True)
class _Day:
    last: datetime
    inserted: int
    verdict: str


def arrivals(engine: sa.Engine, community: str, stream: str, zone: str, now: datetime) -> dict[date, float]:
    """By day in ``zone`` with a run in the four weeks before ``now``, how many new rows a day it brought.

    Runs of one day are one; days without are shared out, as their rows came with the next run. The first reading, which
    brings all there ever was, is left out. Empty where the last run did not prove the stream complete, as then nobody
    knows what is still to come. ``now`` knows its zone. Raises WarehouseError.
    """
    days = _days(engine, community, stream, zone, now - timedelta(days=_DAYS))
    whole = [n for n, day in enumerate(days.values()) if day.verdict == "complete"]
    if not whole or whole[-1] != len(days) - 1:
        return {}
    since_first_reading = list(days.items())[whole[0] :]
    return {
        day: told.inserted / ((told.last - before.last) / timedelta(days=1))
        for (_, before), (day, told) in pairwise(since_first_reading)
        if told.last - before.last >= _TOO_SOON
    }


def _days(engine: sa.Engine, community: str, stream: str, zone: str, since: datetime) -> dict[date, _Day]:
    """The days with runs that read what was new, in order."""
    streams = SYNC_STREAMS.c
    query = (
        sa.select(streams.started_at, streams.inserted, streams.verdict)
        .where(streams.community == community, streams.stream == stream, OF_SYNCS)
        .where(streams.started_at >= utc(since))
        .order_by(streams.started_at)
    )
    days: dict[date, _Day] = {}
    with reading(engine) as connection:
        for row in connection.execute(query):
            began = utc(row.started_at)
            day = days.setdefault(began.astimezone(ZoneInfo(zone)).date(), _Day(began, 0, row.verdict))
            day.last, day.inserted, day.verdict = began, day.inserted + row.inserted, row.verdict
    return days
