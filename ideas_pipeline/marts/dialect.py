"""SQL that differs between engines: days in a time zone, seconds between moments, percentiles, shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.sql import operators

from ideas_pipeline.marts.mart import BuildContext
from ideas_pipeline.times import EARLIEST

Column = sa.ColumnElement[Any]

# Engines that are supported and tested.
DIALECTS = ("sqlite", "postgresql")


def every_row(table: sa.Table, context: BuildContext) -> Column:
    """Whether a row of ``table`` is of the community, for statements that read the whole community."""
    community: Column = table.c.community
    if context.dialect == "sqlite":
        # https://sqlite.org/optoverview.html#disqualifying_where_clause_terms_using_unary_
        # With an index, SQLite would look up each row separately, in another order than they are stored in.
        community = sa.UnaryExpression(community, operator=operators.custom_op("+"), type_=community.type)
    return community == context.community


def day_of(moment: Column, context: BuildContext) -> Column:
    """The day of ``moment`` in the context's time zone."""
    # Not PostgreSQL's timezone(name, moment): for CET it finds an abbreviation, which has no daylight saving time, and
    # its server can have other rules for a zone than this machine, or not know it.
    return _day_in(_offsets(context.timezone, context.as_of.year + 1), moment, context)


def _day_in(offsets: Sequence[tuple[datetime, int]], moment: Column, context: BuildContext) -> Column:
    """The day of ``moment`` by ``offsets`` from UTC, of which it finds the right one by bisection."""
    if len(offsets) == 1:
        return _day_at(moment, offsets[0][1], context)
    middle = len(offsets) // 2
    earlier, later = (_day_in(half, moment, context) for half in (offsets[:middle], offsets[middle:]))
    return sa.case((moment >= offsets[middle][0], later), else_=earlier)


def _day_at(moment: Column, offset: int, context: BuildContext) -> Column:
    """The day of ``moment`` where the clocks are ``offset`` seconds ahead of UTC."""
    if context.dialect == "postgresql":
        return sa.cast(sa.func.timezone("UTC", moment) + timedelta(seconds=offset), sa.Date)
    return sa.func.date(_whole_second(moment), f"{offset:+d} seconds", type_=sa.Date)


def _whole_second(moment: Column) -> Column:
    """``moment`` as SQLite's text without the fraction, which SQLite would round, possibly to the next second."""
    return sa.func.substr(moment, 1, len("2026-01-31 23:59:59"), type_=sa.Text)


@cache
def _offsets(timezone: str, until_year: int) -> tuple[tuple[datetime, int], ...]:
    """The zone's UTC offsets in seconds, each with the moment (UTC) since which it holds, oldest first."""
    zone = ZoneInfo(timezone)

    def offset(moment: datetime) -> int:
        passed = moment.astimezone(zone).utcoffset()
        return int(passed.total_seconds()) if passed is not None else 0

    found = [(EARLIEST, offset(EARLIEST))]
    day = EARLIEST
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


def add_days(day: Column, days: int, context: BuildContext) -> Column:
    """``day`` plus ``days``."""
    if context.dialect == "postgresql":
        return sa.cast(day + sa.cast(days, sa.Integer), sa.Date)
    return sa.func.date(day, f"{days:+d} days", type_=sa.Date)


def day_number(day: Column, context: BuildContext) -> Column:
    """``day`` as a number that grows by 1 per day, which engines compare and sort faster."""
    if context.dialect == "postgresql":
        return sa.cast(day - sa.literal(EARLIEST.date(), sa.Date), sa.BigInteger)
    return sa.cast(sa.func.julianday(day), sa.BigInteger)


def month_of(day: Column, context: BuildContext) -> Column:
    """The first day of the month of ``day``."""
    if context.dialect == "postgresql":
        return sa.cast(sa.func.date_trunc("month", day), sa.Date)
    return sa.func.date(day, "start of month", type_=sa.Date)


def months_between(earlier: Column, later: Column, context: BuildContext) -> Column:
    """The number of months between the first days of two months."""

    def number(month: Column) -> Column:
        if context.dialect == "postgresql":
            return sa.cast(sa.extract("year", month) * 12 + sa.extract("month", month), sa.BigInteger)
        year, of_year = sa.func.strftime("%Y", month), sa.func.strftime("%m", month)
        return sa.cast(year, sa.Integer) * 12 + sa.cast(of_year, sa.Integer)

    return number(later) - number(earlier)


def seconds_between(earlier: Column, later: Column, context: BuildContext) -> Column:
    """Whole seconds between two moments, each truncated to a second so that all engines agree.

    Null if ``later`` is before ``earlier``: one of them is a mistake of the source.
    """

    def second(moment: Column) -> Column:
        if context.dialect == "postgresql":
            return sa.cast(sa.func.floor(sa.extract("epoch", moment)), sa.BigInteger)
        return sa.cast(sa.func.strftime("%s", _whole_second(moment)), sa.BigInteger)

    return sa.case((later >= earlier, second(later) - second(earlier)))


def microseconds_of(moment: Column, context: BuildContext) -> Column:
    """The microseconds of ``moment`` within its second."""
    if context.dialect == "postgresql":
        return sa.cast(sa.extract("microseconds", moment), sa.BigInteger) % 1_000_000
    return sa.cast(sa.func.substr(moment, len("2026-01-31 23:59:59.") + 1, type_=sa.Text), sa.BigInteger)


def literal_moment(at: datetime) -> Column:
    """``at``, which is timezone-aware, as a literal of the statement."""
    return sa.literal(at.astimezone(UTC), sa.DateTime(timezone=True))


def believed(moment: Column, until: datetime) -> Column:
    """``moment``; null if it is before any community existed, or not before ``until``: a mistake of the source."""
    return sa.case((sa.and_(moment >= literal_moment(EARLIEST), moment < literal_moment(until)), moment))


def binary_collated(text: Column, context: BuildContext) -> Column:
    """``text`` to order by character codes, as SQLite does; PostgreSQL would use the collation of a language."""
    return sa.collate(text, "C") if context.dialect == "postgresql" else text


def share(part: Column, whole: Column) -> Column:
    """``part`` ÷ ``whole``; null if ``whole`` is 0."""
    return sa.cast(part, sa.Double) / sa.func.nullif(whole, 0)


def count_if(condition: Column) -> Column:
    """The number of rows that fulfil ``condition``."""
    return sa.func.count().filter(condition)


def percentiles(rows: sa.FromClause, by: Sequence[str], value: str, names: Mapping[str, int]) -> sa.Subquery:
    """Percentiles of a column by nearest rank, which are always one of the values. Nulls are ignored.

    Args:
        rows: The rows.
        by: The columns to group by.
        value: The column with the values.
        names: The columns of the result: name → percent.
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
