"""Rows that a proven reading did not show. They wait in ``_absences`` until they are believed gone, or seen again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import ABSENCES, REJECTED_RECORDS, SCOPES, SYNC_MODES, SYNC_RUNS, SYNC_SCOPES
from ideas_pipeline.tables.columns import is_live, parent_of, scope_of
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse import history
from ideas_pipeline.warehouse.batch import Batch
from ideas_pipeline.warehouse.database import reading, utc
from ideas_pipeline.warehouse.embedded import forget_parts
from ideas_pipeline.warehouse.merge import mark_deleted
from ideas_pipeline.warehouse.staging import stage_ids, staging_ids


def note_missing(connection: sa.Connection, batch: Batch, seen: sa.Table, at: datetime) -> None:
    """Rows whose id is in ``seen`` are no candidates; live rows of a judged scope that are not in it, are.

    So is the row of a single record that was not found. A row that another run wrote after the scope's reading began
    is not missing from it.
    """
    community, stream, run_id = batch.community, batch.stream, batch.run_id
    connection.execute(sa.delete(ABSENCES).where(_of(community, stream), ABSENCES.c.id.in_(sa.select(seen.c.id))))
    judged = [read for read in batch.scopes if read.judged]
    began = min((read.started_at for read in judged if read.started_at), default=None)
    scopes, lost = staging_ids("judged"), staging_ids("not_found")
    stage_ids(connection, scopes, (read.scope for read in judged))
    stage_ids(connection, lost, (read.scope for read in batch.scopes if read.verdict == "not_found"))
    table = TABLES[stream]
    unseen = ~sa.exists().where(seen.c.id == table.c.id)
    known = sa.or_(table.c._changed_at <= utc(began), table.c._run_id == run_id) if began else sa.true()
    missing = sa.and_(scope_of(table).in_(sa.select(scopes.c.id)), unseen, known)
    not_found = table.c.id.in_(sa.select(lost.c.id))
    _note(connection, stream, community, sa.select(table), sa.or_(missing, not_found), run_id, at)
    for staged in (scopes, lost):
        staged.drop(connection, checkfirst=False)


def note_orphans(connection: sa.Connection, community: str, stream: str, run_id: str, at: datetime) -> int:
    """Live rows whose parent was marked deleted become candidates. Returns how many are new."""
    table = TABLES[stream]
    parent = parent_of(table)
    if not parent:
        return 0
    above = TABLES[parent[1]]
    joined = sa.select(table).join(
        above, sa.and_(above.c.community == table.c.community, above.c.id == table.c[parent[0]])
    )
    return _note(connection, stream, community, joined, above.c._deleted_at.is_not(None), run_id, at)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that looks absent: the scope from which it is missing, and why that is not believed, if it was judged."""

    scope: str
    held_because: str | None


def candidates(connection: sa.Connection, community: str, stream: str) -> dict[str, Candidate]:
    """The rows that look absent, by id."""
    rows = connection.execute(
        sa.select(ABSENCES.c.id, ABSENCES.c.scope, ABSENCES.c.held_because).where(_of(community, stream))
    )
    return {id_: Candidate(scope, because) for id_, scope, because in rows}


# The column of a stage whose start takes rows of the stream away, all at once and on purpose.
_CLEARED_BY = {"votes": "resets_votes", "comments": "clears_comments"}


def told_apart(
    connection: sa.Connection, community: str, stream: str, run_id: str, at: datetime
) -> dict[str, set[str]]:
    """Why candidates are missing, where what else the warehouse holds explains it: reason → ids.

    ``parent_gone``: their parent is marked deleted. ``cleared``: a stage of the idea's challenge that clears such rows
    started after their list was last proven by an earlier run, and not after ``at``.
    """
    table = TABLES[stream]
    parent = parent_of(table)
    if not parent:
        return {}
    above = TABLES[parent[1]]
    waiting = sa.select(table.c.id).join(
        ABSENCES, sa.and_(ABSENCES.c.id == table.c.id, _of(community, stream), table.c.community == community)
    )
    below = waiting.join(above, sa.and_(above.c.community == community, above.c.id == table.c[parent[0]]))
    reasons = {"parent_gone": set(connection.scalars(below.where(above.c._deleted_at.is_not(None))))}
    if stream in _CLEARED_BY:
        stage = TABLES["challenge_stages"]
        proven = (
            sa.select(sa.func.max(SYNC_SCOPES.c.swept_at))
            .where(
                SYNC_SCOPES.c.community == community,
                SYNC_SCOPES.c.stream == stream,
                SYNC_SCOPES.c.scope == table.c[parent[0]],
                SYNC_SCOPES.c.verdict == "complete",
                SYNC_SCOPES.c.run_id != run_id,
            )
            .correlate(table)
            .scalar_subquery()
        )
        cleared = below.join(
            stage, sa.and_(stage.c.community == community, stage.c.challenge_id == above.c.challenge_id)
        ).where(stage.c[_CLEARED_BY[stream]].is_(True), stage.c.starts_at <= at, stage.c.starts_at > proven)
        reasons["cleared"] = set(connection.scalars(cleared)) - reasons["parent_gone"]
    return {reason: ids for reason, ids in reasons.items() if ids}


def confirm(
    connection: sa.Connection,
    community: str,
    stream: str,
    ids: Collection[str],
    run_id: str,
    at: datetime,
    embedded: Sequence[str],
    because: str,
) -> dict[str, int]:
    """Marks the candidates among ``ids`` deleted ``because``, with their rows in the tables ``embedded``.

    Returns how many rows were marked, by scope, and adds that to this run's rows of ``_sync_scopes``. An id that is no
    candidate (any more) is left alone.
    """
    table = TABLES[stream]
    confirmed = staging_ids("absent")
    waiting = candidates(connection, community, stream)
    stage_ids(connection, confirmed, (id_ for id_ in ids if id_ in waiting))
    gone = sa.select(confirmed.c.id)
    marked = connection.execute(
        sa.select(ABSENCES.c.scope, sa.func.count())
        .join(table, sa.and_(table.c.community == ABSENCES.c.community, table.c.id == ABSENCES.c.id))
        .where(_of(community, stream), is_live(table, community), ABSENCES.c.id.in_(gone))
        .group_by(ABSENCES.c.scope)
    )
    by_scope: dict[str, int] = dict(marked.all())
    mark_deleted(connection, table, sa.and_(table.c.community == community, table.c.id.in_(gone)), run_id, at, because)
    for name in embedded:
        part = TABLES[name]
        of_these = sa.and_(part.c.community == community, scope_of(part).in_(gone))
        mark_deleted(connection, part, of_these, run_id, at, "parent_gone")
    forget_parts(connection, community, embedded, gone)
    if stream == "ideas":
        history.record(connection, community, gone, run_id, at)
    if by_scope:
        connection.execute(
            sa.update(SYNC_SCOPES)
            .where(
                SYNC_SCOPES.c.community == community,
                SYNC_SCOPES.c.stream == stream,
                SYNC_SCOPES.c.run_id == run_id,
                SYNC_SCOPES.c.scope == sa.bindparam("in_scope"),
            )
            .values(absent=SYNC_SCOPES.c.absent + sa.bindparam("more")),
            [{"in_scope": scope, "more": count} for scope, count in by_scope.items()],
        )
    connection.execute(sa.delete(ABSENCES).where(_of(community, stream), ABSENCES.c.id.in_(gone)))
    _forget_below(connection, community, stream, gone)
    confirmed.drop(connection, checkfirst=False)
    return by_scope


def _forget_below(connection: sa.Connection, community: str, stream: str, gone: sa.Select[tuple[str]]) -> None:
    """Lists that went with their parent: their rejected records can never load, and wait no longer.

    How far they were read is forgotten, too: a parent that comes back as it was has its lists read anew.
    """
    streams = {name for name, table in TABLES.items() if (parent_of(table) or ("", ""))[1] == stream}
    parts = {name for name, table in TABLES.items() if (parent_of(table) or ("", ""))[1] in streams}
    connection.execute(
        sa.delete(REJECTED_RECORDS).where(
            REJECTED_RECORDS.c.community == community,
            REJECTED_RECORDS.c.table_name.in_(sorted(streams | parts)),
            REJECTED_RECORDS.c.scope.in_(gone),
        )
    )
    connection.execute(
        sa.delete(SCOPES).where(
            SCOPES.c.community == community, SCOPES.c.stream.in_(sorted(streams)), SCOPES.c.scope.in_(gone)
        )
    )


def hold(connection: sa.Connection, community: str, stream: str, ids: Collection[str], because: str) -> None:
    """The candidates among ``ids`` stay, with the reason why they are not believed."""
    held = staging_ids("held")
    stage_ids(connection, held, ids)
    connection.execute(
        sa.update(ABSENCES)
        .where(_of(community, stream), ABSENCES.c.id.in_(sa.select(held.c.id)))
        .values(held_because=because)
    )
    held.drop(connection, checkfirst=False)


def _note(
    connection: sa.Connection,
    stream: str,
    community: str,
    rows: sa.Select[tuple[object, ...]],
    missing: sa.ColumnElement[bool],
    run_id: str,
    at: datetime,
) -> int:
    table = TABLES[stream]
    noted = sa.exists().where(_of(community, stream), ABSENCES.c.id == table.c.id)
    found = rows.where(is_live(table, community), missing, ~noted).with_only_columns(
        sa.literal(community, ABSENCES.c.community.type),
        sa.literal(stream, ABSENCES.c.stream.type),
        table.c.id,
        sa.func.coalesce(scope_of(table), ""),
        sa.literal(run_id, ABSENCES.c.run_id.type),
        sa.literal(at, ABSENCES.c.noticed_at.type),
    )
    names = ["community", "stream", "id", "scope", "run_id", "noticed_at"]
    inserted = sa.insert(ABSENCES).from_select(names, found).execution_options(preserve_rowcount=True)
    return connection.execute(inserted).rowcount


def _of(community: str, stream: str) -> sa.ColumnElement[bool]:
    return sa.and_(ABSENCES.c.community == community, ABSENCES.c.stream == stream)


@dataclass(frozen=True, slots=True)
class Held:
    """A row whose absence is not believed, and why. ``noticed_at``: when it was first missed, in UTC."""

    stream: str
    scope: str
    id: str
    because: str
    noticed_at: datetime


def held(engine: sa.Engine, community: str) -> list[Held]:
    """The held rows by stream, list and id. Raises WarehouseError."""
    rows = ABSENCES.c
    query = (
        sa.select(rows.stream, rows.scope, rows.id, rows.held_because, rows.noticed_at)
        .where(rows.community == community, rows.held_because.is_not(None))
        .order_by(rows.stream, rows.scope, rows.id)
    )
    with reading(engine) as connection:
        return [Held(*row[:4], noticed_at=utc(row.noticed_at)) for row in connection.execute(query)]


def present_role(engine: sa.Engine, community: str) -> str | None:
    """The role of the API's account as the last run that read the API saw it; None where the API does not tell.

    Raises WarehouseError.
    """
    runs = SYNC_RUNS.c
    query = (
        sa.select(runs.account_role)
        .where(runs.community == community, runs.mode.in_(SYNC_MODES))
        # One that failed before it could ask has not seen it.
        .where(sa.or_(runs.verdict != "failed", runs.account_role.is_not(None)))
        .order_by(runs.started_at.desc())
        .limit(1)
    )
    with reading(engine) as connection:
        role: str | None = connection.scalar(query)
        return role
