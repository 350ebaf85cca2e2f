"""What a column can be: its kind, its meaning, and what it says about a person."""

from __future__ import annotations

from typing import Any, Literal, cast

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

Kind = Literal["id", "text", "integer", "number", "boolean", "timestamp", "date", "json"]
Pii = Literal["person_id", "email", "name", "profile", "free_text"]

# Text of any length everywhere; engines that cannot index that get a bound for the columns that are keys.
_ID = sa.Text().with_variant(sa.String(255), "mysql", "mariadb", "mssql", "oracle")
_TYPES: dict[Kind, sa.types.TypeEngine[Any]] = {
    "id": _ID,
    "text": sa.Text(),
    "integer": sa.BigInteger(),
    "number": sa.Double(),
    "boolean": sa.Boolean(),
    "timestamp": sa.DateTime(timezone=True),
    "date": sa.Date(),
    "json": sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql"),
}

# How each kind travels between records and the warehouse, and in exported files. JSON is text.
ARROW: dict[Kind, pa.DataType] = {
    "id": pa.string(),
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "json": pa.string(),
}


def column(
    name: str,
    kind: Kind,
    meaning: str,
    *,
    pii: Pii | None = None,
    key: bool = False,
    required: bool = False,
    part_of: str | None = None,
    refers_to: str | None = None,
    values: tuple[str, ...] = (),
) -> sa.Column[Any]:
    """A column of ``kind`` with its meaning in a sentence, and the class of personal data that it holds, if any.

    ``part_of``: the table (key: community, id) without whose row this row cannot be: an idea of a challenge.
    ``refers_to``: the table whose row this one names, and may outlive: the author of an idea.
    ``values``: all that are known. Others load just as well, and are pointed out.
    """
    return sa.Column(
        name,
        _TYPES[kind],
        primary_key=key,
        nullable=not (key or required),
        comment=meaning,
        info={"kind": kind, "pii": pii, "part_of": part_of, "refers_to": refers_to, "values": values},
    )


def kind(column: sa.Column[Any]) -> Kind:
    return cast("Kind", column.info["kind"])


def pii(column: sa.Column[Any]) -> Pii | None:
    return cast("Pii | None", column.info["pii"])


def known_values(column: sa.Column[Any]) -> tuple[str, ...]:
    """The values that are known of a column; none where any value is as good as another."""
    return cast("tuple[str, ...]", column.info["values"])


def own_keys(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns of the key within a community."""
    return [c for c in table.primary_key.columns if c.name != "community"]


def part_of(table: sa.Table) -> tuple[str, str] | None:
    """The column of ``table`` that names its parent, and the parent's table; None for a table that stands alone."""
    return next(((c.name, c.info["part_of"]) for c in table.columns if c.info["part_of"]), None)


def scope_of(table: sa.Table) -> sa.ColumnElement[str]:
    """The scope in which a row is listed: its parent's id; empty in a table that stands alone."""
    parent = part_of(table)
    return table.c[parent[0]] if parent else sa.literal("", sa.Text())


def is_live(table: sa.Table, community: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.community == community, table.c._deleted_at.is_(None))
