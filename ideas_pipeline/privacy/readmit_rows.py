"""Undo the erasure of people whom the source had deleted and has again, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import sqlalchemy as sa

from ideas_pipeline.privacy.redact import People
from ideas_pipeline.privacy.stored_rows import ROWS_AT_ONCE, Row, rename_in_history, update_rows
from ideas_pipeline.tables.columns import own_keys, pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.database import Transaction


def erased_among(tx: Transaction, people: Mapping[str, str]) -> dict[str, str]:
    """Those of ``people`` (id by surrogate) whose row in ``users`` still has the surrogate as its id."""
    users = TABLES["users"]
    return {
        surrogate: person
        for surrogate, person in people.items()
        if tx.scalar(sa.select(sa.exists().where(tx.owns(users), users.c.id == surrogate)))
    }


def readmit_rows(tx: Transaction, named: People, back: Mapping[str, str], at: datetime) -> None:
    """Replace the surrogates of people who are back with their ids, in every table, also within composite ids.

    What was blanked stays blank until the rows are read again.

    Args:
        tx: a write transaction.
        named: where the rows name people.
        back: id by surrogate.
        at: becomes ``_changed_at`` of the rows; timezone-aware.
    """
    for surrogate, person in back.items():
        for table, column in _person_columns():
            theirs = sa.and_(tx.owns(table), column == surrogate)
            if column.primary_key:
                own = table.alias("own")
                rest = (own.c[c.name] == c for c in table.primary_key.columns if c is not column)
                there = sa.exists().where(own.c[column.name] == person, *rest)
                tx.execute(sa.delete(table).where(theirs, there))
            tx.execute(sa.update(table).where(theirs).values({column.name: person, "_changed_at": utc(at)}))
    for table in TABLES.values():
        composite = {c: of for c, of in named.pointers[table.name].items() if of != "users"}
        if composite:
            _readmit_within_ids(tx, table, composite, named, back, at)
    if "ideas" in named.made:
        rename_in_history(tx, lambda id_: named.replaced("ideas", id_, back.get))


def _readmit_within_ids(
    tx: Transaction, table: sa.Table, composite: Mapping[str, str], named: People, back: Mapping[str, str], at: datetime
) -> None:
    """Replace surrogates within composite ids. ``composite``: by column, the table whose id it holds."""
    keys = [str(c.name) for c in own_keys(table)]
    ids = [table.c[name] for name in dict.fromkeys([*keys, *composite])]
    can_name = sa.or_(*(table.c[name].startswith("[") for name in composite))
    rows = tx.execute(
        sa.select(*ids).where(tx.owns(table), can_name).execution_options(yield_per=ROWS_AT_ONCE)
    ).mappings()
    updates: list[tuple[Row, Row]] = []
    for row in rows:
        stated = {name: row[name] for name in composite if row[name] is not None}
        other = {name: new for name, id_ in stated.items() if (new := named.replaced(composite[name], id_, back.get))}
        if other:
            updates.append(({name: row[name] for name in keys}, {**row, **other}))
    update_rows(tx, table, updates, at)


def _person_columns() -> Iterator[tuple[sa.Table, sa.Column[str]]]:
    for table in TABLES.values():
        for column in table.columns:
            if pii(column) == "person_id":
                yield table, column
