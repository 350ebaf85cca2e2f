"""``mart_concentration``: the share of all contributions that comes from the most active people."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.contributors import TABLE as CONTRIBUTORS
from ideas_pipeline.marts.dialect import share
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.tables.columns import column

TOP_PERCENT = (1, 5, 10, 25, 50, 100)

TABLE = mart_table(
    "mart_concentration",
    "One row per top percentage of the contributors, ranked by contributions: their share of all contributions. "
    "Contributions without a person are excluded.",
    column("top_percent", "integer", "Percentage of the contributors, rounded up to whole people.", key=True),
    column("people", "integer", "Number of people in it.", required=True),
    column("of_people", "integer", "All contributors.", required=True),
    column("contributions", "integer", "Their contributions.", required=True),
    column("of_contributions", "integer", "All contributions.", required=True),
    column("share", "number", "contributions ÷ of_contributions."),
)


def _select(context: BuildContext) -> sa.Select[Any]:
    c = CONTRIBUTORS.c
    tops = sa.union_all(*(sa.select(sa.literal(p).label("percent")) for p in TOP_PERCENT)).subquery()
    mine = sa.and_(c.community == context.community, c.contributions > 0)
    totals = (
        sa.select(
            sa.func.count().label("people"), sa.cast(sa.func.sum(c.contributions), sa.BigInteger).label("contributions")
        )
        .where(mine)
        .subquery()
    )
    # Integer form of rank ≤ ceil(people × percent / 100).
    within = (c.rank - 1) * 100 < totals.c.people * tops.c.percent
    top = sa.cast(sa.func.sum(c.contributions), sa.BigInteger)
    return (
        sa.select(
            tops.c.percent,
            sa.func.count(),
            totals.c.people,
            top,
            totals.c.contributions,
            share(top, totals.c.contributions),
        )
        .join_from(tops, totals, sa.true())
        .join(CONTRIBUTORS, sa.and_(mine, within))
        .group_by(tops.c.percent, totals.c.people, totals.c.contributions)
    )


MART = Mart(TABLE, _select, reads=("mart_contributors",))
