"""What parents declare of their lists, against the rows that are there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import SYNC_STREAMS
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.engines import reading
from ideas_pipeline.warehouse.live import is_live
from ideas_pipeline.warehouse.proven import OF_SYNCS


@dataclass(frozen=True, slots=True)
class DeclaredCounts:
    """Of live ``parents`` that declare a count: how many ``differ``, what all declare, and how many rows there are.

    ``missing``: rows that are declared and not there, over all parents; ``surplus``: those beyond what is declared.
    """

    parents: int
    differ: int
    declared: int
    there: int
    missing: int
    surplus: int


def declared_counts(
    engine: sa.Engine, community: str, parent: str, declared: str, child: str, of_parent: str, cursor: str
) -> DeclaredCounts:
    """The column ``declared`` of ``parent``'s live rows against the live rows of ``child`` that name them.

    ``of_parent``: the column of ``child`` that names the parent. Rows whose ``cursor`` is not before the parents' last
    sync are left out: no parent could count them yet. Raises WarehouseError.
    """
    made, parents_read = TABLES[child].c[cursor], _last_sync(community, parent)
    known = sa.or_(made.is_(None), parents_read.is_(None), made < parents_read)
    with reading(engine) as connection:
        return count_declared(connection, community, parent, declared, child, of_parent, known)


def count_declared(
    connection: sa.Connection,
    community: str,
    parent: str,
    declared: str,
    child: str,
    of_parent: str,
    counted: sa.ColumnElement[bool] | None = None,
) -> DeclaredCounts:
    """The same in ``connection``'s transaction. ``counted``: which live rows of ``child``; all by default."""
    above, below = TABLES[parent], TABLES[child]
    rows = sa.select(below.c[of_parent].label("of"), sa.func.count().label("there")).where(is_live(below, community))
    if counted is not None:
        rows = rows.where(counted)
    by_parent = rows.group_by(below.c[of_parent]).subquery()
    there = sa.func.coalesce(by_parent.c.there, 0)
    says = above.c[declared]
    query = (
        sa.select(
            sa.func.count(),
            *(
                sa.func.coalesce(sa.func.sum(what), 0)
                for what in (
                    sa.case((says != there, 1), else_=0),
                    says,
                    there,
                    sa.case((says > there, says - there), else_=0),
                    sa.case((says < there, there - says), else_=0),
                )
            ),
        )
        .select_from(above.outerjoin(by_parent, by_parent.c.of == above.c.id))
        .where(is_live(above, community), says.is_not(None))
    )
    return DeclaredCounts(*(int(number) for number in connection.execute(query).one()))


def _last_sync(community: str, stream: str) -> sa.ScalarSelect[datetime]:
    """When the last run began that read the whole stream."""
    streams = SYNC_STREAMS.c
    return (
        sa.select(sa.func.max(streams.started_at))
        .where(streams.community == community, streams.stream == stream, OF_SYNCS)
        .scalar_subquery()
    )


def differing_parents(community: str, parent: str, declared: str, child: str, of_parent: str) -> str:
    """A query, to be run by a person on any engine, that names the parents whose count differs."""
    return (
        f"SELECT p.id, p.{declared} AS declared, COUNT(c.id) AS there\n"
        f"FROM {parent} p LEFT JOIN {child} c\n"
        f"  ON c.community = p.community AND c.{of_parent} = p.id AND c._deleted_at IS NULL\n"
        f"WHERE p.community = '{community}' AND p._deleted_at IS NULL\n"
        f"GROUP BY p.id, p.{declared} HAVING COUNT(c.id) <> p.{declared}\n"
        f"ORDER BY ABS(COUNT(c.id) - p.{declared}) DESC;"
    )
