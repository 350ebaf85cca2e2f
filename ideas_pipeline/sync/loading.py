"""What a stream has come to so far, and one batch of it into the warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pandas as pd

from ideas_pipeline.contract.model import Contract, Fields
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.records.typed import SourceFormat, Typed, typed
from ideas_pipeline.sync.completeness import Reading
from ideas_pipeline.sync.drift import Drift
from ideas_pipeline.sync.planning import Plan, Task
from ideas_pipeline.sync.run import Run
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.batch import Batch, Counts, Reject, ScopeRead

_SHARED_IDS = "ids are not unique: records of this list have the ids of another's (see key in docs/contract.md)"


@dataclass(slots=True)
class Tally:
    """What the stream has come to so far.

    ``drift``: which fields came. ``proven``: the lists that were proven complete. ``reasons``: why it is not complete,
    with how many lists say so. ``retryable``: whether another run can mend any of these. ``partly``: lists whose first
    records are loaded already. ``unreadable``: lists with a record whose id cannot be read. ``homes``, ``twice``: where
    records can move, in which list each was seen, and those that were seen in two.
    """

    drift: Drift
    plan: Plan = field(default_factory=lambda: Plan([]))
    proven: set[str] = field(default_factory=set)
    counts: Counts = field(default_factory=Counts)
    reasons: dict[str, int] = field(default_factory=dict)
    retryable: bool = False
    partly: dict[str, Counts] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    watermarks: dict[str, datetime] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)

    def doubt(self, reason: str, *, retryable: bool = False) -> None:
        """Note why the stream is not complete, and whether another run, later, can find it complete."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        self.retryable = self.retryable or retryable


def load_batch(
    run: Run, stream: str, rows: Rows, finished: list[Reading], tally: Tally, tasks: Mapping[str, Task]
) -> None:
    """Load one batch: all its records, and the account of the lists that are finished with it."""
    if not rows.records and not finished:
        return
    spec = run.api.contract.streams[stream]
    at = datetime.now(UTC)
    tally.drift.observe(rows.records)
    about = About(
        contract=run.api.contract,
        stream=stream,
        community=run.community,
        run_id=run.run_id,
        at=at,
        mass_absence_percent=run.mass_absence_percent,
        window=run.mode.window,
        vanished=tally.drift.vanished(),
    )
    made = batch(about, rows)
    tally.unreadable |= unreadable(stream, made.rejects)
    if spec.since:
        for scope, moment in watermarks(made, spec.since.column).items():
            tally.watermarks[scope] = max(moment, tally.watermarks.get(scope, moment))
    doubtful = set() if made.moves else shared(rows)
    reads = [_scope_read(run, stream, reading, tally, tasks, at, doubtful) for reading in finished]
    loaded = run.warehouse.load(replace(made, scopes=tuple(reads)))

    tally.counts += Counts(embedded=loaded.parts)
    for scope, counts in loaded.counts.items():
        tally.counts += counts
        if scope not in {reading.scope for reading in finished}:
            tally.partly[scope] = tally.partly.get(scope, Counts()) + counts
    for table, missing in loaded.parts_held.items():
        tally.counts += Counts(held=missing)
        tally.doubt(f"{missing} rows of {table} are missing at once, too many to be believed: they were kept")
    for reading, read in zip(finished, reads, strict=True):
        if read.scope in loaded.shared:
            read = replace(read, verdict="incomplete", reason=_SHARED_IDS)
        if read.verdict == "incomplete":
            tally.doubt(read.reason or "", retryable=read.reason != _SHARED_IDS and reading.retryable)
        else:
            tally.proven.add(read.scope)
        tally.counts += Counts(requests=reading.requests)


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
    complete = verdict == "complete" and run.mode.moves_state
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
        received=reading.received,
        judged=complete and task.bounds.open and spec.reads == "list" and reading.scope not in tally.unreadable,
        present=tuple(reading.ids) if reading.some_left or reading.scope in tally.partly else None,
        counts=tally.partly.pop(reading.scope, Counts()) + Counts(requests=reading.requests),
        remembered=complete,
        fingerprint=task.fingerprint,
        watermark=tally.watermarks.get(reading.scope),
        verifying=task.verifying,
        started_at=reading.started_at,
    )


@dataclass(slots=True)
class Rows:
    """Records of one stream as they came, with the scope of each."""

    records: list[Record] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)

    def add(self, records: list[Record], scope: str) -> None:
        self.records += records
        self.scopes += [scope] * len(records)


@dataclass(frozen=True, slots=True)
class About:
    """What a batch is made for: which stream of which community, in which run, when, and with which limits.

    ``window``: only records whose cursor lies in [start, end) are taken. ``vanished``: by table, the columns that the
    API no longer sends.
    """

    contract: Contract
    stream: str
    community: str
    run_id: str
    at: datetime
    mass_absence_percent: float = 100
    window: tuple[datetime, datetime] | None = None
    vanished: Mapping[str, frozenset[str]] = field(default_factory=dict)


def batch(about: About, rows: Rows) -> Batch:
    """A batch of a stream and its embedded tables, without its scopes.

    A record that cannot be typed is a reject; its neighbours load.
    """
    stream = about.stream
    spec = about.contract.streams[stream]
    main = _typed(about, stream, spec.fields, rows, spec.volatile)
    # Without the cursor nobody can say which records the window holds: all of them are loaded.
    no_cursor = spec.cursor in about.vanished.get(stream, ())
    taken = main.frame if about.window is None or no_cursor else _within(main.frame, spec.cursor, about.window)
    frames: dict[str, pd.DataFrame] = {stream: taken}
    rejects = [Reject(stream, rows.scopes[r.position], r.key, r.id, r.reason, r.payload) for r in main.rejects]
    stated: dict[str, list[str]] = {}
    lost = {r.position for r in main.rejects}
    loaded = set(taken["id"])
    # A record that came twice (an idea seen in two challenges) is loaded as it was last seen, its embedded lists too.
    last = {str(r.columns.get("id")): n for n, r in enumerate(rows.records) if n not in lost}
    parents = [(rows.records[n], rows.scopes[n]) for id_, n in last.items() if id_ in loaded]
    for table, embedded in spec.embedded.items():
        items = Rows()
        owners: list[str] = []
        told: dict[str, None] = {}
        for record, scope in parents:
            if table in record.embedded:
                owner = str(record.columns["id"])
                told[owner] = None
                items.add(record.embedded[table], scope)
                owners += [owner] * len(record.embedded[table])
        if not told:
            continue
        result = _typed(about, table, embedded.fields, items, embedded.volatile)
        frames[table] = result.frame
        rejects += [Reject(table, items.scopes[r.position], r.key, r.id, r.reason, r.payload) for r in result.rejects]
        for reject in result.rejects:
            told.pop(owners[reject.position], None)
        stated[table] = list(told)
    return Batch(
        community=about.community,
        run_id=about.run_id,
        stream=stream,
        at=about.at,
        scopes=(),
        frames=frames,
        stated=stated,
        rejects=tuple(rejects),
        moves=bool(spec.each and spec.each.moves),
        mass_absence_percent=about.mass_absence_percent,
        vanished=about.vanished,
    )


def unreadable(stream: str, rejects: Sequence[Reject]) -> set[str]:
    """The scopes in which a record's id could not be read: it may be any row, so none is missing from them."""
    return {r.scope for r in rejects if r.table == stream and r.id is None}


def shared(rows: Rows) -> set[str]:
    """The scopes with an id that another scope has too."""
    homes: dict[str, str] = {}
    found: set[str] = set()
    for record, scope in zip(rows.records, rows.scopes, strict=True):
        home = homes.setdefault(str(record.columns.get("id")), scope)
        if home != scope and record.columns.get("id") is not None:
            found |= {home, scope}
    return found


def watermarks(loaded: Batch, column: str) -> dict[str, datetime]:
    """By scope, the latest moment in ``column`` (in UTC)."""
    frame = loaded.frames[loaded.stream]
    latest = frame.groupby("_scope")[column].max().dropna()
    return {str(scope): pd.Timestamp(moment).to_pydatetime() for scope, moment in latest.items()}


def _within(frame: pd.DataFrame, cursor: str, window: tuple[datetime, datetime]) -> pd.DataFrame:
    start, end = window
    return frame[((frame[cursor] >= start) & (frame[cursor] < end)).fillna(value=False)]


def _typed(about: About, table: str, fields: Fields, rows: Rows, volatile: Sequence[str]) -> Typed:
    return typed(
        TABLES[table],
        [r.columns for r in rows.records],
        [r.extra for r in rows.records],
        rows.scopes,
        SourceFormat(
            timezone=about.contract.stream_timezone(about.stream),
            epochs={name: source.epoch for name, source in fields.items()},
            volatile=volatile,
            vanished=about.vanished.get(table, ()),
        ),
    )
