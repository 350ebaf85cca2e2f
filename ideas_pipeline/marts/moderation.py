"""``mart_moderation``: ideas that the other marts exclude, and the time until publication."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import count_if, every_row, percentiles, seconds_between, share
from ideas_pipeline.marts.facts import happened, is_banned, is_removed
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.tables.columns import column, is_live
from ideas_pipeline.tables.community import COMMENTS, IDEAS, USERS

TABLE = mart_table(
    "mart_moderation",
    "One row per challenge with ideas: all ideas of the source, including removed ones and those of banned people. "
    "0 means none; null means that the source has no such value on any row of the community. Ideas without a challenge "
    "are in no row.",
    column("challenge_id", "id", "The challenge.", key=True, references="challenges"),
    column("ideas", "integer", "Ideas in any state.", required=True),
    column("removed", "integer", "Ideas that a moderator removed; null if no idea has a moderation_status."),
    column("removed_rate", "number", "removed ÷ ideas."),
    column(
        "by_banned_people",
        "integer",
        "Ideas by people who are banned or were removed; null if nobody has a status from the source.",
    ),
    column(
        "counted",
        "integer",
        "Ideas that are not known to be removed or by such people: the ideas that the other marts count.",
        required=True,
    ),
    column(
        "closed",
        "integer",
        "Ideas that are closed, or closed for comments; null if no idea has a moderation_status.",
    ),
    column("pending", "integer", "Ideas that wait for approval; null if no idea has an approval_status."),
    column("rejected", "integer", "Ideas that were not approved; null if no idea has an approval_status."),
    column("published", "integer", "Ideas with a time of publication; null if no idea has one."),
    column(
        "published_later",
        "integer",
        "Ideas published a minute or more after submission; null if no idea has a time of publication.",
    ),
    column(
        "median_delay_seconds",
        "integer",
        "Median time from submission to publication, over the published ideas for which it is known.",
    ),
    column("p90_delay_seconds", "integer", "90th percentile of the same."),
    column("comments", "integer", "Comments in any state on all these ideas.", required=True),
    column("removed_comments", "integer", "Comments that were removed; null if no comment has a status."),
)

_A_MINUTE = 60


def _select(context: BuildContext) -> sa.Select[Any]:
    c = IDEAS.c
    created_at, published_at = happened(c.created_at, context), happened(c.published_at, context)
    ideas = (
        sa.select(
            c.id,
            c.challenge_id,
            sa.case((is_removed(IDEAS), 1), else_=0).label("removed"),
            sa.case((is_banned(c.author_id), 1), else_=0).label("by_banned"),
            c.moderation_status,
            c.approval_status,
            seconds_between(created_at, published_at, context).label("delay"),
            published_at.label("published_at"),
        )
        .where(is_live(IDEAS, context.community))
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
        .where(i.challenge_id.is_not(None))
        .group_by(i.challenge_id)
        .subquery()
    )
    comment_is_live = sa.and_(every_row(COMMENTS, context), COMMENTS.c._deleted_at.is_(None))
    comments = (
        sa.select(
            i.challenge_id,
            sa.func.count().label("comments"),
            count_if(COMMENTS.c.status == "removed").label("removed"),
        )
        .join(COMMENTS, COMMENTS.c.idea_id == i.id)
        .where(comment_is_live)
        .group_by(i.challenge_id)
        .subquery()
    )
    n = counts.c
    of_ideas = _reported(ideas, sa.true(), "moderation_status", "approval_status", "published_at")
    of_comments = _reported(COMMENTS, comment_is_live, "status")
    # Deleted people count, too: they can be banned. The status "erased" is the pipeline's, not the source's.
    of_people = _reported(USERS, sa.and_(USERS.c.community == context.community, USERS.c.status != "erased"), "status")
    moderation, approval, publication = (reported > 0 for reported in of_ideas.c)
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


def _reported(table: sa.FromClause, which: sa.ColumnElement[bool], *columns: str) -> sa.Subquery:
    """One row: the number of rows of the table with a value in each of the columns."""
    counts = (sa.func.count(table.c[column]).label(column) for column in columns)
    return sa.select(*counts).where(which).subquery()


MART = Mart(TABLE, _select, reads=("ideas", "comments", "users"), people=("banned", "reported statuses"))
