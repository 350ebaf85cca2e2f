"""What all marts count, settled once: temporary tables that are filled before the marts and gone after them.

What counts: ideas that are there and not removed, what was done on them, and what their stages were. Left out are
removed ideas with all that hangs on them, removed comments, and everything by people who are banned or were removed
from the community (the product's two words for the same): ``mart_moderation`` counts those. What a stage's start
cleared was done all the same: it counts as an act, and not as something that is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import day_of, moment, ordered
from ideas_pipeline.marts.mart import Asked
from ideas_pipeline.tables.columns import Kind, column, is_live
from ideas_pipeline.tables.community import BANNED, CHALLENGE_STAGES, COMMENTS, IDEA_COAUTHORS, IDEAS, USERS, VOTES
from ideas_pipeline.tables.history import IDEA_HISTORY

NOT_REGISTERED = (*BANNED, "deleted", "invited", "erased")


def _fact(fact: str, /, key: tuple[str, ...] = (), **columns: Kind) -> sa.Table:
    described = [column(name, kind, "", key=name in key) for name, kind in columns.items()]
    return sa.Table(f"_counted_{fact}", sa.MetaData(), *described, prefixes=["TEMPORARY"])


COUNTED_IDEAS = _fact(
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
AUTHORS = _fact("authors", key=("idea_id", "user_id"), idea_id="id", user_id="id")
"""The people who submitted a counted idea: its author, and the co-authors."""

ACTS = _fact(
    "acts",
    kind="text",
    id="id",
    idea_id="id",
    challenge_id="id",
    user_id="id",
    at="timestamp",
    day="date",
    is_there="boolean",
    voting_type="text",
    value="number",
    by_author="boolean",
)
"""idea (by its author), joint_idea (by each co-author), comment, vote. ``user_id`` is null where nobody is named.

Where the source gives no time, or one that is yet to come, the pipeline's first sight of the row stands in.
"""

STAGES = _fact(
    "stages",
    key=("challenge_id", "stage_id"),
    challenge_id="id",
    stage_id="id",
    place="integer",
    name="text",
    kind="text",
)
"""The stages of each challenge; ``place`` counts from 1 in their order."""

STAYS = _fact(
    "stays",
    idea_id="id",
    challenge_id="id",
    stage_id="id",
    began="timestamp",
    ended="timestamp",
    is_entry="boolean",
    is_left_censored="boolean",
)
"""The stays of counted ideas in stages, as observed. ``is_entry``: false where the idea had only been out of sight."""

PEOPLE = _fact("people", key=("user_id",), user_id="id", is_registered="boolean", joined_day="date", was_seen="boolean")
"""People who are not banned: those who are registered, and others whom the users' table knows."""


def fill(connection: sa.Connection, asked: Asked) -> None:
    """Creates the facts of the community in ``connection``'s transaction."""
    for table, select in SELECTS.items():
        table.create(connection, checkfirst=False)
        connection.execute(sa.insert(table).from_select([c.name for c in table.columns], select(asked)))
        if asked.dialect == "postgresql":  # its planner takes an unknown table for a small one
            connection.exec_driver_sql(f"ANALYZE {table.name}")


def drop(connection: sa.Connection) -> None:
    for table in SELECTS:
        table.drop(connection, checkfirst=False)


def banned(asked: Asked) -> sa.Select[tuple[str]]:
    """The ids of the people whose contributions are left out."""
    return sa.select(USERS.c.id).where(USERS.c.community == asked.community, USERS.c.status.in_(BANNED))


def not_banned(person: sa.ColumnElement[Any], asked: Asked) -> sa.ColumnElement[bool]:
    return sa.or_(person.is_(None), person.not_in(banned(asked)))


def is_removed(idea: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(idea.c.moderation_status, "") == "removed"


def _when(row: sa.ColumnCollection[str, sa.Column[Any]], asked: Asked) -> sa.ColumnElement[Any]:
    """When it was done: a clock that is wrong, or a date that means "never", would put it after all that there is."""
    return sa.case((row.created_at <= moment(asked.as_of), row.created_at), else_=row._first_seen_at)


def _ideas(asked: Asked) -> sa.Select[Any]:
    c = IDEAS.c
    at = _when(c, asked)
    return sa.select(
        c.id, c.challenge_id, c.stage_id, c.author_id, at.label("created_at"), c.published_at, day_of(at, asked)
    ).where(is_live(IDEAS, asked.community), ~is_removed(IDEAS), not_banned(c.author_id, asked))


def _authors(asked: Asked) -> sa.Select[Any]:
    idea, joint = COUNTED_IDEAS.c, IDEA_COAUTHORS.c
    lead = sa.select(idea.idea_id, idea.author_id.label("user_id")).where(idea.author_id.is_not(None))
    others = (
        sa.select(joint.idea_id, joint.user_id)
        .join(COUNTED_IDEAS, idea.idea_id == joint.idea_id)
        .where(is_live(IDEA_COAUTHORS, asked.community), not_banned(joint.user_id, asked))
    )
    both = lead.union(others).subquery()
    return sa.select(both.c.idea_id, both.c.user_id)


def _acts(asked: Asked) -> sa.Select[Any]:
    every = sa.union_all(_posts(), _joint_posts(), _comments(asked), _votes(asked)).subquery()
    c = every.c
    return sa.select(
        c.kind,
        c.id,
        c.idea_id,
        c.challenge_id,
        c.user_id,
        c.at,
        day_of(c.at, asked),
        c.is_there,
        c.voting_type,
        c.value,
        c.by_author,
    )


def _posts() -> sa.Select[Any]:
    c = COUNTED_IDEAS.c
    return _act("idea", c.idea_id, c.author_id, c.created_at, sa.true(), by_author=sa.true())


def _joint_posts() -> sa.Select[Any]:
    c = COUNTED_IDEAS.c
    joint = sa.and_(AUTHORS.c.idea_id == c.idea_id, sa.or_(c.author_id.is_(None), AUTHORS.c.user_id != c.author_id))
    return _act("joint_idea", c.idea_id, AUTHORS.c.user_id, c.created_at, sa.true(), by_author=sa.true()).join(
        AUTHORS, joint
    )


def _comments(asked: Asked) -> sa.Select[Any]:
    c = COMMENTS.c
    status = sa.func.coalesce(c.status, "visible")
    of_author = sa.exists().where(AUTHORS.c.idea_id == c.idea_id, AUTHORS.c.user_id == c.author_id)
    by_author = sa.or_(sa.func.coalesce(c.is_author_comment, sa.false()), of_author)
    at = _when(c, asked)
    there = sa.and_(c._deleted_at.is_(None), status != "cleared")
    return (
        _act("comment", c.id, c.author_id, at, there, by_author=by_author)
        .join(COMMENTS, c.idea_id == COUNTED_IDEAS.c.idea_id)
        .where(_done(COMMENTS, asked), status != "removed", not_banned(c.author_id, asked))
    )


def _votes(asked: Asked) -> sa.Select[Any]:
    c = VOTES.c
    at = _when(c, asked)
    cast = _act("vote", c.id, c.user_id, at, c._deleted_at.is_(None), voting_type=c.voting_type, value=c.value)
    return cast.join(VOTES, c.idea_id == COUNTED_IDEAS.c.idea_id).where(
        _done(VOTES, asked), not_banned(c.user_id, asked)
    )


def _done(table: sa.Table, asked: Asked) -> sa.ColumnElement[bool]:
    """Whether the row is there, or was cleared by the start of a stage."""
    c = table.c
    return sa.and_(c.community == asked.community, sa.or_(c._deleted_at.is_(None), c._deleted_because == "cleared"))


def _act(
    kind: str,
    id_: sa.ColumnElement[Any],
    person: sa.ColumnElement[Any],
    at: sa.ColumnElement[Any],
    is_there: sa.ColumnElement[Any],
    *,
    voting_type: sa.ColumnElement[Any] | None = None,
    value: sa.ColumnElement[Any] | None = None,
    by_author: sa.ColumnElement[Any] | None = None,
) -> sa.Select[Any]:
    none: sa.ColumnElement[Any] = sa.null()
    return sa.select(
        sa.literal(kind, sa.Text).label("kind"),
        id_.label("id"),
        COUNTED_IDEAS.c.idea_id,
        COUNTED_IDEAS.c.challenge_id,
        person.label("user_id"),
        at.label("at"),
        sa.cast(is_there, sa.Boolean).label("is_there"),
        sa.cast(none if voting_type is None else voting_type, sa.Text).label("voting_type"),
        sa.cast(none if value is None else value, sa.Double).label("value"),
        sa.cast(sa.false() if by_author is None else by_author, sa.Boolean).label("by_author"),
    ).select_from(COUNTED_IDEAS)


def _stages(asked: Asked) -> sa.Select[Any]:
    c = CHALLENGE_STAGES.c
    order = sa.func.row_number().over(
        partition_by=c.challenge_id,
        order_by=(sa.case((c.position.is_(None), 1), else_=0), c.position, ordered(c.id, asked)),
    )
    return sa.select(c.challenge_id, c.id, order, c.name, c.kind).where(is_live(CHALLENGE_STAGES, asked.community))


def _stays(asked: Asked) -> sa.Select[Any]:
    c = IDEA_HISTORY.c
    mine = c.community == asked.community

    def before(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
        return sa.func.lag(column).over(partition_by=c.idea_id, order_by=c.observed_from)

    is_same = sa.and_(before(c.challenge_id) == c.challenge_id, before(c.value) == c.value)
    return (
        sa.select(
            c.idea_id,
            c.challenge_id,
            c.value,
            c.observed_from,
            c.observed_to,
            sa.case((is_same, sa.false()), else_=sa.true()),
            c.is_left_censored,
        )
        .join(COUNTED_IDEAS, COUNTED_IDEAS.c.idea_id == c.idea_id)
        .where(mine, c.attribute == "stage", c.challenge_id.is_not(None))
    )


def _people(asked: Asked) -> sa.Select[Any]:
    c = USERS.c
    status = sa.func.coalesce(c.status, "active")
    registered = sa.and_(c._deleted_at.is_(None), status.not_in(NOT_REGISTERED))
    return sa.select(
        c.id,
        sa.case((registered, sa.true()), else_=sa.false()),
        day_of(c.joined_at, asked),
        sa.case((c.last_seen_at.is_not(None), sa.true()), else_=sa.false()),
    ).where(c.community == asked.community, status.not_in(BANNED))


SELECTS: dict[sa.Table, Callable[[Asked], sa.Select[Any]]] = {
    COUNTED_IDEAS: _ideas,
    AUTHORS: _authors,
    ACTS: _acts,
    STAGES: _stages,
    STAYS: _stays,
    PEOPLE: _people,
}
