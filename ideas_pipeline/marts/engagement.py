"""``mart_engagement``: the number of people at each engagement level."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.contributors import TABLE as CONTRIBUTORS
from ideas_pipeline.marts.dialect import share
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.tables.columns import column

TABLE = mart_table(
    "mart_engagement",
    "One row per engagement level that anybody has (see mart_contributors.engagement_level).",
    column("engagement_level", "id", "The level.", key=True),
    column("people", "integer", "People at this level.", required=True),
    column("of_people", "integer", "People who are registered or have contributed.", required=True),
    column("share", "number", "people ÷ of_people."),
)


def _select(context: BuildContext) -> sa.Select[Any]:
    c = CONTRIBUTORS.c
    counted = (
        sa.select(c.engagement_level, sa.func.count().label("people"))
        .where(c.community == context.community)
        .group_by(c.engagement_level)
        .subquery()
    )
    everybody = sa.cast(sa.func.sum(counted.c.people).over(), sa.BigInteger)
    whole = sa.select(*counted.c, everybody.label("of_people")).subquery()
    return sa.select(*whole.c, share(whole.c.people, whole.c.of_people))


MART = Mart(TABLE, _select, reads=("mart_contributors",))
