"""Load of one batch in one transaction: merge, history, rejects, absences, scope states and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

import sqlalchemy as sa

from ideas_pipeline.late.arrow import pa
from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES
from ideas_pipeline.tables.columns import parent_of
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse import history
from ideas_pipeline.warehouse.absences import forget_lists_below, note_absences
from ideas_pipeline.warehouse.batch import Batch, Counts, Loaded, ScopeRead
from ideas_pipeline.warehouse.database import Transaction, refresh
from ideas_pipeline.warehouse.embedded import mark_absent
from ideas_pipeline.warehouse.flagged import find_flagged, mark_flagged
from ideas_pipeline.warehouse.merge import Elsewhere, count, elsewhere, insert_new, update_changed
from ideas_pipeline.warehouse.rejects import update_rejects
from ideas_pipeline.warehouse.scopes import update_scope_states
from ideas_pipeline.warehouse.staging import arrow_schema, copy, stage_frame, stage_ids, staging_ids, staging_table


def load(tx: Transaction, batch: Batch) -> Loaded:
    """Load ``batch``. Absent rows of judged scopes are noted as absent, and not yet marked deleted."""
    at = utc(batch.at)
    stream = batch.stream
    names = list(dict.fromkeys([stream, *batch.frames, *batch.stated]))
    staged = {name: staging_table(name) for name in names}
    stated = {name: staging_ids(f"stated_{name}") for name in batch.stated}
    for name in names:
        stage_frame(tx.connection, staged[name], batch.frames.get(name))
    for name, ids in batch.stated.items():
        stage_ids(tx.connection, stated[name], ids)

    for name in names:
        refresh(tx.connection, TABLES[name])
    others = {} if batch.moves and batch.settled is None else elsewhere(tx, TABLES[stream], staged[stream])
    staying = {} if batch.settled is None else {i: o.home for i, o in others.items() if i not in batch.settled}
    if staying:
        _leave_out(tx, stream, staged, stated, staying)
    doubled = {} if batch.moves else _doubled(batch, others)
    # What a list of another parent says of an id may be about another record.
    flags = batch.flagged - (others.keys() - (batch.settled or frozenset()))
    flagged = find_flagged(tx, TABLES[stream], staged[stream], flags)
    if flagged.known:
        _leave_out(tx, stream, staged, stated, flagged.known)
    changes = count(tx, TABLES[stream], staged[stream], batch)
    counts = _counts(batch, changes, Counter(flagged.known.values()))
    forget_lists_below(tx, stream, staged[stream])
    if any(changed for _, changed, _ in changes.values()):
        update_changed(tx, TABLES[stream], staged[stream], batch)
    insert_new(tx, TABLES[stream], staged[stream], batch)
    embedded, embedded_held = 0, dict[str, int]()
    for name in names[1:]:
        embedded += update_changed(tx, TABLES[name], staged[name], batch)
        embedded += insert_new(tx, TABLES[name], staged[name], batch)
    for name, parents in stated.items():
        marked, held = mark_absent(tx, TABLES[name], staged[name], parents, batch)
        embedded += marked
        embedded_held |= {name: held} if held else {}
    for scope, absent in mark_flagged(tx, batch, flagged.to_mark).items():
        counts[scope] = replace(counts.get(scope, Counts()), absent=absent)
    if stream == "ideas":
        history.record(tx, sa.select(staged[stream].c.id), batch.run_id, at)
    update_rejects(tx, batch)

    # Contradictory data is loaded, but no row is noted as absent because of it.
    doubtful = dict.fromkeys(_scopes(batch) if embedded_held else (), None) | dict.fromkeys(doubled, _SHARED)
    reads = tuple(_doubted(read, doubtful[read.scope]) if read.scope in doubtful else read for read in batch.scopes)
    batch = replace(batch, scopes=reads)
    note_absences(tx, batch)
    _record_scopes(tx, batch, counts)
    update_scope_states(tx, batch, counts)

    for table in [*staged.values(), *stated.values()]:
        table.drop(tx.connection, checkfirst=False)
    return Loaded(counts, embedded, embedded_held, doubled, staying)


_SHARED = "ids are not unique: records here have the ids of rows of another list (see key in docs/contract.md)"


def _doubled(batch: Batch, others: Mapping[str, Elsewhere]) -> dict[str, int]:
    """By scope, the number of rows whose id seems to be that of another record."""
    explained = batch.named | (batch.settled or frozenset())
    return dict(Counter(other.scope for id_, other in others.items() if id_ not in explained))


def _leave_out(
    tx: Transaction, stream: str, staged: dict[str, sa.Table], stated: dict[str, sa.Table], ids: Collection[str]
) -> None:
    """Delete staged rows of a stream by id, with their embedded rows."""
    staying = staging_ids("staying")
    stage_ids(tx.connection, staying, ids)
    for name, table in staged.items():
        column = "id" if name == stream else (parent_of(TABLES[name]) or ("id", ""))[0]
        tx.execute(sa.delete(table).where(table.c[column].in_(sa.select(staying.c.id))))
    for table in stated.values():
        tx.execute(sa.delete(table).where(table.c.id.in_(sa.select(staying.c.id))))
    staying.drop(tx.connection, checkfirst=False)


def _scopes(batch: Batch) -> list[str]:
    return [read.scope for read in batch.scopes]


def _doubted(read: ScopeRead, reason: str | None) -> ScopeRead:
    """The same scope with its state not updated; with a reason, it is incomplete and not judged either."""
    if reason is None:
        return replace(read, remembered=False)
    return replace(read, judged=False, remembered=False, verdict="incomplete", reason=reason)


def _counts(
    batch: Batch, merged: dict[str, tuple[int, int, int]], left_as_they_are: Mapping[str, int]
) -> dict[str, Counts]:
    """Counts of each scope, from the merge, the rejects, and the rows that are not merged."""
    records, values, embedded = Counter[str](), Counter[str](), Counter[str]()
    for reject in batch.rejects:
        of = values if reject.column is not None else records if reject.table == batch.stream else embedded
        of[reject.scope] += 1
    counts = {}
    for scope in dict.fromkeys(
        [*(read.scope for read in batch.scopes), *merged, *left_as_they_are, *records, *values, *embedded]
    ):
        inserted, updated, unchanged = merged.get(scope, (0, 0, 0))
        unchanged += left_as_they_are.get(scope, 0)
        if before := batch.counted_before.get(scope):
            updated, unchanged = updated - before.updated, unchanged - before.unchanged
        counts[scope] = Counts(
            seen=inserted + updated + unchanged + records[scope],
            inserted=inserted,
            updated=updated,
            unchanged=unchanged,
            rejected=records[scope],
            rejected_values=values[scope],
            rejected_embedded=embedded[scope],
        )
    return counts


def _record_scopes(tx: Transaction, batch: Batch, counts: dict[str, Counts]) -> None:
    """Write one row of ``_sync_scopes`` per scope. A second load of a scope in one run replaces the first."""
    scopes = staging_ids("scopes")
    stage_ids(tx.connection, scopes, _scopes(batch))
    tx.execute(
        sa.delete(SYNC_SCOPES).where(
            tx.owns(SYNC_SCOPES),
            SYNC_SCOPES.c.stream == batch.stream,
            SYNC_SCOPES.c.run_id == batch.run_id,
            SYNC_SCOPES.c.scope.in_(sa.select(scopes.c.id)),
        )
    )
    rows = []
    for read in batch.scopes:
        of_scope = read.counts + counts[read.scope]
        rows.append(
            {
                "community": tx.community,
                "stream": batch.stream,
                "scope": read.scope,
                "run_id": batch.run_id,
                "swept_at": utc(read.swept_at),
                "verdict": read.verdict,
                "reason": read.reason,
                "reason_code": read.reason_code,
                "total_first": read.total_first,
                "total_last": read.total_last,
                "declared": read.declared,
                "sweeps": read.sweeps,
                "pages": read.pages,
                "requests": of_scope.requests,
                "received": read.received,
                "seen": of_scope.seen,
                "inserted": of_scope.inserted,
                "updated": of_scope.updated,
                "unchanged": of_scope.unchanged,
                "rejected": of_scope.rejected,
                "rejected_values": of_scope.rejected_values,
                "absent": of_scope.absent,
            }
        )
    copy(tx.connection, SYNC_SCOPES, pa.Table.from_pylist(rows, schema=arrow_schema(SYNC_SCOPES)))
    scopes.drop(tx.connection, checkfirst=False)
