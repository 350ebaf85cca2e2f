"""The shape of JSON: dotted paths and kinds of values. Never a value, nor a name that may be one."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise

from ideas_pipeline.contract.types import Json
from ideas_pipeline.records.single_times import sure_time

Kinds = Mapping[str, set[str]]
"""Dotted path → kinds of the values there."""

NOTHING = {"null", "empty text", "empty list", "empty map"}

FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
"""The form of a field's name. Any other name in JSON may be a value, such as an id or an e-mail address."""

NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
"""A number as text."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s*(?P<zone>Z|[+-]\d\d:?\d\d)?)?")
_DEEPEST = 6


def kind(value: Json) -> str:
    """The kind of a value in one to three words."""
    if isinstance(value, str):
        return _kind_of_text(value.strip())
    if isinstance(value, dict | list) and (time := _kind_of_time(value)):
        return time
    if isinstance(value, list):
        return f"list of {_plural(kind(value[0]))}" if value else "empty list"
    if isinstance(value, dict):
        return "map" if value else "empty map"
    return "null" if value is None else "true/false" if isinstance(value, bool) else "number"


def kinds_of(records: Iterable[Json]) -> dict[str, set[str]]:
    """The kinds of values by path, in the order of first appearance. Maps are searched, lists are not.

    A name that may be a value is shown as ``*``: it is not a word, or fewer than half of the maps there have it.
    """
    found: dict[str, set[str]] = defaultdict(set)
    maps: Counter[str] = Counter()
    for record in records:
        _look(record if isinstance(record, dict) else {"@value": record}, "", found, maps, 0)
    shown: dict[str, set[str]] = defaultdict(set)
    for path, kinds in found.items():
        shown[_without_rare_names(path, maps)] |= kinds
    return dict(shown)


def is_keyed(value: Json) -> bool:
    """Whether a map is a list of maps by id: its names are values, not names of fields."""
    if not isinstance(value, dict) or not value or not all(isinstance(item, dict) for item in value.values()):
        return False
    shapes = {frozenset(item) for item in value.values()}
    return not all(FIELD_NAME.fullmatch(name) for name in value) or (len(value) > 1 and len(shapes) == 1)


def _look(value: dict[str, Json], path: str, found: dict[str, set[str]], maps: Counter[str], depth: int) -> None:
    """``maps`` counts the maps at a path (``author.``), and those that have a name (``author.id``)."""
    maps[f"{path}."] += 1
    for name, below in value.items():
        at = f"{path}.{name if name == '@value' or FIELD_NAME.fullmatch(name) else '*'}".removeprefix(".")
        maps[at] += 1
        if is_keyed(below):
            found[at].add("map by key")
        elif isinstance(below, dict) and below and depth < _DEEPEST and not sure_time(below):
            _look(below, at, found, maps, depth + 1)
        else:
            found[at].add(kind(below))


def _without_rare_names(path: str, maps: Counter[str]) -> str:
    names = path.split(".")
    whole = [".".join(names[: depth + 1]) for depth in range(len(names))]
    rare = [maps[at] * 2 < maps[f"{above}."] for above, at in pairwise(whole)]
    return ".".join([names[0], *("*" if is_rare else name for name, is_rare in zip(names[1:], rare, strict=True))])


def _kind_of_text(text: str) -> str:
    if not text:
        return "empty text"
    if NUMBER.fullmatch(text):
        return "number as text"
    if time := _TIME.fullmatch(text):
        return "time as text" if time["zone"] or len(text) == len("2026-01-31") else "time without zone"
    return _kind_of_time(text) or "text"


def _kind_of_time(value: Json) -> str | None:
    moment = sure_time(value)
    return moment and ("time without zone" if moment.zone == "UTC" else "time as text")


def _plural(kind: str) -> str:
    return {"true/false": kind, "null": "nulls"}.get(kind) or kind.replace("number", "numbers", 1).replace(
        "list", "lists", 1
    ).replace("map", "maps", 1) + ("s" if kind in ("text", "time as text") else "")
