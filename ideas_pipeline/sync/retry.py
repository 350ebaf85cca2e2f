"""Rejected records once more: typed anew from what was kept of them, with the contract and the tables in force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ideas_pipeline.contract.model import Contract, Embedded, Fields
from ideas_pipeline.ideas_api.composite_ids import all_ids_are_composite, source_ids
from ideas_pipeline.ideas_api.field_map import Record, field_map
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.records.typed import SourceFormat, Typed, typed
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.batch import Batch, Reject
from ideas_pipeline.warehouse.load import load
from ideas_pipeline.warehouse.rejects import Waiting, settle_retried
from ideas_pipeline.warehouse.runs import RunStart, finish_run, start_run
from ideas_pipeline.warehouse.warehouse import Warehouse

Json = Any

# What stands in a payload in place of a value that no database can hold (see records/typed.py).
_NOT_STORED = "(not stored: "


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of the rejects of one table: how many loaded, and how many are left."""

    table: str
    loaded: int
    left: int


def retry_rejects(
    warehouse: Warehouse,
    contract: Contract,
    rejects: Sequence[Waiting],
    run_id: str,
    at: datetime,
    privacy: Privacy | None = None,
) -> list[Retried]:
    """Loads those of ``rejects`` that can be typed now, and leaves the others with the new reason.

    It is a run of its own (mode retry), which reads nothing: the counts of earlier runs stay what they were. What came
    inside a rejected record was not kept, so the next sync reads the list of one that loads anew. A reject of a table
    that the contract does not fill any more is left alone. ``privacy``: what may be stored of people; None stores what
    was kept. Raises WarehouseError, and PrivacyError where that cannot be known.
    """
    privacy = privacy or Privacy(contract, warehouse.community)
    privacy.begin(warehouse)
    filled = contract.tables()
    results = []
    with warehouse.writing() as tx:
        start_run(tx, RunStart(run_id, "(rejected records)", at, mode="retry"))
    for stream in contract.order():
        if mine := [reject for reject in rejects if filled.get(reject.table) == stream]:
            results += _retry_stream(warehouse, contract, stream, mine, run_id, at, privacy)
    verdict = "incomplete" if any(result.left for result in results) else "complete"
    with warehouse.writing() as tx:
        finish_run(tx, run_id, verdict, None, at)
    privacy.finish(warehouse)
    return results


def _retry_stream(
    warehouse: Warehouse,
    contract: Contract,
    stream: str,
    rejects: Sequence[Waiting],
    run_id: str,
    at: datetime,
    privacy: Privacy,
) -> list[Retried]:
    spec = contract.streams[stream]
    tried = [reject for reject in rejects if _is_whole(reject)]
    by_table = {table: [r for r in tried if r.table == table] for table in (stream, *spec.embedded)}
    outcomes = {table: _typed(contract, stream, table, some, privacy) for table, some in by_table.items() if some}
    # The stream's own frame is part of every batch, and empty where only what came inside its records was tried.
    outcomes.setdefault(stream, _typed(contract, stream, stream, [], privacy))
    failed = [
        Reject(table, by_table[table][r.position].scope, r.key, r.id, r.reason, r.payload)
        for table, outcome in outcomes.items()
        for r in outcome.rejects
    ]
    batch = Batch(
        run_id=run_id,
        stream=stream,
        at=at,
        scopes=(),
        frames={table: outcome.frame for table, outcome in outcomes.items()},
        stated={},
        rejects=tuple(failed),
        moves=bool(spec.each and spec.each.moves),
    )
    kept = {(reject.table, reject.record_key) for reject in failed}
    done = [reject for reject in tried if (reject.table, reject.key) not in kept]
    lists = {str(scope) for scope in outcomes[stream].frame["_scope"]} if spec.embedded else set()
    with warehouse.writing() as tx:
        load(tx, batch)
        settle_retried(tx, stream, done, lists)
    left = Counter(reject.table for reject in rejects if reject not in tried) + Counter(r.table for r in failed)
    waited = Counter(reject.table for reject in rejects)
    return [Retried(table, waited[table] - left[table], left[table]) for table in by_table if waited[table]]


def _is_whole(reject: Waiting) -> bool:
    """Whether all of the record was kept, and not only the kind of a value that no database can hold."""
    return not any(isinstance(value, str) and value.startswith(_NOT_STORED) for value in reject.payload.values())


def _typed(contract: Contract, stream: str, table: str, rejects: Sequence[Waiting], privacy: Privacy) -> Typed:
    spec = contract.streams[stream]
    source: Embedded | Any = spec if table == stream else spec.embedded[table]
    again = _mapper(contract, stream, table)
    records = [again(reject) for reject in rejects]
    privacy.prepare_again(table, records)
    return typed(
        TABLES[table],
        [record.columns for record in records],
        [record.extra for record in records],
        [reject.scope for reject in rejects],
        SourceFormat(
            timezone=contract.stream_timezone(stream),
            epochs={name: field.epoch for name, field in source.fields.items()},
            volatile=source.volatile,
        ),
    )


def _mapper(contract: Contract, stream: str, table: str) -> Callable[[Waiting], Record]:
    """A function that maps what was kept of a record as if it came again."""
    spec = contract.streams[stream]
    fields = spec.fields if table == stream else spec.embedded[table].fields
    record_of = field_map(contract, stream)
    # What said where the record stood, such as its key in a map, is not in the record itself.
    places = [column for column, source in fields.items() if all(path.startswith("@") for path in source.paths)]

    def again(reject: Waiting) -> Record:
        made = table == stream and all_ids_are_composite(spec)
        sent = _as_sent(source_ids(reject.payload, stream, spec.key) if made else reject.payload, fields)
        if table == stream:
            record = record_of(sent, None, 0, reject.scope)
            standing = places
        else:
            embedded = spec.embedded[table]
            around: dict[str, Json] = {}
            _put(around, embedded.paths[0], [sent])
            [record] = record_of(around, None, 0, reject.scope).embedded[table]
            standing = [*places, embedded.parent_key]
        record.columns.update({column: reject.payload.get(column) for column in standing})
        return record

    return again


def _as_sent(payload: dict[str, Json], fields: Fields) -> dict[str, Json]:
    """The record as the API may have sent it, from its values by column, and what was not mapped then.

    Each value stands at its column's first path, unless something that was not mapped then stands there.
    """
    sent = dict(payload.get("_extra") or {})
    for column, source in fields.items():
        path = next((path for path in source.paths if not path.startswith("@")), None)
        if path is not None and column in payload:
            _put(sent, path, payload[column])
    return sent


def _put(target: dict[str, Json], path: str, value: Json) -> None:
    """Sets ``value`` at a dotted path where nothing is, making the maps on the way."""
    *way, last = path.split(".")
    for name in way:
        below = target.get(name)
        target[name] = below = dict(below) if isinstance(below, dict) else {}
        target = below
    target.setdefault(last, value)
