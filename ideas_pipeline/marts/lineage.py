"""What each column of a mart is made of, read off its select, so that it cannot be out of date."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from ideas_pipeline.marts import facts
from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.marts.mart import Asked
from ideas_pipeline.tables.all_tables import ANALYST_TABLES
from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.tables.columns import own_keys

_ANY = Asked("", datetime(2026, 1, 1, tzinfo=UTC), "UTC", "postgresql")


def made_of(mart: str) -> dict[str, list[tuple[str, str]]]:
    """By column of the mart, the columns of the warehouse that its values are made of: (table, column), in order.

    Conditions and joins are not told, so where they pick one kind of act, the columns of the others are named as well.
    A number of rows is made of the keys of the tables that the mart reads.
    """
    select = MARTS[mart].select(_ANY)
    names = [c.name for c in MARTS[mart].table.columns if c.name != "community"]
    reads = {*MARTS[mart].reads, LABEL_CLASSES.name}
    found = {}
    for name, expression in zip(names, select.selected_columns, strict=True):
        columns = sorted({(table, column) for table, column in _columns(expression, set()) if table in reads})
        found[name] = columns or [(table, _key(table)) for table in MARTS[mart].reads]
    return found


def _columns(expression: sa.ColumnElement[Any], seen: set[tuple[int, int]]) -> Iterator[tuple[str, str]]:
    for element in visitors.iterate(expression):
        if not isinstance(element, sa.ColumnClause) or element.table is None:
            continue
        table = element.table
        place = next((n for n, c in enumerate(table.c) if c is element), None)
        if place is None or (id(table), place) in seen:  # a recursive query is made of itself, too
            continue
        seen.add((id(table), place))
        if isinstance(table, sa.Table):
            if table in facts.SELECTS:
                yield from _columns(_fact(table).selected_columns[place], seen)
            elif element.name != "community":
                yield table.name, element.name
        elif isinstance(table, sa.Subquery | sa.CTE):
            for select in _selects(table.element):
                yield from _columns(select.selected_columns[place], seen)


@cache
def _fact(table: sa.Table) -> sa.Select[Any]:
    """The select that fills a fact. All marts share it: to make it takes longer than to read it, and as it stays in
    memory, no other table gets the id by which ``seen`` knows a table of it.
    """
    return facts.SELECTS[table](_ANY)


def _selects(of: Any) -> Iterator[sa.Select[Any]]:
    """The selects that a query is made of, those of its unions."""
    if isinstance(of, sa.CompoundSelect):
        for part in of.selects:
            yield from _selects(part)
    else:
        yield of


def _key(table: str) -> str:
    described = MARTS[table].table if table in MARTS else ANALYST_TABLES[table]
    return str(own_keys(described)[0].name)
