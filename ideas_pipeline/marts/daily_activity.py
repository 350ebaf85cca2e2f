"""``mart_daily_activity``: contributions and active people by day."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import add_days, count_if, share
from ideas_pipeline.marts.facts import ACTS, PEOPLE
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
    days = _days(context)
    c = ACTS.c
    person = sa.case((c.user_id.is_not(None), c.user_id))
    done = (
        sa.select(
            c.day,
            count_if(c.kind == "idea").label("ideas"),
            count_if(c.kind == "comment").label("comments"),
            count_if(c.kind == "vote").label("votes"),
            sa.func.count(sa.distinct(person)).label("contributors"),
        )
        .where(c.day.is_not(None))
        .group_by(c.day)
        .subquery()
    )
    dated = sa.and_(c.user_id.is_not(None), c.day.is_not(None))
    first = sa.select(c.user_id, sa.func.min(c.day).label("day")).where(dated).group_by(c.user_id)
    begun = _counted_by_day(first.subquery())
    joined = _counted_by_day(_joined(first.subquery()))
    steps = _active_steps(context)
    any_day = sa.select(sa.func.min(days.c.day)).scalar_subquery()
    since_ever = (
        sa.select(sa.func.count())
        .select_from(PEOPLE)
        .where(PEOPLE.c.is_registered, sa.or_(PEOPLE.c.joined_day.is_(None), PEOPLE.c.joined_day < any_day))
        .scalar_subquery()
    )

    def so_far(amount: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        total = sa.func.sum(sa.func.coalesce(amount, 0)).over(order_by=days.c.day)
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
        .outerjoin_from(days, done, done.c.day == days.c.day)
        .outerjoin(begun, begun.c.day == days.c.day)
        .outerjoin(joined, joined.c.day == days.c.day)
        .outerjoin(steps, steps.c.day == days.c.day)
        .subquery()
    )
    return sa.select(*whole.c, share(whole.c.active, whole.c.registered))


def _days(context: BuildContext) -> sa.CTE:
    """Every day from the first contribution to the last."""
    last = sa.select(sa.func.max(ACTS.c.day)).scalar_subquery()
    first = sa.select(sa.func.min(ACTS.c.day).label("day")).having(sa.func.count(ACTS.c.day) > 0)
    days = first.cte("days", recursive=True)
    following = sa.select(add_days(days.c.day, 1, context)).where(days.c.day < last)
    return days.union_all(following)


def _counted_by_day(rows: sa.Subquery) -> sa.Subquery:
    return sa.select(rows.c.day, sa.func.count().label("people")).group_by(rows.c.day).subquery()


def _joined(first: sa.Subquery) -> sa.Subquery:
    """The day on which each registered person joined, or first contributed if earlier (people can rejoin)."""
    day = sa.case((first.c.day < PEOPLE.c.joined_day, first.c.day), else_=PEOPLE.c.joined_day)
    people = sa.select(day.label("day")).outerjoin_from(PEOPLE, first, first.c.user_id == PEOPLE.c.user_id)
    return people.where(PEOPLE.c.is_registered).subquery()


def _active_steps(context: BuildContext) -> sa.Subquery:
    """The daily changes of the numbers of active ``people`` and of the ``registered`` ones among them.

    A person is active for 28 days from each day with a contribution; overlapping spans are cut at the next such day.
    """
    user = ACTS.c.user_id
    dated = sa.and_(user.is_not(None), ACTS.c.day.is_not(None))
    registered = sa.case((user.in_(sa.select(PEOPLE.c.user_id).where(PEOPLE.c.is_registered)), 1), else_=0)
    acted = sa.select(user, ACTS.c.day, registered.label("registered")).where(dated).distinct().subquery()
    following = sa.func.lead(acted.c.day).over(partition_by=acted.c.user_id, order_by=acted.c.day)
    spans = sa.select(
        acted.c.day,
        add_days(acted.c.day, ACTIVE_DAYS, context).label("lapses"),
        following.label("again"),
        acted.c.registered,
    ).cte("spans")
    ends = sa.case((spans.c.again < spans.c.lapses, spans.c.again), else_=spans.c.lapses)
    steps = sa.union_all(
        sa.select(spans.c.day, sa.literal(1).label("people"), spans.c.registered),
        sa.select(ends.label("day"), sa.literal(-1).label("people"), -spans.c.registered),
    ).subquery()
    return (
        sa.select(
            steps.c.day,
            sa.func.sum(steps.c.people).label("people"),
            sa.func.sum(steps.c.registered).label("registered"),
        )
        .group_by(steps.c.day)
        .subquery()
    )


MART = Mart(TABLE, _select, reads=("ideas", "idea_coauthors", "comments", "votes", "users"))
