"""Which of the contract's columns the API's records really have, and what else they bring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ideas_pipeline.contract.model import Contract, Embedded, Fields, FieldSource
from ideas_pipeline.contract.types import Json
from ideas_pipeline.ideas_api.field_map import MISSING, present
from ideas_pipeline.probe.guess import fits, nearest, nearest_list
from ideas_pipeline.probe.shapes import NOTHING, Kinds, is_keyed, kinds_of
from ideas_pipeline.probe.step import Step

# Fewer records than this do not show that a field is never sent.
ENOUGH = 10

Items = Sequence[tuple[str | None, Json]]
"""Records or embedded items, each with its key where they came as a map by key."""


def check_fields(step: Step, contract: Contract, stream: str, items: Items) -> None:
    """Compare the records of ``stream`` with its field map and embedded lists, and note it all in ``step``."""
    spec = contract.streams[stream]
    used = {name.split(".")[1] for s in contract.streams.values() if s.each for name in s.each.of}
    needed = {"id", *spec.key, *used}
    lists = _embedded_lists(step, contract, stream, items)
    elsewhere = [path for paths, _ in lists.values() for path in paths]
    _check_items(step, contract, f"streams.{stream}", stream, spec.fields, items, elsewhere, needed)
    for table, (paths, each) in lists.items():
        rows = [row for _, record in items for row in _rows(present(record, paths), each.fields)]
        place = f"streams.{stream}.embedded.{table}"
        if rows:
            first = next(iter(each.fields), "")
            _check_items(step, contract, place, table, each.fields, rows, [], {first}, under=f"{paths[0]}[].")


def _embedded_lists(
    step: Step, contract: Contract, stream: str, items: Items
) -> dict[str, tuple[tuple[str, ...], Embedded]]:
    """The embedded tables whose list the records state, with the paths where it is. Notes the others."""
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
            step.confirmed.append(f"{place}.paths")
        elif near := nearest_list((*each.paths, table.split("_", 1)[-1]), free):
            found[table] = (near,), each
            free.pop(near)
            step.not_sent.append(table)
            step.differ(f"the list for {table} is at {near}, not at {where}", place=f"{place}.paths", to=near)
        else:
            _missing(step, table, f"the list for {table}, at {where},", place, len(items), droppable=True)
    return found


def _check_items(
    step: Step,
    contract: Contract,
    place: str,
    table: str,
    fields: Fields,
    items: Items,
    elsewhere: Iterable[str],
    needed: set[str],
    under: str = "",
) -> None:
    sources = [_source(key, item) for key, item in items]
    kinds = kinds_of(item for _, item in items)
    missing = [column for column, f in fields.items() if all(present(s, f.paths) is MISSING for s in sources)]
    odd = [c for c, f in fields.items() if c not in missing and not fits(c, _kinds_at(f.paths, kinds, sources))]
    read = [p for c, f in fields.items() if c not in odd for p in f.paths] + list(elsewhere)
    free: dict[str, set[str]] = {path: k for path, k in kinds.items() if not _is_read(path, k, read)}
    near = nearest((*missing, *odd), free, table)
    not_mapped = {path: k for path, k in free.items() if not _is_read(path, k, near.values())}

    not_stored = {name.lower() for name in contract.not_stored}
    for path, k in not_mapped.items():
        if not not_stored & {part.lower() for part in path.split(".")}:
            step.not_mapped[under + path] = " or ".join(sorted(k))
    for column, source in fields.items():
        at = f"{place}.fields.{column}"
        if column in missing:
            step.not_sent.append(f"{table}.{column}")
        if column in near:
            was = "is missing" if column in missing else "cannot be what stands there"
            path = near[column]
            step.differ(
                f"{table}.{column} {was}, and the API sends {under}{path} ({' or '.join(sorted(free[path]))})",
                place=at,
                to=_mended(source, path),
            )
        elif column in odd:
            there = " or ".join(sorted(_kinds_at(source.paths, kinds, sources) - NOTHING))
            step.differ(f"{table}.{column} cannot be what stands at {' or '.join(source.paths)}: {there}")
        elif column in missing:
            where = f"{table}.{column}, at {' or '.join(source.paths)},"
            _missing(step, f"{table}.{column}", where, at, len(items), droppable=column not in needed)
        elif any(present(s, source.paths) is not None for s in sources):
            step.confirmed.append(at)


def _missing(step: Step, what: str, where: str, place: str, looked_at: int, *, droppable: bool) -> None:
    if what not in step.not_sent:
        step.not_sent.append(what)
    if droppable and looked_at >= ENOUGH:
        step.differ(f"{where} is in none of {looked_at} records", place=place, to=None)
    else:
        step.notes.append(f"{where} is in none of {looked_at} records, which does not show that it never comes")


def _mended(source: FieldSource, path: str) -> Json:
    """What to write for a column, such that its other rules stay."""
    return {"paths": path} if source.none or source.epoch != "seconds" else path


def _source(key: str | None, item: Json) -> dict[str, Json]:
    source: dict[str, Any] = {"@index": 0}
    if key is not None:
        source["@key"] = key
    return source | item if isinstance(item, dict) else source | {"@value": item}


def _kinds_at(paths: Sequence[str], kinds: Kinds, sources: Sequence[dict[str, Json]]) -> set[str]:
    """The kinds of what a column reads. What is not in ``kinds`` is a map that was gone into, or a place."""
    path = next(p for p in paths if any(present(s, (p,)) is not MISSING for s in sources))
    return set() if path.startswith("@") else set(kinds.get(path, {"map"}))


def _is_read(path: str, kinds: Iterable[str], read: Iterable[str]) -> bool:
    """Whether the contract reads the path, or something above it; or below it, and here it is only empty."""
    for known in read:
        if path == known or path.startswith(f"{known}."):
            return True
        if known.startswith(f"{path}.") and set(kinds) <= NOTHING:
            return True
    return False


def _rows(stated: Json, fields: Fields) -> Items:
    """The items of an embedded list, of a map of items by key, of a map of plain values by key, or of a single one."""
    if isinstance(stated, list):
        return [(None, item) for item in stated]
    if not isinstance(stated, dict):
        return [(None, stated)] if isinstance(stated, str) and stated else []
    named = tuple(path for source in fields.values() for path in source.paths if not path.startswith("@"))
    is_one = not is_keyed(stated) and present(stated, named) is not MISSING
    return [(None, stated)] if is_one else list(stated.items())
