"""Compare the fields of the API's records with the columns of the contract."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ideas_pipeline.contract.model import Contract, Embedded, Fields, FieldSource
from ideas_pipeline.contract.types import Json
from ideas_pipeline.ideas_api.composite_ids import SELF_REFERENCES
from ideas_pipeline.ideas_api.field_map import MISSING, present
from ideas_pipeline.ideas_api.nesting import nested_items
from ideas_pipeline.probe.deleted import deletion_flags
from ideas_pipeline.probe.guess import fits, is_same_kind, is_time, nearest, nearest_list
from ideas_pipeline.probe.shapes import NOTHING, Kinds, is_keyed, kinds_of
from ideas_pipeline.probe.step import Step
from ideas_pipeline.tables.columns import is_prose
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.text import counted

_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,7}|#x[0-9A-Fa-f]{1,6});")
_ENTITIES = "texts have HTML entities such as &amp;, and no HTML tags"

# Fewer records do not show that a field is never sent.
ENOUGH = 10
_MOST_NAMED = 5

Items = Sequence[tuple[str | None, Json]]
"""Records or embedded items, each with its key if they came as a map by key."""


@dataclass(frozen=True)
class _FieldMap:
    """The field map of one table.

    Attributes:
        place: its dotted place in the contract.
        table: the table that it fills.
        fields: the columns and their paths.
        needed: columns that must not be removed from the contract.
        elsewhere: paths of the same records that other parts of the contract read.
        zone: the time zone of its timestamps without one.
        prefix: the path of the list in the record, for embedded tables.
    """

    place: str
    table: str
    fields: Fields
    needed: frozenset[str]
    zone: str
    elsewhere: tuple[str, ...] = ()
    prefix: str = ""


def check_fields(step: Step, contract: Contract, stream: str, items: Items) -> None:
    """Compare records with the stream's field map and embedded lists.

    Args:
        step: gets what is found.
        contract: the contract to compare.
        stream: the stream.
        items: its records.
    """
    spec = contract.streams[stream]
    not_stored = frozenset(name.lower() for name in contract.not_stored)
    used = {name.split(".")[1] for s in contract.streams.values() if s.each for name in s.each.of}
    lists = _embedded_lists(step, contract, stream, items)
    nested = nested_lists(contract, stream, [record for _, record in items])
    if nested:
        sentence = f"{', '.join(nested)} holds lists of {stream} inside {stream}: they are not read"
        step.differ(sentence, place=f"streams.{stream}.nested", to=[*spec.nested, *nested])
    flags = _flags(step, contract, stream, items)
    elsewhere = (*spec.nested, *nested, *flags, *(path for paths, _ in lists.values() for path in paths))
    needed = frozenset({"id", *spec.key, *used})
    zone = contract.stream_timezone(stream)
    # The path fills this column, so records need not name their parent.
    optional = spec.listed_by
    named = optional in spec.fields and any(present(r, spec.fields[optional].paths) is not MISSING for _, r in items)
    fields = {name: source for name, source in spec.fields.items() if name != optional or named}
    _check_items(step, _FieldMap(f"streams.{stream}", stream, fields, needed, zone, elsewhere), items, not_stored)
    for table, (paths, each) in lists.items():
        rows = [row for _, record in items for row in _rows(present(record, paths), each.fields)]
        if rows:
            place, first = f"streams.{stream}.embedded.{table}", next(iter(each.fields), "")
            mapped = _FieldMap(place, table, each.fields, frozenset({first}), zone, prefix=f"{paths[0]}[].")
            _check_items(step, mapped, rows, not_stored)


def _flags(step: Step, contract: Contract, stream: str, items: Items) -> Sequence[str]:
    """The paths at which records say that they are deleted. Proposes to read them."""
    place, known = f"streams.{stream}.deleted", contract.streams[stream].deleted
    records = [record for _, record in items]
    if known:
        if any(present(record, known) is not MISSING for record in records):
            step.confirm(place)
        return known
    if found := deletion_flags(contract, records):
        sentence = f"records say by {' and '.join(found)} whether they are deleted, and it is not read"
        step.differ(sentence, place=place, to=found)
    return found


def nested_lists(contract: Contract, stream: str, records: Sequence[Json]) -> list[str]:
    """The paths of lists of the same kind of records inside records, without those that the contract names.

    Args:
        contract: the contract.
        stream: the stream.
        records: its records.
    """
    spec = contract.streams[stream]
    if stream not in SELF_REFERENCES or "id" not in spec.fields:
        return []
    maps = [record for record in records if isinstance(record, dict)]
    embedded = {path.split(".")[0] for each in spec.embedded.values() for path in each.paths}
    names = {name for record in maps for name in record} - embedded - {p.split(".")[0] for p in spec.nested}
    below = {f"{n}.{b}" for record in maps for n in names if isinstance(inner := record.get(n), dict) for b in inner}
    id_paths = tuple(path for path in spec.fields["id"].paths if not path.startswith("@"))
    found = []
    for path in sorted(names | below):
        inner = [i for record in maps for _, listed in nested_items(record, (path,), id_paths) for i in listed]
        own = {key for record in maps for key in record} - {path.split(".")[0]}
        if inner and all(len(own & item.keys()) * 2 > len(own) for item in inner):
            found.append(path)
    return found


def _embedded_lists(
    step: Step, contract: Contract, stream: str, items: Items
) -> dict[str, tuple[tuple[str, ...], Embedded]]:
    """The embedded tables whose list is in the records, with its paths. Notes the others in ``step``."""
    spec = contract.streams[stream]
    kinds = kinds_of(record for _, record in items)
    read = [p for f in spec.fields.values() for p in f.paths] + [p for e in spec.embedded.values() for p in e.paths]
    free = {path: k for path, k in kinds.items() if not _is_read(path, k, read)}
    found: dict[str, tuple[tuple[str, ...], Embedded]] = {}
    for table, each in spec.embedded.items():
        place = f"streams.{stream}.embedded.{table}"
        where = " or ".join(each.paths)
        if any(present(record, each.paths) is not MISSING for _, record in items):
            found[table] = each.paths, each
            step.confirm(f"{place}.paths")
        elif near := nearest_list((*each.paths, table.split("_", 1)[-1]), free):
            found[table] = (near,), each
            free.pop(near)
            step.not_sent.append(table)
            step.differ(f"the list for {table} is at {near}, not at {where}", place=f"{place}.paths", to=near)
        else:
            step.not_sent.append(table)
            lists = [path for path, k in free.items() if any("list" in of for of in k - NOTHING) and "*" not in path]
            missing = _Missing(f"the list for {table}, at {where},", place, removable=True, beside=lists)
            _note_missing(step, missing, len(items))
    return found


def _check_items(step: Step, mapped: _FieldMap, items: Items, not_stored: frozenset[str]) -> None:
    fields, table = mapped.fields, mapped.table
    sources = [_source(key, item) for key, item in items]
    kinds = kinds_of(item for _, item in items)
    missing = [column for column, f in fields.items() if all(present(s, f.paths) is MISSING for s in sources)]
    odd = [c for c, f in fields.items() if c not in missing and not fits(c, _kinds_at(f.paths, kinds, sources))]
    read = [p for c, f in fields.items() if c not in odd for p in f.paths] + list(mapped.elsewhere)
    free: dict[str, set[str]] = {path: k for path, k in kinds.items() if not _is_read(path, k, read)}
    near = nearest((*missing, *odd), free, table)
    not_mapped = {path: k for path, k in free.items() if not _is_read(path, k, near.values())}

    storable = [path for path in not_mapped if not not_stored & {part.lower() for part in path.split(".")}]
    for path in storable:
        step.not_mapped[mapped.prefix + path] = " or ".join(sorted(not_mapped[path]))
    for column, source in fields.items():
        at, paths = f"{mapped.place}.fields.{column}", " or ".join(source.paths)
        if column in missing:
            step.not_sent.append(f"{table}.{column}")
        if column in near:
            found = near[column]
            what = "is missing" if column in missing else f"does not fit what is at {paths}"
            offered = f"{mapped.prefix}{found} ({' or '.join(sorted(free[found]))})"
            step.differ(f"{table}.{column} {what}, but the API sends {offered}", place=at, to=_fixed(source, found))
        elif column in odd:
            there = " or ".join(sorted(_kinds_at(source.paths, kinds, sources) - NOTHING))
            step.differ(f"{table}.{column} does not fit what is at {paths}: {there}")
        elif column in missing:
            beside = [path for path in storable if is_same_kind(table, column, not_mapped[path])]
            removable = column not in mapped.needed
            _note_missing(step, _Missing(f"{table}.{column}, at {paths},", at, removable, beside), len(items))
        elif any(present(s, source.paths) is not None for s in sources):
            step.confirm(at)
    _find_entities(step, mapped, [c for c in fields if c not in (*missing, *near)], sources)
    _ask_for_zone(step, mapped, {c: _kinds_at(f.paths, kinds, sources) for c, f in fields.items() if c not in missing})


def _find_entities(step: Step, mapped: _FieldMap, columns: Sequence[str], sources: Sequence[Json]) -> None:
    """Propose to decode columns whose texts are escaped, and note those that must stay as they are sent."""
    kept = []
    for column in columns:
        source = mapped.fields[column]
        if source.entities or not are_escaped(present(s, source.paths) for s in sources):
            continue
        if is_prose(TABLES[mapped.table].c[column]):
            to = {"paths": list(source.paths), "entities": True}
            step.differ(f"{mapped.table}.{column}: {_ENTITIES}", place=f"{mapped.place}.fields.{column}", to=to)
        else:
            kept.append(column)
    if kept:
        step.note(
            f"{mapped.table}: {_ENTITIES} ({', '.join(kept)}). They are stored as they are sent, so decode them in "
            "queries that show them"
        )


def are_escaped(values: Iterable[Json]) -> bool:
    """Whether texts have HTML entities but no tags: they are plain texts that the API escaped."""
    texts = [value for value in values if isinstance(value, str)]
    return any(map(_ENTITY.search, texts)) and "<" not in "".join(texts)


def _ask_for_zone(step: Step, mapped: _FieldMap, kinds: Kinds) -> None:
    """Ask for the zone of times without one. A zone other than UTC was written by a person, who knows it."""
    naive = [column for column, k in kinds.items() if "time without zone" in k and is_time(mapped.table, column)]
    if naive and mapped.zone == "UTC":
        step.ask(
            f"the API sends times without a zone ({mapped.table}: {', '.join(naive)}), and nothing says which zone it "
            "is. They are read as UTC; if that is wrong, set timezone in the contract, or that of the stream"
        )


@dataclass(frozen=True)
class _Missing:
    """A field or list that no record has.

    Attributes:
        what: its name and the paths that were looked at.
        place: its dotted place in the contract.
        removable: whether the contract can do without it.
        beside: unmapped fields of the same kind, which may be it under another name.
    """

    what: str
    place: str
    removable: bool
    beside: Sequence[str]


def _note_missing(step: Step, missing: _Missing, count: int) -> None:
    """Note a field that none of ``count`` records has."""
    absent = f"{missing.what} is in none of {counted(count, 'record')}"
    if not missing.removable or count < ENOUGH:
        step.note(f"{absent}, which does not prove that the API never sends it")
    elif missing.beside:
        fields = ", ".join(missing.beside[:_MOST_NAMED])
        step.differ(
            f"{absent}, but the API sends others of the same kind: {fields}. If it "
            f"is one of them, write its path at {missing.place} in the contract; otherwise write null there"
        )
    else:
        step.differ(absent, place=missing.place, to=None)


def _fixed(source: FieldSource, path: str) -> Json:
    """The value to write for a column, so that its other rules stay."""
    return {"paths": path} if source.none or source.epoch or source.entities else path


def _source(key: str | None, item: Json) -> dict[str, Json]:
    source: dict[str, Any] = {"@index": 0}
    if key is not None:
        source["@key"] = key
    return source | item if isinstance(item, dict) else source | {"@value": item}


def _kinds_at(paths: Sequence[str], kinds: Kinds, sources: Sequence[dict[str, Json]]) -> set[str]:
    """The kinds of the values that a column reads; a path that ``kinds`` does not have leads to a map."""
    path = next(p for p in paths if any(present(s, (p,)) is not MISSING for s in sources))
    return set() if path.startswith("@") else set(kinds.get(path, {"map"}))


def _is_read(path: str, kinds: Iterable[str], read: Iterable[str]) -> bool:
    """Whether the contract reads the path, something above it, or something below it if this path is always empty."""
    for known in read:
        if path == known or path.startswith(f"{known}."):
            return True
        if known.startswith(f"{path}.") and set(kinds) <= NOTHING:
            return True
    return False


def _rows(stated: Json, fields: Fields) -> Items:
    """The items of an embedded list, of a map of items or plain values by key, or of a single item."""
    if isinstance(stated, list):
        return [(None, item) for item in stated]
    if not isinstance(stated, dict):
        return [(None, stated)] if isinstance(stated, str) and stated else []
    named = tuple(path for source in fields.values() for path in source.paths if not path.startswith("@"))
    is_one = not is_keyed(stated) and present(stated, named) is not MISSING
    return [(None, stated)] if is_one else list(stated.items())
