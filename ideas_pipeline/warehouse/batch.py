"""Input and result of a load, as plain data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from ideas_pipeline.id_set import IdSet
from ideas_pipeline.late.frames import pd
from ideas_pipeline.tables.bookkeeping import ReasonCode


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that could not be typed, or a value of a record that is loaded without it.

    Attributes:
        table: The table that the record is for.
        scope: The scope in which it was listed.
        record_key: The key's values (without the community) as a JSON list, or a fingerprint if there is no usable key;
            both if another record has the key.
        id: The value of the table's own column ``id``, if it could be read.
        reason: What is wrong, in words, without personal data.
        payload: Of a record, what was received, by column; of a value, what its record says of people.
        column: The column of the value; None if the record itself is rejected.
        value: The value as received.
        code: What is wrong: a word of ``tables.reject_reasons``.
        key_codes: Of a record without a usable key, by column of the key, what is wrong with it.
    """

    table: str
    scope: str
    record_key: str
    id: str | None
    reason: str
    payload: dict[str, Any]
    column: str | None = None
    value: Any = None
    code: str | None = None
    key_codes: Mapping[str, str] | None = None


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
        rejected_values: values that could not be typed, of records and embedded rows that were loaded without them.
        rejected_embedded: embedded rows that could not be typed.
        replaced: characters of the responses that were broken, and became U+FFFD.
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
    rejected_values: int = 0
    rejected_embedded: int = 0
    replaced: int = 0
    embedded: int = 0
    absent: int = 0
    held: int = 0
    skipped: int = 0
    hidden: int = 0

    def __add__(self, other: Counts) -> Counts:
        # Not by astuple(), which copies each number: that was a sixth of the time of a sync of small scopes.
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

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
    """How a scope was read: a row of ``_sync_scopes`` without the counts that the load itself makes.

    Attributes:
        scope: The scope.
        verdict: ``complete``, ``incomplete`` or ``not_found``.
        reason: Why it is not complete.
        reason_code: The reason as a word, if it comes with advice.
        swept_at: When the last sweep ended; timezone-aware.
        total_first: The total that the API stated first.
        total_last: The total that the API stated last.
        declared: The number of rows that the parent declares.
        sweeps: Number of sweeps.
        pages: Number of pages of the last sweep.
        received: Number of records received.
        judged: Whether rows that are not in the scope are absent.
        present: The ids in the scope, if they are not those of the batch's rows: an earlier batch loaded rows of the
            scope, or an earlier sweep saw rows that are no longer in it.
        counts: What is counted already: the requests, and the records of earlier batches.
        remembered: Whether the state of the scope is updated.
        fingerprint: The parent's values that change with the scope, as text.
        watermark: Time up to which the scope was read.
        verifying: Whether the scope was read although its parent showed no change.
        started_at: When its first sweep started; timezone-aware.
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
    reason_code: ReasonCode | None = None
    present: Collection[str] | None = None
    counts: Counts = Counts()
    remembered: bool = False
    fingerprint: str | None = None
    watermark: datetime | None = None
    verifying: bool = False
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one stream that are loaded in one transaction, and the scopes that are finished with them.

    A frame can hold rows of a scope that is not among ``scopes``: that scope is finished by a later batch.

    Attributes:
        run_id: The run.
        stream: The stream.
        at: When the batch is loaded; timezone-aware.
        scopes: The scopes that are finished.
        frames: Rows by table, with unique keys and Arrow-backed types. Columns: the table's own (without ``community``
            and bookkeeping), ``_extra`` (JSON text or null), ``_row_hash``, and ``_scope`` (where the row was read).
        stated: By embedded table, the ids of the records whose embedded list is complete. Rows of such a record that
            are not in the frame are absent.
        rejects: The rejects.
        listed_by: The column whose value identifies the list of a row (see ``scope_of``); None if there is one list.
        moves: Whether a record can get another parent.
        mass_absence_percent: If a larger share of an embedded table's rows (and at least 20) is absent at once, they
            are held.
        vanished: By table, the columns that the API no longer sends: existing rows keep their values there.
        volatile: By table, the columns and unmapped fields that do not count as changes.
        settled: The ids of rows that may move to another home. Other rows whose parent differs from that of their live
            row are not written. None: every row may move.
        named: The ids of records that name their parent themselves: another home does not mean that ids are shared.
        flagged: The ids of records that say that they are deleted.
        counted_before: By scope, the rows in the frame that an earlier batch has counted, by what this one counts.
    """

    run_id: str
    stream: str
    at: datetime
    scopes: tuple[ScopeRead, ...]
    frames: Mapping[str, pd.DataFrame]
    stated: Mapping[str, Sequence[str]]
    rejects: tuple[Reject, ...]
    listed_by: str | None = None
    moves: bool = False
    mass_absence_percent: float = 100
    vanished: Mapping[str, frozenset[str]] = field(default_factory=dict)
    volatile: Mapping[str, frozenset[str]] = field(default_factory=dict)
    settled: frozenset[str] | None = None
    named: frozenset[str] = frozenset()
    flagged: frozenset[str] = frozenset()
    counted_before: Mapping[str, Counts] = field(default_factory=dict)


def seen_ids(batch: Batch) -> IdSet:
    """The ids of the stream's records that were seen: those present in a judged scope, else all in the batch."""
    listed = {read.scope: read.present for read in batch.scopes if read.judged and read.present is not None}
    seen = IdSet(r.id for r in batch.rejects if r.table == batch.stream and r.id is not None and r.scope not in listed)
    if batch.stream in batch.frames:
        frame = batch.frames[batch.stream]
        seen.update((frame["id"] if not listed else frame["id"][~frame["_scope"].isin(list(listed))]).to_numpy())
    for present in listed.values():
        seen.update(present)
    return seen


@dataclass(frozen=True, slots=True)
class Loaded:
    """Result of a load.

    Attributes:
        counts: Counts of the stream's own records, by scope.
        embedded: Number of embedded rows that were written or marked deleted.
        embedded_held: Number of held rows, by embedded table.
        shared: By scope, the number of records whose id belongs to a row of another scope although records do not
            move.
        staying: By id, the parent of the live rows that were not written because they would have moved.
    """

    counts: dict[str, Counts]
    embedded: int = 0
    embedded_held: dict[str, int] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)
    staying: dict[str, str] = field(default_factory=dict)


# Fewer absent rows than this are never too many: in a short scope, one deletion is a large share.
ALWAYS_BELIEVED_BELOW = 20


def too_many(absent: int, rows: int, percent: float) -> bool:
    """Whether so many of ``rows`` are absent at once that they were probably not deleted."""
    return absent >= ALWAYS_BELIEVED_BELOW and absent > rows * percent / 100
