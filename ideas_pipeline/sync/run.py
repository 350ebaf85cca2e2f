"""What all streams of a run share: the run itself, its mode, its results, and who hears its progress."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, Literal, Protocol

from ideas_pipeline.errors import IdeasApiError
from ideas_pipeline.id_set import IdSet
from ideas_pipeline.ideas_api.pagination import ALL, Bounds
from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline.sync.source import Source
from ideas_pipeline.tables.bookkeeping import RunMode
from ideas_pipeline.warehouse.batch import Counts
from ideas_pipeline.warehouse.scopes import declared_before_of, live_ids
from ideas_pipeline.warehouse.warehouse import Warehouse

Verdict = Literal["complete", "incomplete", "failed"]

VERIFY_DAYS = 14


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """The options of a sync.

    Attributes:
        streams: the streams to sync; None syncs all that the mode covers.
        run_id: several syncs with one id are one run, as the assets of a Dagster run are; None makes an id.
        mass_absence_percent: if more rows than this share are absent at once, they are held.
        verify_days: every scope is verified again within so many nightly runs.
        clock: the present, timezone-aware. What a run writes has its times, and waits between runs are measured by it.
    """

    streams: Sequence[str] | None = None
    run_id: str | None = None
    mass_absence_percent: float = 10
    verify_days: int = VERIFY_DAYS
    clock: Callable[[], datetime] = now


@dataclass(frozen=True, slots=True)
class Run:
    """A run under way.

    Attributes:
        source: where pages come from.
        warehouse: where records go.
        run_id: its id.
        mode: what it sets out to read.
        options: the options of the sync.
        goal_since: for a full run, scopes that are complete since then count as read; timezone-aware.
        distrust: why no unexplained absence can be believed in this run; None if it can.
        progress: hears what the run does.
    """

    source: Source
    warehouse: Warehouse
    run_id: str
    mode: Mode
    options: SyncOptions
    goal_since: datetime
    distrust: str | None
    progress: Progress


def swept_scope(run: Run, stream: str, scope: str, bounds: Bounds = ALL, declared: int | None = None) -> SweptScope:
    """A scope to sweep, with what is known of it.

    Args:
        run: the run.
        stream: the stream.
        scope: its scope.
        bounds: the time range to request.
        declared: the number of records that the scope's parent declares.
    """
    spec = run.source.contract.streams[stream]

    def known() -> IdSet:
        with run.warehouse.reading() as tx:
            return live_ids(tx, stream, spec.listed_by, scope)

    def declared_before() -> int | None:
        with run.warehouse.reading() as tx:
            return declared_before_of(tx, stream, scope, run.run_id)

    return SweptScope(
        scope,
        spec.paging,
        sweeps=run.source.contract.limits.sweeps,
        pages=run.source.contract.limits.pages,
        known=known if bounds.open else None,
        declared=declared,
        declared_before=declared_before,
        single=spec.reads == "one",
        edited="updated_at" if "updated_at" in spec.fields else None,
    )


class _Mode:
    """What a run sets out to read.

    Attributes:
        name: the run mode, as ``_sync_runs`` has it.
        moves_state: whether the run judges absences, and moves fingerprints and watermarks.
    """

    name: ClassVar[RunMode]
    moves_state: ClassVar[bool]

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """Start (inclusive) and end (exclusive) of the records to read, timezone-aware; None for no bounds."""
        return None


@dataclass(frozen=True)
class Incremental(_Mode):
    """Read what may have changed, and a share of the rest, so that every scope is verified again within some days."""

    name = "incremental"
    moves_state = True


@dataclass(frozen=True)
class Full(_Mode):
    """Read every scope; after an interrupted full run, only those that it has not completed."""

    name = "full"
    moves_state = True


@dataclass(frozen=True)
class Window(_Mode):
    """Read every record whose cursor lies in [start, end), whatever is known of its scope. Both are timezone-aware.

    Judges no absence, and leaves the state of the nightly runs alone.
    """

    name = "window"
    moves_state = False

    start: datetime
    end: datetime

    @property
    def window(self) -> tuple[datetime, datetime]:
        return self.start, self.end


@dataclass(frozen=True)
class Retry(_Mode):
    """Read these scopes completely, by stream: records of them were rejected.

    Judges no absence, and leaves the state of the nightly runs alone.
    """

    name = "retry"
    moves_state = False

    scopes: Mapping[str, Collection[str]]


Mode = Incremental | Full | Window | Retry


@dataclass(frozen=True, slots=True)
class StreamResult:
    """The result of one stream of one run.

    Attributes:
        stream: its name.
        verdict: complete, incomplete or failed.
        reason: why it is not complete.
        retryable: whether another run, later, can complete it; None if it is complete.
        counts: what was read and written.
        error: what ended it, if it failed.
    """

    stream: str
    verdict: Verdict
    reason: str | None = None
    retryable: bool | None = None
    counts: Counts = field(default_factory=Counts)
    error: IdeasApiError | None = field(default=None, compare=False)

    def shown(self) -> dict[str, str | int | None]:
        """The result by the names that people and other programs see."""
        return {"stream": self.stream, "verdict": self.verdict, "reason": self.reason, **self.counts.shown()}


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run: its streams in the order in which they were read."""

    run_id: str
    verdict: Verdict
    streams: list[StreamResult]

    @property
    def counts(self) -> Counts:
        """What all its streams have read and written."""
        return sum((stream.counts for stream in self.streams), Counts())

    @property
    def changed(self) -> bool:
        """Whether any row was written or marked."""
        counts = self.counts
        return bool(counts.inserted or counts.updated or counts.embedded or counts.absent)


class Progress(Protocol):
    """Hears what a sync does, from the thread that drives it."""

    def waiting(self, reason: str) -> None:
        """The run waits for another one that uses the API account."""
        ...

    def noted(self, sentence: str) -> None:
        """Something happened that people should read."""
        ...

    def stream_started(self, stream: str, scopes: int) -> None: ...

    def scope_done(self, stream: str, rows: int, requests: int) -> None: ...

    def stream_finished(self, result: StreamResult) -> None: ...


class Silence:
    """A progress that does nothing."""

    def waiting(self, reason: str) -> None: ...

    def noted(self, sentence: str) -> None: ...

    def stream_started(self, stream: str, scopes: int) -> None: ...

    def scope_done(self, stream: str, rows: int, requests: int) -> None: ...

    def stream_finished(self, result: StreamResult) -> None: ...


def worst(verdicts: Collection[str]) -> Verdict:
    """The verdict of a run or stream whose parts have these verdicts."""
    order: tuple[Verdict, ...] = ("failed", "incomplete", "complete")
    return next((v for v in order if v in verdicts), "complete")
