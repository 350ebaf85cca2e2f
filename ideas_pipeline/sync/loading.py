"""Load a stream batch by batch: type its records, write them, and count what that did."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ideas_pipeline.sync.batching import About, Rows, batch, shared, untyped, watermarks, with_earlier
from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline.sync.drift import Drift
from ideas_pipeline.sync.homes import Homes
from ideas_pipeline.sync.planning import Plan
from ideas_pipeline.sync.run import Run
from ideas_pipeline.warehouse.batch import Counts, ScopeRead
from ideas_pipeline.warehouse.load import load
from ideas_pipeline.warehouse.warehouse import Warehouse

_SHARED_IDS = (
    "ids are not unique: records of this list have the ids of records of another (see key in docs/contract.md)"
)


@dataclass(slots=True)
class Tally:
    """What a stream has read and written so far. While scopes are read, only the loader's thread uses it.

    Attributes:
        drift: which fields its records have.
        plan: the scopes to read.
        complete: the scopes that are complete.
        counts: what was read and written.
        reasons: why the stream is not complete, with the number of scopes per reason.
        retryable: whether a later run may mend any of them.
        partly: the counts of scopes whose first records are loaded already.
        untyped: scopes with a record whose id could not be typed.
        watermarks: by scope, the latest moment in the column of ``since``.
        homes: where its records belong; None if whoever reads them knows.
        vanished: by complete scope, the ids that an earlier sweep of this run had seen and the last one had not.
        not_found: the scopes that the API does not find, which stands for an empty list.
        abandoned: the scopes whose sweep was broken off because another list has their records, with their requests.
    """

    drift: Drift
    plan: Plan
    complete: set[str] = field(default_factory=set)
    counts: Counts = field(default_factory=Counts)
    reasons: dict[str, int] = field(default_factory=dict)
    retryable: bool = False
    partly: dict[str, Counts] = field(default_factory=dict)
    untyped: set[str] = field(default_factory=set)
    watermarks: dict[str, datetime] = field(default_factory=dict)
    homes: Homes | None = None
    vanished: dict[str, set[str]] = field(default_factory=dict)
    not_found: set[str] = field(default_factory=set)
    abandoned: dict[str, int] = field(default_factory=dict)

    def doubt(self, reason: str, *, retryable: bool = False) -> None:
        """Note why the stream is not complete, and whether a later run may find it complete."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        self.retryable = self.retryable or retryable


def load_batch(run: Run, stream: str, rows: Rows, finished: list[SweptScope], tally: Tally) -> None:
    """Load one batch: its records, and the results of the scopes that end with it.

    Args:
        run: the run.
        stream: the stream.
        rows: the records.
        finished: the scopes whose last records are among them.
        tally: what the stream has read and written so far; the batch is added to it.
    """
    if not rows.records and not finished:
        return
    run.source.privacy.readmit(run.warehouse)
    at = run.options.clock()
    tally.not_found |= {swept.scope for swept in finished if swept.not_found}
    tally.vanished |= {
        swept.scope: ids for swept in finished if swept.verdict == "complete" and (ids := swept.vanished)
    }
    about = About(
        contract=run.source.contract,
        stream=stream,
        run_id=run.run_id,
        at=at,
        mass_absence_percent=run.options.mass_absence_percent,
        window=run.mode.window,
    )
    load_rows(
        run.warehouse,
        about,
        rows,
        tally,
        lambda: [scope_read(run, stream, swept, tally, at) for swept in finished],
        retryable={swept.scope for swept in finished if swept.retryable},
    )


def load_rows(
    warehouse: Warehouse,
    about: About,
    rows: Rows,
    tally: Tally,
    finished: Callable[[], Sequence[ScopeRead]],
    retryable: Collection[str] = (),
) -> None:
    """Type records, write them with the results of the scopes that end with them, and count what that did.

    Args:
        warehouse: where they go.
        about: what they are loaded for; the vanished columns and lists are taken from the tally.
        rows: the records.
        tally: what the stream has read and written so far; the batch is added to it.
        finished: called once, when all records are typed: the scopes whose last records are among them.
        retryable: those of these scopes that a later run may find complete.
    """
    spec = about.contract.streams[about.stream]
    homes = tally.homes
    doubtful = set() if spec.each and spec.each.moves else shared(rows, about.stream)
    if homes:
        rows = Rows.of(homes.once(zip(rows.records, rows.scopes, strict=True)))
        about = replace(about, settled=frozenset(homes.settled) if homes.column else None)
    tally.drift.observe([record for record in rows.records if not record.deleted])
    about = replace(about, vanished=tally.drift.vanished(), left_out=tally.drift.leaves_out())
    made = batch(about, with_earlier(warehouse, about.stream, about.run_id, rows))
    if homes:
        made = replace(made, named=homes.named_in(rows.records))
    tally.untyped |= untyped(about.stream, made.rejects)
    if spec.since:
        for scope, moment in watermarks(made, spec.since.column).items():
            tally.watermarks[scope] = max(moment, tally.watermarks.get(scope, moment))
    reads = [_doubted(read) if read.scope in doubtful else read for read in finished()]
    with warehouse.writing() as tx:
        loaded = load(tx, replace(made, scopes=tuple(reads)))

    if homes:
        homes.wait(loaded.staying, zip(rows.records, rows.scopes, strict=True))
    tally.counts += Counts(embedded=loaded.embedded)
    for scope, counts in loaded.counts.items():
        tally.counts += counts
        if scope not in {read.scope for read in reads}:
            tally.partly[scope] = tally.partly.get(scope, Counts()) + counts
    for table, absent in loaded.embedded_held.items():
        tally.counts += Counts(held=absent)
        tally.doubt(f"{absent} rows of {table} are absent at once, too many to be believed: they were kept")
    for read in reads:
        if read.scope in loaded.shared:
            read = _doubted(read)
        if read.verdict == "incomplete":
            tally.doubt(read.reason or "", retryable=read.reason != _SHARED_IDS and read.scope in retryable)
        else:
            tally.complete.add(read.scope)
        tally.counts += Counts(requests=read.counts.requests)


def _doubted(read: ScopeRead) -> ScopeRead:
    """The same scope, of which nothing is concluded because its ids are not unique."""
    return replace(read, verdict="incomplete", reason=_SHARED_IDS, judged=False, remembered=False)


def load_covered(run: Run, stream: str, tally: Tally, homes: Homes) -> None:
    """Finish the scopes that were not read because the list of another scope holds their records, too.

    If the API ignores the parent in the path, that list is complete, and its records name their parents, it completes
    every scope. Otherwise these scopes are incomplete.
    """
    swept = homes.swept
    if homes.chosen is None or swept is None:
        return
    done = {swept.scope} | tally.complete
    left = [scope for scope in tally.plan.scopes if scope not in done and run.source.privacy.reads(stream, scope)]
    at = run.options.clock()
    known = homes.all_are_named and swept.verdict == "complete"
    whole = tally.plan.scopes[swept.scope].bounds.open and swept.scope not in tally.untyped

    def covered(scope: str) -> ScopeRead:
        planned = tally.plan.scopes[scope]
        remembered = known and run.mode.moves_state
        return ScopeRead(
            scope=scope,
            verdict="complete" if known else "incomplete",
            reason=None if known else (swept.reason if homes.all_are_named else homes.sentence),
            reason_code=swept.reason_code if homes.all_are_named and not known else None,
            swept_at=at,
            total_first=None,
            total_last=None,
            declared=planned.declared,
            sweeps=0,
            pages=0,
            received=0,
            judged=remembered and whole and planned.bounds.open,
            present=homes.ids_of(scope),
            counts=tally.partly.pop(scope, Counts()) + Counts(requests=tally.abandoned.get(scope, 0)),
            remembered=remembered,
            fingerprint=planned.fingerprint,
            verifying=planned.verifying,
            started_at=swept.started_at,
        )

    about = About(run.source.contract, stream, run.run_id, at, run.options.mass_absence_percent)
    load_rows(run.warehouse, about, Rows(), tally, lambda: [covered(scope) for scope in left])


def scope_read(run: Run, stream: str, swept: SweptScope, tally: Tally, at: datetime) -> ScopeRead:
    """The result of a scope, as ``_sync_scopes`` keeps it."""
    spec = run.source.contract.streams[stream]
    planned = tally.plan.scopes[swept.scope]
    complete = swept.verdict == "complete" and run.mode.moves_state
    return ScopeRead(
        scope=swept.scope,
        verdict=swept.verdict or "incomplete",
        reason=swept.reason,
        reason_code=swept.reason_code,
        swept_at=at,
        total_first=swept.total_first,
        total_last=swept.total_last,
        declared=swept.declared,
        sweeps=swept.sweeps,
        pages=swept.pages,
        received=swept.received,
        judged=complete and planned.bounds.open and spec.reads == "list" and swept.scope not in tally.untyped,
        present=swept.ids if swept.scope in tally.vanished or swept.scope in tally.partly else None,
        counts=tally.partly.pop(swept.scope, Counts()) + Counts(requests=swept.requests),
        remembered=complete,
        fingerprint=planned.fingerprint,
        watermark=tally.watermarks.get(swept.scope),
        verifying=planned.verifying,
        started_at=swept.started_at,
    )
