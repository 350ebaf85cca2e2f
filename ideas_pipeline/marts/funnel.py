"""``mart_funnel``: how many ideas of each challenge reached each stage."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import count_if, share
from ideas_pipeline.marts.facts import COUNTED_IDEAS
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.marts.stages import STAGES, STAYS
from ideas_pipeline.tables.columns import column

TABLE = mart_table(
    "mart_funnel",
    "One row per stage of a challenge, including those that the source removed if an idea was ever seen in them. An "
    "idea has reached a stage if it was ever seen in it or in a later one; therefore reached never rises along the "
    "stages. Nothing was seen before the first sync: see not_observed.",
    column("challenge_id", "id", "The challenge.", key=True, references="challenges"),
    column("stage_id", "id", "The stage.", key=True),
    column(
        "place",
        "integer",
        "The stage's position in the challenge, from 1; a removed stage keeps its last position, before the stage that "
        "has it now. Null if the source never had a position for it: which ideas reached it is then unknown, too.",
    ),
    column("name", "text", "The stage's name."),
    column("kind", "text", "phase, vote_target, refinement or approval."),
    column("ideas", "integer", "Ideas that were ever seen in a stage of the challenge.", required=True),
    column("reached", "integer", "Ideas that ever reached this stage; null without a place."),
    column("entered", "integer", "Ideas that were seen in this stage.", required=True),
    column("skipped", "integer", "Ideas that were only seen in a later stage; null without a place."),
    column(
        "not_observed",
        "integer",
        "Ideas that were already past this stage when they were first seen: whether they entered or skipped it is not "
        "known. reached = entered + skipped + not_observed. Null without a place.",
    ),
    column("re_entered", "integer", "Ideas that were seen to return to this stage from another one.", required=True),
    column("currently_in", "integer", "Ideas that are in this stage now.", required=True),
    column("next_reached", "integer", "Ideas that reached the next stage; null for the last."),
    column("conversion", "number", "next_reached ÷ reached."),
    column("reached_rate", "number", "reached ÷ ideas."),
)


def _select(context: BuildContext) -> sa.Select[Any]:
    stage = STAGES.c
    reach, entries = _reach(), _entries()
    each = (
        sa.select(
            stage.challenge_id,
            stage.stage_id,
            sa.func.count(reach.c.idea_id).label("ideas"),
            _if_placed(count_if(reach.c.furthest >= stage.place)).label("reached"),
            count_if(entries.c.entries > 0).label("entered"),
            _if_placed(
                count_if(
                    sa.and_(
                        entries.c.entries.is_(None),
                        reach.c.furthest >= stage.place,
                        stage.place < reach.c.first_seen_in,
                    )
                )
            ).label("not_observed"),
            count_if(entries.c.entries > 1).label("re_entered"),
        )
        .outerjoin_from(STAGES, reach, reach.c.challenge_id == stage.challenge_id)
        .outerjoin(
            entries,
            sa.and_(
                entries.c.idea_id == reach.c.idea_id,
                entries.c.challenge_id == stage.challenge_id,
                entries.c.stage_id == stage.stage_id,
            ),
        )
        .group_by(stage.challenge_id, stage.stage_id)
        .subquery()
    )
    idea = COUNTED_IDEAS.c
    now = (
        sa.select(idea.challenge_id, idea.stage_id, sa.func.count().label("ideas"))
        .group_by(idea.challenge_id, idea.stage_id)
        .subquery()
    )
    c = each.c
    following = sa.func.lead(c.reached).over(partition_by=stage.challenge_id, order_by=stage.place.asc().nulls_last())
    whole = (
        sa.select(
            stage.challenge_id,
            stage.stage_id,
            stage.place,
            stage.name,
            stage.kind,
            c.ideas,
            c.reached,
            c.entered,
            (c.reached - c.entered - c.not_observed).label("skipped"),
            c.not_observed,
            c.re_entered,
            sa.func.coalesce(now.c.ideas, 0).label("currently_in"),
            sa.case((stage.place.is_not(None), following)).label("next_reached"),
        )
        .join(STAGES, sa.and_(stage.challenge_id == c.challenge_id, stage.stage_id == c.stage_id))
        .outerjoin(now, sa.and_(now.c.challenge_id == c.challenge_id, now.c.stage_id == c.stage_id))
        .subquery()
    )
    return sa.select(*whole.c, share(whole.c.next_reached, whole.c.reached), share(whole.c.reached, whole.c.ideas))


def _if_placed(count: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """``count`` of the ideas of a stage; null if its place among the others is not known."""
    return sa.case((sa.func.max(STAGES.c.place).is_not(None), count))


def _reach() -> sa.Subquery:
    """By challenge and idea: the furthest place it was seen in, and the first one if earlier ones were not observed."""
    of_stage = sa.and_(STAGES.c.challenge_id == STAYS.c.challenge_id, STAGES.c.stage_id == STAYS.c.stage_id)
    return (
        sa.select(
            STAYS.c.challenge_id,
            STAYS.c.idea_id,
            sa.func.max(STAGES.c.place).label("furthest"),
            # Only an idea's very first stay is left-censored.
            sa.func.max(sa.case((STAYS.c.is_left_censored, STAGES.c.place))).label("first_seen_in"),
        )
        .join(STAGES, of_stage)
        .group_by(STAYS.c.challenge_id, STAYS.c.idea_id)
        .subquery()
    )


def _entries() -> sa.Subquery:
    c = STAYS.c
    return (
        sa.select(c.challenge_id, c.stage_id, c.idea_id, count_if(c.is_entry).label("entries"))
        .group_by(c.challenge_id, c.stage_id, c.idea_id)
        .subquery()
    )


MART = Mart(
    TABLE, _select, reads=("challenges", "challenge_stages", "ideas", "idea_history", "users"), people=("banned",)
)
