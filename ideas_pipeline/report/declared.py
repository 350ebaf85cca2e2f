"""What the source says of itself, beside which the figures are read: how much it counts, and what it tells at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.facts import NOT_REGISTERED
from ideas_pipeline.tables.community import COMMENTS, IDEAS, USERS, VOTES
from ideas_pipeline.warehouse.live import is_live

_COUNTED = {"comments": (IDEAS.c.comment_count, COMMENTS), "votes": (IDEAS.c.vote_count, VOTES)}


@dataclass(frozen=True, slots=True)
class Count:
    """Of the ideas that declare a number of ``what``: all these numbers together, and how many ``listed`` there are."""

    what: str
    declared: int
    listed: int


@dataclass(frozen=True, slots=True)
class Declared:
    """``counts``: what is declared by some idea. The others say what is told of any idea, or person, at all.

    ``undated``: registered people of whom it is not known since when.
    """

    counts: tuple[Count, ...]
    moderation: bool
    approval: bool
    publication: bool
    status_of_people: bool
    undated: int


def read_declared(connection: sa.Connection, community: str) -> Declared:
    """What the source says of the community's ideas and people that are there now."""
    ideas, people = is_live(IDEAS, community), is_live(USERS, community)
    told = sa.select(
        sa.func.count(IDEAS.c.moderation_status),
        sa.func.count(IDEAS.c.approval_status),
        sa.func.count(IDEAS.c.published_at),
    )
    moderation, approval, publication = connection.execute(told.where(ideas)).one()
    status = sa.func.coalesce(USERS.c.status, "active")
    undated = sa.and_(people, USERS.c.joined_at.is_(None), status.not_in(NOT_REGISTERED))
    return Declared(
        tuple(count for what in _COUNTED if (count := _count(connection, community, what))),
        bool(moderation),
        bool(approval),
        bool(publication),
        bool(connection.scalar(sa.select(sa.func.count(USERS.c.status)).where(people))),
        connection.scalar(sa.select(sa.func.count()).select_from(USERS).where(undated)) or 0,
    )


def _count(connection: sa.Connection, community: str, what: str) -> Count | None:
    says, listed = _COUNTED[what]
    declaring: sa.ColumnElement[Any] = sa.and_(is_live(IDEAS, community), says.is_not(None))
    declared = connection.scalar(sa.select(sa.func.sum(says)).where(declaring))
    if declared is None:
        return None
    of_these = listed.c.idea_id.in_(sa.select(IDEAS.c.id).where(declaring))
    there = sa.select(sa.func.count()).select_from(listed).where(is_live(listed, community), of_these)
    return Count(what, int(declared), connection.scalar(there) or 0)
