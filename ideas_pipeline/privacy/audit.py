"""The audit of erasures in the warehouse, which is a copy of the list of erased people, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from ideas_pipeline.privacy.erased import Erased, other_key
from ideas_pipeline.privacy.key import Key
from ideas_pipeline.tables.bookkeeping import ERASURES
from ideas_pipeline.warehouse.engines import utc

Command = Literal["erase", "sync"]


def listed(connection: sa.Connection, community: str, key: Key) -> list[Erased]:
    """The list as the warehouse has it. Raises PrivacyError where it was made with another key."""
    rows = connection.execute(sa.select(ERASURES).where(ERASURES.c.community == community)).all()
    if any(row.key_fingerprint != key.fingerprint for row in rows):
        raise other_key(f"the table {ERASURES.name} of the warehouse")
    return [
        Erased(row.community, row.surrogate, utc(row.erased_at), row.because, bool(row.texts), frozenset(row.words))
        for row in rows
    ]


def note(
    connection: sa.Connection,
    entries: Iterable[Erased],
    key: Key,
    command: Command,
    at: datetime,
    rows: Mapping[str, int],
) -> None:
    """A line for each of ``entries``; ``rows``: how many were blanked for them, by table."""
    lines = [
        {
            "community": entry.community,
            "surrogate": entry.surrogate,
            "erased_at": utc(entry.at),
            "applied_at": utc(at),
            "because": entry.because,
            "command": command,
            "texts": entry.texts,
            "words": sorted(entry.words),
            "key_fingerprint": key.fingerprint,
            "rows": dict(rows),
        }
        for entry in entries
    ]
    if lines:
        connection.execute(sa.insert(ERASURES), lines)


def tables_of(connection: sa.Connection, community: str, surrogate: str) -> set[str]:
    """The tables in which a person was ever blanked."""
    found = sa.select(ERASURES.c.rows).where(ERASURES.c.community == community, ERASURES.c.surrogate == surrogate)
    return {table for rows in connection.scalars(found) for table in rows or {}}
