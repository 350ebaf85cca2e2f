"""``mart_cohorts``: of the people who first contributed in a month, how many contributed in each later month."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import add_days, month_of, months_between, share
from ideas_pipeline.marts.facts import PERSON_DAYS
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.tables.columns import column

TABLE = mart_table(
    "mart_cohorts",
    "One row per cohort (people by the month of their first contribution) and later month, up to the month of the "
    "community's last contribution, which may not be over yet. Contributions without a known time are in no month.",
    column("cohort_month", "date", "The first day of the month of their first contribution.", key=True),
    column("months_later", "integer", "Number of months later; 0 is the first month itself.", key=True),
    column("month", "date", "The first day of that later month.", required=True),
    column("cohort_size", "integer", "People in the cohort.", required=True),
    column("active", "integer", "People of the cohort who contributed in that later month.", required=True),
    column("retention", "number", "active ÷ cohort_size."),
)


def _select(context: BuildContext) -> sa.Select[Any]:
    c = PERSON_DAYS.c
    days = (
        sa.select(c.user_id, month_of(c.day, context).label("month"))
        .where(c.user_id.is_not(None), c.day.is_not(None))
        .subquery()
    )
    acted = sa.select(days.c.user_id, days.c.month).distinct().cte("acted")
    first = (
        sa.select(acted.c.user_id, sa.func.min(acted.c.month).label("cohort")).group_by(acted.c.user_id).cte("first")
    )
    sizes = sa.select(first.c.cohort, sa.func.count().label("size")).group_by(first.c.cohort).subquery()
    active = (
        sa.select(first.c.cohort, acted.c.month, sa.func.count().label("active"))
        .join(first, first.c.user_id == acted.c.user_id)
        .group_by(first.c.cohort, acted.c.month)
        .subquery()
    )
    months = _months(acted, context)
    return (
        sa.select(
            sizes.c.cohort,
            months_between(sizes.c.cohort, months.c.month, context),
            months.c.month,
            sizes.c.size,
            sa.func.coalesce(active.c.active, 0),
            share(sa.func.coalesce(active.c.active, 0), sizes.c.size),
        )
        .join_from(sizes, months, months.c.month >= sizes.c.cohort)
        .outerjoin(active, sa.and_(active.c.cohort == sizes.c.cohort, active.c.month == months.c.month))
    )


def _months(acted: sa.CTE, context: BuildContext) -> sa.CTE:
    """Every month from the first contribution with a person to the last contribution, with or without a person."""
    last = sa.select(month_of(sa.func.max(PERSON_DAYS.c.day), context)).scalar_subquery()
    months = (
        sa.select(sa.func.min(acted.c.month).label("month"))
        .select_from(acted)
        .having(sa.func.count() > 0)
        .cte("months", recursive=True)
    )
    # The 1st of a month plus 31 days always lies in the next month.
    following = sa.select(month_of(add_days(months.c.month, 31, context), context)).where(months.c.month < last)
    return months.union_all(following)


MART = Mart(TABLE, _select, reads=("ideas", "idea_coauthors", "comments", "votes", "users"))
