"""``mart_contributors``: what each person contributed, counted from the tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import binary_collated
from ideas_pipeline.marts.facts import PEOPLE, PERSON_DAYS, happened
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.tables.columns import column
from ideas_pipeline.tables.community import USERS

LEVELS = ("all_rounder", "generator", "feedbacker", "viewer", "idle", "inactive")

TABLE = mart_table(
    "mart_contributors",
    "One row per person who is registered or has contributed, without banned people. Names are in users. "
    "Contributions without a person (anonymous, or a deleted account that the source no longer names) are not counted.",
    column("user_id", "id", "The person.", pii="person_id", key=True, references="users"),
    column("is_registered", "boolean", "Whether the person is registered now.", required=True),
    column("ideas", "integer", "Ideas submitted as the author.", required=True),
    column("joint_ideas", "integer", "Ideas submitted as a co-author.", required=True),
    column("comments", "integer", "Comments written, including those cleared by the start of a stage.", required=True),
    column("votes", "integer", "Votes cast, including those cleared by the start of a stage.", required=True),
    column("contributions", "integer", "The sum of these four.", required=True),
    column("active_days", "integer", "Distinct days on which the person is known to have contributed.", required=True),
    column("first_contribution_at", "timestamp", "When the person first contributed, as far as times are known."),
    column("last_contribution_at", "timestamp", "When the person last contributed, as far as times are known."),
    column(
        "engagement_level",
        "text",
        "all_rounder (ideas, and comments or votes), generator (ideas), feedbacker (comments or votes); without a "
        "contribution: viewer (has visited), idle (has not), inactive (the source has no visits of anybody).",
        required=True,
        values=LEVELS,
    ),
    column(
        "rank",
        "integer",
        "Rank by contributions, from 1; ties go to the earlier first contribution. Null without contributions.",
    ),
)


def _select(context: BuildContext) -> sa.Select[Any]:
    c = PERSON_DAYS.c
    kinds = ("ideas", "joint_ideas", "comments", "votes")
    none: sa.ColumnElement[Any] = sa.null()
    acts = (
        sa.select(
            c.user_id,
            *(sa.cast(sa.func.sum(c[kind]), sa.BigInteger).label(kind) for kind in kinds),
            sa.func.count(c.number).label("active_days"),
            sa.func.min(c.first_at).label("first_at"),
            sa.func.max(c.last_at).label("last_at"),
        )
        .where(c.user_id.is_not(None))
        .group_by(c.user_id)
        .cte("acts")
    )
    # Registered people without contributions appear, too.
    idle = (
        sa.select(
            PEOPLE.c.user_id,
            *(sa.literal(0, sa.BigInteger) for _ in (*kinds, "active_days")),
            sa.cast(none, c.first_at.type),
            sa.cast(none, c.last_at.type),
        )
        .outerjoin_from(PEOPLE, acts, acts.c.user_id == PEOPLE.c.user_id)
        .where(PEOPLE.c.is_registered, acts.c.user_id.is_(None))
    )
    everybody = sa.select(*acts.c).union_all(idle).subquery()
    contributions = everybody.c.ideas + everybody.c.joint_ideas + everybody.c.comments + everybody.c.votes
    counted = sa.select(*everybody.c, contributions.label("contributions")).subquery()
    by_contributions = (
        counted.c.contributions.desc(),
        counted.c.first_at.asc().nulls_last(),
        binary_collated(counted.c.user_id, context),
    )
    done = sa.select(*counted.c, sa.func.row_number().over(order_by=by_contributions).label("rank")).subquery()
    known, d = PEOPLE.c, done.c
    visit = happened(USERS.c.last_seen_at, context)
    visits_known = sa.exists().where(USERS.c.community == context.community, visit.is_not(None))
    posted = d.ideas + d.joint_ideas > 0
    reacted = d.comments + d.votes > 0
    level = sa.case(
        (sa.and_(posted, reacted), "all_rounder"),
        (posted, "generator"),
        (reacted, "feedbacker"),
        (known.has_visited, "viewer"),
        (visits_known, "idle"),
        else_="inactive",
    )
    return sa.select(
        d.user_id,
        sa.func.coalesce(known.is_registered, sa.false()),
        *(d[name] for name in (*kinds, "contributions", "active_days")),
        d.first_at,
        d.last_at,
        level,
        sa.case((d.contributions > 0, d.rank)),
    ).outerjoin_from(done, PEOPLE, known.user_id == d.user_id)


MART = Mart(TABLE, _select, reads=("users", "ideas", "idea_coauthors", "comments", "votes"))
