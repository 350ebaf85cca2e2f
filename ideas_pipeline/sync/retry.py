"""Load rejected values and records again, with today's contract: from their archived pages.

A record cannot be retried alone: what came inside it, and what newer pages say of it, belongs to it. So the scopes of
the rejects are loaded, as a replay loads them. A scope that is not archived completely must be read from the API.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ideas_pipeline.archive.reader import ArchiveReader
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.sync.drift import Drift
from ideas_pipeline.sync.loading import Tally
from ideas_pipeline.sync.planning import Plan, known_rows, scopes_of
from ideas_pipeline.sync.replay import ArchivedStream, ArchiveRun, load_archived
from ideas_pipeline.warehouse.rejects import StoredReject, delete_retried, stored_rejects
from ideas_pipeline.warehouse.runs import RunStart, finish_run, start_run
from ideas_pipeline.warehouse.scopes import complete_scopes, last_sweeps
from ideas_pipeline.warehouse.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Retried:
    """The result for the rejects of one table: how many were loaded, and how many are left."""

    table: str
    loaded: int
    left: int


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """The rejects to retry, and their scopes by stream. Rejects of tables that the contract does not fill stay out."""

    rejects: Sequence[StoredReject]
    scopes: Mapping[str, Set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, contract: Contract, rejects: Sequence[StoredReject]) -> RetryPlan:
        stream_of = contract.tables()
        known = [reject for reject in rejects if reject.table in stream_of]
        scopes: dict[str, set[str]] = {}
        for reject in known:
            scopes.setdefault(stream_of[reject.table], set()).add(reject.scope)
        return cls(known, scopes)


def retry_archived(run: ArchiveRun, archive: ArchiveReader, plan: RetryPlan) -> dict[str, set[str]]:
    """Load the scopes of the rejects from the archive. Rejects that a complete scope does not bring again are deleted.

    Starts a run (mode ``retry``), which ``finish_retry`` must finish.

    Args:
        run: where the records go, and how.
        archive: where the pages are.
        plan: what to retry.

    Returns:
        By stream, the scopes that are not archived completely.

    Raises:
        NotArchived: the archive cannot be read.
        PrivacyError, WarehouseError: the records cannot be written.
    """
    with run.warehouse.writing() as tx:
        start_run(tx, RunStart(run.run_id, "archive", datetime.now(UTC), mode="retry"))
    for sentence in run.privacy.begin(run.warehouse):
        run.progress.noted(sentence)
    missing: dict[str, set[str]] = {}
    for stream in run.contract.order():
        if not plan.scopes.get(stream):
            continue
        # A scope whose parent is deleted must not come back.
        parents = scopes_of(run.warehouse, run.contract.streams[stream])
        live = plan.scopes[stream] & set(parents)
        with run.warehouse.reading() as tx:
            latest = last_sweeps(tx, stream)
        known = known_rows(run.warehouse, run.contract, stream, parents)
        archived = ArchivedStream(archive, run.contract, stream, latest, known)
        tally = Tally(Drift(run.warehouse, run.contract, stream), Plan({}))
        verdicts = load_archived(run, archived, sorted(live), tally, recorded=False)
        complete = {scope for scope, verdict in verdicts.items() if verdict == "complete"}
        _settle(run.warehouse, run.contract, run.run_id, {stream: complete})
        if incomplete := {scope for scope, verdict in verdicts.items() if verdict == "incomplete"}:
            missing[stream] = incomplete
    run.privacy.finish(run.warehouse)
    return missing


def finish_retry(warehouse: Warehouse, contract: Contract, run_id: str, plan: RetryPlan) -> list[Retried]:
    """Delete the rejects of scopes that the run has read from the API, record its verdict, and count what is left."""
    with warehouse.reading() as tx:
        read = {stream: complete_scopes(tx, run_id, stream) for stream in plan.scopes}
    _settle(warehouse, contract, run_id, read)
    with warehouse.reading() as tx:
        left_now = stored_rejects(tx)
    before = Counter(reject.table for reject in plan.rejects)
    still = {(reject.table, reject.key, reject.column) for reject in left_now}
    loaded = Counter(
        reject.table
        for reject in plan.rejects
        if reject.column is not None and (reject.table, reject.key, reject.column) not in still
    )
    # A record without a key is known by its content, which another contract reads otherwise: such are only counted.
    records = Counter(reject.table for reject in plan.rejects if reject.column is None)
    retried = {(reject.table, reject.scope) for reject in plan.rejects}
    left_there = [reject for reject in left_now if (reject.table, reject.scope) in retried]
    left = Counter(reject.table for reject in left_there)
    records_left = Counter(reject.table for reject in left_there if reject.column is None)
    for table, count in records.items():
        loaded[table] += max(count - records_left[table], 0)
    tables = [table for table in contract.tables() if before[table]]
    results = [Retried(table, loaded[table], left[table]) for table in tables]
    verdict = "incomplete" if any(result.left for result in results) else "complete"
    with warehouse.writing() as tx:
        finish_run(tx, run_id, verdict, None, datetime.now(UTC))
    return results


def _settle(warehouse: Warehouse, contract: Contract, run_id: str, complete: Mapping[str, Set[str]]) -> None:
    with warehouse.writing() as tx:
        for stream, scopes in complete.items():
            delete_retried(tx, run_id, {stream, *contract.streams[stream].embedded}, scopes)
