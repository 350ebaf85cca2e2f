"""From records, as the API's client maps them, to a batch that the warehouse loads: typed frames, rejects, lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from ideas_pipeline.contract.model import Contract, Fields
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.records.typed import Typed, typed
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.batch import Batch, Reject


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

    ``window``: only records whose cursor lies in [start, end) are taken.
    """

    contract: Contract
    stream: str
    community: str
    run_id: str
    at: datetime
    mass_absence_percent: float = 100
    window: tuple[datetime, datetime] | None = None


def batch(about: About, rows: Rows) -> Batch:
    """A batch of a stream and its embedded tables, without its scopes.

    A record that cannot be typed is a reject; its neighbours load.
    """
    stream = about.stream
    spec = about.contract.streams[stream]
    timezone = about.contract.stream_timezone(stream)
    main = _typed(stream, spec.fields, rows, timezone, spec.volatile)
    taken = main.frame if about.window is None else _within(main.frame, spec.cursor, about.window)
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
        result = _typed(table, embedded.fields, items, timezone, embedded.volatile)
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


def _typed(table: str, fields: Fields, rows: Rows, timezone: str, volatile: Sequence[str]) -> Typed:
    return typed(
        TABLES[table],
        [r.columns for r in rows.records],
        [r.extra for r in rows.records],
        rows.scopes,
        timezone=timezone,
        epochs={name: source.epoch for name, source in fields.items()},
        volatile=volatile,
    )
