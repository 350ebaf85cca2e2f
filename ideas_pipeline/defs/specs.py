"""Asset specs shared by all tables of a community: key, columns, owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import sqlalchemy as sa

from ideas_pipeline.defs.configuration import Community
from ideas_pipeline.settings import Settings
from ideas_pipeline.tables.columns import kind, pii

SIMULATED = "Simulated: made-up people and ideas, because no API client is configured."


def asset_key(settings: Settings, table: str) -> dg.AssetKey:
    """The asset key of a table. Embedded tables have no asset of their own."""
    return _key(settings.community, table)


@lru_cache(maxsize=10_000)
def _key(*path: str) -> dg.AssetKey:
    return dg.AssetKey(path)


def step_name(settings: Settings, *of: str) -> str:
    """The name of a community's step. Dagster allows no dash in it; the community's name may have one."""
    return "__".join([settings.community, *of]).replace("-", "_")


def asset_spec(
    community: Community,
    table: sa.Table,
    group: str,
    *,
    about: Sequence[str] = (),
    kinds: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    **more: Any,
) -> dg.AssetSpec:
    """The asset of a table in the warehouse.

    Args:
        community: its name, its owner and its database.
        table: the table.
        group: the asset's group in the UI if the community is the only one.
        about: paragraphs after the table's own description.
        kinds: beside the database's.
        metadata: beside the table's own; its ``dagster/column_lineage`` is also written into the columns' descriptions.
        more: other attributes of ``dg.AssetSpec``.
    """
    settings, own = community.settings, dict(metadata or {})
    lineage = own.get("dagster/column_lineage")
    database = urlsplit(settings.warehouse_url.get_secret_value()).scheme.partition("+")[0]
    return dg.AssetSpec(
        asset_key(settings, table.name),
        group_name=community.group(group),
        description=description(settings, str(table.comment), *about),
        kinds={database, *kinds},
        owners=owners(settings),
        tags=tags(settings),
        metadata={
            "dagster/table_name": table.name,
            "dagster/column_schema": column_schema(community, table, lineage.deps_by_column if lineage else {}),
            **own,
        },
        **more,
    )


def description(settings: Settings, *paragraphs: str) -> str:
    """The description of an asset, with a remark if the community is simulated."""
    return "\n\n".join([*paragraphs, *([f"**{SIMULATED}**"] if settings.simulated else [])])


def owners(settings: Settings) -> list[str]:
    """The owner of every asset, if one is configured."""
    return [settings.owner] if settings.owner else []


def tags(settings: Settings) -> dict[str, str]:
    """The tags of every asset."""
    return {"ideas_pipeline/simulated": "true"} if settings.simulated else {}


def column_schema(
    community: Community, table: sa.Table, made_of: Mapping[str, Sequence[dg.TableColumnDep]]
) -> dg.TableSchema:
    """The columns of a table. ``made_of``: what each column is made of."""
    return community.once(
        f"columns of {table.name}",
        lambda: dg.TableSchema(columns=[_column(c, made_of.get(c.name, ())) for c in table.columns]),
    )


def _column(column: sa.Column[Any], made_of: Sequence[dg.TableColumnDep]) -> dg.TableColumn:
    notes = ["part of the key"] if column.primary_key else []
    notes += [f"part of a row of {column.info['parent']}"] if column.info["parent"] else []
    notes += [f"names a row of {column.info['references']}"] if column.info["references"] else []
    personal = pii(column)
    return dg.TableColumn(
        column.name,
        kind(column),
        description=f"{column.comment}{_origin(made_of)}",
        constraints=dg.TableColumnConstraints(nullable=bool(column.nullable), other=notes),
        tags={"personal_data": personal} if personal else {},
    )


def _origin(made_of: Sequence[dg.TableColumnDep]) -> str:
    """The lineage of a column in words, because only Dagster+ draws it."""
    by_asset = groupby(made_of, key=lambda dep: dep.asset_key)
    parts = [f"{'/'.join(key.path[1:])}: {', '.join(dep.column_name for dep in deps)}" for key, deps in by_asset]
    return f" From {'; '.join(parts)}." if parts else ""
