"""What the warehouse knows of the rows that are there now (``_deleted_at`` is null)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.tables.columns import part_of
from ideas_pipeline.tables.community import TABLES


def scope_of(table: sa.Table) -> sa.ColumnElement[str]:
    """The scope in which a row is listed: its parent's id; empty in a table that stands alone."""
    parent = part_of(table)
    return table.c[parent[0]] if parent else sa.literal("", sa.Text())


def is_live(table: sa.Table, community: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.community == community, table.c._deleted_at.is_(None))


def values(connection: sa.Connection, community: str, sources: Sequence[str]) -> list[str]:
    """The distinct values of the columns ``sources`` (``table.column``), nulls left out, in order of their text."""
    found: set[str] = set()
    for source in sources:
        table, column = _column(source)
        query = sa.select(column).distinct().where(is_live(table, community), column.is_not(None))
        found.update(connection.scalars(query))
    return sorted(found)


def parents(
    connection: sa.Connection, community: str, source: str, columns: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """By the value of ``source`` (``ideas.id``), what the live row says in ``columns``."""
    table, key = _column(source)
    query = sa.select(key.label("_of"), *(table.c[c] for c in columns)).where(is_live(table, community))
    rows = connection.execute(query.where(key.is_not(None))).mappings()
    return {row["_of"]: {c: row[c] for c in columns} for row in rows}


def live_ids(connection: sa.Connection, community: str, stream: str, scope: str | None) -> set[str]:
    """The ids of a stream's rows in ``scope``, or in all of its scopes where that is None."""
    table = TABLES[stream]
    query = sa.select(table.c.id).where(is_live(table, community))
    if scope is not None:
        query = query.where(scope_of(table) == scope)
    return set(connection.scalars(query))


def live_counts(connection: sa.Connection, community: str, stream: str) -> dict[str, int]:
    """How many of a stream's rows there are, by scope. A row that names no parent is in the scope ``""``."""
    table = TABLES[stream]
    scope = sa.func.coalesce(scope_of(table), "").label("scope")
    rows = sa.select(scope).where(is_live(table, community)).subquery()
    query = sa.select(rows.c.scope, sa.func.count()).group_by(rows.c.scope)
    return dict(connection.execute(query).all())


def _column(source: str) -> tuple[sa.Table, sa.Column[str]]:
    table, _, column = source.partition(".")
    return TABLES[table], TABLES[table].c[column]
