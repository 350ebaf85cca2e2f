"""What the warehouse can say about its own soundness: unproven lists, waiting rejects, held rows, broken references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import ABSENCES, REJECTED_RECORDS, SYNC_SCOPES, SYNC_STREAMS
from ideas_pipeline.tables.columns import is_live
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.database import reading
from ideas_pipeline.warehouse.status import OF_SYNCS, OF_SYNCS_AND_BACKFILLS


@dataclass(frozen=True, slots=True)
class LastRun:
    """How a stream was last read. ``verdict``: running (or killed), complete, incomplete or failed.

    ``hidden_changes``: lists that had changed without their parent saying so.
    ``unproven``: the lists of that run that were read and not proven complete, ordered.
    """

    run_id: str
    verdict: str
    reason: str | None
    scopes: int
    scopes_complete: int
    hidden_changes: int
    unproven: list[str]


@dataclass(frozen=True, slots=True)
class IncompleteList:
    """A list that was read and not proven complete. ``declared``: by its parent; ``total``: by the API."""

    scope: str
    reason: str | None
    declared: int | None
    total: int | None
    seen: int


@dataclass(frozen=True, slots=True)
class BrokenReference:
    """``rows`` live rows of ``table`` name in ``column`` a row of ``target`` that is not there."""

    table: str
    column: str
    target: str
    rows: int


def last_run(engine: sa.Engine, community: str, stream: str) -> LastRun | None:
    """How ``stream`` was last read, by a sync or a backfill; None where it never was. Raises WarehouseError."""
    runs, scopes = SYNC_STREAMS.c, SYNC_SCOPES.c
    newest = (
        sa.select(
            runs.run_id,
            runs.verdict,
            runs.reason,
            runs.scopes,
            runs.scopes_complete,
            sa.func.coalesce(runs.hidden_changes, 0),
        )
        .where(runs.community == community, runs.stream == stream, OF_SYNCS_AND_BACKFILLS)
        .order_by(runs.started_at.desc())
        .limit(1)
    )
    with reading(engine) as connection:
        run = connection.execute(newest).one_or_none()
        if run is None:
            return None
        unproven = connection.scalars(
            sa.select(scopes.scope)
            .where(scopes.community == community, scopes.stream == stream, scopes.run_id == run.run_id)
            .where(scopes.verdict == "incomplete")
            .order_by(scopes.scope)
        ).all()
    return LastRun(*run, unproven=list(unproven))


def incomplete_lists(engine: sa.Engine, community: str, stream: str, run_id: str) -> list[IncompleteList]:
    """The lists that the run read and did not prove complete, by their names. Raises WarehouseError."""
    lists = SYNC_SCOPES.c
    query = (
        sa.select(lists.scope, lists.reason, lists.declared, lists.total_last, lists.seen)
        .where(lists.community == community, lists.stream == stream, lists.run_id == run_id)
        .where(lists.verdict == "incomplete")
        .order_by(lists.scope)
    )
    with reading(engine) as connection:
        return [IncompleteList(*row) for row in connection.execute(query)]


def reject_reasons(engine: sa.Engine, community: str, tables: Collection[str]) -> dict[str, int]:
    """How many records wait for a mend, by table and reason, most frequent first. Raises WarehouseError.

    A reason quotes what was received, which can be personal: that part is left out.
    """
    rejects = REJECTED_RECORDS.c
    query = (
        sa.select(rejects.table_name, rejects.reason, sa.func.count())
        .where(rejects.community == community, rejects.table_name.in_(tables))
        .group_by(rejects.table_name, rejects.reason)
    )
    counts: Counter[str] = Counter()
    with reading(engine) as connection:
        for table, reason, count in connection.execute(query):
            counts[f"{table}: {reason.partition(' (it is ')[0]}"] += count
    return dict(counts.most_common())


def held_absences(engine: sa.Engine, community: str, tables: Collection[str]) -> dict[tuple[str, str], int]:
    """How many rows of ``tables`` look absent and are not believed to be, by table and reason. Raises WarehouseError.

    Rows of an embedded table wait under its own name, not under their stream's.
    """
    held = ABSENCES.c
    query = (
        sa.select(held.stream, held.held_because, sa.func.count())
        .where(held.community == community, held.stream.in_(tables), held.held_because.is_not(None))
        .group_by(held.stream, held.held_because)
        .order_by(held.stream, held.held_because)
    )
    with reading(engine) as connection:
        return {(table, because): count for table, because, count in connection.execute(query)}


def referenced(tables: Collection[str]) -> set[str]:
    """The tables that rows of ``tables`` name."""
    return {_target(column) for table in tables for column in _references(table)}


def broken_references(engine: sa.Engine, community: str, tables: Collection[str]) -> list[BrokenReference]:
    """The references of ``tables``' live rows that lead nowhere, by table and column. Raises WarehouseError.

    A row that is part of another is broken where that one is missing or marked deleted; a row that only names another
    (an author, who may have left) is broken where that one was never seen.
    """
    queries = [_dangling(community, table, column) for table in sorted(tables) for column in _references(table)]
    if not queries:
        return []
    with reading(engine) as connection:
        found = connection.execute(sa.union_all(*queries)).all()
    return sorted((BrokenReference(*row) for row in found if row.rows), key=lambda b: (b.table, b.column))


def _references(table: str) -> list[sa.Column[Any]]:
    return [c for c in TABLES[table].columns if _target(c)]


def _target(column: sa.Column[Any]) -> str:
    return column.info["parent"] or column.info["references"] or ""


def _dangling(community: str, table: str, column: sa.Column[Any]) -> sa.Select[str, str, str, int]:
    target = TABLES[_target(column)].alias("target")
    there = sa.exists().where(target.c.community == community, target.c.id == column)
    if column.info["parent"]:
        there = there.where(target.c._deleted_at.is_(None))
    return sa.select(
        sa.literal(table).label("table"),
        sa.literal(column.name).label("column"),
        sa.literal(_target(column)).label("target"),
        sa.func.count().label("rows"),
    ).where(is_live(TABLES[table], community), column.is_not(None), ~there)


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
