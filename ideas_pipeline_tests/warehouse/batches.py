"""Batches for the tests, made of plain dictionaries, and a look at what a table holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from ideas_pipeline.tables.columns import parent_of
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.absences import absences
from ideas_pipeline.warehouse.batch import Batch, Counts, Loaded, Reject, ScopeRead
from ideas_pipeline.warehouse.load import load as load_in
from ideas_pipeline.warehouse.staging import arrow_schema, staging_table
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.calls import call_reading

COMMUNITY = "acme"
Rows = Sequence[Mapping[str, Any]]


def night(number: int) -> datetime:
    """When the run of a night is, and what ``_changed_at`` says of rows that it wrote."""
    return datetime(2026, 1, number, 2, 0, 0, 123456, tzinfo=UTC)


def frame(table: str, rows: Rows) -> pd.DataFrame:
    """Rows as the pipeline types them: every column of the table, missing ones null, with a hash of the values."""
    schema = arrow_schema(staging_table(table))
    columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in schema.names}
    columns["_row_hash"] = [hashlib.sha256(repr(sorted(row.items())).encode()).hexdigest() for row in rows]
    return pd.DataFrame(
        {name: pd.array(columns[name], dtype=pd.ArrowDtype(schema.field(name).type)) for name in schema.names}
    )


def idea(id_: str, challenge: str = "c1", **values: Any) -> dict[str, Any]:
    return {"id": id_, "challenge_id": challenge, "_scope": challenge, **values}


def label(idea_id: str, label_id: str, **values: Any) -> dict[str, Any]:
    return {"idea_id": idea_id, "label_id": label_id, "_scope": "c1", **values}


def read(scope: str, *, judged: bool = True, **values: Any) -> ScopeRead:
    account: dict[str, Any] = {
        "scope": scope,
        "verdict": "complete" if judged else "incomplete",
        "reason": None if judged else "the total moved",
        "swept_at": night(1),
        "total_first": None,
        "total_last": None,
        "declared": None,
        "sweeps": 1,
        "pages": 1,
        "counts": Counts(requests=1),
        "received": 0,
        "judged": judged,
    }
    return ScopeRead(**{**account, **values})


def reject(id_: str, scope: str = "c1", table: str = "ideas") -> Reject:
    return Reject(
        table, scope, json.dumps([id_]), id_, "score is text that is not a number", {"id": id_, "score": "high"}
    )


def load(
    warehouse: Warehouse,
    stream: str,
    rows: Rows,
    *,
    on: int,
    scopes: Sequence[ScopeRead] | None = None,
    embedded: Mapping[str, Rows] | None = None,
    stated: Mapping[str, Sequence[str]] | None = None,
    rejects: Sequence[Reject] = (),
) -> dict[str, Counts]:
    """Loads ``rows`` on night ``on``, as run ``night-<on>``; each scope that a row names was read whole."""
    return load_batch(warehouse, batch(stream, rows, on, scopes, embedded, stated, rejects)).counts


def load_batch(warehouse: Warehouse, batch: Batch) -> Loaded:
    """Load ``batch`` in a transaction of its own."""
    with warehouse.writing() as tx:
        return load_in(tx, batch)


def batch(
    stream: str,
    rows: Rows,
    on: int = 1,
    scopes: Sequence[ScopeRead] | None = None,
    embedded: Mapping[str, Rows] | None = None,
    stated: Mapping[str, Sequence[str]] | None = None,
    rejects: Sequence[Reject] = (),
) -> Batch:
    frames = {stream: frame(stream, rows)} | {name: frame(name, parts) for name, parts in (embedded or {}).items()}
    if scopes is None:
        scopes = [read(scope) for scope in dict.fromkeys(row["_scope"] for row in rows)]
    listed_by, _ = parent_of(TABLES[stream]) or (None, "")
    return Batch(
        f"night-{on}",
        stream,
        night(on),
        tuple(scopes),
        frames,
        dict(stated or {}),
        tuple(rejects),
        listed_by=listed_by,
    )


def candidates(warehouse: Warehouse, stream: str) -> dict[str, str]:
    """The rows that look absent: id → the scope from which they are missing."""
    return {id_: found.scope for id_, found in call_reading(warehouse, absences, stream).items()}


def held(warehouse: Warehouse, table: sa.Table | str) -> list[dict[str, Any]]:
    """All rows of a table, bookkeeping included, in the order of their keys; times in UTC."""
    source = TABLES[table] if isinstance(table, str) else table
    with warehouse.engine.begin() as connection:
        rows = connection.execute(sa.select(source).order_by(*source.primary_key.columns)).mappings().all()
    return [{name: _utc(value) for name, value in row.items()} for row in rows]


def live(warehouse: Warehouse, table: str) -> list[tuple[Any, ...]]:
    """The keys of a table's live rows, without the community."""
    keys = [c.name for c in TABLES[table].primary_key.columns if c.name != "community"]
    return [tuple(row[key] for key in keys) for row in held(warehouse, table) if row["_deleted_at"] is None]


def _utc(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value
