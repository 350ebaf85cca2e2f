"""``mart_response_times``: the time until the first response, by challenge."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import count_if, percentiles, seconds_between, share
from ideas_pipeline.marts.facts import COUNTED_IDEAS, IDEA_ACTS
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.tables.columns import column

TABLE = mart_table(
    "mart_response_times",
    "One row per challenge with ideas: the time from an idea's submission to the first comment by someone other than "
    "its authors. The median excludes ideas without a response: read it together with answered_rate.",
    column("challenge_id", "id", "The challenge.", key=True, references="challenges"),
    column("ideas", "integer", "Ideas.", required=True),
    column("answered", "integer", "Ideas with a response.", required=True),
    column("answered_rate", "number", "answered ÷ ideas."),
    column(
        "median_seconds", "integer", "Median time to the first response, over the answered ideas for which it is known."
    ),
    column("p90_seconds", "integer", "90th percentile of the same."),
)


def _select(context: BuildContext) -> sa.Select[Any]:
    idea, acts = COUNTED_IDEAS.c, IDEA_ACTS.c
    waited = (
        sa.select(
            idea.challenge_id,
            acts.responses,
            seconds_between(idea.created_at, acts.first_response_at, context).label("seconds"),
        )
        .join_from(COUNTED_IDEAS, IDEA_ACTS, acts.idea_id == idea.idea_id)
        .where(idea.challenge_id.is_not(None))
        .subquery()
    )
    times = percentiles(waited, ["challenge_id"], "seconds", {"median": 50, "p90": 90})
    answered = count_if(waited.c.responses > 0)
    counts = (
        sa.select(
            waited.c.challenge_id,
            sa.func.count().label("ideas"),
            answered.label("answered"),
            share(answered, sa.func.count()).label("rate"),
        )
        .group_by(waited.c.challenge_id)
        .subquery()
    )
    return sa.select(*counts.c, times.c.median, times.c.p90).outerjoin(
        times, times.c.challenge_id == counts.c.challenge_id
    )


MART = Mart(TABLE, _select, reads=("ideas", "idea_coauthors", "comments", "users"), people=("banned",))
