"""Fields that the API ever sent (`_fields`), and unknown values in columns with known ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import FIELDS
from ideas_pipeline.tables.columns import known_values
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.database import Transaction

EXTRA = "_extra."
# Longer values are free text, of which only the length is shown.
_LONGEST_WORD = 40


@dataclass(frozen=True, slots=True)
class Field:
    """A field that the API sent. Times are timezone-aware; those from the database are in UTC.

    Attributes:
        table: The table.
        field: A column, or ``_extra.NAME``.
        is_mapped: Whether the contract maps the field to a column.
        kinds: Kinds of its values; empty if all were null.
        records: Number of records with the field, in the run with the most records.
        of_records: Number of records in that run.
        first_seen_at: When the field was first seen.
        last_seen_at: When the field was last recorded.
        missing_since: Since when no record has the field.
    """

    table: str
    field: str
    is_mapped: bool
    kinds: frozenset[str]
    records: int
    of_records: int
    first_seen_at: datetime
    last_seen_at: datetime
    missing_since: datetime | None


def fields(tx: Transaction, tables: Collection[str]) -> list[Field]:
    """The fields that the API ever sent for ``tables``, sorted by table and name."""
    query = (
        sa.select(FIELDS)
        .where(tx.owns(FIELDS), FIELDS.c.table_name.in_(tables))
        .order_by(FIELDS.c.table_name, FIELDS.c.field)
    )
    return [
        Field(
            table=row.table_name,
            field=row.field,
            is_mapped=row.is_mapped,
            kinds=frozenset(row.kinds.split(", ")) if row.kinds else frozenset(),
            records=row.records,
            of_records=row.of_records,
            first_seen_at=utc(row.first_seen_at),
            last_seen_at=utc(row.last_seen_at),
            missing_since=row.missing_since and utc(row.missing_since),
        )
        for row in tx.execute(query)
    ]


def note(tx: Transaction, run_id: str, changed: Iterable[Field]) -> None:
    """Write the rows of the fields that ``changed``."""
    rows = [
        {
            "community": tx.community,
            "table_name": field.table,
            "field": field.field,
            "is_mapped": field.is_mapped,
            "kinds": ", ".join(sorted(field.kinds)) or None,
            "records": field.records,
            "of_records": field.of_records,
            "first_seen_at": utc(field.first_seen_at),
            "last_seen_at": utc(field.last_seen_at),
            "missing_since": field.missing_since and utc(field.missing_since),
            "run_id": run_id,
        }
        for field in changed
    ]
    if not rows:
        return
    one = (
        tx.owns(FIELDS),
        FIELDS.c.table_name == sa.bindparam("of_table"),
        FIELDS.c.field == sa.bindparam("of_field"),
    )
    tx.execute(
        sa.delete(FIELDS).where(*one), [{"of_table": row["table_name"], "of_field": row["field"]} for row in rows]
    )
    tx.execute(sa.insert(FIELDS), rows)


def unknown_values(tx: Transaction, tables: Collection[str]) -> dict[str, dict[str, int]]:
    """Number of live rows per unknown value, per ``table.column``.

    Only a single short word is shown; of any other value, only its length.
    """
    found: dict[str, dict[str, int]] = {}
    for name in sorted(tables):
        table = TABLES[name]
        for column in table.columns:
            if not known_values(column):
                continue
            query = (
                sa.select(column, sa.func.count())
                .where(tx.live(table))
                .where(column.is_not(None), column.not_in(known_values(column)))
                .group_by(column)
                .order_by(sa.func.count().desc(), column)
            )
            for value, count in tx.execute(query):
                counts = found.setdefault(f"{name}.{column.name}", {})
                counts[_word(value)] = counts.get(_word(value), 0) + count
    return found


def _word(value: str) -> str:
    return value if len(value) <= _LONGEST_WORD and "@" not in value else f"(text of {len(value)} characters)"
