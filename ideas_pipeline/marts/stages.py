"""Temporary tables of the stages of challenges, and of the stays of counted ideas in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import binary_collated
from ideas_pipeline.marts.facts import COUNTED_IDEAS, fact_table
from ideas_pipeline.marts.mart import BuildContext
from ideas_pipeline.tables.community import CHALLENGE_STAGES, CHALLENGES
from ideas_pipeline.tables.history import IDEA_HISTORY

STAGES = fact_table(
    "stages",
    key=("challenge_id", "stage_id"),
    challenge_id="id",
    stage_id="id",
    place="integer",
    name="text",
    kind="text",
)
"""The stages of each challenge that exists, and those in which a counted idea was ever seen.

``place`` numbers them in order, from 1; null if the source has no position, or never described the stage.
"""

STAYS = fact_table(
    "stays",
    idea_id="id",
    challenge_id="id",
    stage_id="id",
    name="text",
    began="timestamp",
    ended="timestamp",
    is_entry="boolean",
    is_left_censored="boolean",
)
"""The observed stays of counted ideas in stages. ``is_entry`` is false if the idea had only been invisible."""


def _stages(context: BuildContext) -> sa.Select[Any]:
    c, idea = CHALLENGE_STAGES.c, COUNTED_IDEAS.c
    now_in = sa.select(idea.challenge_id, idea.stage_id).where(
        idea.challenge_id.is_not(None), idea.stage_id.is_not(None)
    )
    seen = sa.union(sa.select(STAYS.c.challenge_id, STAYS.c.stage_id), now_in).subquery()
    is_seen = sa.and_(seen.c.challenge_id == c.challenge_id, seen.c.stage_id == c.id)
    is_removed = c._deleted_at.is_not(None)
    order = sa.func.row_number().over(
        partition_by=c.challenge_id,
        # The source gives the position of a stage that it removed to the next one.
        order_by=(
            sa.case((c.position.is_(None), 1), else_=0),
            c.position,
            sa.case((is_removed, 0), else_=1),
            binary_collated(c.id, context),
        ),
    )
    described = (
        sa.select(c.challenge_id, c.id, sa.case((c.position.is_not(None), order)), c.name, c.kind)
        .outerjoin(seen, is_seen)
        .where(
            c.community == context.community,
            sa.or_(~is_removed, seen.c.stage_id.is_not(None)),
            _exists(c.challenge_id, context),
        )
    )
    never_described = (
        sa.select(
            seen.c.challenge_id,
            seen.c.stage_id,
            sa.cast(sa.null(), sa.BigInteger),
            _last_name(seen),
            sa.cast(sa.null(), sa.Text),
        )
        .outerjoin(CHALLENGE_STAGES, sa.and_(c.community == context.community, is_seen))
        .where(c.id.is_(None), _exists(seen.c.challenge_id, context))
    )
    both = described.union_all(never_described).subquery()
    return sa.select(*both.c)


def _exists(challenge: sa.ColumnElement[Any], context: BuildContext) -> sa.ColumnElement[bool]:
    """Whether the challenge is not known to be deleted."""
    c = CHALLENGES.c
    return challenge.not_in(sa.select(c.id).where(c.community == context.community, c._deleted_at.is_not(None)))


def _last_name(stage: sa.Subquery) -> sa.ScalarSelect[Any]:
    """The name with which the stage was last seen."""
    return (
        sa.select(STAYS.c.name)
        .where(STAYS.c.challenge_id == stage.c.challenge_id, STAYS.c.stage_id == stage.c.stage_id)
        .order_by(STAYS.c.began.desc(), STAYS.c.name.desc())
        .limit(1)
        .scalar_subquery()
    )


def _stays(context: BuildContext) -> sa.Select[Any]:
    c = IDEA_HISTORY.c
    mine = c.community == context.community

    def before(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
        return sa.func.lag(column).over(partition_by=c.idea_id, order_by=c.observed_from)

    is_same = sa.and_(before(c.challenge_id) == c.challenge_id, before(c.value) == c.value)
    return (
        sa.select(
            c.idea_id,
            c.challenge_id,
            c.value,
            c.name,
            c.observed_from,
            c.observed_to,
            sa.case((is_same, sa.false()), else_=sa.true()),
            c.is_left_censored,
        )
        .join(COUNTED_IDEAS, COUNTED_IDEAS.c.idea_id == c.idea_id)
        .where(mine, c.attribute == "stage", c.challenge_id.is_not(None))
    )


SELECTS: dict[sa.Table, Callable[[BuildContext], sa.Select[Any]]] = {STAYS: _stays, STAGES: _stages}
"""The SELECT that fills each table, in an order in which they can be filled: after those of ``facts``."""
