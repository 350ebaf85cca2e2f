"""The sources of tables and columns in the API, described for the dictionary from the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ideas_pipeline.contract.load import DEFAULT_FILE, annotated
from ideas_pipeline.contract.model import Contract, FieldSource
from ideas_pipeline.contract.types import Steps
from ideas_pipeline.contract.yaml_file import Place, parse

ASSUMED = " ?"
"""Marks a path that is not confirmed."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a table: ``records``, one sentence, and ``columns``, the path within a record by column."""

    records: str
    columns: Mapping[str, str] = field(default_factory=dict)


def sources(contract: Contract, override: Path | None) -> dict[str, Source]:
    """Describe the source of each table that ``contract`` fills. ``override``: the file that it was loaded from."""
    places = parse(annotated(override), override or DEFAULT_FILE).places
    found: dict[str, Source] = {}
    for name, stream in contract.streams.items():
        at: Steps = ("streams", name)
        each = f", one per {_names(stream.each.of)}" if stream.each else ""
        what = "records" if stream.reads == "one" else "lists" if stream.each else "list"
        records = f"From the {what} `{stream.method} {stream.path}`{_mark(places, (*at, 'path'))}{each}."
        columns = _paths(stream.fields, places, (*at, "fields"))
        if "id" in stream.key:
            columns["id"] = f"composed of {_names(stream.key)}"
        elif stream.key:
            composed = f"composed of {_names(stream.key)}"
            columns["id"] = f"{columns['id']}, else {composed}" if "id" in columns else composed
        if stream.each:
            own = columns.get(stream.each.placeholder)
            by_list = "the list that contains it"
            columns[stream.each.placeholder] = by_list if own is None else f"{own}, else {by_list}"
        found[name] = Source(records, columns)
        for table, embedded in stream.embedded.items():
            inside: Steps = (*at, "embedded", table)
            records = f"From `{embedded.paths[0]}`{_mark(places, (*inside, 'paths'))} in each record of `{name}`."
            columns = {embedded.parent_key: f"the record of `{name}`"}
            found[table] = Source(records, columns | _paths(embedded.fields, places, (*inside, "fields")))
    return found


def _paths(fields: Mapping[str, FieldSource], places: Mapping[Steps, Place], at: Steps) -> dict[str, str]:
    """The first path of each column. The others are fallbacks."""
    return {
        column: f"`{source.paths[0]}`{_mark(places, (*at, column))}" if source.paths else ""
        for column, source in fields.items()
    }


def _mark(places: Mapping[Steps, Place], steps: Steps) -> str:
    place = places.get((*steps, "paths")) or places[steps]
    return ASSUMED if "# assumed" in place.text else ""


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
