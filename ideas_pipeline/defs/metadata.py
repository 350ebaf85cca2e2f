"""What the UI shows of a run: what a sync came to, and what the table holds now."""

from __future__ import annotations

from dataclasses import asdict

import dagster as dg
import sqlalchemy as sa

from ideas_pipeline.defs.markdown import as_table
from ideas_pipeline.sync.results import StreamResult
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.engines import reading
from ideas_pipeline.warehouse.warehouse import Warehouse

_PREVIEW_ROWS = 5
_PREVIEW_COLUMNS = 8


def counts(result: StreamResult) -> dict[str, dg.MetadataValue]:
    """The sync's numbers and words, by the names that they have in ``_sync_streams``."""
    told = asdict(result)
    for name in ("stream", "error"):
        del told[name]
    return {
        name: dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.text(value)
        for name, value in told.items()
        if value is not None
    }


def loaded(warehouse: Warehouse, community: str, stream: str, *, made_id: bool) -> dict[str, dg.MetadataValue]:
    """How many rows there are now, and the first of them. ``made_id``: the id was made of other columns."""
    table = TABLES[stream]
    rows = sum(warehouse.live_counts(community, stream).values())
    told: dict[str, dg.MetadataValue] = {"dagster/row_count": dg.MetadataValue.int(rows)}
    if pii(table.c.id) is None:  # a row that is a person is not shown at all
        told["preview"] = dg.MetadataValue.md(_preview(warehouse.engine, community, table, made_id=made_id))
    return told


def _preview(engine: sa.Engine, community: str, table: sa.Table, *, made_id: bool) -> str:
    """A few rows without anything about a person: Dagster keeps what it is shown, out of an erasure's reach."""
    shown = [c for c in table.columns if not c.name.startswith("_") and c.name != "community" and pii(c) is None]
    if made_id:  # it can have a person's id in it
        shown = [c for c in shown if c.name != "id"]
    shown = shown[:_PREVIEW_COLUMNS]
    query = (
        sa.select(*shown)
        .where(table.c.community == community, table.c._deleted_at.is_(None))
        .order_by(table.c.id)
        .limit(_PREVIEW_ROWS)
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return as_table([c.name for c in shown], rows)
