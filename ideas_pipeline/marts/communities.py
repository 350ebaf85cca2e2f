"""``mart_communities``: one row per community of the warehouse, so that several can be compared.

It is not among ``MARTS``, because it has no SELECT of tables: it is made of marts and of what the runs recorded, and
counts up to now, so its row is written whenever they are refreshed.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts import challenges, contributors, daily_activity, people
from ideas_pipeline.marts.daily_activity import ACTIVE_DAYS
from ideas_pipeline.marts.dialect import literal_moment
from ideas_pipeline.marts.facts import NOT_REGISTERED
from ideas_pipeline.marts.mart import BuildContext, mart_table
from ideas_pipeline.tables.bookkeeping import ABSENCES, REJECTED_RECORDS
from ideas_pipeline.tables.columns import column
from ideas_pipeline.times import at_clock_time, on_the_clock
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.status import last_syncs

TABLE = mart_table(
    "mart_communities",
    "One row per community of this warehouse: how complete its data is, its size, and its activity in the 28 days up "
    "to as_of beside the 28 days before.",
    column(
        "last_complete_at",
        "timestamp",
        "When all streams were last complete: the earliest of the times of their last complete syncs. Null if a stream "
        "never was.",
    ),
    column("people", "integer", "People registered now (see mart_people).", required=True),
    column("ideas", "integer", "Ideas in all challenges (see mart_challenges).", required=True),
    column("comments", "integer", "Current comments on them.", required=True),
    column("votes", "integer", "Current votes on them, of all types.", required=True),
    column(
        "contributions_28d",
        "integer",
        f"Ideas, comments and votes of the last {ACTIVE_DAYS} days (see mart_daily_activity).",
        required=True,
    ),
    column("contributions_28d_before", "integer", f"Those of the {ACTIVE_DAYS} days before these.", required=True),
    column(
        "contributions_change",
        "number",
        "(contributions_28d - contributions_28d_before) ÷ contributions_28d_before. Null if there were none before.",
    ),
    column(
        "active_28d",
        "integer",
        f"People who contributed in the last {ACTIVE_DAYS} days (see mart_daily_activity).",
        required=True,
    ),
    column(
        "findings",
        "integer",
        "Streams whose last sync was not complete, streams with held rows, and tables with rejected records or values, "
        "added up. 0: nothing of these. ideas-pipeline status explains them, and checks more.",
        required=True,
    ),
    column("as_of", "timestamp", "The moment up to which the days are counted.", required=True),
    column("timezone", "text", "The time zone of the days (IDEAS_TIMEZONE).", required=True),
)


def write_row(tx: Transaction, context: BuildContext) -> None:
    """Compute the row of the community from its marts, which must be current, and replace the one that is there.

    Args:
        tx: A transaction that writes.
        context: What the marts were built with.
    """
    row = _row(tx, context)
    tx.execute(sa.delete(TABLE).where(tx.owns(TABLE)))
    tx.execute(sa.insert(TABLE), {"community": tx.community, **row})


def _row(tx: Transaction, context: BuildContext) -> dict[str, Any]:
    today = on_the_clock(context.as_of, context.timezone).date()
    since, before = (today - timedelta(days=days) for days in (ACTIVE_DAYS, 2 * ACTIVE_DAYS))
    now, then = _contributions(tx, since, today), _contributions(tx, before, since)
    is_registered = people.TABLE.c.status.not_in(NOT_REGISTERED)
    syncs = last_syncs(tx)
    complete = [at for _, at in syncs if at]
    return {
        "last_complete_at": min(complete) if syncs and len(complete) == len(syncs) else None,
        "people": _sum(tx, people.TABLE, people.TABLE.c.people, is_registered),
        **{name: _sum(tx, challenges.TABLE, challenges.TABLE.c[name]) for name in ("ideas", "comments", "votes")},
        "contributions_28d": now,
        "contributions_28d_before": then,
        "contributions_change": (now - then) / then if then else None,
        "active_28d": _active(tx, since, today, context),
        "findings": sum(sync.verdict != "complete" for sync, _ in syncs)
        + _different(tx, ABSENCES, ABSENCES.c.stream, ABSENCES.c.held_because.is_not(None))
        + _different(tx, REJECTED_RECORDS, REJECTED_RECORDS.c.table_name),
        "as_of": context.as_of,
        "timezone": context.timezone,
    }


def _contributions(tx: Transaction, after: date, until: date) -> int:
    days = daily_activity.TABLE
    done = days.c.ideas + days.c.comments + days.c.votes
    return _sum(tx, days, done, days.c.day > after, days.c.day <= until)


def _active(tx: Transaction, after: date, until: date, context: BuildContext) -> int:
    days = daily_activity.TABLE
    on_last_day = tx.scalar(sa.select(days.c.active_28d).where(tx.owns(days), days.c.day == until))
    if on_last_day is not None:
        return int(on_last_day)
    # The days end before, or a clock that is ahead began them later.
    last = contributors.TABLE.c.last_contribution_at
    first_moment, end = (
        literal_moment(at_clock_time(datetime.combine(day + timedelta(days=1), time()), context.timezone))
        for day in (after, until)
    )
    return _sum(tx, contributors.TABLE, sa.literal(1), last >= first_moment, last < end)


def _sum(tx: Transaction, table: sa.Table, of: sa.ColumnElement[Any], *which: sa.ColumnElement[bool]) -> int:
    return int(tx.scalar(sa.select(sa.func.sum(of)).select_from(table).where(tx.owns(table), *which)) or 0)


def _different(tx: Transaction, table: sa.Table, of: sa.Column[Any], *which: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count(of.distinct())).where(tx.owns(table), *which)
    return int(tx.scalar(query) or 0)
