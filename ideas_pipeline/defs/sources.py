"""The API's lists as assets outside of Dagster: what the tables are made of, as the contract has it."""

from __future__ import annotations

import dagster as dg

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.defs.lineage import columns_filled, source_key
from ideas_pipeline.defs.tables import description, tags
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.results import StreamResult

GROUP = "source"


def sources(settings: Settings, contract: Contract) -> list[dg.AssetSpec]:
    """One for each stream: its columns are the paths of its records' values. Raises SettingsError (see base_url)."""
    return [_source(settings, contract, stream) for stream in contract.order()]


def source_read(settings: Settings, result: StreamResult) -> dg.AssetObservation:
    """What it took to read a stream."""
    return dg.AssetObservation(
        source_key(settings, result.stream),
        metadata={"requests": result.requests, "retries": result.retries, "records": result.seen},
    )


def _source(settings: Settings, contract: Contract, stream: str) -> dg.AssetSpec:
    spec = contract.streams[stream]
    columns = [
        dg.TableColumn(path, "json", description=f"Fills {', '.join(names)}.")
        for path, names in columns_filled(settings, contract, stream).items()
    ]
    base = "" if settings.simulated else settings.base_url(contract)
    each = f" One such list for each {' and '.join(f'`{name}`' for name in spec.each.of)}." if spec.each else ""
    return dg.AssetSpec(
        source_key(settings, stream),
        group_name=GROUP,
        description=description(
            settings,
            f"`{spec.method} {spec.path}` of the Ideas API, from which `{stream}` is read.{each} Its columns are the "
            "places of the values in a record, as the contract maps them: where several fill one column, the "
            "contract says which comes first. `ideas-pipeline check` says where your API differs.",
        ),
        kinds={"api"},
        tags=tags(settings),
        metadata={
            "endpoint": f"{spec.method} {base}{spec.path}",
            "records are at": " or ".join(spec.records),
            "dagster/column_schema": dg.TableSchema(columns=columns),
        },
    )
