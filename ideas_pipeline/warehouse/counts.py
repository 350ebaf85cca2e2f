"""Counts of rows and requests over time and per scope."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES, SYNC_STREAMS
from ideas_pipeline.tables.community import TABLES, scope_of
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.scopes import select_last_sweeps
from ideas_pipeline.warehouse.status import OF_SYNCS

_DAYS = 29
# A run that follows the last run of the day before so soon does not cover a whole day.
_TOO_SOON = timedelta(hours=12)

# Engines that convert a timestamp to the session's time zone before they extract its parts.
_IN_SESSION_ZONE = {"postgresql", "duckdb"}


def rows_by_day(tx: Transaction, stream: str, column: str, start: datetime, end: datetime, zone: str) -> Counter[date]:
    """Number of live rows per day.

    The engine counts per quarter of an hour, because the days of every time zone start on one.

    Args:
        tx: The transaction.
        stream: The stream.
        column: The column with the rows' times.
        start: Rows before it are left out; timezone-aware.
        end: Rows from it on are left out; timezone-aware.
        zone: Time zone of the days, by its IANA name.
    """
    table = TABLES[stream]
    moment: sa.ColumnElement[Any] = table.c[column]
    if tx.dialect.name in _IN_SESSION_ZONE:
        moment = sa.func.timezone("UTC", moment)
    parts = [sa.cast(sa.extract(part, moment), sa.Integer) for part in ("year", "month", "day", "hour", "minute")]
    quarters = [*parts[:-1], parts[-1] // 15]
    # Labelled in a subquery: PostgreSQL does not recognise that two equal expressions with parameters are equal.
    rows = sa.select(*(part.label(f"part_{n}") for n, part in enumerate(quarters)))
    found = rows.where(tx.live(table), table.c[column] >= utc(start), table.c[column] < utc(end)).subquery()
    counted = sa.select(*found.c).add_columns(sa.func.count()).group_by(*found.c)
    days: Counter[date] = Counter()
    for row in tx.execute(counted):
        year, month, day, hour, quarter, count = row
        began = datetime(year, month, day, hour, quarter * 15, tzinfo=UTC)
        days[began.astimezone(ZoneInfo(zone)).date()] += count
    return days


def rows_by_scope(
    tx: Transaction, stream: str, listed_by: str | None, column: str, start: datetime | None, end: datetime | None
) -> dict[str, int]:
    """Number of live rows per scope (see ``scope_of``) whose ``column`` is in [``start``, ``end``); None: unbounded."""
    table = TABLES[stream]
    rows = sa.select(scope_of(table, listed_by).label("scope")).where(tx.live(table))
    if start:
        rows = rows.where(table.c[column] >= utc(start))
    if end:
        rows = rows.where(table.c[column] < utc(end))
    found = rows.subquery()
    return dict(tx.execute(sa.select(found.c.scope, sa.func.count()).group_by(found.c.scope)).all())


def pages_by_scope(tx: Transaction, stream: str) -> dict[str, tuple[int, bool]]:
    """Pages of the last sweep of each scope, and whether the API stated a total. Replays are left out."""
    query = select_last_sweeps(tx, stream, SYNC_SCOPES.c.pages, SYNC_SCOPES.c.total_last)
    return {row.scope: (row.pages, row.total_last is not None) for row in tx.execute(query)}


def last_pace(tx: Transaction, stream: str, least: int) -> float | None:
    """Seconds per request in the stream's last finished run that sent at least ``least`` requests."""
    c = SYNC_STREAMS.c
    query = (
        sa.select(c.started_at, c.finished_at, c.requests)
        .where(tx.owns(SYNC_STREAMS), c.stream == stream, c.requests >= least, c.finished_at.is_not(None))
        .order_by(c.started_at.desc())
        .limit(1)
    )
    last = tx.execute(query).first()
    return None if last is None else (last.finished_at - last.started_at).total_seconds() / last.requests


@dataclass(slots=True)
class _Day:
    last: datetime
    inserted: int
    verdict: str


def arrivals(tx: Transaction, stream: str, zone: str, now: datetime) -> dict[date, float]:
    """New rows per day, for each day with a run in the four weeks before ``now``.

    Runs of one day are summed up. Days without a run share the rows of the next run evenly. The first run is left out,
    because it brings all rows that ever were. Empty if the stream's last run is not complete, because nobody knows then
    how many rows are still to come.

    Args:
        tx: The transaction.
        stream: The stream.
        zone: Time zone of the days, by its IANA name.
        now: The current time; timezone-aware.
    """
    days = _days(tx, stream, zone, now - timedelta(days=_DAYS))
    complete = [n for n, day in enumerate(days.values()) if day.verdict == "complete"]
    if not complete or complete[-1] != len(days) - 1:
        return {}
    since_first = list(days.items())[complete[0] :]
    return {
        day: run.inserted / ((run.last - before.last) / timedelta(days=1))
        for (_, before), (day, run) in pairwise(since_first)
        if run.last - before.last >= _TOO_SOON
    }


def _days(tx: Transaction, stream: str, zone: str, since: datetime) -> dict[date, _Day]:
    """The days with syncs, in order."""
    streams = SYNC_STREAMS.c
    query = (
        sa.select(streams.started_at, streams.inserted, streams.verdict)
        .where(tx.owns(SYNC_STREAMS), streams.stream == stream, OF_SYNCS)
        .where(streams.started_at >= utc(since))
        .order_by(streams.started_at)
    )
    days: dict[date, _Day] = {}
    for row in tx.execute(query):
        began = utc(row.started_at)
        day = days.setdefault(began.astimezone(ZoneInfo(zone)).date(), _Day(began, 0, row.verdict))
        day.last, day.inserted, day.verdict = began, day.inserted + row.inserted, row.verdict
    return days
