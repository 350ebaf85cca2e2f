"""Where the values of a table come from, as the contract says it, in words for the dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ideas_pipeline.contract.load import DEFAULT_FILE, annotated
from ideas_pipeline.contract.model import Contract, FieldSource
from ideas_pipeline.contract.types import Steps
from ideas_pipeline.contract.yaml_file import Place, parse

ASSUMED = " ?"
"""Follows a path that nobody has confirmed."""


@dataclass(frozen=True, slots=True)
class Source:
    """``records``: where a table's records are, as a sentence. ``columns``: by column, where its value is in one."""

    records: str
    columns: Mapping[str, str] = field(default_factory=dict)


def sources(contract: Contract, override: Path | None) -> dict[str, Source]:
    """By table that ``contract`` fills, its source. ``override``: the file that the contract was loaded with."""
    places = parse(annotated(override), override or DEFAULT_FILE).places
    found: dict[str, Source] = {}
    for name, stream in contract.streams.items():
        at: Steps = ("streams", name)
        each = f", one for each of {_names(stream.each.of)}" if stream.each else ""
        what = "records" if stream.reads == "one" else "lists" if stream.each else "list"
        records = f"From the {what} `{stream.method} {stream.path}`{_mark(places, (*at, 'path'))}{each}."
        columns = _paths(stream.fields, places, (*at, "fields"))
        if "id" in stream.key:
            columns["id"] = f"made of {_names(stream.key)}"
        elif stream.key:
            made = f"made of {_names(stream.key)}"
            columns["id"] = f"{columns['id']}, else {made}" if "id" in columns else made
        if stream.each:
            columns.setdefault(stream.each.placeholder, "the list it is in")
        found[name] = Source(records, columns)
        for table, part in stream.embedded.items():
            inside: Steps = (*at, "embedded", table)
            records = f"From `{part.paths[0]}`{_mark(places, (*inside, 'paths'))} in each record of `{name}`."
            columns = {part.parent_key: f"the record of `{name}`"}
            found[table] = Source(records, columns | _paths(part.fields, places, (*inside, "fields")))
    return found


def _paths(fields: Mapping[str, FieldSource], places: Mapping[Steps, Place], at: Steps) -> dict[str, str]:
    """The first path of each column: the others stand in where an API has no such field."""
    return {
        column: f"`{source.paths[0]}`{_mark(places, (*at, column))}" if source.paths else ""
        for column, source in fields.items()
    }


def _mark(places: Mapping[Steps, Place], steps: Steps) -> str:
    place = places.get((*steps, "paths")) or places[steps]
    return ASSUMED if "# assumed" in place.text else ""


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
