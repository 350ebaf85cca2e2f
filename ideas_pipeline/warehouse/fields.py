"""What the warehouse remembers of the API's fields, and what its rows tell about values that nobody knew."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import FIELDS
from ideas_pipeline.tables.columns import is_live, known_values
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.database import reading, utc, writing

EXTRA = "_extra."
# What is longer is no word of a list, and is told by its length.
_LONGEST_WORD = 40


@dataclass(frozen=True, slots=True)
class Field:
    """A row of ``_fields``, less the community. Times know their zone, and come back in UTC.

    ``field``: a column, or ``_extra.NAME``. ``kinds``: of its values; none where all were null.
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


def fields(engine: sa.Engine, community: str, tables: Collection[str]) -> list[Field]:
    """The fields that the API ever sent for ``tables``, by table and name. Raises WarehouseError."""
    query = (
        sa.select(FIELDS)
        .where(FIELDS.c.community == community, FIELDS.c.table_name.in_(tables))
        .order_by(FIELDS.c.table_name, FIELDS.c.field)
    )
    with reading(engine) as connection:
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
            for row in connection.execute(query)
        ]


def note(engine: sa.Engine, community: str, run_id: str, changed: Iterable[Field]) -> None:
    """Writes the rows of the fields that ``changed``. Raises WarehouseError."""
    rows = [
        {
            "community": community,
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
        FIELDS.c.community == community,
        FIELDS.c.table_name == sa.bindparam("of_table"),
        FIELDS.c.field == sa.bindparam("of_field"),
    )
    with writing(engine) as connection:
        keys = [{"of_table": row["table_name"], "of_field": row["field"]} for row in rows]
        connection.execute(sa.delete(FIELDS).where(*one), keys)
        connection.execute(sa.insert(FIELDS), rows)


def unknown_values(engine: sa.Engine, community: str, tables: Collection[str]) -> dict[str, dict[str, int]]:
    """By ``table.column``, the values of live rows that are none of those known, with how many rows have each.

    A value that is no word is told by its length alone. Raises WarehouseError.
    """
    found: dict[str, dict[str, int]] = {}
    with reading(engine) as connection:
        for name in sorted(tables):
            table = TABLES[name]
            for column in table.columns:
                if not known_values(column):
                    continue
                query = (
                    sa.select(column, sa.func.count())
                    .where(is_live(table, community))
                    .where(column.is_not(None), column.not_in(known_values(column)))
                    .group_by(column)
                    .order_by(sa.func.count().desc(), column)
                )
                for value, count in connection.execute(query):
                    counts = found.setdefault(f"{name}.{column.name}", {})
                    counts[_word(value)] = counts.get(_word(value), 0) + count
    return found


def _word(value: str) -> str:
    return value if len(value) <= _LONGEST_WORD and "@" not in value else f"(text of {len(value)} characters)"
