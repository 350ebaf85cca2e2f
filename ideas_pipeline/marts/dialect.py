"""What engines say differently, said once: days of a time zone, seconds between moments, percentiles, shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ideas_pipeline.marts.mart import Asked

Column = sa.ColumnElement[Any]

# Engines for which all of this is known, and tested.
DIALECTS = ("sqlite", "postgresql")

# No community is older. Days before it are taken by the offset that the zone has then.
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC)


def day_of(moment: Column, asked: Asked) -> Column:
    """The day on which ``moment`` is, in the time zone of ``asked``."""
    if asked.dialect == "postgresql":
        return sa.cast(sa.func.timezone(asked.timezone, moment), sa.Date)
    now, *before = reversed(_offsets(asked.timezone, asked.as_of.year + 1))
    # From the latest on: most rows are recent, and the first condition that holds is the last that is looked at.
    cases = [(moment >= since, _sqlite_day(moment, offset)) for since, offset in (now, *before)]
    return sa.case(*cases, else_=_sqlite_day(moment, (before or [now])[-1][1]))


def _sqlite_day(moment: Column, offset: int) -> Column:
    return sa.func.date(_whole_second(moment), f"{offset:+d} seconds", type_=sa.Date)


def _whole_second(moment: Column) -> Column:
    """``moment`` as SQLite's text, without the fraction: SQLite would round it, at times up to the next second."""
    return sa.func.substr(moment, 1, len("2026-01-31 23:59:59"), type_=sa.Text)


@cache
def _offsets(timezone: str, until_year: int) -> tuple[tuple[datetime, int], ...]:
    """Since when (UTC) the zone is how many seconds ahead of UTC, from the oldest on."""
    zone = ZoneInfo(timezone)

    def offset(moment: datetime) -> int:
        passed = moment.astimezone(zone).utcoffset()
        return int(passed.total_seconds()) if passed is not None else 0

    found = [(_OLDEST, offset(_OLDEST))]
    day = _OLDEST
    while day.year <= until_year:
        following = day + timedelta(days=1)
        if offset(following) != found[-1][1]:
            low, high = day, following
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                low, high = (middle, high) if offset(middle) == found[-1][1] else (low, middle)
            changed = high.replace(microsecond=0)
            found.append((changed, offset(changed)))
        day = following
    return tuple(found)


def day_after(day: Column, days: int, asked: Asked) -> Column:
    """The day that is so many days after ``day``."""
    if asked.dialect == "postgresql":
        return sa.cast(day + sa.cast(days, sa.Integer), sa.Date)
    return sa.func.date(day, f"{days:+d} days", type_=sa.Date)


def month_of(day: Column, asked: Asked) -> Column:
    """The first day of the month in which ``day`` is."""
    if asked.dialect == "postgresql":
        return sa.cast(sa.func.date_trunc("month", day), sa.Date)
    return sa.func.date(day, "start of month", type_=sa.Date)


def months_between(earlier: Column, later: Column, asked: Asked) -> Column:
    """Whole months from the first day of one month to that of another."""

    def number(month: Column) -> Column:
        if asked.dialect == "postgresql":
            return sa.cast(sa.extract("year", month) * 12 + sa.extract("month", month), sa.BigInteger)
        year, of_year = sa.func.strftime("%Y", month), sa.func.strftime("%m", month)
        return sa.cast(year, sa.Integer) * 12 + sa.cast(of_year, sa.Integer)

    return number(later) - number(earlier)


def seconds_between(earlier: Column, later: Column, asked: Asked) -> Column:
    """Whole seconds from one moment to another, each without its fraction, so that every engine says the same."""

    def second(moment: Column) -> Column:
        if asked.dialect == "postgresql":
            return sa.cast(sa.func.floor(sa.extract("epoch", moment)), sa.BigInteger)
        return sa.cast(sa.func.strftime("%s", _whole_second(moment)), sa.BigInteger)

    return second(later) - second(earlier)


def moment(at: datetime) -> Column:
    """``at`` as a value of the statement."""
    return sa.literal(at.astimezone(UTC), sa.DateTime(timezone=True))


def ordered(text: Column, asked: Asked) -> Column:
    """``text`` to order by. Left alone, PostgreSQL orders by the rules of a language, SQLite by characters."""
    return sa.collate(text, "C") if asked.dialect == "postgresql" else text


def share(part: Column, whole: Column) -> Column:
    """``part`` of ``whole`` as a fraction; null where there is no whole."""
    return sa.cast(part, sa.Double) / sa.func.nullif(whole, 0)


def count_if(condition: Column) -> Column:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def percentiles(rows: sa.FromClause, by: Sequence[str], value: str, names: Mapping[str, int]) -> sa.Subquery:
    """Percentiles of the column ``value`` by the columns ``by``, nulls left out: one column a name, with its percent.

    By nearest rank: the smallest value that so many percent of the rows do not exceed. It is always one of the values.
    """
    keys = [rows.c[name] for name in by]
    ranked = (
        sa.select(
            *keys,
            rows.c[value].label("value"),
            sa.func.row_number().over(partition_by=keys, order_by=rows.c[value]).label("rank"),
            sa.func.count().over(partition_by=keys).label("of_rows"),
        )
        .where(rows.c[value].is_not(None))
        .subquery()
    )
    c = ranked.c
    found = [sa.func.min(sa.case((c.rank * 100 >= c.of_rows * p, c.value))).label(name) for name, p in names.items()]
    return sa.select(*(c[name] for name in by), *found).group_by(*(c[name] for name in by)).subquery()
