"""What a stream has come to so far, and one batch of it into the warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ideas_pipeline.sync.batches import About, Rows, batch, shared, unreadable, watermarks
from ideas_pipeline.sync.drift import Drift
from ideas_pipeline.sync.modes import Window, moves_state
from ideas_pipeline.sync.planning import Plan, Task
from ideas_pipeline.sync.reading import Reading
from ideas_pipeline.sync.run import Run
from ideas_pipeline.warehouse.batch import Counts, ScopeRead

_SHARED_IDS = "ids are not unique: records of this list have the ids of another's (see key in docs/contract.md)"


@dataclass(slots=True)
class Tally:
    """What the stream has come to so far.

    ``drift``: which fields came. ``proven``: the lists that were proven complete. ``reasons``: why it is not complete,
    with how many lists say so. ``partly``: lists whose first records are loaded already. ``unreadable``: lists with a
    record whose id cannot be read. ``homes``, ``twice``: where records can move, in which list each was seen, and those
    that were seen in two.
    """

    drift: Drift
    plan: Plan = field(default_factory=lambda: Plan([]))
    proven: set[str] = field(default_factory=set)
    requests: int = 0
    counts: Counts = field(default_factory=Counts)
    parts: int = 0
    absent: int = 0
    held: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    partly: dict[str, Counts] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    watermarks: dict[str, datetime] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)

    def doubt(self, reason: str) -> None:
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


def load_batch(
    run: Run, stream: str, rows: Rows, finished: list[Reading], tally: Tally, tasks: Mapping[str, Task]
) -> None:
    """Load one batch: all its records, and the account of the lists that are finished with it."""
    if not rows.records and not finished:
        return
    spec = run.api.contract.streams[stream]
    at = datetime.now(UTC)
    about = About(
        contract=run.api.contract,
        stream=stream,
        community=run.community,
        run_id=run.run_id,
        at=at,
        mass_absence_percent=run.mass_absence_percent,
        window=(run.mode.start, run.mode.end) if isinstance(run.mode, Window) else None,
    )
    tally.drift.observe(rows.records)
    tally.drift.keep(rows.records)
    made = batch(about, rows)
    tally.unreadable |= unreadable(stream, made.rejects)
    if spec.since:
        for scope, moment in watermarks(made, spec.since.column).items():
            tally.watermarks[scope] = max(moment, tally.watermarks.get(scope, moment))
    doubtful = set() if made.moves else shared(rows)
    reads = [_scope_read(run, stream, reading, tally, tasks, at, doubtful) for reading in finished]
    loaded = run.warehouse.load(replace(made, scopes=tuple(reads)))

    tally.parts += loaded.parts
    for scope, counts in loaded.counts.items():
        tally.counts += counts
        if scope not in {reading.scope for reading in finished}:
            tally.partly[scope] = tally.partly.get(scope, Counts()) + counts
    for table, missing in loaded.parts_held.items():
        tally.held += missing
        tally.doubt(f"{missing} rows of {table} are missing at once, too many to be believed: they were kept")
    for read in reads:
        if read.scope in loaded.shared:
            read = replace(read, verdict="incomplete", reason=_SHARED_IDS)
        if read.verdict == "incomplete":
            tally.doubt(read.reason or "")
        else:
            tally.proven.add(read.scope)
        tally.requests += read.requests


def _scope_read(
    run: Run,
    stream: str,
    reading: Reading,
    tally: Tally,
    tasks: Mapping[str, Task],
    at: datetime,
    doubtful: set[str],
) -> ScopeRead:
    spec = run.api.contract.streams[stream]
    task = tasks[reading.scope]
    verdict, reason = reading.verdict or "incomplete", reading.reason
    if reading.scope in doubtful:
        verdict, reason = "incomplete", _SHARED_IDS
    complete = verdict == "complete" and moves_state(run.mode)
    return ScopeRead(
        scope=reading.scope,
        verdict=verdict,
        reason=reason,
        swept_at=at,
        total_first=reading.total_first,
        total_last=reading.total_last,
        declared=reading.declared,
        sweeps=reading.sweeps,
        pages=reading.pages,
        requests=reading.requests,
        received=reading.received,
        judged=complete and task.bounds.open and spec.reads == "list" and reading.scope not in tally.unreadable,
        present=tuple(reading.ids) if reading.some_left or reading.scope in tally.partly else None,
        earlier=tally.partly.pop(reading.scope, Counts()),
        remembered=complete,
        fingerprint=task.fingerprint,
        watermark=tally.watermarks.get(reading.scope),
        verifying=task.verifying,
        started_at=reading.started_at,
    )
