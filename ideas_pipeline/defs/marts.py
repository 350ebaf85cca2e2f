"""Assets of the marts, which are built together in one transaction, and of the report."""

# Without `from __future__ import annotations`: Dagster reads the type of `context` and does not evaluate a text.
from collections.abc import Iterator, Mapping

import dagster as dg

from ideas_pipeline.defs.configuration import Community
from ideas_pipeline.defs.failures import errors_as_failures, report_not_written
from ideas_pipeline.defs.lineage import table_column
from ideas_pipeline.defs.metadata import preview
from ideas_pipeline.defs.resources import Communities
from ideas_pipeline.defs.specs import asset_key, asset_spec, description, owners, step_name, tags
from ideas_pipeline.marts.build import MARTS, refresh
from ideas_pipeline.marts.lineage import column_lineage
from ideas_pipeline.marts.mart import Mart
from ideas_pipeline.settings import Settings
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.warehouse import Warehouse

MARTS_GROUP = "marts"
REPORT = "report"
_ABOUT = "All marts are built in one transaction: a reader sees all of them as before, or all of them as after."

# After a backfill or a run of one table. The nightly and the weekly job contain the marts and the report.
FOLLOWS = (
    dg.AutomationCondition.any_deps_updated()
    .since(dg.AutomationCondition.newly_requested() | dg.AutomationCondition.newly_updated())
    .with_label("a table has changed")
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
)


def marts(community: Community) -> dg.AssetsDefinition:
    """One asset per mart; a run of one mart refreshes all of them."""
    settings = community.settings
    assets = {**community.contract.tables(), **{name: name for name in (IDEA_HISTORY.name, *MARTS)}}

    @dg.multi_asset(
        name=step_name(settings, "marts"),
        specs=[_spec(community, assets, mart) for mart in MARTS.values()],
        can_subset=False,
    )
    def build(communities: dg.ResourceParam[Communities]) -> Iterator[dg.MaterializeResult[None]]:
        """Rebuild those of the analysts' tables whose sources have changed."""
        with errors_as_failures(settings):
            built = marts_built(settings, communities.of(settings.community).warehouse)
        for mart in built:
            yield dg.MaterializeResult(asset_key=mart.asset_key, metadata=mart.metadata)

    return build


def marts_built(settings: Settings, warehouse: Warehouse) -> list[dg.AssetMaterialization]:
    """Build the marts whose sources have changed, and describe each one. Raises WarehouseError."""
    built = refresh(warehouse, settings.timezone)
    with warehouse.reading() as tx:
        return [
            dg.AssetMaterialization(
                asset_key(settings, name),
                metadata={"dagster/row_count": dg.MetadataValue.int(rows), **preview(tx, MARTS[name].table)},
            )
            for name, rows in built.items()
        ]


def following(community: Community) -> dg.AutomationConditionSensorDefinition:
    """The sensor that rebuilds marts and report. It runs from the start, because it only follows changes."""
    return dg.AutomationConditionSensorDefinition(
        community.named("marts_follow_their_tables"),
        target=dg.AssetSelection.assets(*(asset_key(community.settings, name) for name in (*MARTS, REPORT))),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Rebuilds the marts and the report when a table has changed without them, as after a backfill.",
    )


def _spec(community: Community, assets: Mapping[str, str], mart: Mart) -> dg.AssetSpec:
    """The asset of a mart. ``assets``: the asset of each table; the table that analysts fill has none."""
    settings = community.settings
    lineage = {
        column: [table_column(settings, assets[table], table, name) for table, name in columns if table in assets]
        for column, columns in column_lineage(str(mart.table.name)).items()
    }
    return asset_spec(
        community,
        mart.table,
        MARTS_GROUP,
        about=[_ABOUT],
        kinds=["sql"],
        deps=list(dict.fromkeys(asset_key(settings, assets[table]) for table in mart.reads if table in assets)),
        automation_condition=FOLLOWS,
        metadata={"dagster/column_lineage": dg.TableColumnLineage(lineage)},
    )


def report(community: Community) -> dg.AssetsDefinition:
    """The asset of the HTML report."""
    settings = community.settings

    @dg.asset(
        key=asset_key(settings, REPORT),
        group_name=community.group(REPORT),
        description=description(
            settings,
            "The community on one page: activity, participants, how far ideas got, and how soon they were answered. "
            "A self-contained HTML file made of the marts, without names of people and without titles of ideas; "
            "`ideas-pipeline report` writes the same.",
        ),
        kinds={"html"},
        owners=owners(settings),
        tags=tags(settings),
        deps=[asset_key(settings, mart) for mart in MARTS],
        automation_condition=FOLLOWS,
    )
    def community_report(
        context: dg.AssetExecutionContext, communities: dg.ResourceParam[Communities]
    ) -> dg.MaterializeResult[None]:
        """Write the report."""
        # Slow to import: only a run of this step needs charts.
        from ideas_pipeline.report.page import write_report
        from ideas_pipeline.report.publish import publish

        path = settings.report.absolute()
        with errors_as_failures(settings):
            try:
                size = write_report(communities.of(settings.community).warehouse, path)
            except OSError as error:
                raise report_not_written(path, error, settings) from None
            copy = publish(path, settings.report_url) if settings.report_url else None
        return dg.MaterializeResult(
            metadata={
                "report": dg.MetadataValue.path(str(path)),
                "size_bytes": dg.MetadataValue.int(size),
                **({"copy": dg.MetadataValue.url(copy)} if copy else {}),
            }
        )

    return community_report
