"""``mart_cohorts``: of those who first contributed in a month, how many did so again, month by month."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import day_after, month_of, months_between, share
from ideas_pipeline.marts.facts import ACTS
from ideas_pipeline.marts.mart import Asked, Mart, mart_table
from ideas_pipeline.tables.columns import column

TABLE = mart_table(
    "mart_cohorts",
    "One row a cohort (people by the month of their first contribution) and month since, up to the month of the last "
    "contribution of all. That last month may not be over.",
    column("cohort_month", "date", "The first day of the month of their first contribution.", key=True),
    column("months_later", "integer", "How many months later; 0 is that month itself.", key=True),
    column("month", "date", "The first day of that later month.", required=True),
    column("cohort_size", "integer", "People of the cohort.", required=True),
    column("active", "integer", "Those who contributed in that later month.", required=True),
    column("retention", "number", "active ÷ cohort_size."),
)


def _select(asked: Asked) -> sa.Select[Any]:
    c = ACTS.c
    days = sa.select(c.user_id, month_of(c.day, asked).label("month")).where(c.user_id.is_not(None)).subquery()
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
    months = _months(acted, asked)
    return (
        sa.select(
            sizes.c.cohort,
            months_between(sizes.c.cohort, months.c.month, asked),
            months.c.month,
            sizes.c.size,
            sa.func.coalesce(active.c.active, 0),
            share(sa.func.coalesce(active.c.active, 0), sizes.c.size),
        )
        .join_from(sizes, months, months.c.month >= sizes.c.cohort)
        .outerjoin(active, sa.and_(active.c.cohort == sizes.c.cohort, active.c.month == months.c.month))
    )


def _months(acted: sa.CTE, asked: Asked) -> sa.CTE:
    """Every month from that of the first person's contribution to that of the last of all, be it nobody's."""
    last = sa.select(month_of(sa.func.max(ACTS.c.day), asked)).scalar_subquery()
    months = (
        sa.select(sa.func.min(acted.c.month).label("month"))
        .select_from(acted)
        .having(sa.func.count() > 0)
        .cte("months", recursive=True)
    )
    # 31 days after the first of a month is in the next one.
    following = sa.select(month_of(day_after(months.c.month, 31, asked), asked)).where(months.c.month < last)
    return months.union_all(following)


MART = Mart(TABLE, _select, reads=("ideas", "idea_coauthors", "comments", "votes", "users"))
