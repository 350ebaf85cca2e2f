"""The community report as an asset: one HTML file that needs no network."""

# Without `from __future__ import annotations`: Dagster reads the type of `context` and does not evaluate a text.
import dagster as dg

from ideas_pipeline.defs.failures import failing_in_words, report_not_written
from ideas_pipeline.defs.marts import FOLLOWS
from ideas_pipeline.defs.resources import WarehouseResource
from ideas_pipeline.defs.tables import asset_key, description, owners, tags
from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.report.write import write_report
from ideas_pipeline.settings import Settings

GROUP = "report"
NAME = "report"


def report(settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=asset_key(settings, NAME),
        group_name=GROUP,
        description=description(
            settings,
            "The community in one page: what was done, by how many, how far ideas came, how soon they were answered. "
            "A self-contained HTML file without a name or a title of anybody, made of the marts; "
            "`ideas-pipeline report` writes the same.",
        ),
        kinds={"html"},
        owners=owners(settings),
        tags=tags(settings),
        deps=[asset_key(settings, mart) for mart in MARTS],
        automation_condition=FOLLOWS,
    )
    def community_report(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
        """Write the report."""
        path = settings.report.absolute()
        with failing_in_words():
            try:
                size = write_report(warehouse.warehouse.engine, settings.community, path)
            except OSError as error:
                raise report_not_written(path, error) from None
        return dg.MaterializeResult(
            metadata={"report": dg.MetadataValue.path(str(path)), "size_bytes": dg.MetadataValue.int(size)}
        )

    return community_report
