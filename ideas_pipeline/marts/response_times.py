"""``mart_response_times``: the time until the first response, by challenge."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import percentiles, seconds_between, share
from ideas_pipeline.marts.facts import ACTS, COUNTED_IDEAS
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
    idea, act = COUNTED_IDEAS.c, ACTS.c
    first = (
        sa.select(act.idea_id, sa.func.min(act.at).label("at"), sa.func.count().label("responses"))
        .where(act.kind == "comment", ~act.by_author)
        .group_by(act.idea_id)
        .subquery()
    )
    waited = (
        sa.select(
            idea.challenge_id,
            first.c.responses,
            seconds_between(idea.created_at, first.c.at, context).label("seconds"),
        )
        .outerjoin(first, first.c.idea_id == idea.idea_id)
        .where(idea.challenge_id.is_not(None))
        .subquery()
    )
    times = percentiles(waited, ["challenge_id"], "seconds", {"median": 50, "p90": 90})
    answered = sa.func.count(waited.c.responses)
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
