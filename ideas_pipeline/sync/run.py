"""What every stream of a run shares."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from ideas_pipeline.errors import IdeasApiError
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.sync.source import PageSource, Source
from ideas_pipeline.warehouse.batch import Counts
from ideas_pipeline.warehouse.warehouse import Warehouse

Verdict = Literal["complete", "incomplete", "failed"]


@dataclass(frozen=True, slots=True)
class Run:
    """``goal_since``: of a full run, since when a proven list counts as read. Times know their zone.

    ``distrust``: why an absence that nothing explains may not be believed in this run, if so.
    """

    api: IdeasApi | PageSource
    source: Source | PageSource
    privacy: Privacy
    warehouse: Warehouse
    community: str
    run_id: str
    mode: Mode
    goal_since: datetime
    verify_days: int
    mass_absence_percent: float
    distrust: str | None
    progress: Progress


@dataclass(frozen=True, slots=True)
class Incremental:
    """What may have changed, and a share of the rest, so that every list is verified anew within some days."""


@dataclass(frozen=True, slots=True)
class Full:
    """Every list; where a full run broke off, the lists that it has not proven."""


@dataclass(frozen=True, slots=True)
class Window:
    """Every record whose cursor lies in [start, end), whatever is known of its list. Both know their zone.

    Concludes nothing from what is missing, and leaves the state of the nightly runs alone.
    """

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Replay:
    """Every list as it was archived. Concludes nothing from what is missing, and leaves the nightly state alone."""


Mode = Incremental | Full | Window | Replay


def name(mode: Mode) -> str:
    """The mode as ``_sync_runs`` calls it."""
    return type(mode).__name__.lower()


def moves_state(mode: Mode) -> bool:
    """Whether a run of this mode judges what is missing, and moves fingerprints and watermarks."""
    return isinstance(mode, Incremental | Full)


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

    def stream_started(self, stream: str, scopes: int) -> None: ...

    def scope_done(self, stream: str, rows: int, requests: int) -> None: ...

    def stream_finished(self, result: StreamResult) -> None: ...


class Silence:
    """A progress that says nothing."""

    def waiting(self, reason: str) -> None: ...

    def stream_started(self, stream: str, scopes: int) -> None: ...

    def scope_done(self, stream: str, rows: int, requests: int) -> None: ...

    def stream_finished(self, result: StreamResult) -> None: ...


def worst(verdicts: Collection[str]) -> Verdict:
    """The verdict of a whole whose parts have these."""
    order: tuple[Verdict, ...] = ("failed", "incomplete", "complete")
    return next((v for v in order if v in verdicts), "complete")
