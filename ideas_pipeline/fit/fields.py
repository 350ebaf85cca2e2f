"""Match the fields of the API's records with the columns of a table: by name, by kind, and by what the values show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract, Fields
from ideas_pipeline.contract.types import Json, Steps
from ideas_pipeline.fit.draft import Draft, Inferred
from ideas_pipeline.ideas_api.field_map import MISSING, present
from ideas_pipeline.probe.field_names import known_lists, known_names, snake
from ideas_pipeline.probe.fields import ENOUGH
from ideas_pipeline.probe.guess import likeness
from ideas_pipeline.probe.shapes import NOTHING, is_keyed, kinds_of
from ideas_pipeline.records.timestamps import TimeFormat, timestamps, unit_of
from ideas_pipeline.tables.columns import Kind, kind, known_values
from ideas_pipeline.tables.community import TABLES

Record = dict[str, Json]
Known = Mapping[str, set[str]]
"""Table → the ids that were seen of it."""

_LIKE_ENOUGH = 0.6
_SURE = 0.8
_URL = re.compile(r"(https?:)?//\S+|/\S+/\S*")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_BOOLEAN_TEXTS = {"0", "1", "true", "false", "yes", "no", "y", "n", "on", "off"}
_REFERS = {
    "author_id": "users",
    "user_id": "users",
    "stage_id": "challenge_stages",
    "challenge_id": "challenges",
    "idea_id": "ideas",
}
# Columns without which rows say little: what to ask, and how urgent it is.
_IMPORTANT = {
    "id": 90,
    "challenge_id": 90,
    "idea_id": 90,
    "author_id": 60,
    "user_id": 60,
    "created_at": 55,
    "value": 50,
    "title": 40,
    "body": 40,
    "joined_at": 30,
    "updated_at": 30,
    "comment_count": 30,
    "vote_count": 30,
    "idea_count": 30,
    "display_name": 20,
    "status": 20,
}


@dataclass
class _Table:
    """The fields of one table in records.

    Attributes:
        name: the table.
        place: its part of the contract.
        fields: its columns and their paths in force.
        records: the records, or the items of an embedded list.
        paths: the kinds of the values by path.
        values: the values by path, without those that mean nothing.
        no_times: the times that mean "none" in this contract.
        taken: paths that others read.
        optional: columns that get their value elsewhere.
    """

    name: str
    place: Steps
    fields: Fields
    records: Sequence[Json]
    paths: Mapping[str, set[str]]
    values: Mapping[str, list[Json]]
    no_times: tuple[str, ...] = ()
    taken: set[str] = field(default_factory=set)
    optional: frozenset[str] = frozenset()


def fit_fields(draft: Draft, stream: str, records: Sequence[Json], known: Known) -> None:
    """Propose the paths of a stream's columns and of its embedded tables.

    Args:
        draft: gets what is found.
        stream: the stream.
        records: its records.
        known: the ids that were seen of other tables.
    """
    spec = draft.contract.streams[stream]
    place: Steps = ("streams", stream)
    lists = _fit_embedded(draft, stream, records, known)
    table = _table(draft.contract, place, spec.fields, records)
    table.taken.update(lists)
    if spec.each:
        # The scope names the parent, so a record need not.
        table.optional = frozenset({spec.each.placeholder})
    _fit_table(draft, table, known)


def _fit_embedded(draft: Draft, stream: str, records: Sequence[Json], known: Known) -> list[str]:
    """Propose the lists of embedded tables and their columns. Returns the paths of the lists."""
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
            draft.confirm(("streams", stream, "embedded", table, "paths"), _seen(records, there))
            _fit_items(draft, stream, table, there, records, known)
        else:
            waiting.append(table)
    pairs = [
        (score, table, path)
        for table in waiting
        for path in lists
        if path not in used and (score := _list_score(table, path, records, known)) >= _LIKE_ENOUGH
    ]
    chosen: dict[str, str] = {}
    for _, table, path in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if table not in chosen and path not in chosen.values():
            chosen[table] = path
            _take_list(draft, stream, table, path, records, known)
    return [*used, *chosen.values()]


def _list_score(table: str, path: str, records: Sequence[Json], known: Known) -> float:
    """How sure it is that a list fills an embedded table: by its name, and by its items if it has any."""
    names = known_lists(table)
    name = snake(path)
    by_name = 1.0 - names.index(name) / 100 if name in names else likeness(table.split("_", 1)[-1], path)
    items = _items(records, path)
    return by_name + _likely_table(table, path, records, known) if items else by_name


def _take_list(draft: Draft, stream: str, table: str, path: str, records: Sequence[Json], known: Known) -> None:
    draft.propose(Inferred(("streams", stream, "embedded", table, "paths"), path, _seen(records, path)))
    _fit_items(draft, stream, table, path, records, known)


def _likely_table(table: str, path: str, records: Sequence[Json], known: Known) -> float:
    """How well the items of a list fit an embedded table, from 0 to 1."""
    items = _items(records, path)
    maps = [item for item in items if isinstance(item, dict)]
    if not maps:
        refers = next((t for c, t in _REFERS.items() if c in TABLES[table].columns and t == "users"), None)
        texts = {str(item) for item in items}
        return 1.0 if refers and texts and texts <= known.get(refers, set()) else 0.0
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
    _fit_table(draft, _table(draft.contract, place, fields, maps), known)


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


def _table(contract: Contract, place: Steps, fields: Fields, records: Sequence[Json]) -> _Table:
    """The table at a place of the contract: a stream, or one of its embedded tables."""
    paths = {path: k for path, k in kinds_of(records).items() if "*" not in path}
    nones = (*contract.none_values, *(none for source in fields.values() for none in source.none))
    values: dict[str, list[Json]] = {}
    for path in paths:
        at = [present(record, (path,)) for record in records]
        # 0 and false are equal for Python.
        values[path] = [
            v
            for v in at
            if v is not MISSING and v is not None and not any(type(v) is type(n) and v == n for n in nones)
        ]
    return _Table(str(place[-1]), place, fields, records, paths, values, contract.no_times)


def _fit_table(draft: Draft, table: _Table, known: Known) -> None:
    """Propose the path of each column, the surest first. No path is used twice."""
    columns = TABLES[table.name].columns
    open_columns = []
    for column, source in table.fields.items():
        used = next((p for p in source.paths if p in table.paths), None)
        if used is not None and _may_be(table, columns[column], used, known):
            table.taken.add(used)
            _confirm(draft, table, column, used)
        else:
            open_columns.append(column)
    pairs = [
        (_score(table, columns[column], path, known), column, path)
        for column in open_columns
        for path in table.paths
        if not _is_below(path, table.taken) and _may_be(table, columns[column], path, known)
    ]
    # A field that was always empty has nothing but its name.
    pairs = [pair for pair in pairs if table.values[pair[2]] or pair[0] >= _SURE]
    chosen: dict[str, str] = {}
    for score, column, path in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if score >= _LIKE_ENOUGH and column not in chosen and not _is_below(path, chosen.values()):
            chosen[column] = path
    for column, path in chosen.items():
        draft.propose(*_lines(table, column, path))
    table.taken.update(chosen.values())
    _ask_for_rest(draft, table, [c for c in open_columns if c not in chosen], known)


def _confirm(draft: Draft, table: _Table, column: str, path: str) -> None:
    """Confirm a column's path, or correct the unit of its times alone."""
    unit, stated = _unit(table, column, path), table.fields[column].epoch
    # Without a unit in the contract, numbers are read by their magnitude.
    if column.endswith("_at") and unit and stated and unit != stated:
        reason = f"the numbers {_seen(table.records, path)} are times in {unit}"
        draft.propose(Inferred((*table.place, "fields", column), {"epoch": unit}, reason))
    else:
        draft.confirm((*table.place, "fields", column), _seen(table.records, path))


def _lines(table: _Table, column: str, path: str) -> list[Inferred]:
    """What to write for a column that is at ``path``."""
    source = table.fields[column]
    value: Json = path
    if column.endswith("_id") and not table.values[path] and not path.lower().endswith("id"):
        # Always empty so far: an id, or an object that has one.
        value = [f"{path}.id", path]
    unit = _unit(table, column, path) if column.endswith("_at") else None
    if unit and source.epoch not in (unit, None):
        value = {"paths": value, "epoch": unit}
    elif source.none or source.epoch or source.no_times is not None:
        value = {"paths": value}
    seen = _seen(table.records, path)
    return [Inferred((*table.place, "fields", column), value, seen if table.values[path] else f"{seen}, always empty")]


def _unit(table: _Table, column: str, path: str) -> str | None:
    """The unit of times that are numbers, by their magnitude; None if they are not numbers of one unit."""
    moments, _ = timestamps(table.values[path], _format(table, column))
    times = [v for v, moment in zip(table.values[path], moments, strict=True) if moment is not None]
    if not all(_NUMBER.fullmatch(str(v).strip()) for v in times):
        return None
    units = {unit_of(float(v)) for v in times}
    return units.pop() if len(units) == 1 else None


def _format(table: _Table, column: str) -> TimeFormat:
    """How the reader takes the times of a column, but in any unit."""
    own = table.fields[column].no_times if column in table.fields else None
    return TimeFormat(no_times=table.no_times if own is None else own)


def _ask_for_rest(draft: Draft, table: _Table, missing: Sequence[str], known: Known) -> None:
    """Ask for important columns that a free field may fill; remove columns that no record has if none is free."""
    columns = TABLES[table.name].columns
    empty = []
    for column in missing:
        place = (*table.place, "fields", column)
        source = table.fields[column]
        if column in table.optional or any(path.startswith("@") for path in source.paths):
            continue
        free = [
            path
            for path in table.paths
            if not _is_below(path, table.taken) and table.values[path] and _may_be(table, columns[column], path, known)
        ]
        if free and column in _IMPORTANT:
            shown = ", ".join(f"{path} ({' or '.join(sorted(table.paths[path] - NOTHING))})" for path in free[:8])
            draft.ask(
                place,
                f"Which field of {table.name} is {column}? Not mapped yet: {shown}.",
                proposal=_unique(table, free) if column == "id" else None,
                urgency=_IMPORTANT[column],
                options=tuple(free),
            )
        elif not free and column != "id" and column in _in_force(draft, table):
            empty.append(column)
    if empty and len(table.records) >= ENOUGH:
        shown = ", ".join(empty)
        draft.notes.append(f"no field of {len(table.records)} records of {table.name} can be {shown}: these stay empty")


def _unique(table: _Table, paths: Sequence[str]) -> str | None:
    """The first field whose value differs in all records."""
    count = len(table.records)
    return next((p for p in paths if len({str(v) for v in table.values[p]}) == count > 1), None)


def _in_force(draft: Draft, table: _Table) -> Iterable[str]:
    at = draft.contract.streams[str(table.place[1])]
    return at.embedded[table.name].fields if "embedded" in table.place else at.fields


def _score(table: _Table, column: sa.Column[object], path: str, known: Known) -> float:
    """How sure it is that a path is a column: about 1 for the same name, more if the values show it, too."""
    name = column.name
    source = table.fields[name]
    score = max(likeness(name, path, table.name), *(likeness(p, path, table.name) * 0.95 for p in source.paths), 0.0)
    score = max(score * 0.9, _name_score(table.name, name, path))
    if path in source.paths:
        score = 1.2
    values = table.values[path]
    if not values:
        return score
    refers = _REFERS.get(name)
    if refers and (ids := known.get(refers)):
        share = mean(str(value) in ids for value in values)
        score += 0.5 if share > 0.5 and len(set(map(str, values))) > 1 else 0.0
    elif name == "parent_comment_id":
        own = {str(v) for p in ("id",) for v in table.values.get(p, [])} or known.get("comments", set())
        score += 0.5 if own and mean(str(value) in own for value in values) > 0.5 else 0.0
    if enumeration := known_values(column):
        share = mean(str(value) in enumeration for value in values)
        score += 0.6 if share > 0.8 else -0.3
    if name == "id" and len(values) == len(table.records) > 1:
        texts = [str(value) for value in values]
        score += 0.3 if len(set(texts)) == len(texts) else -0.6
    return score


def _name_score(table: str, column: str, path: str) -> float:
    """How usual a path is as the name of a column's value, from 0 to 1."""
    names = known_names(table, column)
    whole = snake(path)
    own = {table.removesuffix("s"), table.removesuffix("s").rpartition("_")[2]}
    forms = [whole, *(whole.removeprefix(f"{word}_") for word in own), snake(path.rsplit(".", 1)[-1])]
    for penalty, form in zip((0.0, 0.05, 0.05, 0.15), forms, strict=False):
        if form in names:
            return 1.0 - penalty - names.index(form) / 500
    return 0.0


def _may_be(table: _Table, column: sa.Column[object], path: str, known: Known) -> bool:
    """Whether the values at a path can be values of a column. A path without values can be anything but a list."""
    kinds = table.paths[path] - NOTHING
    of: Kind = kind(column)
    if any("list of" in k or k == "map by key" for k in kinds):
        return of in ("json",) or column.name == "value"
    values = table.values[path]
    name = column.name
    if of == "id":
        refers = _REFERS.get(name)
        ids = known.get(refers or "")
        others = [t for t in set(_REFERS.values()) if t != refers and known.get(t)]
        is_elsewhere = (
            bool(ids)
            and len(values) > 2
            and not any(str(v) in (ids or ()) for v in values)
            and any(all(str(v) in known[t] for v in values) for t in others)
        )
        return not is_elsewhere and all(
            isinstance(v, str | int)
            and not isinstance(v, bool)
            and not (isinstance(v, str) and (" " in v or _is_time_text(v)))
            for v in values
        )
    if of == "timestamp":
        return not timestamps(values, _format(table, name))[1]
    if of == "boolean":
        return all(isinstance(v, bool) or str(v).lower() in _BOOLEAN_TEXTS for v in values)
    if of in ("integer", "number"):
        return all(
            not isinstance(v, bool) and _NUMBER.fullmatch(str(v).strip()) is not None for v in values
        ) and not all(_is_epoch(v) for v in values or [None])
    if name.endswith("url"):
        return all(isinstance(v, str) and _URL.fullmatch(v.strip()) for v in values)
    if name == "email":
        return all("@" in str(v) for v in values)
    return all(isinstance(v, str | int | float) and not isinstance(v, bool) for v in values) and not (
        bool(values) and all(isinstance(v, str) and (_is_time_text(v) or _URL.fullmatch(v) is not None) for v in values)
    )


def _is_time_text(value: str) -> bool:
    """Whether a text is a time. Digits alone may be anything, unless they count from 1970 as most APIs do."""
    return _is_epoch(value) if _NUMBER.fullmatch(value.strip()) else not timestamps([value], TimeFormat())[1]


def _is_epoch(value: Json) -> bool:
    """Whether a number is a time since 1970, in seconds or milliseconds, between 1995 and 2100."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return 788_918_400 <= number < 4_102_444_800 or 788_918_400_000 <= number < 4_102_444_800_000


def _is_below(path: str, taken: Iterable[str]) -> bool:
    return any(path == other or path.startswith(f"{other}.") or other.startswith(f"{path}.") for other in taken)


def _seen(records: Sequence[Json], path: str) -> str:
    count = sum(present(record, (path,)) is not MISSING for record in records)
    return f"in {count} of {len(records)} records"


def resemblance(stream: str, contract: Contract, records: Sequence[Json]) -> float:
    """How much records resemble those of a stream, from 0 to 1: the share of its columns that have a likely field."""
    fields = contract.streams[stream].fields
    table = _table(contract, ("streams", stream), fields, [r for r in records if isinstance(r, dict)])
    if not table.paths:
        return 0.0
    columns = TABLES[stream].columns
    best = [
        max(
            (_score(table, columns[name], p, {}) for p in table.paths if _may_be(table, columns[name], p, {})),
            default=0.0,
        )
        for name in fields
    ]
    return mean(score >= _LIKE_ENOUGH for score in best) if best else 0.0
