"""Where each column comes from: the paths of the API's answers that the contract maps to it."""

from __future__ import annotations

import dagster as dg

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.defs.tables import asset_key
from ideas_pipeline.settings import Settings


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
