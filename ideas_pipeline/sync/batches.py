"""From records, as the API's client maps them, to a batch that the warehouse loads: typed frames, rejects, lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pandas as pd

from ideas_pipeline.ideas_api.contract import Contract, Fields
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.records.typed import Typed, typed
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.batch import Batch, Reject, ScopeRead


@dataclass(slots=True)
class Rows:
    """Records of one stream as they came, with the scope of each."""

    records: list[Record] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)

    def add(self, records: list[Record], scope: str) -> None:
        self.records += records
        self.scopes += [scope] * len(records)


def batch(
    contract: Contract,
    stream: str,
    rows: Rows,
    scopes: Sequence[ScopeRead],
    *,
    community: str,
    run_id: str,
    at: datetime,
) -> Batch:
    """A batch of ``stream`` and its embedded tables. A record that cannot be typed is a reject; its neighbours load."""
    spec = contract.streams[stream]
    timezone = contract.stream_timezone(stream)
    main = _typed(stream, spec.fields, rows, timezone, spec.volatile)
    frames: dict[str, pd.DataFrame] = {stream: main.frame}
    rejects = [Reject(stream, rows.scopes[r.position], r.key, r.id, r.reason, r.payload) for r in main.rejects]
    stated: dict[str, list[str]] = {}
    lost = {r.position for r in main.rejects}
    # A record that came twice (an idea seen in two challenges) is loaded as it was last seen, its embedded lists too.
    last = {str(r.columns.get("id")): n for n, r in enumerate(rows.records) if n not in lost}
    parents = [(rows.records[n], rows.scopes[n]) for n in last.values()]
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
        community=community,
        run_id=run_id,
        stream=stream,
        at=at,
        scopes=_judged(scopes, rejects, stream),
        frames=frames,
        stated=stated,
        rejects=tuple(rejects),
    )


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


def _judged(scopes: Sequence[ScopeRead], rejects: list[Reject], stream: str) -> tuple[ScopeRead, ...]:
    """A list with a record whose id cannot be read may hold any row: nothing is called missing from it."""
    unreadable = {r.scope for r in rejects if r.table == stream and r.id is None}
    return tuple(replace(s, judged=False) if s.scope in unreadable else s for s in scopes)
