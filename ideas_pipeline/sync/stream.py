"""One stream, from its lists to the warehouse: plan, read, load, judge what is missing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.errors import IdeasApiError
from ideas_pipeline.sync.absence import judge
from ideas_pipeline.sync.batches import Rows, batch
from ideas_pipeline.sync.fetching import fetch
from ideas_pipeline.sync.reading import Reading
from ideas_pipeline.sync.results import Progress, StreamResult, Verdict
from ideas_pipeline.warehouse.batch import Counts, ScopeRead
from ideas_pipeline.warehouse.warehouse import Warehouse

# A batch is loaded when it holds so many records or finished lists, or after so many seconds:
# large enough that a transaction's cost is spread, small enough that memory stays flat and little work is ever lost.
_BATCH_RECORDS = 4_000
_BATCH_SCOPES = 500
_BATCH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Run:
    """What every stream of a run shares."""

    api: IdeasApi
    warehouse: Warehouse
    community: str
    run_id: str
    mass_absence_percent: float
    progress: Progress


@dataclass(slots=True)
class _Tally:
    """What the stream has come to so far."""

    scopes: int = 0
    complete: int = 0
    requests: int = 0
    counts: Counts = field(default_factory=Counts)
    partly: dict[str, Counts] = field(default_factory=dict)  # scopes whose first records are loaded already
    reasons: dict[str, int] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)  # id → scope, where records can move
    twice: set[str] = field(default_factory=set)


def sync_stream(run: Run, stream: str) -> StreamResult:
    """Read all of ``stream``'s lists and bring the warehouse in line. Its scopes come from the warehouse's own rows.

    Never raises IdeasApiError: a stream that cannot go on is returned as failed, with the error, and what was read
    before is loaded. Raises WarehouseError.
    """
    spec = run.api.contract.streams[stream]
    started = datetime.now(UTC)
    retries = run.api.transport.retries
    run.warehouse.start_stream(run.run_id, run.community, stream, started)
    tally = _Tally()
    error: IdeasApiError | None = None
    absent = held = 0
    try:
        scopes = run.warehouse.values(run.community, spec.each.of) if spec.each else [""]
        tally.scopes = len(scopes)
        run.progress.stream_started(stream, len(scopes))
        _read_and_load(run, stream, scopes, tally)
        if spec.reads == "list":
            absent, held = _judge_absences(run, stream, scopes, tally)
    except IdeasApiError as failure:
        error = failure
    verdict, reason = _verdict(tally, held, error)
    result = StreamResult(
        stream=stream,
        verdict=verdict,
        reason=reason,
        scopes=tally.scopes,
        scopes_complete=tally.complete,
        requests=tally.requests,
        retries=run.api.transport.retries - retries,
        seen=tally.counts.seen,
        inserted=tally.counts.inserted,
        updated=tally.counts.updated,
        unchanged=tally.counts.unchanged,
        rejected=tally.counts.rejected,
        absent=absent,
        held=held,
        error=error,
    )
    run.warehouse.finish_stream(
        run.run_id,
        run.community,
        stream,
        datetime.now(UTC),
        verdict,
        reason,
        scopes=result.scopes,
        scopes_complete=result.scopes_complete,
        requests=result.requests,
        retries=result.retries,
        seen=result.seen,
        inserted=result.inserted,
        updated=result.updated,
        unchanged=result.unchanged,
        rejected=result.rejected,
        absent=absent,
        held=held,
    )
    run.progress.stream_finished(result)
    return result


def _readings(run: Run, stream: str, scopes: list[str]) -> Iterator[Reading]:
    spec = run.api.contract.streams[stream]
    declared: dict[str, int] = {}
    if spec.each and spec.each.declared:
        declared = run.warehouse.declared(run.community, spec.each.of[0], spec.each.declared)
    for scope in scopes:

        def known(scope: str = scope) -> set[str]:
            return run.warehouse.live_ids(run.community, stream, scope if spec.each else None)

        yield Reading(
            scope,
            spec.paging,
            sweeps=run.api.contract.limits.sweeps,
            known=known,
            declared=declared.get(scope),
            single=spec.reads == "one",
        )


def _read_and_load(run: Run, stream: str, scopes: list[str], tally: _Tally) -> None:
    """Read the lists and load them batch by batch, on a thread of its own, while the next batch is being read."""
    spec = run.api.contract.streams[stream]
    rows, finished = Rows(), list[Reading]()
    loading: Future[None] | None = None
    since = time.monotonic()
    with ThreadPoolExecutor(1, thread_name_prefix="load") as loader:

        def flush() -> None:
            nonlocal rows, finished, loading, since
            if loading:
                loading.result()
            loading = loader.submit(_load, run, stream, rows, finished, tally)
            rows, finished, since = Rows(), [], time.monotonic()

        try:
            fetched = fetch(
                _readings(run, stream, scopes),
                lambda scope, position: run.api.page(stream, scope, position),
                concurrency=run.api.contract.limits.concurrency,
            )
            for got in fetched:
                scope = got.reading.scope
                rows.add(got.records, scope)
                if spec.each and spec.each.moves:
                    for record in got.records:
                        key = str(record.columns.get("id"))
                        if tally.homes.setdefault(key, scope) != scope:
                            tally.twice.add(key)
                if got.finished:
                    finished.append(got.reading)
                    _count(tally, got.reading)
                    run.progress.scope_done(stream, len(got.reading.ids), got.reading.requests)
                full = len(rows.records) >= _BATCH_RECORDS or len(finished) >= _BATCH_SCOPES
                if full or time.monotonic() - since > _BATCH_SECONDS:
                    flush()
        finally:
            flush()
            if loading:
                loading.result()


def _count(tally: _Tally, reading: Reading) -> None:
    tally.requests += reading.requests
    if reading.verdict == "incomplete":
        tally.reasons[reading.reason or ""] = tally.reasons.get(reading.reason or "", 0) + 1
    else:
        tally.complete += 1


def _load(run: Run, stream: str, rows: Rows, finished: list[Reading], tally: _Tally) -> None:
    """Load one batch: all its records, and the account of the lists that are finished with it."""
    if not rows.records and not finished:
        return
    at = datetime.now(UTC)
    lists = run.api.contract.streams[stream].reads == "list"
    reads = [
        ScopeRead(
            scope=reading.scope,
            verdict=reading.verdict or "incomplete",
            reason=reading.reason,
            swept_at=at,
            total_first=reading.total_first,
            total_last=reading.total_last,
            declared=reading.declared,
            sweeps=reading.sweeps,
            pages=reading.pages,
            requests=reading.requests,
            received=reading.received,
            judged=lists and reading.verdict == "complete",
            present=tuple(reading.ids) if reading.some_left or reading.scope in tally.partly else None,
            earlier=tally.partly.pop(reading.scope, Counts()),
        )
        for reading in finished
    ]
    done = {reading.scope for reading in finished}
    load = batch(run.api.contract, stream, rows, reads, community=run.community, run_id=run.run_id, at=at)
    for scope, counts in run.warehouse.load(load).items():
        tally.counts += counts
        if scope not in done:
            tally.partly[scope] = tally.partly.get(scope, Counts()) + counts


def _judge_absences(run: Run, stream: str, scopes: list[str], tally: _Tally) -> tuple[int, int]:
    """Mark what is proven absent. Returns how many rows were marked and how many are held back."""
    spec = run.api.contract.streams[stream]
    warehouse = run.warehouse
    warehouse.note_orphans(run.community, stream, run.run_id, datetime.now(UTC))
    candidates = warehouse.candidates(run.community, stream)
    if spec.each and spec.each.moves and (candidates or tally.twice):
        whole = tally.complete == tally.scopes and _look_again(run, stream, scopes, candidates, tally)
        candidates = warehouse.candidates(run.community, stream)
        if not whole and candidates:
            because = "another list of the stream could not be read whole, and the row may have moved there"
            warehouse.hold_absences(run.community, stream, list(candidates), because)
            return 0, len(candidates)
    if not candidates:
        return 0, 0
    live = warehouse.live_counts(run.community, stream)
    judgement = judge(candidates, live, run.mass_absence_percent)
    for because, ids in judgement.held.items():
        warehouse.hold_absences(run.community, stream, ids, because)
        tally.reasons[because] = 0
    marked = warehouse.confirm_absences(
        run.community, stream, judgement.gone, run.run_id, datetime.now(UTC), embedded=list(spec.embedded)
    )
    return sum(marked.values()), sum(len(ids) for ids in judgement.held.values())


def _look_again(run: Run, stream: str, scopes: list[str], candidates: dict[str, str], tally: _Tally) -> bool:
    """Read every list once more for records that are missing from one, or were seen in two: they may have moved.

    A record that moved from a list not yet read to one read already is in neither, though both were read whole.
    Loads the records in question where they are found. Returns whether every list was proven complete.
    """
    sought = candidates.keys() | tally.twice
    found, whole = Rows(), True
    for got in fetch(
        _readings(run, stream, scopes),
        lambda scope, position: run.api.page(stream, scope, position),
        concurrency=run.api.contract.limits.concurrency,
    ):
        found.add([r for r in got.records if str(r.columns.get("id")) in sought], got.reading.scope)
        if got.finished:
            tally.requests += got.reading.requests
            whole = whole and got.reading.verdict == "complete"
    if found.records:
        _load(run, stream, found, [], tally)
    return whole


def _verdict(tally: _Tally, held: int, error: IdeasApiError | None) -> tuple[Verdict, str | None]:
    if error:
        return "failed", str(error)
    missed = tally.scopes - tally.complete
    if not missed and not held:
        return "complete", None
    reasons = [f"{reason} ({n} lists)" if n > 1 else reason for reason, n in tally.reasons.items()]
    if missed and missed == tally.scopes and not tally.counts.seen:
        return "failed", "; ".join(reasons[:5])
    return "incomplete", "; ".join(reasons[:5])
