"""Column lineage of marts, derived from their SELECTs so that it is always current."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.marts.filling import SELECTS
from ideas_pipeline.marts.mart import BuildContext
from ideas_pipeline.tables.all_tables import ANALYST_TABLES
from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.tables.columns import own_keys

_ANY = BuildContext("", datetime(2026, 1, 1, tzinfo=UTC), "UTC", "postgresql")


@cache
def column_lineage(mart: str) -> Mapping[str, Sequence[tuple[str, str]]]:
    """The source columns of each column of a mart: (table, column), sorted. Analysed once per process.

    Conditions and joins are not analysed: if they pick one kind of act, the columns of the other kinds appear, too.
    A number of rows has the keys of the mart's source tables as its sources.
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
        if place is None or (id(table), place) in seen:  # a recursive query refers to itself
            continue
        seen.add((id(table), place))
        if isinstance(table, sa.Table):
            if table in SELECTS:
                yield from _columns(_fact(table).selected_columns[place], seen)
            elif element.name != "community":
                yield table.name, element.name
        elif isinstance(table, sa.Subquery | sa.CTE):
            for select in _selects(table.element):
                yield from _columns(select.selected_columns[place], seen)


@cache
def _fact(table: sa.Table) -> sa.Select[Any]:
    """The SELECT that fills a temporary table.

    Cached because it is slow to build, and because ``seen`` holds ids of objects, which must therefore stay alive.
    """
    return SELECTS[table](_ANY)


def _selects(query: Any) -> Iterator[sa.Select[Any]]:
    """The SELECTs of a query: itself, or the members of its unions."""
    if isinstance(query, sa.CompoundSelect):
        for member in query.selects:
            yield from _selects(member)
    else:
        yield query


def _key(table: str) -> str:
    definition = MARTS[table].table if table in MARTS else ANALYST_TABLES[table]
    return str(own_keys(definition)[0].name)
