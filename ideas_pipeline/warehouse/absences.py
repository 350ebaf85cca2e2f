"""Absent rows, kept in `_absences` until they are marked as deleted or seen again; some are held for an operator."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.id_set import IdSet
from ideas_pipeline.tables.bookkeeping import ABSENCES, REJECTED_RECORDS, SCOPES, SYNC_MODES, SYNC_RUNS, SYNC_SCOPES
from ideas_pipeline.tables.columns import parent_of
from ideas_pipeline.tables.community import TABLES, is_listed_in, scope_of
from ideas_pipeline.times import CLOCKS_DIFFER, utc
from ideas_pipeline.warehouse import embedded, history
from ideas_pipeline.warehouse.batch import Batch, ScopeRead, seen_ids
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.merge import Deletion, mark_deleted
from ideas_pipeline.warehouse.staging import stage_ids, staging_ids

# Of a large list, PostgreSQL's driver would else hold all rows at once.
_ROWS_AT_ONCE = 10_000


def note_absences(tx: Transaction, batch: Batch) -> None:
    """Update the absent rows of the batch's stream.

    Rows that the sweeps brought are no longer absent. A live row is absent if its scope is judged (see
    ``ScopeRead.judged``) and the sweeps did not bring it, or if it is a single record that the API did not find. In a
    judged scope, a row that another run changed after the first sweep of the batch started does not count as absent,
    unless that is in the future: then the clock of that run was wrong.
    """
    judged = [read for read in batch.scopes if read.judged]
    noted = tx.scalars(sa.select(ABSENCES.c.id).where(_of(tx, batch.stream))).all()
    seen = seen_ids(batch) if judged or noted else IdSet()
    forget_absences(tx, batch.stream, [id_ for id_ in noted if id_ in seen])
    absent = [read.scope for read in batch.scopes if read.verdict == "not_found"]
    if judged:
        # Compared here: to send all ids that were seen to the database takes longer than to read those that it has.
        absent += seen.lacks(_listed(tx, batch, judged))
    note_rows(tx, batch.stream, batch.listed_by, absent, batch.run_id, batch.at)


def _listed(tx: Transaction, batch: Batch, judged: Sequence[ScopeRead]) -> Iterator[str]:
    """The ids of the live rows of judged scopes that can count as absent."""
    table = TABLES[batch.stream]
    scopes = staging_ids("judged")
    stage_ids(tx.connection, scopes, (read.scope for read in judged))
    rows = sa.select(table.c.id).where(
        tx.live(table), is_listed_in(table, tx.community, batch.listed_by, sa.select(scopes.c.id))
    )
    if began := min((read.started_at for read in judged if read.started_at), default=None):
        changed_at, future = table.c._changed_at, utc(batch.at) + CLOCKS_DIFFER
        rows = rows.where(sa.or_(changed_at <= utc(began), changed_at > future, table.c._run_id == batch.run_id))
    yield from tx.scalars(rows.execution_options(yield_per=_ROWS_AT_ONCE))
    scopes.drop(tx.connection, checkfirst=False)


def note_orphans(tx: Transaction, stream: str, listed_by: str | None, run_id: str, at: datetime) -> int:
    """Add an absence for each live row whose parent, or the person whose list it is in, is deleted.

    Returns how many were added.

    Args:
        tx: A write transaction.
        stream: The stream of the rows.
        listed_by: See ``scope_of``.
        run_id: The current run.
        at: The current time; timezone-aware.
    """
    scope = scope_of(TABLES[stream], listed_by)
    return sum(
        _note(tx, stream, orphans, scope, run_id, utc(at)) for orphans in _orphans(tx, TABLES[stream], listed_by)
    )


def unlisted(tx: Transaction, stream: str, listed_by: str | None) -> set[str]:
    """The ids of live rows of which it is not known in which list they belong, because their parent is not known.

    Only lists that are not those of the parent itself have such rows: the list of a challenge has comments on ideas
    that the API does not show.
    """
    table = TABLES[stream]
    if listed_by is None or listed_by in table.c:
        return set()
    return set(tx.scalars(sa.select(table.c.id).where(tx.live(table), scope_of(table, listed_by).is_(None))))


def note_rows(
    tx: Transaction, stream: str, listed_by: str | None, ids: Collection[str], run_id: str, at: datetime
) -> None:
    """Add an absence for each live row among ``ids``: in its scope (see ``scope_of``), if that is known."""
    if ids:
        table, staged = TABLES[stream], staging_ids("to_note")
        stage_ids(tx.connection, staged, ids)
        rows = sa.select(table).where(table.c.id.in_(sa.select(staged.c.id)))
        _note(tx, stream, rows, scope_of(table, listed_by), run_id, utc(at))
        staged.drop(tx.connection, checkfirst=False)


def _orphans(tx: Transaction, table: sa.Table, listed_by: str | None) -> Iterator[sa.Select[tuple[Any, ...]]]:
    """The rows whose parent is deleted; and those in the list of a deleted row, which is not read any more."""
    owners = {parent[0]: parent[1] for parent in [parent_of(table)] if parent}
    if listed_by is not None and listed_by in table.c and (owner := table.c[listed_by].info["references"]):
        owners[listed_by] = owner
    for column, name in owners.items():
        above = TABLES[name]
        deleted = sa.select(above.c.id).where(tx.owns(above), above.c._deleted_at.is_not(None))
        yield sa.select(table).where(tx.owns(table), table.c[column].in_(deleted))


@dataclass(frozen=True, slots=True)
class Absence:
    """An absent row: its scope, why it is held, if it is, and the run that noticed it."""

    scope: str
    held_because: str | None
    run_id: str


def absences(tx: Transaction, stream: str) -> dict[str, Absence]:
    """The absent rows of ``stream``, by id."""
    c = ABSENCES.c
    rows = tx.execute(sa.select(c.id, c.scope, c.held_because, c.run_id).where(_of(tx, stream)))
    return {id_: Absence(scope, because, run_id) for id_, scope, because, run_id in rows}


def undecided(tx: Transaction, stream: str) -> dict[str, Absence]:
    """The absent rows of ``stream`` that no run has decided yet, by id."""
    return {id_: absence for id_, absence in absences(tx, stream).items() if not absence.held_because}


# Columns of a stage: when the stage starts, the product removes rows of these streams, all at once and on purpose.
_CLEARED_BY = {"votes": "resets_votes", "comments": "clears_comments"}


def explained(tx: Transaction, stream: str, listed_by: str | None, run_id: str, at: datetime) -> dict[str, set[str]]:
    """Ids of absent rows whose absence other rows explain, grouped by reason.

    ``parent_gone``: the parent, or the person whose list it is in, is deleted. ``cleared``: a stage that clears such
    rows started in the idea's challenge between the last complete sweep of the scope in an earlier run and ``at``.

    Args:
        tx: A transaction.
        stream: The stream.
        listed_by: See ``scope_of``.
        run_id: The current run, whose sweeps are not considered.
        at: The current time; timezone-aware.
    """
    table = TABLES[stream]
    parent = parent_of(table)
    is_absent = table.c.id.in_(sa.select(ABSENCES.c.id).where(_of(tx, stream)))
    gone = (orphans.with_only_columns(table.c.id).where(is_absent) for orphans in _orphans(tx, table, listed_by))
    reasons = {"parent_gone": {id_ for ids in gone for id_ in tx.scalars(ids)}}
    if parent and stream in _CLEARED_BY:
        above = TABLES[parent[1]]
        of_parent = sa.and_(tx.owns(above), above.c.id == table.c[parent[0]])
        below = sa.select(table.c.id).join(above, of_parent).where(tx.owns(table), is_absent)
        stage = TABLES["challenge_stages"]
        last_complete = (
            sa.select(sa.func.max(SYNC_SCOPES.c.swept_at))
            .where(
                tx.owns(SYNC_SCOPES),
                SYNC_SCOPES.c.stream == stream,
                SYNC_SCOPES.c.scope == scope_of(table, listed_by),
                SYNC_SCOPES.c.verdict == "complete",
                SYNC_SCOPES.c.run_id != run_id,
                # Other runs (a backfill, a retry) judge no absences.
                SYNC_SCOPES.c.run_id.in_(
                    sa.select(SYNC_RUNS.c.run_id).where(tx.owns(SYNC_RUNS), SYNC_RUNS.c.mode.in_(SYNC_MODES))
                ),
            )
            .correlate(table)
            .scalar_subquery()
        )
        cleared = below.join(stage, sa.and_(tx.owns(stage), stage.c.challenge_id == above.c.challenge_id)).where(
            stage.c[_CLEARED_BY[stream]].is_(True), stage.c.starts_at <= at, stage.c.starts_at > last_complete
        )
        reasons["cleared"] = set(tx.scalars(cleared)) - reasons["parent_gone"]
    return {reason: ids for reason, ids in reasons.items() if ids}


def confirm_absences(
    tx: Transaction, stream: str, ids: Collection[str], embedded_tables: Collection[str], deletion: Deletion
) -> dict[str, int]:
    """Mark absent rows and their embedded rows as deleted.

    The counts are added to the run's rows of ``_sync_scopes``.

    Args:
        tx: A write transaction.
        stream: The stream.
        ids: The ids of the rows. Ids that are not (or no longer) absent are ignored.
        embedded_tables: The embedded tables of the stream.
        deletion: The run, time and reason of the deletion.

    Returns:
        Number of rows of the stream that were marked as deleted, per scope.
    """
    table = TABLES[stream]
    confirmed = staging_ids("absent")
    absent = absences(tx, stream)
    stage_ids(tx.connection, confirmed, (id_ for id_ in ids if id_ in absent))
    deleted = sa.select(confirmed.c.id)
    marked = tx.execute(
        sa.select(ABSENCES.c.scope, sa.func.count())
        .join(table, sa.and_(table.c.community == ABSENCES.c.community, table.c.id == ABSENCES.c.id))
        .where(_of(tx, stream), tx.live(table), ABSENCES.c.id.in_(deleted))
        .group_by(ABSENCES.c.scope)
    )
    by_scope: dict[str, int] = dict(marked.all())
    mark_deleted(tx, table, table.c.id.in_(deleted), deletion)
    for name in embedded_tables:
        below = Deletion(deletion.run_id, deletion.at, "parent_gone")
        mark_deleted(tx, TABLES[name], embedded.owner(TABLES[name]).in_(deleted), below)
    embedded.release_of(tx, embedded_tables, deleted)
    if stream == "ideas":
        history.record(tx, deleted, deletion.run_id, utc(deletion.at))
    if by_scope:
        tx.execute(
            sa.update(SYNC_SCOPES)
            .where(
                tx.owns(SYNC_SCOPES),
                SYNC_SCOPES.c.stream == stream,
                SYNC_SCOPES.c.run_id == deletion.run_id,
                SYNC_SCOPES.c.scope == sa.bindparam("in_scope"),
            )
            .values(absent=SYNC_SCOPES.c.absent + sa.bindparam("more")),
            [{"in_scope": scope, "more": count} for scope, count in by_scope.items()],
        )
    tx.execute(sa.delete(ABSENCES).where(_of(tx, stream), ABSENCES.c.id.in_(deleted)))
    _delete_state_under(tx, stream, deleted)
    confirmed.drop(tx.connection, checkfirst=False)
    return by_scope


def _delete_state_under(tx: Transaction, stream: str, deleted: sa.Select[tuple[str]]) -> None:
    """Delete the rejects and scope states of scopes under deleted parents.

    These rejects can never be loaded. Without a saved state, a scope is read in full if its parent comes back, even
    unchanged.
    """
    streams = _below(stream)
    below = {name for child in streams for name in _below(child)}
    tx.execute(
        sa.delete(REJECTED_RECORDS).where(
            tx.owns(REJECTED_RECORDS),
            REJECTED_RECORDS.c.table_name.in_(sorted(streams | below)),
            REJECTED_RECORDS.c.scope.in_(deleted),
        )
    )
    tx.execute(
        sa.delete(SCOPES).where(tx.owns(SCOPES), SCOPES.c.stream.in_(sorted(streams)), SCOPES.c.scope.in_(deleted))
    )


def _below(name: str) -> set[str]:
    """The tables whose rows belong to those of the table ``name``."""
    return {below.name for below in TABLES.values() if (parent_of(below) or ("", ""))[1] == name}


def forget_lists_below(tx: Transaction, stream: str, staged: sa.Table) -> None:
    """If a deleted row comes back, forget the state of lists below it that are not its own, such as one list of all.

    A list that is read since a moment does not bring the old rows below it; without a state, it is read whole.
    """
    table = TABLES[stream]
    streams = sorted(name for name in _below(stream) if "id" in TABLES[name].c)  # the others are embedded tables
    if not streams:
        return
    came_back = sa.select(table.c.id).where(
        tx.owns(table), table.c._deleted_at.is_not(None), table.c.id.in_(sa.select(staged.c.id))
    )
    if tx.execute(came_back.limit(1)).first():
        own = sa.select(table.c.id).where(tx.owns(table))
        tx.execute(sa.delete(SCOPES).where(tx.owns(SCOPES), SCOPES.c.stream.in_(streams), SCOPES.c.scope.not_in(own)))


def forget_absences(tx: Transaction, stream: str, ids: Collection[str]) -> None:
    """Forget the absences of rows that were seen after all."""
    if ids:
        staged = staging_ids("seen")
        stage_ids(tx.connection, staged, ids)
        tx.execute(sa.delete(ABSENCES).where(_of(tx, stream), ABSENCES.c.id.in_(sa.select(staged.c.id))))
        staged.drop(tx.connection, checkfirst=False)


def hold_absences(tx: Transaction, stream: str, ids: Collection[str], because: str) -> None:
    """Hold the absent rows among ``ids``.

    Args:
        tx: A write transaction.
        stream: The stream.
        ids: The ids; those that are not absent are ignored.
        because: The reason, as operators read it.
    """
    staged = staging_ids("held")
    stage_ids(tx.connection, staged, ids)
    tx.execute(
        sa.update(ABSENCES)
        .where(_of(tx, stream), ABSENCES.c.id.in_(sa.select(staged.c.id)))
        .values(held_because=because)
    )
    staged.drop(tx.connection, checkfirst=False)


def contradict_absences(tx: Transaction, stream: str, by_scope: Mapping[str, str]) -> None:
    """Note what contradicts the absences in scopes, by scope."""
    if by_scope:
        tx.execute(
            sa.update(ABSENCES)
            .where(_of(tx, stream), ABSENCES.c.scope == sa.bindparam("in_scope"))
            .values(contradiction=sa.bindparam("what")),
            [{"in_scope": scope, "what": what} for scope, what in by_scope.items()],
        )


def contradicted(tx: Transaction, stream: str) -> dict[str, int]:
    """Number of absent rows that wait for a complete sweep of another run, by what contradicts their absence."""
    what = ABSENCES.c.contradiction
    query = sa.select(what, sa.func.count()).where(
        _of(tx, stream), what.is_not(None), ABSENCES.c.held_because.is_(None)
    )
    return dict(tx.execute(query.group_by(what).order_by(sa.func.count().desc(), what)).all())


def _note(
    tx: Transaction,
    stream: str,
    rows: sa.Select[tuple[object, ...]],
    scope: sa.ColumnElement[str],
    run_id: str,
    at: datetime,
) -> int:
    """Insert an absence for each live row of ``rows``, a select from the stream's table. Return how many were added."""
    table = TABLES[stream]
    noted = sa.exists().where(_of(tx, stream), ABSENCES.c.id == table.c.id)
    found = rows.where(tx.live(table), ~noted).with_only_columns(
        sa.literal(tx.community, ABSENCES.c.community.type),
        sa.literal(stream, ABSENCES.c.stream.type),
        table.c.id,
        sa.func.coalesce(scope, ""),
        sa.literal(run_id, ABSENCES.c.run_id.type),
        sa.literal(at, ABSENCES.c.noticed_at.type),
    )
    names = ["community", "stream", "id", "scope", "run_id", "noticed_at"]
    inserted = sa.insert(ABSENCES).from_select(names, found).execution_options(preserve_rowcount=True)
    return tx.execute(inserted).rowcount


def _of(tx: Transaction, stream: str) -> sa.ColumnElement[bool]:
    return sa.and_(tx.owns(ABSENCES), ABSENCES.c.stream == stream)


@dataclass(frozen=True, slots=True)
class Held:
    """A held absence and its reason. ``noticed_at``: when the row was first found absent, in UTC."""

    stream: str
    scope: str
    id: str
    because: str
    noticed_at: datetime


def held(tx: Transaction) -> list[Held]:
    """The held absences, sorted by stream (or embedded table), scope and id."""
    rows = ABSENCES.c
    query = (
        sa.select(rows.stream, rows.scope, rows.id, rows.held_because, rows.noticed_at)
        .where(tx.owns(ABSENCES), rows.held_because.is_not(None))
        .order_by(rows.stream, rows.scope, rows.id)
    )
    return [Held(*row[:4], noticed_at=utc(row.noticed_at)) for row in tx.execute(query)]


def present_role(tx: Transaction) -> str | None:
    """Role of the API account in the latest run that read the API; None if there is no such run or no role is known."""
    runs = SYNC_RUNS.c
    query = (
        sa.select(runs.account_role)
        .where(tx.owns(SYNC_RUNS), runs.mode.in_(SYNC_MODES))
        # A run that failed before it asked for the role has none.
        .where(sa.or_(runs.verdict != "failed", runs.account_role.is_not(None)))
        .order_by(runs.started_at.desc())
        .limit(1)
    )
    role: str | None = tx.scalar(query)
    return role
