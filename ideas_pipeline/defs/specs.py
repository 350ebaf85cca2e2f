"""What Dagster shows of every table of a community: its key, its columns, its owner, in which database it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import sqlalchemy as sa

from ideas_pipeline.settings import Settings
from ideas_pipeline.tables.columns import kind, pii

_HOURS = 6

SIMULATED = "Simulated: made-up people and ideas, because no API client is configured."


def asset_key(settings: Settings, table: str) -> dg.AssetKey:
    """``table``: a table of the warehouse. One that comes inside a stream's records has no asset of its own."""
    return dg.AssetKey([settings.community, table])


def step_name(settings: Settings, *of: str) -> str:
    """The name of a community's step. Dagster allows no dash in it, as the community's own name can have."""
    return "__".join([settings.community, *of]).replace("-", "_")


def asset_spec(
    settings: Settings,
    table: sa.Table,
    group: str,
    *,
    about: Sequence[str] = (),
    kinds: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    **more: Any,
) -> dg.AssetSpec:
    """The asset of a table in the warehouse. ``about``: paragraphs after the table's own description.

    ``metadata``: beside the table's own; a ``dagster/column_lineage`` in it is also told in words, column by column.
    ``more``: other attributes of ``dg.AssetSpec``.
    """
    told = dict(metadata or {})
    lineage = told.get("dagster/column_lineage")
    database = urlsplit(settings.warehouse_url.get_secret_value()).scheme.partition("+")[0]
    return dg.AssetSpec(
        asset_key(settings, table.name),
        group_name=group,
        description=description(settings, str(table.comment), *about),
        kinds={database, *kinds},
        owners=owners(settings),
        tags=tags(settings),
        metadata={
            "dagster/table_name": table.name,
            "dagster/column_schema": column_schema(table, lineage.deps_by_column if lineage else {}),
            **told,
        },
        **more,
    )


def description(settings: Settings, *paragraphs: str) -> str:
    return "\n\n".join([*paragraphs, *([f"**{SIMULATED}**"] if settings.simulated else [])])


def owners(settings: Settings) -> list[str]:
    return [settings.owner] if settings.owner else []


def tags(settings: Settings) -> dict[str, str]:
    return {"ideas_pipeline/simulated": "true"} if settings.simulated else {}


def column_schema(table: sa.Table, made_of: Mapping[str, Sequence[dg.TableColumnDep]]) -> dg.TableSchema:
    """``made_of``: by column, what it comes from."""
    return dg.TableSchema(columns=[_column(c, made_of.get(c.name, ())) for c in table.columns])


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
    """In words, as only Dagster's paid edition draws the lineage of columns."""
    by_asset = groupby(made_of, key=lambda dep: dep.asset_key)
    told = [f"{'/'.join(key.path[1:])}: {', '.join(dep.column_name for dep in deps)}" for key, deps in by_asset]
    return f" From {'; '.join(told)}." if told else ""


def freshness(settings: Settings) -> dg.FreshnessPolicy:
    """Every day between IDEAS_SCHEDULE_HOUR and six hours later, in IDEAS_TIMEZONE."""
    return dg.FreshnessPolicy.cron(
        deadline_cron=f"0 {_deadline(settings)} * * *",
        lower_bound_delta=timedelta(hours=_HOURS),
        timezone=settings.timezone,
    )


def about_freshness(settings: Settings) -> str:
    """What the policy does and does not say."""
    return (
        f"Fresh: synced since {settings.schedule_hour:02}:00 ({settings.timezone}), said at "
        f"{_deadline(settings):02}:00. That supposes that the schedules are switched on: where they are not, the table "
        "is overdue a day after the last run. A backfill counts, too: whether everything was read, the check "
        "`completeness` says."
    )


def _deadline(settings: Settings) -> int:
    return (settings.schedule_hour + _HOURS) % 24
