"""What the source says of itself, beside which the figures are read: how much it counts, and what it leaves open."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from ideas_pipeline.marts.facts import NOT_REGISTERED
from ideas_pipeline.tables.community import USERS
from ideas_pipeline.warehouse.declared import count_declared
from ideas_pipeline.warehouse.live import is_live

_DECLARED = {"comments": "comment_count", "votes": "vote_count"}


@dataclass(frozen=True, slots=True)
class Count:
    """Of the ideas that declare a number of ``what``: all these numbers together, and how many ``listed`` there are."""

    what: str
    declared: int
    listed: int


@dataclass(frozen=True, slots=True)
class Declared:
    """``counts``: what is declared by some idea. ``undated``: registered people of whom it is not known since when."""

    counts: tuple[Count, ...]
    undated: int


def read_declared(connection: sa.Connection, community: str) -> Declared:
    """What the source says of the community's ideas and people that are there now."""
    status = sa.func.coalesce(USERS.c.status, "active")
    undated = sa.and_(is_live(USERS, community), USERS.c.joined_at.is_(None), status.not_in(NOT_REGISTERED))
    counts = {
        what: count_declared(connection, community, "ideas", declared, what, "idea_id")
        for what, declared in _DECLARED.items()
    }
    return Declared(
        tuple(Count(what, found.declared, found.there) for what, found in counts.items() if found.parents),
        connection.scalar(sa.select(sa.func.count()).select_from(USERS).where(undated)) or 0,
    )
