"""What the UI shows of a run: what a sync came to, and what the table holds now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

import dagster as dg
import sqlalchemy as sa

from ideas_pipeline.defs.markdown import as_table
from ideas_pipeline.sync.results import StreamResult
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.engines import reading
from ideas_pipeline.warehouse.live import is_live
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
    rows = sum(warehouse.live_counts(community, stream).values())
    # An id that was made can have a person's in it.
    hidden = ["id"] if made_id else []
    shown = preview(warehouse.engine, community, TABLES[stream], without=hidden, most=_PREVIEW_COLUMNS)
    return {"dagster/row_count": dg.MetadataValue.int(rows), **shown}


def preview(
    engine: sa.Engine, community: str, table: sa.Table, *, without: Collection[str] = (), most: int | None = None
) -> dict[str, dg.MetadataValue]:
    """The first rows that are there, by key; nothing where a row is a person. Nor is a column about people shown.

    Dagster keeps what it is shown, out of an erasure's reach. ``without``: columns that are left out as well.
    ``most``: how many columns are shown; None for all. Raises WarehouseError.
    """
    keys = table.primary_key.columns
    if any(pii(key) for key in keys):
        return {}
    left_out = {"community", *without}
    shown = [c for c in table.columns if c.name not in left_out and not c.name.startswith("_") and pii(c) is None]
    shown = shown[:most]
    there = is_live(table, community) if "_deleted_at" in table.c else table.c.community == community
    query = sa.select(*shown).where(there).order_by(*keys).limit(_PREVIEW_ROWS)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return {"preview": dg.MetadataValue.md(as_table([c.name for c in shown], rows))}
