"""Guess where the API has what the contract expects elsewhere, by name, kind and position."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

from ideas_pipeline.contract.model import Stream
from ideas_pipeline.contract.types import Json
from ideas_pipeline.ideas_api.field_map import MISSING, present
from ideas_pipeline.probe.field_names import snake
from ideas_pipeline.probe.shapes import FIELD_NAME, NOTHING, Kinds, is_keyed
from ideas_pipeline.tables.columns import kind
from ideas_pipeline.tables.community import TABLES

LIKE_ENOUGH = 0.6
"""The least score of a pair of names that may mean the same."""
_DEEPEST = 4

# Synonyms in APIs, under the word that the contract's columns use.
_SAME = {
    "id": "id uid uuid guid identifier ref key pk",
    "title": "title subject headline heading name caption",
    "body": "body text content contents message html",
    "description": "description summary intro about abstract desc",
    "author": "author creator owner user member poster submitter person profile account by voter participant",
    "created": "created creation posted submitted added create",
    "updated": "updated modified changed edited modification update",
    "published": "published approved released publication",
    "joined": "joined registered registration signup enrolled since",
    "seen": "seen login visit visited active activity",
    "at": "at on date time timestamp datetime ts dt",
    "count": "count number num total nb qty n",
    "status": "status state",
    "url": "url link permalink href uri",
    "avatar": "avatar picture photo image",
    "vote": "vote ballot",
    "comment": "comment comments",
    "label": "label badge",
    "tag": "tag keyword topic",
    "attachment": "attachment file document",
    "stage": "stage phase milestone step",
    "parent": "parent reply",
    "starts": "starts start begins begin opens opening",
    "ends": "ends end finishes finish",
    "deadline": "deadline closes closing due",
    "rating": "rating stars mark",
    "value": "value weight amount",
    "score": "score points",
    "view": "view viewed hit",
    "follower": "follower subscriber watcher",
    "visible": "visible shown",
    "anonymous": "anonymous anon",
    "display": "display screen nick full",
    "like": "like thumb",
    "question": "question field prompt",
    "answer": "answer response",
    "color": "color colour",
    "position": "position order sort index rank_order",
    "mime": "mime media contenttype",
    "filename": "filename",
    "coauthor": "coauthor collaborator contributor",
}
_WORD = {same: word for word, all_same in _SAME.items() for same in all_same.split()}

_NUMBERS = {"number", "number as text"}
# The kinds of JSON values that a column of each kind is filled from.
_KINDS = {
    "id": _NUMBERS | {"text"},
    "integer": _NUMBERS,
    "number": _NUMBERS,
    "boolean": {"true/false"},
    "timestamp": {"time as text", "time without zone"},
    "date": {"time as text"},
}

_TOTAL_WORDS = {"total", "count", "found", "hits", "matches"}
_NO_TOTAL_WORDS = {"page", "pages", "per", "limit", "current", "offset", "size"}
_NEXT_LINKS = (
    "next",
    "next.href",
    "next_url",
    "nextUrl",
    "nextLink",
    "next_link",
    "next_page",
    "nextPage",
    "next_page_url",
)
_NEXT_CURSOR = re.compile(
    r"(next|end|after|continuation)_(cursor|token|key|id|page_token)|next|after|continuation|cursor|scroll_id"
)
_PAGE_NAMES = ("page", "page_number", "pageNumber", "page_no", "current_page")
_OFFSET_NAMES = ("offset", "skip", "start", "from")
_SIZE_NAMES = ("per_page", "perPage", "page_size", "pageSize", "pagesize", "limit", "size")


def _is_among(path: str, given: Collection[str]) -> bool:
    return path in given


def likeness(wanted: str, offered: str, of: str = "") -> float:
    """The similarity of two names, from 0 to 1. Synonyms are equal.

    Args:
        wanted: a column.
        offered: a dotted path in the API's records.
        of: the table that both belong to: in ``ideas``, ``idea_title`` is the title.
    """
    ours, theirs = _words(wanted), _words(offered)
    return max(_share(ours, theirs), _share(ours, theirs - _words(of)))


def _share(ours: frozenset[str], theirs: frozenset[str]) -> float:
    if not ours or not theirs:
        return 0.0
    same = sum(any(_are_alike(word, other) for other in theirs) for word in ours)
    return same / (len(ours) + len(theirs) - same)


def _are_alike(word: str, other: str) -> bool:
    return word == other or (min(len(word), len(other)) > 3 and SequenceMatcher(None, word, other).ratio() > 0.8)


def fits(column: str, kinds: Iterable[str]) -> bool:
    """Whether a column of this name can have values of these kinds."""
    seen = set(kinds) - NOTHING
    if column == "id" or column.endswith("_id"):
        return seen <= {"number", "text", "number as text"}
    if column.endswith("_at"):
        return seen <= {"number", "number as text", "time as text", "time without zone"}
    if column.endswith("_count"):
        return seen <= {"number", "number as text"}
    if column.startswith("is_"):
        return seen <= {"true/false", "number", "number as text", "text"}
    return True


def is_time(table: str, column: str) -> bool:
    """Whether a column of the warehouse holds times."""
    return _kind_of(table, column) == "timestamp"


def is_same_kind(table: str, column: str, kinds: Iterable[str]) -> bool:
    """Whether values of these kinds are what a column of the warehouse holds, so that they may be its values."""
    seen = set(kinds) - NOTHING
    return bool(seen) and seen <= _KINDS.get(_kind_of(table, column), {"text"})


def _kind_of(table: str, column: str) -> str:
    if table in TABLES and column in TABLES[table].columns:
        return kind(TABLES[table].columns[column])
    return "text"


def nearest(missing: Iterable[str], offered: Kinds, table: str) -> dict[str, str]:
    """The most similar path for each missing column, if one is similar enough. No path is used twice.

    Args:
        missing: the columns.
        offered: the kinds of values by path, for paths that no column uses.
        table: the table of the columns.
    """
    return assigned(
        (likeness(column, path, table), column, path)
        for column in missing
        for path, kinds in offered.items()
        if "*" not in path and set(kinds) - NOTHING and fits(column, kinds) and _is_scalar(column, kinds)
    )


def assigned(
    pairs: Iterable[tuple[float, str, str]], clashes: Callable[[str, Collection[str]], bool] = _is_among
) -> dict[str, str]:
    """Give each name the path of its best pair, the best pairs first.

    Args:
        pairs: score, name and path; those with less than ``LIKE_ENOUGH`` do not count.
        clashes: whether a path cannot be given, because of those given before. By default, no path is given twice.

    Returns:
        The path by name.
    """
    given: dict[str, str] = {}
    for score, name, path in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if score >= LIKE_ENOUGH and name not in given and not clashes(path, given.values()):
            given[name] = path
    return given


def nearest_list(names: Iterable[str], offered: Kinds) -> str | None:
    """The path of the list or keyed map whose name is most similar to one of ``names``, if similar enough."""
    lists = [path for path, kinds in offered.items() if any("list" in k or k == "map by key" for k in kinds)]
    scored = [(likeness(name, path), path) for name in names for path in lists if "*" not in path]
    score, path = max(scored, default=(0.0, ""))
    return path if score >= LIKE_ENOUGH else None


def likely_records(body: Json, name: str, spec: Stream) -> str | None:
    """The path that most probably leads to the stream's records, or to its record; None if there is none.

    Args:
        body: the JSON of a response.
        name: the stream.
        spec: the stream as the contract describes it.
    """
    if spec.reads == "one":
        maps = [(path, value) for path, value in _walk(body) if isinstance(value, dict)]
        known = [(sum(present(m, f.paths) is not MISSING for f in spec.fields.values()), path) for path, m in maps]
        score, path = max(known, default=(0, ""), key=lambda pair: (pair[0], -len(pair[1])))
        return path if score else None
    lists = {path: value for path, value in _walk(body) if isinstance(value, list) or is_keyed(value)}
    full = {path: value for path, value in lists.items() if value and all(isinstance(v, dict) for v in _items(value))}
    candidates = full or {path: value for path, value in lists.items() if not value}
    return max(candidates, key=lambda p: (likeness(name, p), len(candidates[p]), -len(p)), default=None)


def likely_total(body: Json, headers: Mapping[str, str], records: str, count: int) -> dict[str, str] | None:
    """The place of a number that is named like a total, and is at least ``count``.

    Args:
        body: the JSON of a page.
        headers: its headers.
        records: the path of its records.
        count: the number of its records.

    Returns:
        ``{"body": path}`` or ``{"header": name}``.
    """
    found = {}
    for path, value in _walk(body):
        if not path.startswith(records) and _is_count(value, count) and _says_total(path):
            found[path] = "body"
    for name, value in headers.items():
        if _is_count(value, count) and _says_total(name):
            found[name] = "header"
    if not found:
        return None
    best = min(found, key=lambda name: ("total" not in name.lower(), len(name)))
    return {found[best]: best}


def likely_paging(body: Json, headers: Mapping[str, str]) -> dict[str, Any] | None:
    """The paging that the response itself suggests: a next link, a cursor, or parameters that it repeats."""
    values = {path: value for path, value in _walk(body) if not isinstance(value, dict | list)}
    if 'rel="next"' in headers.get("Link", ""):
        return {"style": "next_link"}
    for path, value in values.items():
        if f".{path}".endswith(tuple(f".{name}" for name in _NEXT_LINKS)) and _is_link(path, value):
            return {"style": "next_link", "next": path}
    for path, value in values.items():
        if _is_cursor(path, value):
            return {"style": "cursor", "cursor": path}
    names = {path.rsplit(".", 1)[-1] for path in values}
    size = {"size_parameter": next((name for name in _SIZE_NAMES if name in names), None)}
    for style, known in (("offset", _OFFSET_NAMES), ("page", _PAGE_NAMES)):
        if name := next((name for name in known if name in names), None):
            return {"style": style, f"{style}_parameter": name} | size
    return None


def _is_link(path: str, value: Json) -> bool:
    if value is None:
        return "link" in path.lower() or "url" in path.lower()
    return isinstance(value, str) and value.startswith(("http://", "https://", "/", "?"))


def _is_cursor(path: str, value: Json) -> bool:
    """Whether a value is the next page's cursor by its name; a null there is the end of a list with cursors."""
    name = snake(path.rsplit(".", 1)[-1])
    if not _NEXT_CURSOR.fullmatch(name) or isinstance(value, bool):
        return False
    return name not in ("next", "after") if value is None else isinstance(value, str | int) and value != ""


def _words(name: str) -> frozenset[str]:
    return frozenset(
        _WORD.get(part, _WORD.get(part.removesuffix("s"), part.removesuffix("s")))
        for part in snake(name).split("_")
        if part
    )


def _is_scalar(column: str, kinds: Iterable[str]) -> bool:
    return column == "value" or not any("list" in kind or kind == "map by key" for kind in set(kinds) - NOTHING)


def _items(value: Json) -> list[Json]:
    return list(value.values()) if isinstance(value, dict) else value


def _walk(body: Json) -> Iterator[tuple[str, Json]]:
    """Every path in ``body`` with its value, except those inside lists and those with a name that may be a value."""
    todo: list[tuple[str, Json, int]] = [("@body", body, 0)]
    while todo:
        path, value, depth = todo.pop(0)
        yield path, value
        if isinstance(value, dict) and not is_keyed(value) and depth < _DEEPEST:
            todo += [
                (f"{path}.{name}".removeprefix("@body."), below, depth + 1)
                for name, below in value.items()
                # Some serializers mark their own names, as "$values" and "@count".
                if FIELD_NAME.fullmatch(name.lstrip("@$"))
            ]


def _is_count(value: Json, least: int) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return False
    text = str(value)
    return text.isdecimal() and len(text) < 19 and int(text) >= least


def _says_total(name: str) -> bool:
    words = set(snake(name).split("_"))
    return bool(words & _TOTAL_WORDS) and not words & _NO_TOTAL_WORDS
