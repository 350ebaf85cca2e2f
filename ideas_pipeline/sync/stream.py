"""Sync one stream: plan, read, load, judge absences."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from ideas_pipeline.errors import IdeasApiError, is_retryable
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.ideas_api.pagination import ALL, Bounds, Page, Position
from ideas_pipeline.sync.batching import Rows, hold_back
from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline.sync.deletions import forget_other_lists, judge_absences
from ideas_pipeline.sync.drift import Drift
from ideas_pipeline.sync.empty_lists import fetch_with_valid_token
from ideas_pipeline.sync.fetching import Fetched
from ideas_pipeline.sync.homes import Homes, NotNeeded
from ideas_pipeline.sync.loading import Tally, load_batch, load_covered
from ideas_pipeline.sync.page_zero import PageZero
from ideas_pipeline.sync.planning import ScopePlan, Times, known_rows, plan
from ideas_pipeline.sync.probing import Probed, probe
from ideas_pipeline.sync.run import Full, Incremental, Run, StreamResult, Verdict, swept_scope
from ideas_pipeline.text import counted
from ideas_pipeline.warehouse.absences import unlisted
from ideas_pipeline.warehouse.batch import Counts
from ideas_pipeline.warehouse.edited import live_ids_after
from ideas_pipeline.warehouse.runs import finish_stream, incomplete_streams, start_stream
from ideas_pipeline.warehouse.scopes import has_rows
from ideas_pipeline.warehouse.warehouse import Warehouse

# A batch is loaded when it holds so many records or finished scopes, or after so many seconds, and the loader is free:
# large enough to spread the cost of a transaction, small enough to lose little work. While the loader is busy, the
# batch grows to so many times its size, before the reader waits: larger batches cost less per row.
BATCH_RECORDS = 4_000
BATCH_SCOPES = 500
_BATCH_SECONDS = 10.0
_GROWS = 2
# A scope is loaded when its last page has come, so that readers never see half of it. The exception: if this many
# records of unfinished scopes wait in memory, they are loaded.
UNFINISHED_RECORDS = 8_000


def sync_stream(run: Run, stream: str) -> StreamResult:
    """Read the scopes of a stream that the run mode covers, and bring the warehouse in line with them.

    It never raises IdeasApiError: a stream that cannot go on is returned as failed, with the error, and what was read
    before is loaded. Raises WarehouseError.
    """
    contract = run.source.contract
    retries, replaced = run.source.client.retries, run.source.client.replaced
    with run.warehouse.writing() as tx:
        start_stream(tx, run.run_id, stream, run.options.clock())
    # The names of people who came back were blanked, also in scopes that seem unchanged.
    read_all = isinstance(run.mode, Incremental) and run.source.privacy.readmitted
    mode = Full() if read_all else run.mode
    planned = plan(
        run.warehouse,
        stream,
        contract.streams[stream],
        mode,
        Times(run.goal_since, run.options.clock()),
        run.options.verify_days,
    )
    probed = probe(run, stream) if isinstance(mode, Incremental) else Probed(is_explained=False)
    if probed.is_explained:
        planned = replace(planned, scopes={}, skipped=1)
    forget_other_lists(run, stream, planned.parents)
    homes = Homes(stream, contract.streams[stream], known_rows(run.warehouse, contract, stream, planned.parents))
    reads_all = not planned.skipped and all(scope.bounds.open for scope in planned.scopes.values())
    if run.mode.moves_state and reads_all:
        with run.warehouse.reading() as tx:
            homes.unlisted = unlisted(tx, stream, contract.streams[stream].listed_by)
    tally = Tally(Drift(run.warehouse, contract, stream), planned, homes=homes)
    tally.counts += Counts(requests=probed.requests)
    _doubt_incomplete_parents(run, stream, tally)
    run.progress.stream_started(stream, len(planned.scopes))
    error: IdeasApiError | None = None
    try:
        if probed.is_explained:
            load_batch(run, stream, Rows.of((record, "") for record in probed.gained), [], tally)
        _read_and_load(run, stream, tally, homes)
    except IdeasApiError as failure:
        error = failure
    if run.mode.moves_state:
        tally.drift.note(run.run_id, run.options.clock())  # also if the stream failed: these fields did come
        if not error:
            judge_absences(run, stream, tally, homes)
            _doubt_lists_never_found(run, stream, tally)
    tally.counts += Counts(retries=run.source.client.retries - retries, replaced=run.source.client.replaced - replaced)
    result = stream_result(stream, tally, error=error)
    record_stream(run.warehouse, run.run_id, result, run.options.clock())
    run.progress.stream_finished(result)
    return result


def record_stream(warehouse: Warehouse, run_id: str, result: StreamResult, at: datetime) -> None:
    """Record the result of a stream that ended ``at`` in `_sync_streams`. Raises WarehouseError."""
    with warehouse.writing() as tx:
        finish_stream(
            tx,
            run_id,
            result.stream,
            at,
            result.verdict,
            result.reason,
            retryable=result.retryable,
            **result.counts.columns(),
        )


def _doubt_incomplete_parents(run: Run, stream: str, tally: Tally) -> None:
    """If a stream that tells the scopes of this one is incomplete, scopes may be unknown."""
    parents = run.source.contract.depends_on(stream)
    with run.warehouse.reading() as tx:
        problems = incomplete_streams(tx, parents, run.run_id)
    for parent, problem in problems.items():
        tally.doubt(f"its lists come from {parent}, which {problem}")


def _doubt_lists_never_found(run: Run, stream: str, tally: Tally) -> None:
    """If the API finds none of the stream's lists, and never did, the path can be wrong."""
    if tally.not_found and tally.complete <= tally.not_found:
        with run.warehouse.reading() as tx:
            ever_had_rows = has_rows(tx, stream)
        if not ever_had_rows:
            tally.doubt(
                f"the API answers 404 or 410 for each of its lists, and never had one: check streams.{stream}.path in "
                "the contract, or remove the stream"
            )


def _scopes_to_sweep(run: Run, stream: str, scopes: Iterable[ScopePlan], homes: Homes) -> Iterator[SweptScope]:
    for planned in scopes:
        if not homes.is_needed(planned.scope) or not run.source.privacy.reads(stream, planned.scope):
            continue
        swept = swept_scope(run, stream, planned.scope, planned.bounds, planned.declared)
        swept.started_at = run.options.clock()
        yield swept


def _hides_rows(run: Run, stream: str, swept: SweptScope, bounds: Bounds) -> bool:
    """Whether the API's filter by time does not show rows that it must show.

    The last ``lookback`` seconds before the watermark are requested again, and the warehouse has rows of this time. A
    few that do not come were deleted. If most do not, the filter is not as the contract says: it wants another format
    or zone.
    """
    spec = run.source.contract.streams[stream]
    if not (isinstance(run.mode, Incremental) and spec.since and bounds.since and swept.verdict == "complete"):
        return False
    with run.warehouse.reading() as tx:
        recent = live_ids_after(tx, stream, spec.since.column, bounds.since, spec.listed_by, swept.scope)
    return len(swept.ids.lacks(recent)) * 2 > len(recent)


def _read_and_load(run: Run, stream: str, tally: Tally, homes: Homes) -> None:
    """Read the scopes, and load them batch by batch on another thread while the next batch is read."""
    scopes = tally.plan.scopes
    page_zero = PageZero(run, stream, tally)
    rows, finished = Rows(), list[SweptScope]()
    unfinished: dict[str, list[Record]] = {}
    held_back: dict[str, list[Record]] = {}
    hidden: dict[str, int] = {}  # by scope whose filter hides rows, the number of requests that showed it
    waiting = 0
    loading: Future[None] | None = None
    since = time.monotonic()
    with ThreadPoolExecutor(1, thread_name_prefix="load") as loader:

        def page(swept: SweptScope, position: Position) -> Page:
            if not homes.is_needed(swept.scope):
                raise NotNeeded("the list of another scope holds the same records").after(requests=0)
            bounds = scopes[swept.scope].bounds
            return run.source.page(stream, swept.scope, position, bounds, homes.known, swept.seen)

        def passes() -> Iterator[Fetched]:
            yield from fetch_with_valid_token(run, _scopes_to_sweep(run, stream, scopes.values(), homes), page)
            whole = list(_scopes_to_sweep(run, stream, [scopes[scope] for scope in hidden], homes))
            for swept in whole:
                swept.requests = hidden[swept.scope]
            yield from fetch_with_valid_token(run, whole, page)

        def flush() -> None:
            nonlocal rows, finished, loading, since
            if loading:
                loading.result()
            loading = loader.submit(load_batch, run, stream, rows, finished, tally)
            rows, finished, since = Rows(), [], time.monotonic()

        try:
            for got in passes():
                scope = got.swept.scope
                if got.finished and _hides_rows(run, stream, got.swept, scopes[scope].bounds):
                    scopes[scope] = replace(scopes[scope], bounds=ALL)
                    hidden[scope] = got.swept.requests
                    waiting -= len(unfinished.pop(scope, ()))
                    held_back.pop(scope, None)
                    continue
                homes.observe(scope, got.records)
                if not homes.is_needed(scope):
                    waiting -= len(unfinished.pop(scope, ()))
                    held_back.pop(scope, None)
                    if got.finished:
                        tally.abandoned[scope] = got.swept.requests
                    continue
                records = [record for record in got.records if homes.belongs_here(record)]
                unfinished.setdefault(scope, []).extend(records)
                waiting += len(records)
                if got.finished:
                    waiting -= len(unfinished[scope])
                    rows.add(held_back.pop(scope, []) + unfinished.pop(scope), scope)
                    finished.append(got.swept)
                    page_zero.consider(got.swept)
                    if scope == homes.sample:
                        homes.swept = got.swept
                    run.progress.scope_done(stream, len(got.swept.ids), got.swept.requests)
                if waiting >= UNFINISHED_RECORDS:
                    for open_scope, records in unfinished.items():
                        to_load, to_hold = hold_back(run.warehouse, stream, open_scope, records)
                        rows.add(to_load, open_scope)
                        held_back.setdefault(open_scope, []).extend(to_hold)
                    unfinished, waiting = {}, 0
                size = max(len(rows.records) / BATCH_RECORDS, len(finished) / BATCH_SCOPES)
                is_due = size >= 1 or time.monotonic() - since > _BATCH_SECONDS
                if (is_due and (loading is None or loading.done())) or size >= _GROWS:
                    flush()
        finally:
            flush()
            if loading:
                loading.result()
    if hidden:
        run.progress.noted(
            f"{stream}: with since, the API does not show known records of {counted(len(hidden), 'list')}, which were "
            "therefore read whole. If this comes every night, correct or remove since in the contract."
        )
    load_covered(run, stream, tally, homes)
    page_zero.look()


def stream_result(stream: str, tally: Tally, *, error: IdeasApiError | None = None) -> StreamResult:
    """The result of a stream, from what was tallied."""
    verdict, reason = _verdict(tally, error)
    retryable = is_retryable(error) if error else tally.retryable
    counts = tally.counts + Counts(
        scopes=len(tally.plan.scopes),
        scopes_complete=len(tally.complete),
        skipped=tally.plan.skipped,
        hidden=len(tally.plan.hidden),
    )
    return StreamResult(stream, verdict, reason, None if verdict == "complete" else retryable, counts, error)


def _verdict(tally: Tally, error: IdeasApiError | None) -> tuple[Verdict, str | None]:
    if error:
        return "failed", error.reason
    if not tally.reasons:
        return "complete", None
    reasons = [f"{reason} ({n} lists)" if n > 1 else reason for reason, n in tally.reasons.items()]
    nothing = not tally.complete and not tally.counts.seen and not tally.plan.skipped
    return "failed" if nothing else "incomplete", "; ".join(reasons[:5])
