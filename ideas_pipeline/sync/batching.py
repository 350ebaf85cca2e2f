"""Make batches: records of some scopes, typed, with their embedded rows and what was rejected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ideas_pipeline.contract.model import Contract, Fields
from ideas_pipeline.ideas_api.field_map import Record, storable
from ideas_pipeline.late.frames import pd
from ideas_pipeline.library_errors import as_warehouse_errors
from ideas_pipeline.records.time_format import TimeFormat
from ideas_pipeline.records.typed import RejectedRow, SourceFormat, Typed, typed
from ideas_pipeline.sync.homes import parent_listed_by
from ideas_pipeline.tables.columns import own_columns, parent_of
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.text import clean_text
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.batch import Batch, Counts, Reject
from ideas_pipeline.warehouse.merge import live_rows
from ideas_pipeline.warehouse.rejects import repeated_ids
from ideas_pipeline.warehouse.warehouse import Warehouse

# If a list has more records with the id of another one, its key is wrong, and they do not all fit into memory.
_MOST_HELD_BACK = 1_000


@dataclass(frozen=True, slots=True)
class EarlierRow:
    """A row that an earlier batch of the run has counted, with its hash, and whether that batch wrote it."""

    row_hash: str
    is_written: bool


@dataclass(slots=True)
class Rows:
    """Records of one stream as the reader made them, each with its scope.

    Attributes:
        records: the records.
        scopes: the scope of each.
        earlier: the rows of the warehouse that the first records were made of (see ``with_earlier``).
    """

    records: list[Record] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)
    earlier: list[EarlierRow] = field(default_factory=list)

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
        run_id: the run.
        at: when the batch is loaded; timezone-aware.
        mass_absence_percent: if more embedded rows than this share are absent at once, they are held.
        window: take only records whose cursor lies in [start, end); timezone-aware.
        vanished: by table, the columns that the API no longer sends.
        left_out: the embedded tables whose lists the API leaves out of a record if they are empty.
        settled: the ids of rows that may move to another home; None if all may.
    """

    contract: Contract
    stream: str
    run_id: str
    at: datetime
    mass_absence_percent: float = 100
    window: tuple[datetime, datetime] | None = None
    vanished: Mapping[str, frozenset[str]] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
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
    lost = {r.position for r in main.rejects if r.column is None} | main.superseded
    loaded = set(taken["id"].to_numpy())
    # A value is rejected only if its row is loaded: a window leaves out others.
    rejects = [_reject(about, stream, rows, r) for r in main.rejects if r.column is None or r.id in loaded]
    # Of a record that came twice (an idea seen in two challenges) the last one is loaded, with its embedded rows.
    last = {str(r.columns.get("id")): n for n, r in enumerate(rows.records) if n not in lost}
    parents = [(rows.records[n], rows.scopes[n], n) for id_, n in last.items() if id_ in loaded]
    for table, embedded in spec.embedded.items():
        items = Rows()
        owners: list[str] = []
        stating: dict[str, None] = {}
        for record, scope, position in parents:
            came = position >= len(rows.earlier)  # a row of the warehouse has no lists
            if table in record.embedded or (came and table in about.left_out):
                owner = str(record.columns["id"])
                if table not in record.cut:
                    stating[owner] = None
                items.add(record.embedded.get(table, []), scope)
                owners += [owner] * len(record.embedded.get(table, ()))
        if not stating and not owners:
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
        flagged=frozenset(id_ for id_, n in last.items() if rows.records[n].deleted),
        counted_before=_counted_before(rows, taken) if rows.earlier else {},
        listed_by=spec.listed_by,
        # A record that did not come in the list of its parent names the parent itself, and may name another one.
        moves=parent_listed_by(stream, spec) is None or bool(spec.each and spec.each.moves),
        settled=about.settled,
        mass_absence_percent=about.mass_absence_percent,
        vanished=about.vanished,
        volatile={
            stream: frozenset(spec.volatile),
            **{table: frozenset(embedded.volatile) for table, embedded in spec.embedded.items()},
        },
    )


def hold_back(
    warehouse: Warehouse, stream: str, scope: str, records: list[Record]
) -> tuple[list[Record], list[Record]]:
    """Divide records of a scope that is still being read into those to load and those that wait until it is finished.

    Records wait if the scope had several of their id when it was last read. Loaded one by one, each would overwrite
    the other every night.
    """
    if not any(record.state for record in records):
        return records, []
    with warehouse.reading() as tx:
        ids = repeated_ids(tx, stream, scope, _MOST_HELD_BACK)
    waits = [clean_text(str(record.columns.get("id"))) in ids for record in records]
    return (
        [record for record, wait in zip(records, waits, strict=True) if not wait],
        [record for record, wait in zip(records, waits, strict=True) if wait],
    )


def with_earlier(warehouse: Warehouse, stream: str, run_id: str, rows: Rows) -> Rows:
    """Put rows before ``rows`` that earlier batches have loaded, if records of this one have the ids of theirs.

    Otherwise the last batch would overwrite what the others brought. A record whose id came first in this batch has no
    such row: what the warehouse has of it is what it was before the run.
    """
    if not any(record.repeats for record in rows.records):
        return rows
    pairs = list(zip(rows.records, rows.scopes, strict=True))
    repeated = {(str(record.columns["id"]), scope) for record, scope in pairs if record.repeats}
    repeated -= {(str(record.columns.get("id")), scope) for record, scope in pairs if not record.repeats}
    scope_of = {clean_text(id_): scope for id_, scope in repeated}
    table = TABLES[stream]
    before = Rows()
    with warehouse.reading() as tx:
        for row in live_rows(tx, table, list(scope_of)):
            columns = {c.name: row[c.name] for c in own_columns(table) if row[c.name] is not None}
            moments = {name: utc(value).isoformat() for name, value in columns.items() if isinstance(value, datetime)}
            before.records.append(Record(columns | moments, dict(row["_extra"] or {})))
            before.scopes.append(scope_of[row["id"]])
            before.earlier.append(EarlierRow(row["_row_hash"], row["_run_id"] == run_id))
    return Rows([*before.records, *rows.records], [*before.scopes, *rows.scopes], before.earlier)


def _counted_before(rows: Rows, taken: pd.DataFrame) -> dict[str, Counts]:
    """What to take back of the counts of each scope: an earlier row was counted, and the batch counts it again."""
    hashes = dict(zip(taken["id"], taken["_row_hash"], strict=True))
    counted: dict[str, Counts] = {}
    for record, scope, row in zip(rows.records, rows.scopes, rows.earlier, strict=False):
        if (now := hashes.get(record.columns["id"])) is not None:
            is_update = row.is_written and now != row.row_hash
            counted[scope] = counted.get(scope, Counts()) + Counts(updated=is_update, unchanged=not is_update)
    return counted


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
        rejected.code,
        rejected.key_codes,
    )


def shared(rows: Rows, stream: str) -> set[str]:
    """The scopes that have an id in common with another scope, unless both records name the same parent."""
    column, _ = parent_of(TABLES[stream]) or (None, "")
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
            {n: record.repeats for n, record in enumerate(rows.records) if record.repeats},
        )
