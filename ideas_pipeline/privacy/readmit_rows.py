"""Undo the erasure of people whom the source had deleted and has again, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import sqlalchemy as sa

from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.database import Transaction


def erased_among(tx: Transaction, people: Mapping[str, str]) -> dict[str, str]:
    """Those of ``people`` (id by surrogate) whom a row of ``users`` still has under the surrogate."""
    users = TABLES["users"]
    return {
        surrogate: person
        for surrogate, person in people.items()
        if tx.scalar(sa.select(sa.exists().where(tx.owns(users), users.c.id == surrogate)))
    }


def readmit_rows(tx: Transaction, people: Mapping[str, str], at: datetime) -> None:
    """Replace the surrogates of people who are back by their ids, in every table.

    What was blanked stays blank until the rows are read again.

    Args:
        tx: a write transaction.
        people: id by surrogate.
        at: becomes ``_changed_at`` of the rows; timezone-aware.
    """
    for surrogate, person in people.items():
        for table, column in _person_columns():
            named = sa.and_(tx.owns(table), column == surrogate)
            if column.primary_key:
                own = table.alias("own")
                rest = (own.c[c.name] == c for c in table.primary_key.columns if c is not column)
                there = sa.exists().where(own.c[column.name] == person, *rest)
                tx.execute(sa.delete(table).where(named, there))
            tx.execute(sa.update(table).where(named).values({column.name: person, "_changed_at": utc(at)}))


def _person_columns() -> Iterator[tuple[sa.Table, sa.Column[str]]]:
    for table in TABLES.values():
        for column in table.columns:
            if pii(column) == "person_id":
                yield table, column
