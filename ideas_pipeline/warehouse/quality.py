"""Queries on the quality of the tables: incomplete scopes, rejects, odd times, held rows, references, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.contract.types import Json
from ideas_pipeline.tables.bookkeeping import (
    ABSENCES,
    REJECTED_RECORDS,
    SCOPES,
    SYNC_SCOPES,
    SYNC_STREAMS,
    ContradictionCode,
    ReasonCode,
)
from ideas_pipeline.tables.columns import kind, own_keys, parent_of
from ideas_pipeline.tables.community import TABLES, scope_of
from ideas_pipeline.times import EARLIEST, LATEST_PLAN, TOMORROW, utc
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.status import OF_SYNCS, OF_SYNCS_AND_BACKFILLS

# A larger number is a mistake of the source, and could overflow a sum.
_LARGEST_COUNT = 10**12
_ROWS_LOOKED_AT = 300


@dataclass(frozen=True, slots=True)
class LastRun:
    """Result of the last run of a stream.

    Attributes:
        run_id: The run's id.
        verdict: ``running`` (or killed), ``complete``, ``incomplete`` or ``failed``.
        reason: Why it is not complete.
        scopes: Number of scopes that the run read.
        scopes_complete: Number of these that are complete.
        hidden_changes: Scopes that had changed although no parent column showed it.
        incomplete: The scopes of that run that are incomplete, sorted.
        disbelieved: Which claim of the API was not used for a complete scope of that run; None if all were.
        codes: The reasons of that run's scopes that have a word.
    """

    run_id: str
    verdict: str
    reason: str | None
    scopes: int
    scopes_complete: int
    hidden_changes: int
    incomplete: list[str]
    disbelieved: str | None
    codes: frozenset[ReasonCode] = frozenset()


@dataclass(frozen=True, slots=True)
class IncompleteScope:
    """An incomplete scope. ``declared``: number of rows that its parent declares; ``total``: that the API states."""

    scope: str
    reason: str | None
    declared: int | None
    total: int | None
    seen: int


@dataclass(frozen=True, slots=True)
class BrokenReference:
    """``rows`` live rows of ``table`` refer in ``column`` to rows of ``target`` that do not exist."""

    table: str
    column: str
    target: str
    rows: int


def last_run(tx: Transaction, stream: str) -> LastRun | None:
    """Result of the stream's last sync; of its last backfill, if it was never synced; None if it was never read."""
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
        .where(tx.owns(SYNC_STREAMS), runs.stream == stream, OF_SYNCS_AND_BACKFILLS)
        .order_by(sa.case((OF_SYNCS, 0), else_=1), runs.started_at.desc(), runs.run_id.desc())
        .limit(1)
    )
    run = tx.execute(newest).one_or_none()
    if run is None:
        return None
    of_run = sa.and_(tx.owns(SYNC_SCOPES), scopes.stream == stream, scopes.run_id == run.run_id)
    incomplete = sa.select(scopes.scope).where(of_run, scopes.verdict == "incomplete").order_by(scopes.scope)
    disbelieved = sa.select(sa.func.min(scopes.reason)).where(of_run, scopes.verdict == "complete")
    codes = sa.select(scopes.reason_code).where(of_run, scopes.reason_code.is_not(None)).distinct()
    return LastRun(
        *run,
        incomplete=list(tx.scalars(incomplete)),
        disbelieved=tx.scalar(disbelieved),
        codes=frozenset(tx.scalars(codes)),
    )


def contradiction_codes(tx: Transaction, stream: str) -> set[ContradictionCode]:
    """The contradictions in the last complete sweeps of a stream that have a word."""
    code = SCOPES.c.contradiction_code
    query = sa.select(code).where(tx.owns(SCOPES), SCOPES.c.stream == stream, code.is_not(None)).distinct()
    return set(tx.scalars(query))


def incomplete_scopes(tx: Transaction, stream: str, run_id: str) -> list[IncompleteScope]:
    """The incomplete scopes of one stream in one run, sorted by scope."""
    scopes = SYNC_SCOPES.c
    query = (
        sa.select(scopes.scope, scopes.reason, scopes.declared, scopes.total_last, scopes.seen)
        .where(tx.owns(SYNC_SCOPES), scopes.stream == stream, scopes.run_id == run_id)
        .where(scopes.verdict == "incomplete")
        .order_by(scopes.scope)
    )
    return [IncompleteScope(*row) for row in tx.execute(query)]


def reject_reasons(tx: Transaction, tables: Collection[str]) -> dict[str, int]:
    """Number of rejects per table, column and reason, most frequent first."""
    rejects = REJECTED_RECORDS.c
    query = (
        sa.select(rejects.table_name, rejects.column_name, rejects.reason, sa.func.count())
        .where(tx.owns(REJECTED_RECORDS), rejects.table_name.in_(tables))
        .group_by(rejects.table_name, rejects.column_name, rejects.reason)
    )
    counts: Counter[str] = Counter()
    for table, column, reason, count in tx.execute(query):
        counts[f"{table}{f'.{column}' if column else ':'} {reason}"] += count
    return dict(counts.most_common())


def odd_times(tx: Transaction, tables: Collection[str], now: datetime) -> dict[str, int]:
    """Number of live rows with a time that cannot be true, by ``table.column``, most frequent first.

    Args:
        tx: The transaction.
        tables: The tables to look at.
        now: Timezone-aware. Something that happened later than a day from now did not; plans can be far ahead.
    """
    counts: Counter[str] = Counter()
    for name in tables:
        table = TABLES[name]
        columns = [c for c in table.columns if kind(c) == "timestamp" and not c.name.startswith("_")]
        if not columns:
            continue
        odd = [sa.func.sum(sa.case((_is_odd(c, now), 1), else_=0)) for c in columns]
        found = tx.execute(sa.select(*odd).select_from(table).where(tx.live(table))).one()
        counts.update({f"{name}.{c.name}": int(count) for c, count in zip(columns, found, strict=True) if count})
    return dict(counts.most_common())


def _is_odd(column: sa.Column[Any], now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(column < EARLIEST, column >= _latest(column, now))


def _latest(column: sa.Column[Any], now: datetime) -> datetime:
    return LATEST_PLAN if column.info["planned"] else utc(now) + TOMORROW


def rows_with_odd_times(community: str, table: str, column: str, now: datetime) -> str:
    """SQL, for a person to run on any engine, that lists the rows whose time in ``column`` cannot be true."""
    latest = _latest(TABLES[table].c[column], now)
    return (
        f"SELECT {', '.join(str(c.name) for c in own_keys(TABLES[table]))}, {column}\nFROM {table}\n"
        f"WHERE community = '{community}' AND _deleted_at IS NULL\n"
        f"  AND ({column} < '{EARLIEST:%Y-%m-%d}' OR {column} >= '{latest:%Y-%m-%d}');"
    )


def held_absences(tx: Transaction, tables: Collection[str]) -> dict[tuple[str, str], int]:
    """Number of held rows of ``tables``, per table and reason.

    Rows of an embedded table are held under its own name, not under the name of its stream.
    """
    held = ABSENCES.c
    query = (
        sa.select(held.stream, held.held_because, sa.func.count())
        .where(tx.owns(ABSENCES), held.stream.in_(tables), held.held_because.is_not(None))
        .group_by(held.stream, held.held_because)
        .order_by(held.stream, held.held_because)
    )
    return {(table, because): count for table, because, count in tx.execute(query)}


def referenced(tables: Collection[str]) -> set[str]:
    """The tables to which columns of ``tables`` refer."""
    return {_target(column) for table in tables for column in _references(table)}


def broken_references(tx: Transaction, tables: Collection[str]) -> list[BrokenReference]:
    """The broken references of the live rows of ``tables``, sorted by table and column.

    A row that is part of another row is broken if that row does not exist or is marked deleted. A row that only refers
    to another row (an author, who may have left) is broken if that row was never seen.
    """
    queries = [_dangling(tx, table, column) for table in sorted(tables) for column in _references(table)]
    if not queries:
        return []
    found = tx.execute(sa.union_all(*queries)).all()
    return sorted((BrokenReference(*row) for row in found if row.rows), key=lambda b: (b.table, b.column))


def written_otherwise(tx: Transaction, broken: BrokenReference) -> int:
    """How many ids of the target some of the broken references spell, but for letter case and blanks around them."""
    column, target = TABLES[broken.table].c[broken.column], TABLES[broken.target]
    query = sa.select(column).distinct().where(*_is_dangling(tx, column)).limit(_ROWS_LOOKED_AT)
    named = {id_.strip().lower() for id_ in tx.scalars(query)}
    same = sa.func.lower(sa.func.trim(target.c.id)).in_(named)
    return tx.scalar(sa.select(sa.func.count()).where(tx.owns(target), same)) or 0


def _references(table: str) -> list[sa.Column[Any]]:
    return [c for c in TABLES[table].columns if _target(c)]


def _target(column: sa.Column[Any]) -> str:
    return column.info["parent"] or column.info["references"] or ""


def _dangling(tx: Transaction, table: str, column: sa.Column[Any]) -> sa.Select[str, str, str, int]:
    return sa.select(
        sa.literal(table).label("table"),
        sa.literal(column.name).label("column"),
        sa.literal(_target(column)).label("target"),
        sa.func.count().label("rows"),
    ).where(*_is_dangling(tx, column))


def _is_dangling(tx: Transaction, column: sa.Column[Any]) -> tuple[sa.ColumnElement[bool], ...]:
    """Conditions for the live rows whose reference in ``column`` is broken."""
    target = TABLES[_target(column)].alias("target")
    exists = sa.exists().where(tx.owns(target), target.c.id == column)
    if column.info["parent"]:
        exists = exists.where(target.c._deleted_at.is_(None))
    return tx.live(TABLES[column.table.name]), column.is_not(None), ~exists


@dataclass(frozen=True, slots=True)
class Declaration:
    """A column in which parents declare how many children they have.

    Attributes:
        parent: The parents' table.
        declared: The column of ``parent`` that holds the number.
        child: The children's table.
        of_parent: The placeholder whose values the children's lists are named by (see ``scope_of``).
    """

    parent: str
    declared: str
    child: str
    of_parent: str


@dataclass(frozen=True, slots=True)
class DeclaredCounts:
    """Declared counts of live parents, compared with their live children.

    Attributes:
        parents: Number of parents that declare a count.
        differ: Number of parents whose count differs.
        declared: Sum of all declared counts.
        there: Number of children that exist.
        missing: Children that are declared and do not exist, over all parents.
        surplus: Children that exist and are not declared, over all parents.
    """

    parents: int
    differ: int
    declared: int
    there: int
    missing: int
    surplus: int


def declared_counts(tx: Transaction, declaration: Declaration, cursor: str) -> DeclaredCounts:
    """Compare declared counts with the children that the parents could know.

    Children whose column ``cursor`` is not before the parents' last sync are left out: no parent could count them yet.
    """
    made, parents_read = TABLES[declaration.child].c[cursor], _last_sync(tx, declaration.parent)
    return count_declared(tx, declaration, sa.or_(made.is_(None), parents_read.is_(None), made < parents_read))


def count_declared(
    tx: Transaction, declaration: Declaration, counted: sa.ColumnElement[bool] | None = None
) -> DeclaredCounts:
    """Compare declared counts with the children for which ``counted`` holds; None counts all live children."""
    above, below = TABLES[declaration.parent], TABLES[declaration.child]
    rows = sa.select(scope_of(below, declaration.of_parent).label("of")).where(tx.live(below))
    children = (rows if counted is None else rows.where(counted)).subquery()
    by_parent = sa.select(children.c.of, sa.func.count().label("there")).group_by(children.c.of).subquery()
    there = sa.func.coalesce(by_parent.c.there, 0)
    declared = above.c[declaration.declared]
    query = (
        sa.select(
            sa.func.count(),
            *(
                sa.func.coalesce(sa.func.sum(what), 0)
                for what in (
                    sa.case((declared != there, 1), else_=0),
                    declared,
                    there,
                    sa.case((declared > there, declared - there), else_=0),
                    sa.case((declared < there, there - declared), else_=0),
                )
            ),
        )
        .select_from(above.outerjoin(by_parent, by_parent.c.of == above.c.id))
        .where(tx.live(above), declared.between(0, _LARGEST_COUNT))
    )
    return DeclaredCounts(*(int(number) for number in tx.execute(query).one()))


def unmapped_lists(tx: Transaction, table: str) -> list[str]:
    """Paths of unmapped fields of live rows that hold lists of records, sorted. A few hundred rows are looked at."""
    extra = TABLES[table].c._extra
    rows = tx.scalars(sa.select(extra).where(tx.live(TABLES[table]), extra.is_not(None)).limit(_ROWS_LOOKED_AT))
    return sorted(
        {
            path
            for found in rows
            for path, value in _with_fields_below(found or {})
            if isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
        }
    )


def values_in_extra(tx: Transaction, table: str, field: str) -> dict[Json, int]:
    """Number of live rows per value of an unmapped field, without null. At most some hundred values are looked at."""
    value = TABLES[table].c._extra[field].as_string()
    query = sa.select(value, sa.func.count()).where(tx.live(TABLES[table]), value.is_not(None))
    return dict(tx.execute(query.group_by(value).limit(_ROWS_LOOKED_AT)).all())


def values_in(tx: Transaction, table: str, column: str, words: Collection[str]) -> dict[Json, int]:
    """Number of live rows per value of a column of texts, for the values that are ``words`` in whatever case."""
    value = TABLES[table].c[column]
    query = sa.select(value, sa.func.count()).where(tx.live(TABLES[table]), sa.func.lower(value).in_(words))
    return dict(tx.execute(query.group_by(value)).all())


def _with_fields_below(extra: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """Unmapped fields, and the fields of those that are maps, by path."""
    for name, value in extra.items():
        yield name, value
        if isinstance(value, dict):
            yield from ((f"{name}.{below}", inner) for below, inner in value.items())


def _last_sync(tx: Transaction, stream: str) -> sa.ScalarSelect[datetime]:
    """When the last run started that read the whole stream."""
    streams = SYNC_STREAMS.c
    return (
        sa.select(sa.func.max(streams.started_at))
        .where(tx.owns(SYNC_STREAMS), streams.stream == stream, OF_SYNCS)
        .scalar_subquery()
    )


def differing_parents(community: str, declaration: Declaration) -> str:
    """SQL, for a person to run on any engine, that lists the parents whose count differs."""
    parent, declared, child = declaration.parent, declaration.declared, declaration.child
    children, of_parent = child, f"{child}.{declaration.of_parent}"
    if declaration.of_parent not in TABLES[child].c:  # it is a column of the rows that the children belong to
        column, above = parent_of(TABLES[child]) or ("", "")
        children = f"({child} JOIN {above} o ON o.community = {child}.community AND o.id = {child}.{column})"
        of_parent = f"o.{declaration.of_parent}"
    return (
        f"SELECT p.id, p.{declared} AS declared, COUNT({child}.id) AS there\n"
        f"FROM {parent} p LEFT JOIN {children}\n"
        f"  ON {child}.community = p.community AND {of_parent} = p.id AND {child}._deleted_at IS NULL\n"
        f"WHERE p.community = '{community}' AND p._deleted_at IS NULL\n"
        f"GROUP BY p.id, p.{declared} HAVING COUNT({child}.id) <> p.{declared}\n"
        f"ORDER BY ABS(COUNT({child}.id) - p.{declared}) DESC;"
    )
