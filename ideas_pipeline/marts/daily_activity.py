"""``mart_daily_activity``: contributions and active people by day."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import add_days, count_if, day_number, share
from ideas_pipeline.marts.facts import PEOPLE, PERSON_DAYS
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.tables.columns import column

ACTIVE_DAYS = 28

TABLE = mart_table(
    "mart_daily_activity",
    "One row per day from the first contribution to the last, including days without any. Votes and comments that "
    "the start of a stage cleared later are counted on their day; contributions without a known time are on none.",
    column("day", "date", "The day, in the community's time zone (IDEAS_TIMEZONE).", key=True),
    column("ideas", "integer", "Ideas submitted.", required=True),
    column("comments", "integer", "Comments written.", required=True),
    column("votes", "integer", "Votes cast, of all types: their number, not their values.", required=True),
    column("contributors", "integer", "Distinct people who contributed, including co-authors.", required=True),
    column("new_contributors", "integer", "Contributors who had never contributed before.", required=True),
    column(
        "active_28d",
        "integer",
        f"Distinct people who contributed in the {ACTIVE_DAYS} days up to and including this one.",
        required=True,
    ),
    column(
        "registered",
        "integer",
        "People registered now who had joined or contributed by this day; without a joining date, from day one.",
        required=True,
    ),
    column("registered_active_28d", "integer", "People of active_28d who are registered now.", required=True),
    column("participation_rate", "number", "registered_active_28d ÷ registered."),
)


def _select(context: BuildContext) -> sa.Select[Any]:
    c = PERSON_DAYS.c
    done = (
        sa.select(
            c.number,
            sa.func.min(c.day).label("day"),
            *(sa.cast(sa.func.sum(c[name]), sa.BigInteger).label(name) for name in ("ideas", "comments", "votes")),
            sa.func.count(c.user_id).label("contributors"),
        )
        .where(c.number.is_not(None))
        .group_by(c.number)
        .cte("done")
    )
    days = _days(done, context)
    dated = sa.and_(c.user_id.is_not(None), c.number.is_not(None))
    first = sa.select(c.user_id, sa.func.min(c.number).label("number")).where(dated).group_by(c.user_id).cte("first")
    begun = _counted_by_day(first)
    joined = _counted_by_day(_joined(first, context))
    steps = _active_steps()
    any_day = sa.select(sa.func.min(days.c.number)).scalar_subquery()
    joined_on = day_number(PEOPLE.c.joined_day, context)
    since_ever = (
        sa.select(sa.func.count())
        .select_from(PEOPLE)
        .where(PEOPLE.c.is_registered, sa.or_(joined_on.is_(None), joined_on < any_day))
        .scalar_subquery()
    )

    def so_far(amount: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        total = sa.func.sum(sa.func.coalesce(amount, 0)).over(order_by=days.c.number)
        return sa.cast(total, sa.BigInteger)

    registered = so_far(joined.c.people) + since_ever
    active = so_far(steps.c.registered)
    whole = (
        sa.select(
            days.c.day,
            *(sa.func.coalesce(done.c[name], 0) for name in ("ideas", "comments", "votes", "contributors")),
            sa.func.coalesce(begun.c.people, 0),
            so_far(steps.c.people),
            registered.label("registered"),
            active.label("active"),
        )
        .outerjoin_from(days, done, done.c.number == days.c.number)
        .outerjoin(begun, begun.c.number == days.c.number)
        .outerjoin(joined, joined.c.number == days.c.number)
        .outerjoin(steps, steps.c.number == days.c.number)
        .subquery()
    )
    return sa.select(*whole.c, share(whole.c.active, whole.c.registered))


def _days(done: sa.CTE, context: BuildContext) -> sa.CTE:
    """Every day from the first contribution to the last, and its number."""
    c = done.c
    last = sa.select(sa.func.max(c.number)).scalar_subquery()
    first = sa.select(sa.func.min(c.day).label("day"), sa.func.min(c.number).label("number"))
    days = first.having(sa.func.count(c.number) > 0).cte("days", recursive=True)
    following = sa.select(add_days(days.c.day, 1, context), days.c.number + 1).where(days.c.number < last)
    return days.union_all(following)


def _counted_by_day(rows: sa.FromClause) -> sa.Subquery:
    return sa.select(rows.c.number, sa.func.count().label("people")).group_by(rows.c.number).subquery()


def _joined(first: sa.CTE, context: BuildContext) -> sa.Subquery:
    """The day on which each registered person joined, or first contributed if earlier (people can rejoin)."""
    joined_on = day_number(PEOPLE.c.joined_day, context)
    day = sa.case((first.c.number < joined_on, first.c.number), else_=joined_on)
    people = sa.select(day.label("number")).outerjoin_from(PEOPLE, first, first.c.user_id == PEOPLE.c.user_id)
    return people.where(PEOPLE.c.is_registered).subquery()


def _active_steps() -> sa.Subquery:
    """The daily changes of the numbers of active ``people`` and of the ``registered`` ones among them.

    A person is active for 28 days from each day with a contribution; overlapping spans are cut at the next such day.
    """
    c = PERSON_DAYS.c
    following = sa.func.lead(c.number).over(partition_by=c.user_id, order_by=c.number)
    acted = (
        sa.select(c.user_id, c.number, following.label("again"))
        .where(c.user_id.is_not(None), c.number.is_not(None))
        .subquery()
    )
    lapses = acted.c.number + ACTIVE_DAYS
    ends = sa.case((acted.c.again < lapses, acted.c.again), else_=lapses)
    # Few spans differ in their days, so adding them up first leaves few rows.
    spans = (
        sa.select(
            acted.c.number,
            ends.label("ends"),
            sa.func.count().label("people"),
            count_if(PEOPLE.c.is_registered).label("registered"),
        )
        .outerjoin_from(acted, PEOPLE, PEOPLE.c.user_id == acted.c.user_id)
        .group_by(acted.c.number, ends)
        .cte("spans")
    )
    s = spans.c
    steps = sa.union_all(
        sa.select(s.number, s.people, s.registered), sa.select(s.ends, -s.people, -s.registered)
    ).subquery()
    return (
        sa.select(
            steps.c.number,
            sa.func.sum(steps.c.people).label("people"),
            sa.func.sum(steps.c.registered).label("registered"),
        )
        .group_by(steps.c.number)
        .subquery()
    )


MART = Mart(TABLE, _select, reads=("ideas", "idea_coauthors", "comments", "votes", "users"))
