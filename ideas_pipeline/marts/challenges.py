"""``mart_challenges``: the figures of each challenge."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import believed, count_if, share
from ideas_pipeline.marts.facts import ACTS, COUNTED_IDEAS, IDEA_ACTS, PEOPLE
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.tables.columns import column, is_live
from ideas_pipeline.tables.community import CHALLENGES
from ideas_pipeline.times import LATEST_PLAN

TABLE = mart_table(
    "mart_challenges",
    "One row per challenge: its current content, the people who took part, and shares with their denominators. "
    "Removed ideas and banned people are excluded (see mart_moderation), and so are ideas without a challenge; votes "
    "by type are in mart_challenge_votes.",
    column("challenge_id", "id", "The challenge.", key=True, references="challenges"),
    column("title", "text", "The challenge's title."),
    column("type", "text", "standard, funnel or milestone."),
    column("starts_at", "timestamp", "When the challenge opens."),
    column("deadline_at", "timestamp", "When posting ends."),
    column("ideas", "integer", "Ideas.", required=True),
    column("joint_ideas", "integer", "Ideas with a co-author.", required=True),
    column("idea_authors", "integer", "Distinct people who submitted an idea, including co-authors.", required=True),
    column("comments", "integer", "Current comments.", required=True),
    column("ideas_commented", "integer", "Ideas with a comment.", required=True),
    column("votes", "integer", "Current votes of all types: do not add their values.", required=True),
    column("voters", "integer", "Distinct people who voted.", required=True),
    column("ideas_voted", "integer", "Ideas with a vote.", required=True),
    column("ideas_without_response", "integer", "Ideas without a comment or a vote.", required=True),
    column("cleared", "integer", "Votes and comments that were cleared by the start of a stage.", required=True),
    column("contributors", "integer", "Distinct people who ever submitted, commented or voted.", required=True),
    column("registered_contributors", "integer", "Contributors who are registered now.", required=True),
    column("registered", "integer", "People registered in the community now.", required=True),
    column("participation_rate", "number", "registered_contributors ÷ registered."),
    column("comments_per_idea", "number", "comments ÷ ideas."),
    column("votes_per_idea", "number", "votes ÷ ideas."),
    column("without_response_rate", "number", "ideas_without_response ÷ ideas."),
    column(
        "undated",
        "integer",
        "Ideas, comments and votes without a known time: they are on no day of mart_daily_activity.",
        required=True,
    ),
    column("last_contribution_at", "timestamp", "Time of the last contribution, as far as times are known."),
)


def _select(context: BuildContext) -> sa.Select[Any]:
    idea, acts, challenge = COUNTED_IDEAS.c, IDEA_ACTS.c, CHALLENGES.c
    ideas = (
        sa.select(
            idea.challenge_id,
            sa.func.count().label("ideas"),
            count_if(acts.co_authors > 0).label("joint_ideas"),
            sa.func.sum(acts.comments).label("comments"),
            count_if(acts.comments > 0).label("ideas_commented"),
            sa.func.sum(acts.votes).label("votes"),
            count_if(acts.votes > 0).label("ideas_voted"),
            count_if(sa.and_(acts.comments == 0, acts.votes == 0)).label("ideas_without_response"),
            sa.func.sum(acts.cleared).label("cleared"),
            sa.func.sum(acts.undated).label("undated"),
            sa.func.max(acts.last_at).label("last_at"),
        )
        .join_from(COUNTED_IDEAS, IDEA_ACTS, acts.idea_id == idea.idea_id)
        .group_by(idea.challenge_id)
        .subquery()
    )
    people = _people()
    registered = sa.select(sa.func.count()).select_from(PEOPLE).where(PEOPLE.c.is_registered).scalar_subquery()

    def count(of: sa.Subquery, name: str) -> sa.ColumnElement[Any]:
        return sa.cast(sa.func.coalesce(of.c[name], 0), sa.BigInteger)

    return (
        sa.select(
            challenge.id,
            challenge.title,
            challenge.type,
            believed(challenge.starts_at, LATEST_PLAN),
            believed(challenge.deadline_at, LATEST_PLAN),
            count(ideas, "ideas"),
            count(ideas, "joint_ideas"),
            count(people, "idea_authors"),
            count(ideas, "comments"),
            count(ideas, "ideas_commented"),
            count(ideas, "votes"),
            count(people, "voters"),
            count(ideas, "ideas_voted"),
            count(ideas, "ideas_without_response"),
            count(ideas, "cleared"),
            count(people, "contributors"),
            count(people, "registered_contributors"),
            registered,
            share(count(people, "registered_contributors"), registered),
            share(count(ideas, "comments"), count(ideas, "ideas")),
            share(count(ideas, "votes"), count(ideas, "ideas")),
            share(count(ideas, "ideas_without_response"), count(ideas, "ideas")),
            count(ideas, "undated"),
            ideas.c.last_at,
        )
        .outerjoin_from(CHALLENGES, ideas, ideas.c.challenge_id == challenge.id)
        .outerjoin(people, people.c.challenge_id == challenge.id)
        .where(is_live(CHALLENGES, context.community))
    )


def _people() -> sa.Subquery:
    """Numbers of distinct people by challenge."""
    c = ACTS.c
    each = (
        sa.select(
            c.challenge_id,
            c.user_id,
            sa.func.max(sa.case((c.kind.in_(("idea", "joint_idea")), 1), else_=0)).label("wrote"),
            sa.func.max(sa.case((sa.and_(c.kind == "vote", c.is_current), 1), else_=0)).label("voted"),
        )
        .where(c.user_id.is_not(None))
        .group_by(c.challenge_id, c.user_id)
        .subquery()
    )
    return (
        sa.select(
            each.c.challenge_id,
            sa.func.count().label("contributors"),
            count_if(PEOPLE.c.is_registered).label("registered_contributors"),
            sa.func.sum(each.c.wrote).label("idea_authors"),
            sa.func.sum(each.c.voted).label("voters"),
        )
        .outerjoin_from(each, PEOPLE, PEOPLE.c.user_id == each.c.user_id)
        .group_by(each.c.challenge_id)
        .subquery()
    )


MART = Mart(TABLE, _select, reads=("challenges", "ideas", "idea_coauthors", "comments", "votes", "users"))
