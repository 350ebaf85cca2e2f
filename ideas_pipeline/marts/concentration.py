"""``mart_concentration``: how much of the work few people do."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.contributors import TABLE as CONTRIBUTORS
from ideas_pipeline.marts.dialect import share
from ideas_pipeline.marts.mart import Asked, Mart, mart_table
from ideas_pipeline.tables.columns import column

TOP_PERCENT = (1, 5, 10, 25, 50, 100)

TABLE = mart_table(
    "mart_concentration",
    "One row a share of the contributors, those with the most contributions first: what share of all contributions "
    "is theirs. Contributions without a person are left out.",
    column("top_percent", "integer", "So many percent of the contributors, rounded up to whole people.", key=True),
    column("people", "integer", "How many people that are.", required=True),
    column("of_people", "integer", "People who have contributed.", required=True),
    column("contributions", "integer", "Their contributions.", required=True),
    column("of_contributions", "integer", "All contributions.", required=True),
    column("share", "number", "contributions ÷ of_contributions."),
)


def _select(asked: Asked) -> sa.Select[Any]:
    c = CONTRIBUTORS.c
    tops = sa.union_all(*(sa.select(sa.literal(p).label("percent")) for p in TOP_PERCENT)).subquery()
    mine = sa.and_(c.community == asked.community, c.contributions > 0)
    totals = (
        sa.select(
            sa.func.count().label("people"), sa.cast(sa.func.sum(c.contributions), sa.BigInteger).label("contributions")
        )
        .where(mine)
        .subquery()
    )
    # The first of them whose number, counted by hundreds, is below people × percent: rounded up.
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
