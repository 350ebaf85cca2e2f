"""One batch into the warehouse: staged, merged, counted, judged, in the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse import history
from ideas_pipeline.warehouse.absences import note_missing
from ideas_pipeline.warehouse.batch import Batch, Counts, Loaded, ScopeRead
from ideas_pipeline.warehouse.database import refresh, utc
from ideas_pipeline.warehouse.embedded import mark_unstated
from ideas_pipeline.warehouse.merge import count, merge, shared
from ideas_pipeline.warehouse.rejects import settle
from ideas_pipeline.warehouse.scopes import remember
from ideas_pipeline.warehouse.staging import arrow_schema, copy, stage_frame, stage_ids, staging_ids, staging_table


def load(connection: sa.Connection, batch: Batch) -> Loaded:
    """Loads ``batch``, and says what that did."""
    at = utc(batch.at)
    stream = batch.stream
    names = list(dict.fromkeys([stream, *batch.frames, *batch.stated]))
    staged = {name: staging_table(name) for name in names}
    stated = {name: staging_ids(f"stated_{name}") for name in batch.stated}
    seen = staging_ids("seen")
    for name in names:
        stage_frame(connection, staged[name], batch.frames.get(name))
    for name, ids in batch.stated.items():
        stage_ids(connection, stated[name], ids)
    stage_ids(connection, seen, _seen(batch))

    for name in names:
        refresh(connection, TABLES[name])
    elsewhere = {} if batch.moves else shared(connection, TABLES[stream], staged[stream], batch.community)
    counts = _counts(batch, count(connection, TABLES[stream], staged[stream], batch))
    parts, parts_held = 0, dict[str, int]()
    for name in names:
        written = merge(connection, TABLES[name], staged[name], batch, at)
        parts += written if name != stream else 0
    for name, parents in stated.items():
        marked, held = mark_unstated(connection, TABLES[name], staged[name], parents, batch, at)
        parts += marked
        parts_held |= {name: held} if held else {}
    if stream == "ideas":
        history.record(connection, batch.community, sa.select(staged[stream].c.id), batch.run_id, at)
    settle(connection, batch)

    # What contradicts itself is loaded, and nothing is concluded from it.
    doubtful = dict.fromkeys(_scopes(batch) if parts_held else (), None) | dict.fromkeys(elsewhere, _SHARED)
    reads = tuple(_doubted(read, doubtful[read.scope]) if read.scope in doubtful else read for read in batch.scopes)
    batch = replace(batch, scopes=reads)
    note_missing(connection, batch, seen, at)
    _record_scopes(connection, batch, counts)
    remember(connection, batch, counts)

    for table in [*staged.values(), *stated.values(), seen]:
        table.drop(connection, checkfirst=False)
    return Loaded(counts, parts, parts_held, elsewhere)


_SHARED = "ids are not unique: records here have the ids of rows of another list (see key in docs/contract.md)"


def _scopes(batch: Batch) -> list[str]:
    return [read.scope for read in batch.scopes]


def _doubted(read: ScopeRead, reason: str | None) -> ScopeRead:
    """The same reading, of which nothing is concluded or remembered; with a reason, it is incomplete."""
    if reason is None:
        return replace(read, remembered=False)
    return replace(read, judged=False, remembered=False, verdict="incomplete", reason=reason)


def _seen(batch: Batch) -> Iterator[str]:
    """The ids of the stream's records that were seen: those that a judged scope lists, else all that are here."""
    listed = {read.scope: read.present for read in batch.scopes if read.judged and read.present is not None}
    if batch.stream in batch.frames:
        frame = batch.frames[batch.stream]
        yield from frame["id"] if not listed else frame["id"][~frame["_scope"].isin(list(listed))]
    for reject in batch.rejects:
        if reject.table == batch.stream and reject.id is not None and reject.scope not in listed:
            yield reject.id
    for present in listed.values():
        yield from present


def _counts(batch: Batch, merged: dict[str, tuple[int, int, int]]) -> dict[str, Counts]:
    """What became of each scope's records, from what the merge does and what was rejected."""
    rejected = Counter(reject.scope for reject in batch.rejects if reject.table == batch.stream)
    counts = {}
    for scope in dict.fromkeys([*(read.scope for read in batch.scopes), *merged, *rejected]):
        inserted, updated, unchanged = merged.get(scope, (0, 0, 0))
        seen = inserted + updated + unchanged + rejected[scope]
        counts[scope] = Counts(
            seen=seen, inserted=inserted, updated=updated, unchanged=unchanged, rejected=rejected[scope]
        )
    return counts


def _record_scopes(connection: sa.Connection, batch: Batch, counts: dict[str, Counts]) -> None:
    """Writes how each scope was read and what came of it. A second load of a scope in one run replaces the first."""
    scopes = staging_ids("scopes")
    stage_ids(connection, scopes, _scopes(batch))
    connection.execute(
        sa.delete(SYNC_SCOPES).where(
            SYNC_SCOPES.c.community == batch.community,
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
                "community": batch.community,
                "stream": batch.stream,
                "scope": read.scope,
                "run_id": batch.run_id,
                "swept_at": utc(read.swept_at),
                "verdict": read.verdict,
                "reason": read.reason,
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
                "absent": 0,
            }
        )
    copy(connection, SYNC_SCOPES, pa.Table.from_pylist(rows, schema=arrow_schema(SYNC_SCOPES)))
    scopes.drop(connection, checkfirst=False)
