"""Columns: kind, meaning, class of personal data, and the tables that they refer to."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ideas_pipeline.late.arrow import pa

Kind = Literal["id", "text", "integer", "number", "boolean", "timestamp", "date", "json"]
Pii = Literal["person_id", "email", "name", "profile", "free_text"]

# Text of any length. Engines that cannot index unbounded text get a length for key columns.
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


def column(
    name: str,
    kind: Kind,
    meaning: str,
    *,
    pii: Pii | None = None,
    key: bool = False,
    required: bool = False,
    parent: str | None = None,
    references: str | None = None,
    values: tuple[str, ...] = (),
    planned: bool = False,
) -> sa.Column[Any]:
    """Define a column.

    Args:
        name: The column's name.
        kind: The kind of its values, which sets the type on each engine.
        meaning: One sentence, which becomes the comment in the database and in docs/warehouse.md.
        pii: The class of personal data that it holds.
        key: Whether it belongs to the primary key.
        required: Whether null is refused.
        parent: The table (key: community, id) of the parent that a row cannot exist without, as an idea in a challenge.
        references: The table of a row that this row names and may outlive, as the author of an idea.
        values: The known values, in whatever case and with whatever separators they are sent. Others are loaded, too,
            and reported.
        planned: Whether the time is one that people set, and not one at which something happened: it can be far ahead.
    """
    return sa.Column(
        name,
        _TYPES[kind],
        primary_key=key,
        nullable=not (key or required),
        comment=meaning,
        info={
            "kind": kind,
            "pii": pii,
            "parent": parent,
            "references": references,
            "values": values,
            "planned": planned,
        },
    )


def kind(column: sa.Column[Any]) -> Kind:
    """The kind of a column's values."""
    return cast("Kind", column.info["kind"])


@cache
def arrow_type(kind: Kind) -> pa.DataType:
    """The Arrow type of a kind, between records and the warehouse and in exported files. JSON is text."""
    match kind:
        case "id" | "text" | "json":
            return pa.string()
        case "integer":
            return pa.int64()
        case "number":
            return pa.float64()
        case "boolean":
            return pa.bool_()
        case "timestamp":
            return pa.timestamp("us", tz="UTC")
        case "date":
            return pa.date32()


def pii(column: sa.Column[Any]) -> Pii | None:
    """The class of personal data in a column, or None."""
    return cast("Pii | None", column.info["pii"])


def known_values(column: sa.Column[Any]) -> tuple[str, ...]:
    """The known values of a column; empty if any value is valid."""
    return cast("tuple[str, ...]", column.info["values"])


def known_word(column: sa.Column[Any], text: str) -> str:
    """The known value that ``text`` spells: ``closed_comments`` for ``Closed comments``. ``text`` if there is none."""
    return _by_letters(known_values(column)).get(_letters(text), text)


@cache
def _by_letters(words: tuple[str, ...]) -> dict[str, str]:
    return {_letters(word): word for word in words}


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


def own_columns(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns with values of the source: without ``community`` and what the pipeline notes."""
    return [c for c in table.columns if c.name != "community" and not c.name.startswith("_")]


def own_keys(table: sa.Table) -> list[sa.Column[Any]]:
    """The primary-key columns without ``community``."""
    return [c for c in table.primary_key.columns if c.name != "community"]


def parent_of(table: sa.Table) -> tuple[str, str] | None:
    """The column of ``table`` that names its parent, and the parent's table; None for a table without a parent."""
    return next(((c.name, c.info["parent"]) for c in table.columns if c.info["parent"]), None)


def is_prose(column: sa.Column[Any]) -> bool:
    """Whether a column is a text by which neither a row nor a person is recognised, so that it can be rewritten.

    Erased people are recognised by their names as the API sends them, and an attachment without an id by its filename.
    """
    return (
        kind(column) == "text"
        and not column.primary_key
        and pii(column) in (None, "free_text")
        and (column.table.name, column.name) != ("idea_attachments", "filename")
    )


def is_live(table: sa.Table, community: str) -> sa.ColumnElement[bool]:
    """Condition for the community's rows that are not marked deleted."""
    return sa.and_(table.c.community == community, table.c._deleted_at.is_(None))
