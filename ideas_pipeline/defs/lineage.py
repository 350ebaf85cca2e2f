"""Where each column comes from: the paths of the API's answers that the contract maps to it."""

from __future__ import annotations

import dagster as dg
import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.defs.specs import asset_key, asset_spec, description, tags
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.run import StreamResult
from ideas_pipeline.tables.history import ATTRIBUTES, IDEA_HISTORY
from ideas_pipeline.warehouse.database import Transaction

SOURCES = "source"
HISTORY = "history"
WRITER = "ideas"
_ABOUT = "Written with `ideas`, in the same transactions: a run of `ideas` brings it up to date."


def source_key(settings: Settings, stream: str) -> dg.AssetKey:
    """The asset that stands for the API's list from which ``stream`` is read."""
    return dg.AssetKey([settings.community, "api", stream])


def column_lineage(settings: Settings, contract: Contract, stream: str) -> dict[str, list[dg.TableColumnDep]]:
    """By column of ``stream``, the source's paths and the columns of other tables that can fill it.

    A column of a table that comes inside the stream's records is named with its table: ``idea_labels.name``.
    """
    spec = contract.streams[stream]
    source = source_key(settings, stream)
    found = {column: [dg.TableColumnDep(source, path) for path in where.paths] for column, where in spec.fields.items()}
    if spec.each:
        filled = spec.each.placeholder if spec.reads == "list" else "id"
        streams = contract.tables()
        named = [name.split(".") for name in spec.each.of]
        found[filled] = found.get(filled, []) + [table_column(settings, streams[t], t, column) for t, column in named]
    found["id"] = found.get("id", []) + [dep for name in spec.key for dep in found.get(name, [])]
    for table, part in spec.embedded.items():
        found[f"{table}.{part.parent_key}"] = found["id"]
        for column, where in part.fields.items():
            paths = [f"{at}[].{path}" for at in part.paths for path in where.paths]
            found[f"{table}.{column}"] = [dg.TableColumnDep(source, path) for path in paths]
    return {column: list(dict.fromkeys(deps)) for column, deps in found.items()}


def columns_filled(settings: Settings, contract: Contract, stream: str) -> dict[str, list[str]]:
    """By path of the API's list, the columns of ``stream`` that it can fill."""
    filled: dict[str, list[str]] = {}
    source = source_key(settings, stream)
    for column, deps in column_lineage(settings, contract, stream).items():
        for dep in deps:
            if dep.asset_key == source:
                filled.setdefault(dep.column_name, []).append(column)
    return filled


def table_column(settings: Settings, asset: str, table: str, column: str) -> dg.TableColumnDep:
    """A table's column as Dagster knows it. ``asset``: the table with whose asset this one comes, or itself."""
    return dg.TableColumnDep(asset_key(settings, asset), column if table == asset else f"{table}.{column}")


def idea_history(settings: Settings) -> dg.AssetSpec:
    ideas, challenges = asset_key(settings, "ideas"), asset_key(settings, "challenges")

    def of(*columns: str) -> list[dg.TableColumnDep]:
        return [dg.TableColumnDep(ideas, column) for column in columns]

    lineage = {
        "idea_id": of("id"),
        "value": of(*ATTRIBUTES.values(), "idea_labels.label_id"),
        "challenge_id": of("challenge_id"),
        "name": [
            *of("idea_labels.name"),
            *(dg.TableColumnDep(challenges, column) for column in ("title", "challenge_stages.name")),
        ],
        "source_at": of("updated_at"),
    }
    return asset_spec(
        settings,
        IDEA_HISTORY,
        HISTORY,
        about=[_ABOUT],
        deps=[ideas, challenges],
        metadata={"dagster/column_lineage": dg.TableColumnLineage(lineage)},
    )


def history_written(tx: Transaction, settings: Settings) -> dg.AssetMaterialization:
    """The state of the history table."""
    history = IDEA_HISTORY.c
    counted = sa.select(sa.func.count(), sa.func.count(sa.case((history.observed_to.is_(None), 1))))
    rows, lasting = tx.execute(counted.where(tx.owns(IDEA_HISTORY))).one()
    return dg.AssetMaterialization(
        asset_key(settings, IDEA_HISTORY.name),
        metadata={"dagster/row_count": rows, "intervals that last": lasting},
    )


def sources(settings: Settings, contract: Contract) -> list[dg.AssetSpec]:
    """One for each stream: its columns are the paths of its records' values. Raises SettingsError (see base_url)."""
    return [_source(settings, contract, stream) for stream in contract.order()]


def source_read(settings: Settings, result: StreamResult) -> dg.AssetObservation:
    """What it took to read a stream."""
    counts = result.counts
    return dg.AssetObservation(
        source_key(settings, result.stream),
        metadata={"requests": counts.requests, "retries": counts.retries, "records": counts.seen},
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
        group_name=SOURCES,
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
