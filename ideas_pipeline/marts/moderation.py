"""``mart_moderation``: what the other marts leave out, and how long ideas wait to be published."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import count_if, percentiles, seconds_between, share
from ideas_pipeline.marts.facts import banned, is_removed
from ideas_pipeline.marts.mart import Asked, Mart, mart_table
from ideas_pipeline.tables.columns import column, is_live
from ideas_pipeline.tables.community import COMMENTS, IDEAS, USERS

TABLE = mart_table(
    "mart_moderation",
    "One row a challenge that has ideas: all that the source has, removed ones and those of banned people included. "
    "0 means none; null means that the source does not tell, of any row of the community.",
    column("challenge_id", "id", "The challenge.", key=True, references="challenges"),
    column("ideas", "integer", "Ideas, whatever their state.", required=True),
    column("removed", "integer", "Those that a moderator removed; null where no idea has a moderation_status."),
    column("removed_rate", "number", "removed ÷ ideas."),
    column(
        "by_banned_people",
        "integer",
        "Those by people who are banned or were removed; null where nobody has a status from the source.",
    ),
    column(
        "counted",
        "integer",
        "Those that are, as far as is known, neither removed nor by such people: the ideas of the other marts.",
        required=True,
    ),
    column(
        "closed",
        "integer",
        "Those that are closed, or closed for comments; null where no idea has a moderation_status.",
    ),
    column("pending", "integer", "Those that wait for approval; null where no idea has an approval_status."),
    column("rejected", "integer", "Those that were not approved; null where no idea has an approval_status."),
    column("published", "integer", "Those with a time of publication; null where no idea has one."),
    column(
        "published_later",
        "integer",
        "Those that were published a minute or more after submission; null where no idea has a time of publication.",
    ),
    column("median_delay_seconds", "integer", "Median time from submission to publication, of the published."),
    column("p90_delay_seconds", "integer", "90th percentile of it."),
    column("comments", "integer", "Comments on all these ideas, whatever their state.", required=True),
    column("removed_comments", "integer", "Those that were removed; null where no comment has a status."),
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
    of_ideas = _told(IDEAS, is_live(IDEAS, asked.community), "moderation_status", "approval_status", "published_at")
    of_comments = _told(COMMENTS, is_live(COMMENTS, asked.community), "status")
    # Of people who are gone as well, as they can be banned; that somebody was erased is our own word.
    of_people = _told(USERS, sa.and_(USERS.c.community == asked.community, USERS.c.status != "erased"), "status")
    moderation, approval, publication = (told > 0 for told in of_ideas.c)
    return (
        sa.select(
            n.challenge_id,
            n.ideas,
            sa.case((moderation, n.removed)),
            sa.case((moderation, share(n.removed, n.ideas))),
            sa.case((of_people.c.status > 0, n.by_banned)),
            n.counted,
            sa.case((moderation, n.closed)),
            sa.case((approval, n.pending)),
            sa.case((approval, n.rejected)),
            sa.case((publication, n.published)),
            sa.case((publication, n.later)),
            delays.c.median,
            delays.c.p90,
            sa.func.coalesce(comments.c.comments, 0),
            sa.case((of_comments.c.status > 0, sa.func.coalesce(comments.c.removed, 0))),
        )
        .outerjoin(delays, delays.c.challenge_id == n.challenge_id)
        .outerjoin(comments, comments.c.challenge_id == n.challenge_id)
        .join(of_ideas, sa.true())
        .join(of_comments, sa.true())
        .join(of_people, sa.true())
    )


def _told(table: sa.Table, which: sa.ColumnElement[bool], *columns: str) -> sa.Subquery:
    """One row: on how many rows of the table the source says something in each of the columns."""
    counts = (sa.func.count(table.c[column]).label(column) for column in columns)
    return sa.select(*counts).where(which).subquery()


MART = Mart(TABLE, _select, reads=("ideas", "comments", "users"))
