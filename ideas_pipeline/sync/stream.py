"""One stream, from its lists to the warehouse: plan, read, load, judge what is missing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from ideas_pipeline.errors import IdeasApiError, is_retryable
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.sync.completeness import Reading
from ideas_pipeline.sync.deletions import judge_absences
from ideas_pipeline.sync.drift import Drift
from ideas_pipeline.sync.fetching import fetch
from ideas_pipeline.sync.loading import Rows, Tally, load_batch
from ideas_pipeline.sync.planning import Task, plan
from ideas_pipeline.sync.run import Replay, Run, StreamResult, Verdict
from ideas_pipeline.warehouse.batch import Counts
from ideas_pipeline.warehouse.runs import finish_stream, incomplete_streams, start_stream

# A batch is loaded when it holds so many records or finished lists, or after so many seconds:
# large enough that a transaction's cost is spread, small enough that memory stays flat and little work is ever lost.
_BATCH_RECORDS = 4_000
_BATCH_SCOPES = 500
_BATCH_SECONDS = 10.0
# A list is loaded when it has been read to its end, so that nobody sees half of it, unless this many records of lists
# that are still being read wait in memory.
_UNFINISHED_RECORDS = 20_000


def sync_stream(run: Run, stream: str) -> StreamResult:
    """Read what the run's mode asks for of ``stream``'s lists, and bring the warehouse in line.

    Never raises IdeasApiError: a stream that cannot go on is returned as failed, with the error, and what was read
    before is loaded. Raises WarehouseError.
    """
    retries = run.api.retries
    with run.warehouse.writing() as tx:
        start_stream(tx, run.run_id, stream, datetime.now(UTC))
    tally = Tally(Drift(run.warehouse, run.api.contract, stream))
    error: IdeasApiError | None = None
    try:
        _doubt_unproven_parents(run, stream, tally)
        tally.plan = plan(
            run.warehouse,
            run.community,
            stream,
            run.api.contract.streams[stream],
            run.mode,
            goal_since=run.goal_since,
            verify_days=run.verify_days,
        )
        run.progress.stream_started(stream, len(tally.plan.tasks))
        _read_and_load(run, stream, tally)
    except IdeasApiError as failure:
        error = failure
    if run.mode.moves_state:
        tally.drift.note(run.run_id, datetime.now(UTC))  # what came is known, whether or not the rest did
        if not error:
            judge_absences(run, stream, tally)
    result = _result(stream, tally, run.api.retries - retries, error)
    with run.warehouse.writing() as tx:
        finish_stream(
            tx,
            run.run_id,
            stream,
            datetime.now(UTC),
            result.verdict,
            result.reason,
            retryable=result.retryable,
            **result.counts.columns(),
        )
    run.progress.stream_finished(result)
    return result


def _doubt_unproven_parents(run: Run, stream: str, tally: Tally) -> None:
    """Lists that hang on a stream which was not read whole may themselves be missing."""
    if not isinstance(run.mode, Replay):
        parents = run.api.contract.depends_on(stream)
        with run.warehouse.reading() as tx:
            problems = incomplete_streams(tx, parents, run.run_id)
        for parent, wrong in problems.items():
            tally.doubt(f"its lists come from {parent}, which {wrong}")


def _readings(run: Run, stream: str, tasks: list[Task]) -> Iterator[Reading]:
    spec = run.api.contract.streams[stream]
    for task in tasks:
        if not run.privacy.reads(stream, task.scope):
            continue

        def known(scope: str = task.scope) -> set[str]:
            return run.warehouse.live_ids(run.community, stream, scope if spec.each else None)

        yield Reading(
            task.scope,
            spec.paging,
            sweeps=run.api.contract.limits.sweeps,
            known=known if task.bounds.open else frozenset,
            declared=task.declared,
            single=spec.reads == "one",
        )


def _read_and_load(run: Run, stream: str, tally: Tally) -> None:
    """Read the lists and load them batch by batch, on a thread of its own, while the next batch is being read."""
    spec = run.api.contract.streams[stream]
    tasks = {task.scope: task for task in tally.plan.tasks}
    rows, finished = Rows(), list[Reading]()
    unfinished: dict[str, list[Record]] = {}
    waiting = 0
    loading: Future[None] | None = None
    since = time.monotonic()
    with ThreadPoolExecutor(1, thread_name_prefix="load") as loader:

        def flush() -> None:
            nonlocal rows, finished, loading, since
            if loading:
                loading.result()
            loading = loader.submit(load_batch, run, stream, rows, finished, tally, tasks)
            rows, finished, since = Rows(), [], time.monotonic()

        try:
            for got in fetch(
                _readings(run, stream, tally.plan.tasks),
                lambda scope, position: run.source.page(stream, scope, position, tasks[scope].bounds),
                concurrency=run.api.contract.limits.concurrency,
            ):
                scope = got.reading.scope
                unfinished.setdefault(scope, []).extend(got.records)
                waiting += len(got.records)
                if spec.each and spec.each.moves:
                    for record in got.records:
                        key = str(record.columns.get("id"))
                        if tally.homes.setdefault(key, scope) != scope:
                            tally.twice.add(key)
                if got.finished:
                    waiting -= len(unfinished[scope])
                    rows.add(unfinished.pop(scope), scope)
                    finished.append(got.reading)
                    run.progress.scope_done(stream, len(got.reading.ids), got.reading.requests)
                if waiting >= _UNFINISHED_RECORDS:
                    for open_scope, records in unfinished.items():
                        rows.add(records, open_scope)
                    unfinished, waiting = {}, 0
                full = len(rows.records) >= _BATCH_RECORDS or len(finished) >= _BATCH_SCOPES
                if full or time.monotonic() - since > _BATCH_SECONDS:
                    flush()
        finally:
            flush()
            if loading:
                loading.result()


def _result(stream: str, tally: Tally, retries: int, error: IdeasApiError | None) -> StreamResult:
    verdict, reason = _verdict(tally, error)
    retryable = is_retryable(error) if error else tally.retryable
    counts = tally.counts + Counts(
        scopes=len(tally.plan.tasks),
        scopes_complete=len(tally.proven),
        retries=retries,
        skipped=tally.plan.skipped,
        hidden=len(tally.plan.hidden),
    )
    return StreamResult(stream, verdict, reason, None if verdict == "complete" else retryable, counts, error)


def _verdict(tally: Tally, error: IdeasApiError | None) -> tuple[Verdict, str | None]:
    if error:
        return "failed", str(error)
    if not tally.reasons:
        return "complete", None
    reasons = [f"{reason} ({n} lists)" if n > 1 else reason for reason, n in tally.reasons.items()]
    nothing = not tally.proven and not tally.counts.seen and not tally.plan.skipped
    return "failed" if nothing else "incomplete", "; ".join(reasons[:5])
