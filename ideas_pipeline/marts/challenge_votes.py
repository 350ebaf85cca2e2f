"""``mart_challenge_votes``: a challenge's votes by type, because values of different types cannot be added."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import count_if, share
from ideas_pipeline.marts.facts import ACTS
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.tables.columns import column

TABLE = mart_table(
    "mart_challenge_votes",
    "One row per challenge and voting type, with the current votes. The meaning of a sum or an average depends on "
    "the type (thumbs: sum; thumbs_up: count; stars, scorecard: average; points: sum).",
    column("challenge_id", "id", "The challenge.", key=True, references="challenges"),
    column(
        "voting_type",
        "id",
        "thumbs, thumbs_up, stars, points, scorecard, as each vote has it; unknown if the vote has none. The types in "
        "challenges and challenge_stages are those that are set now: a vote can be older.",
        key=True,
    ),
    column("votes", "integer", "Votes.", required=True),
    column("voters", "integer", "Distinct people who voted.", required=True),
    column("ideas", "integer", "Ideas with a vote.", required=True),
    column("votes_against", "integer", "Votes with a value below 0.", required=True),
    column(
        "value_sum", "number", "Sum of the values. One beyond a billion is a mistake of the source and is left out."
    ),
    column("value_average", "number", "value_sum ÷ votes with a value."),
)


def _select(context: BuildContext) -> sa.Select[Any]:
    c = ACTS.c
    votes = (
        sa.select(
            c.challenge_id, sa.func.coalesce(c.voting_type, "unknown").label("type"), c.user_id, c.idea_id, c.value
        )
        .where(c.kind == "vote", c.is_current, c.challenge_id.is_not(None))
        .subquery()
    )
    v = votes.c
    return sa.select(
        v.challenge_id,
        v.type,
        sa.func.count(),
        sa.func.count(sa.distinct(v.user_id)),
        sa.func.count(sa.distinct(v.idea_id)),
        count_if(v.value < 0),
        sa.func.sum(v.value),
        share(sa.func.sum(v.value), sa.func.count(v.value)),
    ).group_by(v.challenge_id, v.type)


MART = Mart(TABLE, _select, reads=("ideas", "votes", "users"), people=("banned",))
