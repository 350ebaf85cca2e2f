"""Find the lists inside records that fill embedded tables, and the columns of their items."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from ideas_pipeline.contract.types import Json, Steps
from ideas_pipeline.fit.draft import Draft, Inferred
from ideas_pipeline.fit.fields import fit_table
from ideas_pipeline.fit.matching import REFERS, Known, seen_in, table_of
from ideas_pipeline.ideas_api.field_map import MISSING, present
from ideas_pipeline.probe.field_names import known_lists, snake
from ideas_pipeline.probe.guess import assigned, likeness
from ideas_pipeline.probe.shapes import NOTHING, is_keyed, kinds_of
from ideas_pipeline.tables.community import TABLES


def fit_embedded(draft: Draft, stream: str, records: Sequence[Json], known: Known) -> list[str]:
    """Propose the lists of embedded tables and their columns.

    Args:
        draft: gets what is found.
        stream: the stream.
        records: its records.
        known: the ids of each table that were seen.

    Returns:
        The paths of the lists.
    """
    spec = draft.contract.streams[stream]
    kinds = kinds_of(records)
    lists = {
        path: k
        for path, k in kinds.items()
        if any("list" in one or one == "map by key" for one in k) and "*" not in path
    }
    used: list[str] = []
    waiting = []
    for table, each in spec.embedded.items():
        there = next((p for p in each.paths if any(present(r, (p,)) is not MISSING for r in records)), None)
        if there is not None and there not in used and (there in lists or set(kinds.get(there, ())) <= NOTHING):
            used.append(there)
            draft.confirm(("streams", stream, "embedded", table, "paths"), seen_in(records, there))
            _fit_items(draft, stream, table, there, records, known)
        else:
            waiting.append(table)
    pairs = (
        (_list_score(table, path, records, known), table, path)
        for table in waiting
        for path in lists
        if path not in used
    )
    chosen = assigned(pairs)
    for table, path in chosen.items():
        draft.propose(Inferred(("streams", stream, "embedded", table, "paths"), path, seen_in(records, path)))
        _fit_items(draft, stream, table, path, records, known)
    return [*used, *chosen.values()]


def _list_score(table: str, path: str, records: Sequence[Json], known: Known) -> float:
    """The score of a list for an embedded table, by its name, and by its items if it has any."""
    names = known_lists(table)
    name = snake(path)
    by_name = 1.0 - names.index(name) / 100 if name in names else likeness(table.split("_", 1)[-1], path)
    items = _items(records, path)
    return by_name + _likely_table(table, items, known) if items else by_name


def _likely_table(table: str, items: Sequence[Json], known: Known) -> float:
    """How well the items of a list fit an embedded table, from 0 to 1."""
    maps = [item for item in items if isinstance(item, dict)]
    if not maps:
        names_people = any(to == "users" and column in TABLES[table].columns for column, to in REFERS.items())
        texts = {str(item) for item in items}
        return 1.0 if names_people and texts and texts <= known.get("users", set()) else 0.0
    columns = [c for c in TABLES[table].columns if not c.name.startswith("_") and c.name != "community"]
    names = list(kinds_of(maps))
    best = [max((likeness(c.name, name, table) for name in names), default=0.0) for c in columns[1:]]
    return mean(sorted(best, reverse=True)[: max(2, len(names))]) if best else 0.0


def _fit_items(draft: Draft, stream: str, table: str, path: str, records: Sequence[Json], known: Known) -> None:
    items = _items(records, path)
    maps = [item for item in items if isinstance(item, dict)]
    if not maps:
        return
    place: Steps = ("streams", stream, "embedded", table)
    fields = draft.contract.streams[stream].embedded[table].fields
    fit_table(draft, table_of(draft.contract, place, fields, maps), known)


def _items(records: Sequence[Json], path: str) -> list[Json]:
    found: list[Json] = []
    for record in records:
        stated = present(record, (path,))
        if isinstance(stated, list):
            found += stated
        elif is_keyed(stated):
            found += list(stated.values())
        elif isinstance(stated, dict) and stated:
            found.append(stated)
    return found
