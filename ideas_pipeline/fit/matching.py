"""How well a field of the records fits a column: by its name, by its kind, and by what its values show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract, Fields
from ideas_pipeline.contract.types import Json, Steps
from ideas_pipeline.ideas_api.field_map import MISSING, present
from ideas_pipeline.probe.field_names import known_names, snake
from ideas_pipeline.probe.guess import LIKE_ENOUGH, likeness
from ideas_pipeline.probe.shapes import NOTHING, NUMBER, kinds_of
from ideas_pipeline.records.time_format import TimeFormat, unit_of
from ideas_pipeline.records.timestamps import timestamps
from ideas_pipeline.tables.columns import Kind, kind, known_values, known_word
from ideas_pipeline.tables.community import TABLES

Known = Mapping[str, set[str]]
"""Table → its ids that were seen."""

_URL = re.compile(r"(https?:)?//\S+|/\S+/\S*")
_BOOLEAN_TEXTS = {"0", "1", "true", "false", "yes", "no", "y", "n", "on", "off"}
REFERS = {
    "author_id": "users",
    "user_id": "users",
    "stage_id": "challenge_stages",
    "challenge_id": "challenges",
    "idea_id": "ideas",
}


@dataclass
class Table:
    """The fields of one table in records.

    Attributes:
        name: the table.
        place: its part of the contract.
        fields: its columns and their paths in force.
        records: the records, or the items of an embedded list.
        paths: the kinds of the values by path.
        values: the values by path, without those that mean nothing.
        no_times: the times that mean "none" in this contract.
        key: the path of the records' ids, as far as it is known.
        taken: paths that other columns or embedded tables read.
        optional: columns that need no field, because something else fills them.
    """

    name: str
    place: Steps
    fields: Fields
    records: Sequence[Json]
    paths: Mapping[str, set[str]]
    values: Mapping[str, list[Json]]
    no_times: tuple[str, ...] = ()
    key: str | None = None
    taken: set[str] = field(default_factory=set)
    optional: frozenset[str] = frozenset()


def table_of(contract: Contract, place: Steps, fields: Fields, records: Sequence[Json]) -> Table:
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
    return Table(str(place[-1]), place, fields, records, paths, values, contract.no_times)


def score_of(table: Table, column: sa.Column[object], path: str, known: Known) -> float:
    """The score of a path for a column: about 1 if the name is the same, more if the values fit as well."""
    name = column.name
    source = table.fields[name]
    score = max(likeness(name, path, table.name), *(likeness(p, path, table.name) * 0.95 for p in source.paths), 0.0)
    score = max(score * 0.9, _name_score(table.name, name, path))
    if path in source.paths:
        score = 1.2
    values = table.values[path]
    if not values:
        return score
    refers = REFERS.get(name)
    if refers and (ids := known.get(refers)):
        share = mean(str(value) in ids for value in values)
        score += 0.5 if share > 0.5 and len(set(map(str, values))) > 1 else 0.0
    elif name == "parent_comment_id" and path != table.key:
        own = {str(v) for v in table.values.get(table.key or "", [])} or known.get("comments", set())
        score += 0.5 if own and mean(str(value) in own for value in values) > 0.5 else 0.0
    if enumeration := known_values(column):
        share = mean(known_word(column, str(value)) in enumeration for value in values)
        score += 0.6 if share > 0.8 else -0.3
    if name == "id" and len(values) == len(table.records) > 1:
        texts = [str(value) for value in values]
        score += 0.3 if len(set(texts)) == len(texts) else -0.6
    return score


def _name_score(table: str, column: str, path: str) -> float:
    """How common a path is as a name for a column, from 0 to 1."""
    names = known_names(table, column)
    whole = snake(path)
    own = {table.removesuffix("s"), table.removesuffix("s").rpartition("_")[2]}
    forms = [whole, *(whole.removeprefix(f"{word}_") for word in own), snake(path.rsplit(".", 1)[-1])]
    for penalty, form in zip((0.0, 0.05, 0.05, 0.15), forms, strict=False):
        if form in names:
            return 1.0 - penalty - names.index(form) / 500
    return 0.0


def may_be(table: Table, column: sa.Column[object], path: str, known: Known) -> bool:
    """Whether the values at a path can be values of a column. Without values, only a list is ruled out."""
    kinds = table.paths[path] - NOTHING
    of: Kind = kind(column)
    if any("list of" in k or k == "map by key" for k in kinds):
        return of == "json" or column.name == "value"
    values = table.values[path]
    name = column.name
    if of == "id":
        refers = REFERS.get(name)
        ids = known.get(refers or "")
        others = [t for t in set(REFERS.values()) if t != refers and known.get(t)]
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
            not isinstance(v, bool) and NUMBER.fullmatch(str(v).strip()) is not None for v in values
        ) and not all(_is_epoch(v) for v in values or [None])
    if name.endswith("url"):
        return all(isinstance(v, str) and _URL.fullmatch(v.strip()) for v in values)
    if name == "email":
        return all("@" in str(v) for v in values)
    return all(isinstance(v, str | int | float) and not isinstance(v, bool) for v in values) and not (
        bool(values) and all(isinstance(v, str) and (_is_time_text(v) or _URL.fullmatch(v) is not None) for v in values)
    )


def unit_at(table: Table, column: str, path: str) -> str | None:
    """The unit of times that are numbers, by their magnitude; None if they are not numbers of one unit."""
    moments, _ = timestamps(table.values[path], _format(table, column))
    times = [v for v, moment in zip(table.values[path], moments, strict=True) if moment is not None]
    if not all(NUMBER.fullmatch(str(v).strip()) for v in times):
        return None
    units = {unit_of(float(v)) for v in times}
    return units.pop() if len(units) == 1 else None


def _format(table: Table, column: str) -> TimeFormat:
    """The format by which a sync reads the times of a column, but with any unit."""
    own = table.fields[column].no_times if column in table.fields else None
    return TimeFormat(no_times=table.no_times if own is None else own)


def _is_time_text(value: str) -> bool:
    """Whether a text is a time. A number counts only if it is likely to be seconds or milliseconds since 1970."""
    return _is_epoch(value) if NUMBER.fullmatch(value.strip()) else not timestamps([value], TimeFormat())[1]


def _is_epoch(value: Json) -> bool:
    """Whether a number is a time since 1970, in seconds or milliseconds, between 1995 and 2100."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return 788_918_400 <= number < 4_102_444_800 or 788_918_400_000 <= number < 4_102_444_800_000


def is_below(path: str, taken: Iterable[str]) -> bool:
    return any(path == other or path.startswith(f"{other}.") or other.startswith(f"{path}.") for other in taken)


def seen_in(records: Sequence[Json], path: str) -> str:
    count = sum(present(record, (path,)) is not MISSING for record in records)
    return f"in {count} of {len(records)} records"


def resemblance(stream: str, contract: Contract, records: Sequence[Json]) -> float:
    """The share of a stream's columns for which records have a likely field, from 0 to 1."""
    fields = contract.streams[stream].fields
    table = table_of(contract, ("streams", stream), fields, [r for r in records if isinstance(r, dict)])
    if not table.paths:
        return 0.0
    columns = TABLES[stream].columns
    best = [
        max(
            (score_of(table, columns[name], p, {}) for p in table.paths if may_be(table, columns[name], p, {})),
            default=0.0,
        )
        for name in fields
    ]
    return mean(score >= LIKE_ENOUGH for score in best) if best else 0.0
