"""An asset for each stream of the contract."""

# Without `from __future__ import annotations`: Dagster reads the type of `context` and does not evaluate a text.
from urllib.parse import urlsplit

import dagster as dg

from ideas_pipeline.defs.failures import failing_in_words, stream_failure
from ideas_pipeline.defs.metadata import column_schema, counts, loaded
from ideas_pipeline.defs.progress import LoggedProgress
from ideas_pipeline.defs.resources import ApiResource, WarehouseResource
from ideas_pipeline.ideas_api.contract import Contract
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.engine import sync_community
from ideas_pipeline.tables.community import TABLES

GROUP = "community"
SIMULATED = "Simulated: made-up people and ideas, because no API client is configured."


def community_assets(settings: Settings, contract: Contract) -> list[dg.AssetsDefinition]:
    """The community's tables, each after those that say what lists it has."""
    return [_stream_asset(settings, contract, stream) for stream in contract.order()]


def asset_key(settings: Settings, stream: str) -> dg.AssetKey:
    return dg.AssetKey([settings.community, stream])


def _stream_asset(settings: Settings, contract: Contract, stream: str) -> dg.AssetsDefinition:
    embedded = list(contract.streams[stream].embedded)
    about = [str(TABLES[stream].comment)]
    about += [f"With it: {', '.join(f'`{name}`' for name in embedded)}."] if embedded else []
    about += [f"**{SIMULATED}**"] if settings.simulated else []

    @dg.asset(
        key=asset_key(settings, stream),
        deps=[asset_key(settings, name) for name in sorted(contract.depends_on(stream))],
        group_name=GROUP,
        description="\n\n".join(about),
        kinds={"api", urlsplit(settings.warehouse_url.get_secret_value()).scheme.partition("+")[0]},
        tags={"ideas_pipeline/simulated": "true"} if settings.simulated else {},
        metadata={
            "dagster/table_name": stream,
            "dagster/column_schema": column_schema(TABLES[stream]),
            **{f"columns of {name}": column_schema(TABLES[name]) for name in embedded},
        },
        # One account, one run at a time: two would share its rate limit and read each other's half-written lists.
        pool=f"ideas_api_{settings.community}",
    )
    def stream_asset(
        context: dg.AssetExecutionContext, ideas_api: ApiResource, warehouse: WarehouseResource
    ) -> dg.MaterializeResult[None]:
        with failing_in_words():
            run = sync_community(
                ideas_api.client,
                warehouse.warehouse,
                settings.community,
                streams=[stream],
                mass_absence_percent=settings.mass_absence_percent,
                progress=LoggedProgress(context.log),
                run_id=context.run.run_id,
            )
            (result,) = run.streams
            told = counts(result) | {"run_id": dg.MetadataValue.text(run.run_id)}
            if result.verdict == "failed":
                raise stream_failure(result, told)
            made_id = bool(contract.streams[stream].key)
            return dg.MaterializeResult(
                metadata=told | loaded(warehouse.warehouse, settings.community, stream, made_id=made_id)
            )

    return stream_asset
