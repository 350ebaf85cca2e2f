"""What a load takes and gives: plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that could not be typed.

    ``record_key``: the key's values (without the community) as a JSON array, or a fingerprint where it has none.
    ``id``: the value of the table's own column ``id``, if it could be read.
    """

    table: str
    scope: str
    record_key: str
    id: str | None
    reason: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Counts:
    """What was read and written: of a scope, a stream or a run. seen = inserted + updated + unchanged + rejected.

    Attributes:
        scopes: scopes to read.
        scopes_complete: scopes that a complete sweep has read.
        requests: requests sent, retries included.
        retries: requests that repeated a failed one.
        seen: records read.
        inserted: records that are new to the warehouse.
        updated: records that differed from their row, or came back.
        unchanged: records that were equal to their row.
        rejected: records that could not be typed.
        embedded: embedded rows that were written or marked.
        absent: rows marked as deleted.
        held: rows whose absence waits for an operator.
        skipped: scopes that were not read because nothing says that they changed.
        hidden: scopes that had changed without a change of their parent, so that all scopes were read.
    """

    scopes: int = 0
    scopes_complete: int = 0
    requests: int = 0
    retries: int = 0
    seen: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    embedded: int = 0
    absent: int = 0
    held: int = 0
    skipped: int = 0
    hidden: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def shown(self) -> dict[str, int]:
        """The counts by the names that people and other programs see."""
        return {_SHOWN_AS.get(name, name): count for name, count in asdict(self).items()}

    def columns(self) -> dict[str, int]:
        """The counts by their columns in ``_sync_streams``."""
        return {_COLUMNS.get(name, name): count for name, count in asdict(self).items()}


# Names from before the fields got theirs: warehouses and other programs know them.
_SHOWN_AS = {"embedded": "parts"}
_COLUMNS = {"embedded": "parts", "skipped": "scopes_skipped", "hidden": "hidden_changes"}


@dataclass(frozen=True, slots=True)
class ScopeRead:
    """How one list was read: a row of ``_sync_scopes``, less the counts that the load makes.

    ``judged``: whether rows that are missing from it may be called absent. ``swept_at`` knows its zone.
    ``present``: the ids that the list holds, where the batch's rows do not say it: rows of the scope were loaded by an
    earlier batch, or an earlier sweep saw rows that are no longer in the list.
    ``counts``: what is counted already: the requests, and the records of earlier batches.
    """

    scope: str
    verdict: str
    reason: str | None
    swept_at: datetime
    total_first: int | None
    total_last: int | None
    declared: int | None
    sweeps: int
    pages: int
    received: int
    judged: bool
    present: tuple[str, ...] | None = None
    counts: Counts = Counts()
    remembered: bool = False
    fingerprint: str | None = None
    watermark: datetime | None = None
    verifying: bool = False
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one stream, loaded in one transaction, and the account of the scopes that end with it.

    ``at`` knows its zone. A frame can hold rows of a scope that is not among ``scopes``: its account comes later.

    ``frames``: table → rows, with unique keys. Columns: the table's own (not ``community``, no bookkeeping), ``_extra``
    (JSON text or null), ``_row_hash`` and ``_scope`` (the scope in which the row was read). Arrow-backed types.
    ``stated``: embedded table → ids of the records whose embedded list was stated in full. Rows of such a record that
    are not in the frame are gone.
    ``moves``: whether records can come to belong to another scope. ``mass_absence_percent``: a larger share of an
    embedded table's rows (and at least 20) is not believed to be gone at once.
    ``vanished``: by table, the columns that the API no longer sends: rows that exist keep their values there.
    """

    community: str
    run_id: str
    stream: str
    at: datetime
    scopes: tuple[ScopeRead, ...]
    frames: Mapping[str, pd.DataFrame]
    stated: Mapping[str, Sequence[str]]
    rejects: tuple[Reject, ...]
    moves: bool = False
    mass_absence_percent: float = 100
    vanished: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did.

    ``counts``: what became of the stream's own records, by scope. ``parts``: rows of embedded tables that were written
    or marked. ``parts_held``: by embedded table, rows that look gone, but too many at once to be believed.
    ``shared``: by scope, records whose id belongs to a row of another scope, though records do not move.
    """

    counts: dict[str, Counts]
    parts: int = 0
    parts_held: dict[str, int] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)


# Fewer rows than this are never too many at once: in a short list, one deletion is a large share.
ALWAYS_BELIEVED_BELOW = 20


def too_many(missing: int, rows: int, percent: float) -> bool:
    """Whether so many of ``rows`` are missing at once that it is no longer likely that they are gone."""
    return missing >= ALWAYS_BELIEVED_BELOW and missing > rows * percent / 100
