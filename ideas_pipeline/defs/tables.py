"""What Dagster shows of every table of a community: its key, its columns, its owner, in which database it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import sqlalchemy as sa

from ideas_pipeline.settings import Settings
from ideas_pipeline.tables.columns import kind, pii

SIMULATED = "Simulated: made-up people and ideas, because no API client is configured."


def asset_key(settings: Settings, table: str) -> dg.AssetKey:
    """``table``: a table of the warehouse. One that comes inside a stream's records has no asset of its own."""
    return dg.AssetKey([settings.community, table])


def asset_spec(
    settings: Settings,
    table: sa.Table,
    group: str,
    *,
    about: Sequence[str] = (),
    kinds: Sequence[str] = (),
    **more: Any,
) -> dg.AssetSpec:
    """The asset of a table in the warehouse. ``about``: paragraphs after the table's own description.

    ``more``: other attributes of ``dg.AssetSpec``; ``metadata`` is added to the table's own.
    """
    metadata: Mapping[str, Any] = more.pop("metadata", {})
    database = urlsplit(settings.warehouse_url.get_secret_value()).scheme.partition("+")[0]
    return dg.AssetSpec(
        asset_key(settings, table.name),
        group_name=group,
        description=description(settings, str(table.comment), *about),
        kinds={database, *kinds},
        owners=[settings.owner] if settings.owner else [],
        tags=tags(settings),
        metadata={"dagster/table_name": table.name, "dagster/column_schema": column_schema(table), **metadata},
        **more,
    )


def description(settings: Settings, *paragraphs: str) -> str:
    return "\n\n".join([*paragraphs, *([f"**{SIMULATED}**"] if settings.simulated else [])])


def tags(settings: Settings) -> dict[str, str]:
    return {"ideas_pipeline/simulated": "true"} if settings.simulated else {}


def column_schema(table: sa.Table) -> dg.TableSchema:
    return dg.TableSchema(columns=[_column(c) for c in table.columns])


def _column(column: sa.Column[Any]) -> dg.TableColumn:
    notes = ["part of the key"] if column.primary_key else []
    notes += [f"part of a row of {column.info['part_of']}"] if column.info["part_of"] else []
    notes += [f"names a row of {column.info['refers_to']}"] if column.info["refers_to"] else []
    personal = pii(column)
    return dg.TableColumn(
        column.name,
        kind(column),
        description=column.comment,
        constraints=dg.TableColumnConstraints(nullable=bool(column.nullable), other=notes),
        tags={"personal_data": personal} if personal else {},
    )
