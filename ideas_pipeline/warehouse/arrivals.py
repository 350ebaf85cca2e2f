"""How many new rows the runs of the last weeks brought, told so that nights can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import SYNC_STREAMS
from ideas_pipeline.warehouse.engines import reading, utc
from ideas_pipeline.warehouse.proven import OF_SYNCS

_DAYS = 29
# A run so soon after the one of the day before says nothing of a whole day.
_TOO_SOON = timedelta(hours=12)


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
