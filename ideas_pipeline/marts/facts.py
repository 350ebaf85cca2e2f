"""Temporary tables that define what all marts count. They exist only during a build.

Counted are the ideas that exist and are not removed, the acts on them (comments, votes) and their stages. Excluded are
removed ideas with their comments and votes, removed comments, and everything by people who are banned or were removed
from the community (two statuses of the product with the same effect): ``mart_moderation`` counts those. Votes and
comments that the start of a stage cleared are counted as acts, but not as current.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import believed, count_if, day_number, day_of, every_row
from ideas_pipeline.marts.mart import BuildContext
from ideas_pipeline.tables.columns import Kind, column, is_live
from ideas_pipeline.tables.community import BANNED, COMMENTS, IDEA_COAUTHORS, IDEAS, USERS, VOTES
from ideas_pipeline.times import TOMORROW

# A larger value is a mistake of the source, and could overflow a sum: the vote counts, its value does not.
_LARGEST_VOTE = 1e9

NOT_REGISTERED = (*BANNED, "deleted", "invited", "erased")


def fact_table(fact: str, /, key: tuple[str, ...] = (), **columns: Kind) -> sa.Table:
    """Define a temporary table that holds a ``fact``."""
    described = [column(name, kind, "", key=name in key) for name, kind in columns.items()]
    for each, kind in zip(described, columns.values(), strict=True):
        if kind in ("id", "text"):
            # PostgreSQL would sort by the rules of a language, which takes several times as long.
            each.type = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.Table(f"_counted_{fact}", sa.MetaData(), *described, prefixes=["TEMPORARY"])


BANNED_PEOPLE = fact_table("banned", key=("user_id",), user_id="id")
"""The people whose contributions are excluded."""

COUNTED_IDEAS = fact_table(
    "ideas",
    key=("idea_id",),
    idea_id="id",
    challenge_id="id",
    stage_id="id",
    author_id="id",
    created_at="timestamp",
    published_at="timestamp",
    day="date",
)
AUTHORS = fact_table("authors", key=("idea_id", "user_id"), idea_id="id", user_id="id")
"""The author and the co-authors of each counted idea."""

ACTS = fact_table(
    "acts",
    kind="text",
    idea_id="id",
    challenge_id="id",
    user_id="id",
    at="timestamp",
    day="date",
    is_current="boolean",
    voting_type="text",
    value="number",
    by_author="boolean",
)
"""Acts: idea (by its author), joint_idea (by each co-author), comment, vote. ``user_id`` is null without a person.

``at`` and ``day`` are null if the source has no time, or one that cannot be true.
"""

IDEA_ACTS = fact_table(
    "idea_acts",
    key=("idea_id",),
    idea_id="id",
    co_authors="integer",
    comments="integer",
    votes="integer",
    cleared="integer",
    undated="integer",
    responses="integer",
    first_response_at="timestamp",
    last_at="timestamp",
)
"""The acts on each counted idea, its own submission included: one row per idea.

``comments`` and ``votes`` are current; ``cleared`` are the others. ``responses`` are comments, current or not, by
others than its authors. ``undated`` acts have no known time; a joint idea counts once.
"""

PERSON_DAYS = fact_table(
    "person_days",
    user_id="id",
    day="date",
    number="integer",
    ideas="integer",
    joint_ideas="integer",
    comments="integer",
    votes="integer",
    first_at="timestamp",
    last_at="timestamp",
)
"""The acts per person and day; ``number`` is the ``day_number`` of the day.

Acts without a person have one row per day, and acts without a known time one row per person, without a day.
"""
# PostgreSQL sorts faster than it maintains an index.
sa.Index("_by_person_and_day", PERSON_DAYS.c.user_id, PERSON_DAYS.c.number).ddl_if(dialect="sqlite")

PEOPLE = fact_table(
    "people", key=("user_id",), user_id="id", is_registered="boolean", joined_day="date", has_visited="boolean"
)
"""Everybody in ``users`` who is not banned, registered or not."""


def is_banned(person: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether the contribution of ``person``, who may be null, is excluded."""
    # Not NOT IN: with many banned people PostgreSQL would go through all of them for each contribution.
    return sa.exists().where(BANNED_PEOPLE.c.user_id == person)


def is_removed(idea: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether a moderator removed the idea."""
    return sa.func.coalesce(idea.c.moderation_status, "") == "removed"


def happened(moment: sa.ColumnElement[Any], context: BuildContext) -> sa.ColumnElement[Any]:
    """The time of something that happened. One before any community, or in the future, is null: it cannot be true."""
    return believed(moment, context.as_of + TOMORROW)


def _banned(context: BuildContext) -> sa.Select[Any]:
    return sa.select(USERS.c.id).where(USERS.c.community == context.community, USERS.c.status.in_(BANNED))


def _ideas(context: BuildContext) -> sa.Select[Any]:
    c = IDEAS.c
    at = happened(c.created_at, context)
    return sa.select(
        c.id,
        c.challenge_id,
        c.stage_id,
        c.author_id,
        at.label("created_at"),
        happened(c.published_at, context),
        day_of(at, context),
    ).where(is_live(IDEAS, context.community), ~is_removed(IDEAS), ~is_banned(c.author_id))


def _authors(context: BuildContext) -> sa.Select[Any]:
    idea, joint = COUNTED_IDEAS.c, IDEA_COAUTHORS.c
    lead = sa.select(idea.idea_id, idea.author_id.label("user_id")).where(idea.author_id.is_not(None))
    others = (
        sa.select(joint.idea_id, joint.user_id)
        .join(COUNTED_IDEAS, idea.idea_id == joint.idea_id)
        .where(is_live(IDEA_COAUTHORS, context.community), ~is_banned(joint.user_id))
    )
    both = lead.union(others).subquery()
    return sa.select(both.c.idea_id, both.c.user_id)


def _acts(context: BuildContext) -> sa.Select[Any]:
    every = sa.union_all(_posts(), _joint_posts(), _comments(context), _votes(context)).subquery()
    c = every.c
    return sa.select(
        c.kind,
        c.idea_id,
        c.challenge_id,
        c.user_id,
        c.at,
        day_of(c.at, context),
        c.is_current,
        c.voting_type,
        c.value,
        c.by_author,
    )


def _posts() -> sa.Select[Any]:
    c = COUNTED_IDEAS.c
    return _act("idea", c.author_id, c.created_at, sa.true(), by_author=sa.true())


def _joint_posts() -> sa.Select[Any]:
    c = COUNTED_IDEAS.c
    joint = sa.and_(AUTHORS.c.idea_id == c.idea_id, sa.or_(c.author_id.is_(None), AUTHORS.c.user_id != c.author_id))
    return _act("joint_idea", AUTHORS.c.user_id, c.created_at, sa.true(), by_author=sa.true()).join(AUTHORS, joint)


def _comments(context: BuildContext) -> sa.Select[Any]:
    c = COMMENTS.c
    status = sa.func.coalesce(c.status, "visible")
    of_author = sa.exists().where(AUTHORS.c.idea_id == c.idea_id, AUTHORS.c.user_id == c.author_id)
    by_author = sa.or_(sa.func.coalesce(c.is_author_comment, sa.false()), of_author)
    at = happened(c.created_at, context)
    is_current = sa.and_(c._deleted_at.is_(None), status != "cleared")
    return (
        _act("comment", c.author_id, at, is_current, by_author=by_author)
        .join(COMMENTS, c.idea_id == COUNTED_IDEAS.c.idea_id)
        .where(_done(COMMENTS, context), status != "removed", ~is_banned(c.author_id))
    )


def _votes(context: BuildContext) -> sa.Select[Any]:
    c = VOTES.c
    at = happened(c.created_at, context)
    value = sa.case((c.value.between(-_LARGEST_VOTE, _LARGEST_VOTE), c.value))
    cast = _act("vote", c.user_id, at, c._deleted_at.is_(None), voting_type=c.voting_type, value=value)
    return cast.join(VOTES, c.idea_id == COUNTED_IDEAS.c.idea_id).where(_done(VOTES, context), ~is_banned(c.user_id))


def _done(table: sa.Table, context: BuildContext) -> sa.ColumnElement[bool]:
    """Whether the row exists, or was cleared by the start of a stage."""
    c = table.c
    return sa.and_(every_row(table, context), sa.or_(c._deleted_at.is_(None), c._deleted_because == "cleared"))


def _act(
    kind: str,
    person: sa.ColumnElement[Any],
    at: sa.ColumnElement[Any],
    is_current: sa.ColumnElement[Any],
    *,
    voting_type: sa.ColumnElement[Any] | None = None,
    value: sa.ColumnElement[Any] | None = None,
    by_author: sa.ColumnElement[Any] | None = None,
) -> sa.Select[Any]:
    none: sa.ColumnElement[Any] = sa.null()
    return sa.select(
        sa.literal(kind, sa.Text).label("kind"),
        COUNTED_IDEAS.c.idea_id,
        COUNTED_IDEAS.c.challenge_id,
        person.label("user_id"),
        at.label("at"),
        sa.cast(is_current, sa.Boolean).label("is_current"),
        sa.cast(none if voting_type is None else voting_type, sa.Text).label("voting_type"),
        sa.cast(none if value is None else value, sa.Double).label("value"),
        sa.cast(sa.false() if by_author is None else by_author, sa.Boolean).label("by_author"),
    ).select_from(COUNTED_IDEAS)


def _idea_acts(context: BuildContext) -> sa.Select[Any]:
    c = ACTS.c
    is_response = sa.and_(c.kind == "comment", ~c.by_author)
    return sa.select(
        c.idea_id,
        count_if(c.kind == "joint_idea"),
        count_if(sa.and_(c.kind == "comment", c.is_current)),
        count_if(sa.and_(c.kind == "vote", c.is_current)),
        count_if(~c.is_current),
        count_if(sa.and_(c.at.is_(None), c.kind != "joint_idea")),
        count_if(is_response),
        sa.func.min(sa.case((is_response, c.at))),
        sa.func.max(c.at),
    ).group_by(c.idea_id)


def _person_days(context: BuildContext) -> sa.Select[Any]:
    c = ACTS.c
    acts = (
        sa.select(
            c.user_id,
            c.day,
            *(count_if(c.kind == kind).label(kind) for kind in ("idea", "joint_idea", "comment", "vote")),
            sa.func.min(c.at).label("first_at"),
            sa.func.max(c.at).label("last_at"),
        )
        .group_by(c.user_id, c.day)
        .subquery()
    )
    a = acts.c
    counts = (a.idea, a.joint_idea, a.comment, a.vote)
    return sa.select(a.user_id, a.day, day_number(a.day, context), *counts, a.first_at, a.last_at)


def _people(context: BuildContext) -> sa.Select[Any]:
    c = USERS.c
    status = sa.func.coalesce(c.status, "active")
    registered = sa.and_(c._deleted_at.is_(None), status.not_in(NOT_REGISTERED))
    return sa.select(
        c.id,
        sa.case((registered, sa.true()), else_=sa.false()),
        day_of(happened(c.joined_at, context), context),
        sa.case((happened(c.last_seen_at, context).is_not(None), sa.true()), else_=sa.false()),
    ).where(c.community == context.community, status.not_in(BANNED))


SELECTS: dict[sa.Table, Callable[[BuildContext], sa.Select[Any]]] = {
    BANNED_PEOPLE: _banned,
    COUNTED_IDEAS: _ideas,
    AUTHORS: _authors,
    ACTS: _acts,
    IDEA_ACTS: _idea_acts,
    PERSON_DAYS: _person_days,
    PEOPLE: _people,
}
"""The SELECT that fills each table, in an order in which they can be filled."""
