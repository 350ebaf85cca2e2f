"""Load a stream batch by batch: type its records, write them, and count what that did."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pandas as pd

from ideas_pipeline.contract.model import Contract, Fields, Stream
from ideas_pipeline.ideas_api.field_map import Record, storable
from ideas_pipeline.library_errors import as_warehouse_errors
from ideas_pipeline.records.timestamps import TimeFormat
from ideas_pipeline.records.typed import RejectedRow, SourceFormat, Typed, typed
from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline.sync.drift import Drift
from ideas_pipeline.sync.homes import Homes
from ideas_pipeline.sync.planning import Plan
from ideas_pipeline.sync.run import Run
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.batch import Batch, Counts, Reject, ScopeRead
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
        about: what they are loaded for; the vanished columns are taken from the tally.
        rows: the records.
        tally: what the stream has read and written so far; the batch is added to it.
        finished: called once, when all records are typed: the scopes whose last records are among them.
        retryable: those of these scopes that a later run may find complete.
    """
    spec = about.contract.streams[about.stream]
    homes = tally.homes
    doubtful = set() if spec.each and spec.each.moves else shared(rows, spec)
    if homes:
        rows = Rows.of(homes.once(zip(rows.records, rows.scopes, strict=True)))
        about = replace(about, settled=frozenset(homes.settled))
    tally.drift.observe(rows.records)
    made = batch(replace(about, vanished=tally.drift.vanished()), rows)
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
        homes.wait(loaded.staying, rows.records)
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
            swept_at=at,
            total_first=None,
            total_last=None,
            declared=planned.declared,
            sweeps=0,
            pages=0,
            received=0,
            judged=remembered and whole and planned.bounds.open,
            present=tuple(homes.ids_of(scope)),
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
        swept_at=at,
        total_first=swept.total_first,
        total_last=swept.total_last,
        declared=swept.declared,
        sweeps=swept.sweeps,
        pages=swept.pages,
        received=swept.received,
        judged=complete and planned.bounds.open and spec.reads == "list" and swept.scope not in tally.untyped,
        present=tuple(swept.ids) if swept.some_vanished or swept.scope in tally.partly else None,
        counts=tally.partly.pop(swept.scope, Counts()) + Counts(requests=swept.requests),
        remembered=complete,
        fingerprint=planned.fingerprint,
        watermark=tally.watermarks.get(swept.scope),
        verifying=planned.verifying,
        started_at=swept.started_at,
    )


@dataclass(slots=True)
class Rows:
    """Records of one stream as the reader made them, each with its scope."""

    records: list[Record] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Iterable[tuple[Record, str]]) -> Rows:
        """Rows from records and their scopes."""
        made = cls()
        for record, scope in rows:
            made.records.append(record)
            made.scopes.append(scope)
        return made

    def add(self, records: list[Record], scope: str) -> None:
        """Append records of one scope."""
        self.records += records
        self.scopes += [scope] * len(records)


@dataclass(frozen=True, slots=True)
class About:
    """What a batch is made for.

    Attributes:
        contract: the contract of the community.
        stream: the stream.
        community: the community.
        run_id: the run.
        at: when the batch is loaded; timezone-aware.
        mass_absence_percent: if more embedded rows than this share are absent at once, they are held.
        window: take only records whose cursor lies in [start, end); timezone-aware.
        vanished: by table, the columns that the API no longer sends.
        settled: the ids of rows that may move to another home; None if all may.
    """

    contract: Contract
    stream: str
    run_id: str
    at: datetime
    mass_absence_percent: float = 100
    window: tuple[datetime, datetime] | None = None
    vanished: Mapping[str, frozenset[str]] = field(default_factory=dict)
    settled: frozenset[str] | None = None


def batch(about: About, rows: Rows) -> Batch:
    """Make the batch of a stream and its embedded tables, without the results of its scopes.

    Records and values that cannot be typed become rejects; the others are loaded.

    Args:
        about: what the batch is made for.
        rows: the records.
    """
    stream = about.stream
    spec = about.contract.streams[stream]
    main = _typed(about, stream, spec.fields, rows, spec.volatile)
    # Without the cursor it is unknown which records lie in the window: all of them are loaded.
    no_cursor = spec.cursor in about.vanished.get(stream, ())
    taken = main.frame if about.window is None or no_cursor else _within(main.frame, spec.cursor, about.window)
    frames: dict[str, pd.DataFrame] = {stream: taken}
    stated: dict[str, list[str]] = {}
    lost = {r.position for r in main.rejects if r.column is None}
    loaded = set(taken["id"])
    # A value is rejected only if its row is loaded: a window leaves out others.
    rejects = [_reject(about, stream, rows, r) for r in main.rejects if r.column is None or r.id in loaded]
    # Of a record that came twice (an idea seen in two challenges) the last one is loaded, with its embedded rows.
    last = {str(r.columns.get("id")): n for n, r in enumerate(rows.records) if n not in lost}
    parents = [(rows.records[n], rows.scopes[n]) for id_, n in last.items() if id_ in loaded]
    for table, embedded in spec.embedded.items():
        items = Rows()
        owners: list[str] = []
        stating: dict[str, None] = {}
        for record, scope in parents:
            if table in record.embedded:
                owner = str(record.columns["id"])
                stating[owner] = None
                items.add(record.embedded[table], scope)
                owners += [owner] * len(record.embedded[table])
        if not stating:
            continue
        result = _typed(about, table, embedded.fields, items, embedded.volatile)
        frames[table] = result.frame
        rejects += [_reject(about, table, items, r) for r in result.rejects]
        for reject in result.rejects:
            if reject.column is None and not reject.repeats:  # it may be any row of its record
                stating.pop(owners[reject.position], None)
        stated[table] = list(stating)
    return Batch(
        run_id=about.run_id,
        stream=stream,
        at=about.at,
        scopes=(),
        frames=frames,
        stated=stated,
        rejects=tuple(rejects),
        moves=bool(spec.each and spec.each.moves),
        settled=about.settled,
        mass_absence_percent=about.mass_absence_percent,
        vanished=about.vanished,
        volatile={
            stream: frozenset(spec.volatile),
            **{table: frozenset(embedded.volatile) for table, embedded in spec.embedded.items()},
        },
    )


def untyped(stream: str, rejects: Sequence[Reject]) -> set[str]:
    """The scopes with a record whose id could not be typed. It may be any row: none of their rows can be absent."""
    return {r.scope for r in rejects if r.table == stream and r.id is None}


def _reject(about: About, table: str, rows: Rows, rejected: RejectedRow) -> Reject:
    """A reject without the fields that may not be stored."""
    names = frozenset(name.lower() for name in about.contract.not_stored)
    payload = {
        name: storable(value, names) if isinstance(value, dict | list) else value
        for name, value in rejected.payload.items()
    }
    return Reject(
        table,
        rows.scopes[rejected.position],
        rejected.key,
        rejected.id,
        rejected.reason,
        payload,
        rejected.column,
        storable(rejected.value, names),
    )


def shared(rows: Rows, spec: Stream) -> set[str]:
    """The scopes that have an id in common with another scope, unless both records name the same parent."""
    column = spec.each.placeholder if spec.each and spec.reads == "list" else None
    seen: dict[str, tuple[str, str]] = {}
    found: set[str] = set()
    for record, scope in zip(rows.records, rows.scopes, strict=True):
        if record.columns.get("id") is None:
            continue
        home = str(record.columns.get(column, scope)) if column else scope
        other, place = seen.setdefault(str(record.columns["id"]), (home, scope))
        if other != home:
            found |= {place, scope}
    return found


def watermarks(loaded: Batch, column: str) -> dict[str, datetime]:
    """The latest moment in ``column`` per scope, in UTC."""
    frame = loaded.frames[loaded.stream]
    latest = frame.groupby("_scope")[column].max().dropna()
    return {str(scope): pd.Timestamp(moment).to_pydatetime() for scope, moment in latest.items()}


def _within(frame: pd.DataFrame, cursor: str, window: tuple[datetime, datetime]) -> pd.DataFrame:
    start, end = window
    return frame[((frame[cursor] >= start) & (frame[cursor] < end)).fillna(value=False)]


def _typed(about: About, table: str, fields: Fields, rows: Rows, volatile: Sequence[str]) -> Typed:
    zone, none = about.contract.stream_timezone(about.stream), about.contract.no_times
    with as_warehouse_errors(f"the records of {table} cannot be typed"):
        return typed(
            TABLES[table],
            [r.columns for r in rows.records],
            [r.extra for r in rows.records],
            rows.scopes,
            SourceFormat(
                time=TimeFormat(zone, no_times=none),
                times={
                    name: TimeFormat(zone, source.epoch, none if source.no_times is None else source.no_times)
                    for name, source in fields.items()
                },
                volatile=volatile,
                vanished=about.vanished.get(table, ()),
                places=[name for name, source in fields.items() if "@index" in source.paths],
            ),
        )
