"""``mart_moderation``: what the other marts leave out, and how long ideas wait to be published."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.facts import banned, is_removed
from ideas_pipeline.marts.mart import Asked, Mart, mart_table
from ideas_pipeline.marts.sql import count_if, percentiles, seconds_between, share
from ideas_pipeline.tables.columns import column
from ideas_pipeline.tables.community import COMMENTS, IDEAS
from ideas_pipeline.warehouse.live import is_live

TABLE = mart_table(
    "mart_moderation",
    "One row a challenge that has ideas: all that the source has, removed ones and those of banned people included.",
    column("challenge_id", "id", "The challenge.", key=True, refers_to="challenges"),
    column("ideas", "integer", "Ideas, whatever their state.", required=True),
    column("removed", "integer", "Those that a moderator removed.", required=True),
    column("removed_rate", "number", "removed ÷ ideas."),
    column("by_banned_people", "integer", "Those by people who are banned or were removed.", required=True),
    column("counted", "integer", "Those that are neither: the ideas of the other marts.", required=True),
    column("closed", "integer", "Those that are closed, or closed for comments.", required=True),
    column("pending", "integer", "Those that wait for approval.", required=True),
    column("rejected", "integer", "Those that were not approved.", required=True),
    column("published", "integer", "Those with a time of publication.", required=True),
    column("published_later", "integer", "Those that were published a minute or more after submission.", required=True),
    column("median_delay_seconds", "integer", "Median time from submission to publication, of the published."),
    column("p90_delay_seconds", "integer", "90th percentile of it."),
    column("comments", "integer", "Comments on all these ideas, whatever their state.", required=True),
    column("removed_comments", "integer", "Those that were removed.", required=True),
)

_A_MINUTE = 60


def _select(asked: Asked) -> sa.Select[Any]:
    c = IDEAS.c
    ideas = (
        sa.select(
            c.id,
            c.challenge_id,
            sa.case((is_removed(IDEAS), 1), else_=0).label("removed"),
            sa.case((c.author_id.in_(banned(asked)), 1), else_=0).label("by_banned"),
            c.moderation_status,
            c.approval_status,
            seconds_between(c.created_at, c.published_at, asked).label("delay"),
            c.published_at,
        )
        .where(is_live(IDEAS, asked.community), c.challenge_id.is_not(None))
        .cte("every_idea")
    )
    i = ideas.c
    delays = percentiles(ideas, ["challenge_id"], "delay", {"median": 50, "p90": 90})
    counts = (
        sa.select(
            i.challenge_id,
            sa.func.count().label("ideas"),
            sa.func.sum(i.removed).label("removed"),
            sa.func.sum(i.by_banned).label("by_banned"),
            count_if(sa.and_(i.removed == 0, i.by_banned == 0)).label("counted"),
            count_if(i.moderation_status.in_(("closed", "closed_comments"))).label("closed"),
            count_if(i.approval_status == "pending").label("pending"),
            count_if(i.approval_status == "rejected").label("rejected"),
            sa.func.count(i.published_at).label("published"),
            count_if(i.delay >= _A_MINUTE).label("later"),
        )
        .group_by(i.challenge_id)
        .subquery()
    )
    comments = (
        sa.select(
            i.challenge_id,
            sa.func.count().label("comments"),
            count_if(COMMENTS.c.status == "removed").label("removed"),
        )
        .join(COMMENTS, COMMENTS.c.idea_id == i.id)
        .where(is_live(COMMENTS, asked.community))
        .group_by(i.challenge_id)
        .subquery()
    )
    n = counts.c
    return (
        sa.select(
            n.challenge_id,
            n.ideas,
            n.removed,
            share(n.removed, n.ideas),
            n.by_banned,
            n.counted,
            n.closed,
            n.pending,
            n.rejected,
            n.published,
            n.later,
            delays.c.median,
            delays.c.p90,
            sa.func.coalesce(comments.c.comments, 0),
            sa.func.coalesce(comments.c.removed, 0),
        )
        .outerjoin(delays, delays.c.challenge_id == n.challenge_id)
        .outerjoin(comments, comments.c.challenge_id == n.challenge_id)
    )


MART = Mart(TABLE, _select, reads=("ideas", "comments", "users"))
