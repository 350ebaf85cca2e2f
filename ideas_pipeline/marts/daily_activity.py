"""``mart_daily_activity``: what was done on each day, and by how many."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import count_if, day_after, share
from ideas_pipeline.marts.facts import ACTS, PEOPLE
from ideas_pipeline.marts.mart import Asked, Mart, mart_table
from ideas_pipeline.tables.columns import column

ACTIVE_DAYS = 28

TABLE = mart_table(
    "mart_daily_activity",
    "One row a day, from the first contribution to the last, quiet days included. What a stage's start cleared later "
    "counts on the day on which it was done.",
    column("day", "date", "The day, in the community's time zone (IDEAS_TIMEZONE).", key=True),
    column("ideas", "integer", "Ideas submitted.", required=True),
    column("comments", "integer", "Comments written.", required=True),
    column("votes", "integer", "Votes given, of whatever type: acts, not values.", required=True),
    column("contributors", "integer", "Different people who did any of this, co-authors included.", required=True),
    column("new_contributors", "integer", "Those among them who did it for the first time.", required=True),
    column(
        "active_28d",
        "integer",
        f"Different people who contributed in the {ACTIVE_DAYS} days that end with this one.",
        required=True,
    ),
    column(
        "registered",
        "integer",
        "People registered now who had joined or contributed by then; without a date of joining, from the start on.",
        required=True,
    ),
    column("registered_active_28d", "integer", "Those of active_28d who are registered now.", required=True),
    column("participation_rate", "number", "registered_active_28d ÷ registered."),
)


def _select(asked: Asked) -> sa.Select[Any]:
    days = _days(asked)
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
        .group_by(c.day)
        .subquery()
    )
    first = sa.select(c.user_id, sa.func.min(c.day).label("day")).where(c.user_id.is_not(None)).group_by(c.user_id)
    begun = _counted_by_day(first.subquery())
    joined = _counted_by_day(_joined(first.subquery()))
    steps = _active_steps(asked)
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


def _days(asked: Asked) -> sa.CTE:
    """Every day from the first contribution to the last."""
    last = sa.select(sa.func.max(ACTS.c.day)).scalar_subquery()
    first = sa.select(sa.func.min(ACTS.c.day).label("day")).select_from(ACTS).having(sa.func.count() > 0)
    days = first.cte("days", recursive=True)
    following = sa.select(day_after(days.c.day, 1, asked)).where(days.c.day < last)
    return days.union_all(following)


def _counted_by_day(rows: sa.Subquery) -> sa.Subquery:
    return sa.select(rows.c.day, sa.func.count().label("people")).group_by(rows.c.day).subquery()


def _joined(first: sa.Subquery) -> sa.Subquery:
    """The day each registered person joined. Who joined again was there when first contributing."""
    day = sa.case((first.c.day < PEOPLE.c.joined_day, first.c.day), else_=PEOPLE.c.joined_day)
    people = sa.select(day.label("day")).outerjoin_from(PEOPLE, first, first.c.user_id == PEOPLE.c.user_id)
    return people.where(PEOPLE.c.is_registered).subquery()


def _active_steps(asked: Asked) -> sa.Subquery:
    """By how many the numbers of active ``people``, and of the ``registered`` among them, change on each day.

    Somebody is active from a day of contributing until the 28th, or until the next such day, which begins anew.
    """
    user = ACTS.c.user_id
    registered = sa.case((user.in_(sa.select(PEOPLE.c.user_id).where(PEOPLE.c.is_registered)), 1), else_=0)
    acted = sa.select(user, ACTS.c.day, registered.label("registered")).where(user.is_not(None)).distinct().subquery()
    following = sa.func.lead(acted.c.day).over(partition_by=acted.c.user_id, order_by=acted.c.day)
    spans = sa.select(
        acted.c.day,
        day_after(acted.c.day, ACTIVE_DAYS, asked).label("lapses"),
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
