"""The marts as assets: built together, in one transaction, after the tables that they are made of."""

# Without `from __future__ import annotations`: Dagster reads the type of `context` and does not evaluate a text.
from collections.abc import Iterator

import dagster as dg
import sqlalchemy as sa

from ideas_pipeline.defs.failures import failing_in_words
from ideas_pipeline.defs.markdown import as_table
from ideas_pipeline.defs.resources import WarehouseResource
from ideas_pipeline.defs.tables import asset_key, asset_spec
from ideas_pipeline.ideas_api.contract import Contract
from ideas_pipeline.marts.build import MARTS, build_marts
from ideas_pipeline.marts.lineage import made_of
from ideas_pipeline.marts.mart import Mart
from ideas_pipeline.settings import Settings
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.engines import reading

GROUP = "marts"
_ABOUT = "All marts are built together: a reader sees all as they were before, or all as they are after."
_PREVIEW_ROWS = 5

# A backfill, or a run of one table: the nightly and the weekly job build what follows by themselves.
FOLLOWS = (
    dg.AutomationCondition.any_deps_updated()
    .since(dg.AutomationCondition.newly_requested() | dg.AutomationCondition.newly_updated())
    .with_label("a table has changed")
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
)


def marts(settings: Settings, contract: Contract) -> dg.AssetsDefinition:
    """One asset a mart; a run of one builds them all."""

    @dg.multi_asset(
        name=f"{settings.community}__marts".replace("-", "_"),
        specs=[_spec(settings, contract, mart) for mart in MARTS.values()],
        can_subset=False,
    )
    def build(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> Iterator[dg.MaterializeResult[None]]:
        """Build the analysts' tables anew from what is in the warehouse."""
        with failing_in_words():
            engine = warehouse.warehouse.engine
            rows = build_marts(engine, settings.community, settings.timezone)
            context.log.info(f"{sum(rows.values()):,} rows in {len(rows)} marts.")
            told = {name: _told(engine, settings.community, mart.table) for name, mart in MARTS.items()}
        for name, count in rows.items():
            yield dg.MaterializeResult(
                asset_key=asset_key(settings, name),
                metadata={"dagster/row_count": dg.MetadataValue.int(count), **told[name]},
            )

    return build


def following() -> dg.AutomationConditionSensorDefinition:
    """It runs from the start: it starts nothing but what follows a change that somebody made."""
    return dg.AutomationConditionSensorDefinition(
        "marts_follow_their_tables",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Builds the marts and the report anew when a table has changed without them, as by a backfill.",
    )


def _spec(settings: Settings, contract: Contract, mart: Mart) -> dg.AssetSpec:
    lineage = {
        column: [dep for table, name in columns for dep in _columns(settings, contract, table, name)]
        for column, columns in made_of(str(mart.table.name)).items()
    }
    read = {dep.asset_key: None for table in mart.reads for dep in _columns(settings, contract, table, "")}
    return asset_spec(
        settings,
        mart.table,
        GROUP,
        about=[_ABOUT],
        kinds=["sql"],
        deps=list(read),
        automation_condition=FOLLOWS,
        metadata={"dagster/column_lineage": dg.TableColumnLineage(lineage)},
    )


def _columns(settings: Settings, contract: Contract, table: str, column: str) -> Iterator[dg.TableColumnDep]:
    """A table's column as Dagster knows it; none where the table has no asset, as the one that analysts write."""
    stream = contract.tables().get(table)
    if stream:
        yield dg.TableColumnDep(asset_key(settings, stream), column if table == stream else f"{table}.{column}")
    elif table in MARTS or table == IDEA_HISTORY.name:
        yield dg.TableColumnDep(asset_key(settings, table), column)


def _told(engine: sa.Engine, community: str, table: sa.Table) -> dict[str, dg.MetadataValue]:
    """The first rows of a mart. A row that is a person is not shown: Dagster keeps it, out of an erasure's reach."""
    if any(pii(c) for c in table.columns):
        return {}
    shown = [c for c in table.columns if c.name != "community"]
    keys = [c for c in shown if c.primary_key]
    query = sa.select(*shown).where(table.c.community == community).order_by(*keys).limit(_PREVIEW_ROWS)
    with reading(engine) as connection:
        return {"preview": dg.MetadataValue.md(as_table([c.name for c in shown], connection.execute(query).all()))}
