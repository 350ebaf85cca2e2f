"""``mart_stage_times``: how long ideas stay in each stage."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import count_if, literal_moment, percentiles, seconds_between
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.marts.stages import STAGES, STAYS
from ideas_pipeline.tables.columns import column

TABLE = mart_table(
    "mart_stage_times",
    "One row per stage of a challenge, as in mart_funnel: how long ideas were seen in it, with all stays of an idea "
    "added up. Unfinished stays count up to now (see _marts.as_of). Times are only as precise as the schedule of the "
    "syncs.",
    column("challenge_id", "id", "The challenge.", key=True, references="challenges"),
    column("stage_id", "id", "The stage.", key=True),
    column("name", "text", "The stage's name."),
    column("ideas", "integer", "Ideas that were seen in it, over which the median is taken.", required=True),
    column("began_unseen", "integer", "Ideas whose first stay may have begun before it was first seen.", required=True),
    column("median_seconds", "integer", "Median time of an idea in the stage, in seconds."),
    column("p90_seconds", "integer", "90th percentile of the same: 90 % of the ideas took no longer."),
    column("still_in", "integer", "Ideas that are in this stage now.", required=True),
    column("median_age_seconds", "integer", "Median time since they entered it (most recently)."),
    column("oldest_age_seconds", "integer", "The longest time since one of them entered it."),
)


def _select(context: BuildContext) -> sa.Select[Any]:
    c, now = STAYS.c, literal_moment(context.as_of)
    lasted = seconds_between(c.began, sa.func.coalesce(c.ended, now), context)
    stays = sa.select(
        c.challenge_id,
        c.stage_id,
        c.idea_id,
        lasted.label("lasted"),
        sa.case((c.ended.is_(None), lasted)).label("age"),
        sa.case((c.is_left_censored, 1), else_=0).label("unseen"),
    ).subquery()
    s = stays.c
    by_idea = (
        sa.select(
            s.challenge_id,
            s.stage_id,
            s.idea_id,
            sa.cast(sa.func.sum(s.lasted), sa.BigInteger).label("lasted"),
            sa.func.min(s.age).label("age"),
            sa.func.max(s.unseen).label("unseen"),
        )
        .group_by(s.challenge_id, s.stage_id, s.idea_id)
        .cte("by_idea")
    )
    of_stage = ("challenge_id", "stage_id")
    times = percentiles(by_idea, of_stage, "lasted", {"median": 50, "p90": 90})
    ages = percentiles(by_idea, of_stage, "age", {"median": 50, "oldest": 100})
    i = by_idea.c
    counts = (
        sa.select(
            i.challenge_id,
            i.stage_id,
            sa.func.count().label("ideas"),
            sa.func.sum(i.unseen).label("unseen"),
            count_if(i.age.is_not(None)).label("still_in"),
        )
        .group_by(i.challenge_id, i.stage_id)
        .subquery()
    )

    def same(other: sa.FromClause) -> sa.ColumnElement[bool]:
        return sa.and_(*(other.c[name] == STAGES.c[name] for name in of_stage))

    return (
        sa.select(
            STAGES.c.challenge_id,
            STAGES.c.stage_id,
            STAGES.c.name,
            *(sa.func.coalesce(counts.c[name], 0) for name in ("ideas", "unseen")),
            times.c.median,
            times.c.p90,
            sa.func.coalesce(counts.c.still_in, 0),
            ages.c.median,
            ages.c.oldest,
        )
        .outerjoin_from(STAGES, counts, same(counts))
        .outerjoin(times, same(times))
        .outerjoin(ages, same(ages))
    )


MART = Mart(
    TABLE,
    _select,
    reads=("challenges", "challenge_stages", "ideas", "idea_history", "users"),
    people=("banned",),
    counts_up_to_now=True,
)
