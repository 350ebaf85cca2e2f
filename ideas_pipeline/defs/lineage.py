"""Lineage: the API's lists as assets, and the paths in their records that fill each column."""

from __future__ import annotations

import dagster as dg
import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.defs.configuration import Community
from ideas_pipeline.defs.specs import asset_key, asset_spec, description, tags
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.run import StreamResult
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import ATTRIBUTES, IDEA_HISTORY
from ideas_pipeline.warehouse.database import Transaction

SOURCES = "source"
HISTORY = "history"
WRITER = "ideas"
_ABOUT = "Written in the same transactions as `ideas`: a run of `ideas` updates it."


def source_key(settings: Settings, stream: str) -> dg.AssetKey:
    """The asset that represents the list of the API from which ``stream`` is read."""
    return dg.AssetKey([settings.community, "api", stream])


def column_lineage(settings: Settings, contract: Contract, stream: str) -> dict[str, list[dg.TableColumnDep]]:
    """The paths in the API's records, and the columns of other tables, that can fill each column of ``stream``.

    A column of an embedded table is named with its table: ``idea_labels.name``.
    """
    spec = contract.streams[stream]
    source = source_key(settings, stream)
    found = {column: [dg.TableColumnDep(source, path) for path in where.paths] for column, where in spec.fields.items()}
    if spec.each:
        filled = spec.each.placeholder if spec.reads == "list" else "id"
        streams = contract.tables()
        named = [name.split(".") for name in spec.each.of]
        if filled in TABLES[stream].c:
            found[filled] = found.get(filled, []) + [table_column(settings, streams[t], t, c) for t, c in named]
    found["id"] = found.get("id", []) + [dep for name in spec.key for dep in found.get(name, [])]
    for table, part in spec.embedded.items():
        found[f"{table}.{part.parent_key}"] = found["id"]
        for column, where in part.fields.items():
            paths = [f"{at}[].{path}" for at in part.paths for path in where.paths]
            found[f"{table}.{column}"] = [dg.TableColumnDep(source, path) for path in paths]
    return {column: list(dict.fromkeys(deps)) for column, deps in found.items()}


def columns_filled(settings: Settings, contract: Contract, stream: str) -> dict[str, list[str]]:
    """The columns of ``stream`` that each path in the API's records can fill."""
    filled: dict[str, list[str]] = {}
    source = source_key(settings, stream)
    for column, deps in column_lineage(settings, contract, stream).items():
        for dep in deps:
            if dep.asset_key == source:
                filled.setdefault(dep.column_name, []).append(column)
    return filled


def table_column(settings: Settings, asset: str, table: str, column: str) -> dg.TableColumnDep:
    """A column in Dagster's terms. ``asset``: the table whose asset includes ``table``, or ``table`` itself."""
    return dg.TableColumnDep(asset_key(settings, asset), column if table == asset else f"{table}.{column}")


def idea_history(community: Community) -> dg.AssetSpec:
    """The asset of the history table, which is written with ``ideas``."""
    settings = community.settings
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
        community,
        IDEA_HISTORY,
        HISTORY,
        about=[_ABOUT],
        deps=[ideas, challenges],
        metadata={"dagster/column_lineage": dg.TableColumnLineage(lineage)},
    )


def history_written(tx: Transaction, settings: Settings) -> dg.AssetMaterialization:
    """The materialization of the history, with its number of rows."""
    history = IDEA_HISTORY.c
    counted = sa.select(sa.func.count(), sa.func.count(sa.case((history.observed_to.is_(None), 1))))
    rows, current = tx.execute(counted.where(tx.owns(IDEA_HISTORY))).one()
    return dg.AssetMaterialization(
        asset_key(settings, IDEA_HISTORY.name),
        metadata={"dagster/row_count": rows, "current intervals": current},
    )


def sources(community: Community) -> list[dg.AssetSpec]:
    """One asset per list of the API; its columns are the paths in its records. Raises SettingsError (see base_url)."""
    return [_source(community, stream) for stream in community.contract.order()]


def source_read(settings: Settings, result: StreamResult) -> dg.AssetObservation:
    """The observation of the API's list: what it took to read the stream."""
    counts = result.counts
    return dg.AssetObservation(
        source_key(settings, result.stream),
        metadata={"requests": counts.requests, "retries": counts.retries, "records": counts.seen},
    )


def _source(community: Community, stream: str) -> dg.AssetSpec:
    settings, contract = community.settings, community.contract
    spec = contract.streams[stream]

    def columns() -> dg.TableSchema:
        filled = columns_filled(settings, contract, stream)
        return dg.TableSchema(
            [dg.TableColumn(path, "json", description=f"Fills {', '.join(names)}.") for path, names in filled.items()]
        )

    base = "" if settings.simulated else settings.base_url(contract)
    each = f" One list per {' and '.join(f'`{name}`' for name in spec.each.of)}." if spec.each else ""
    return dg.AssetSpec(
        source_key(settings, stream),
        group_name=community.group(SOURCES),
        description=description(
            settings,
            f"`{spec.method} {spec.path}` of the Ideas API, from which `{stream}` is read.{each} Its columns are the "
            "paths in a record, as the contract maps them; if several can fill one column, the contract has their "
            "order. `ideas-pipeline check` shows where your API differs.",
        ),
        kinds={"api"},
        tags=tags(settings),
        metadata={
            "endpoint": f"{spec.method} {base}{spec.path}",
            "paths of the records": " or ".join(spec.records),
            "dagster/column_schema": community.once(f"columns of api/{stream}", columns),
        },
    )
