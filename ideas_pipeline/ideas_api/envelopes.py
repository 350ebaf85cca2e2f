"""Lists in an envelope of their own, such as ``"labels": {"data": [...], "total": 2}`` and GraphQL's connections."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ideas_pipeline.contract.types import Json, Paths

_LIST = re.compile(
    r"collection|content|data|edges|elements|entries|items|list|members?|nodes|records|results|rows|values?"
)
# What else an envelope holds. With any other name beside the list, the map may be one record, or values by key.
_ABOUT = re.compile(
    r"context|count|current(page)?|(end|next)?cursor|first|has(more|next|nextpage)|href|(is)?last|limit|links?"
    r"|maxresults|meta(data)?|next(page)?|object|odata(context|count|nextlink)|offset|pageinfo|pages?(size)?"
    r"|paging|pagination|perpage|prev(ious)?|self|size|start(at)?|total(count|items|pages)?|typename|url"
    r"|(is|results?)?(incomplete|partial|truncated)(results?|data|response)?|timedout"
)
# What an envelope, or a map in it, says if its list goes on: a flag, a next page, or how many items there are in all.
_META = re.compile(r"links?|meta(data)?|paging|pagination|page(info)?")
_MORE_PAGES = re.compile(r"has(more|next|nextpage)")
_MORE = re.compile(rf"{_MORE_PAGES.pattern}|(is|results?)?(incomplete|partial|truncated)(results?|data|response)?")
_LAST = re.compile(r"(is)?last(page)?")
_NEXT = re.compile(r"next(cursor|link|page|url)?|odatanextlink")
_COUNT = re.compile(r"(odata|total)?count|total(items)?")
_FLAGS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}
# How APIs write that no page follows, besides null and an empty text: Redis and Twitter send the cursor 0.
NO_PAGE = frozenset(("0", "-1", "null", "none", "nil", "undefined", "false"))


def plain_name(name: str) -> str:
    """A name as one word: ``hasNextPage`` and ``has_next_page`` are ``hasnextpage``."""
    return re.sub(r"[^a-z]", "", name.lower())


def unwrapped(value: Json) -> Json:
    """The list inside an envelope; any other value itself. The nodes of GraphQL's edges are the items."""
    if not isinstance(value, dict):
        return value
    plain = {plain_name(name): below for name, below in value.items()}
    lists = [name for name, below in plain.items() if _LIST.fullmatch(name) and isinstance(below, list)]
    if len(lists) != 1 or not all(map(_ABOUT.fullmatch, plain.keys() - set(lists))):
        return value
    items = plain[lists[0]]
    if lists == ["edges"] and all(isinstance(item, dict) and "node" in item for item in items):
        return [item["node"] for item in items]
    return items


def says_last(body: Json, path: str) -> bool:
    """Whether a flag beside a cursor says that no page follows: Stripe, Zendesk and GraphQL send a cursor all the same.

    Args:
        body: the response.
        path: where the cursor is.
    """
    at = body
    for step in ("", *path.split(".")[:-1]):
        at = at.get(step) if step and isinstance(at, dict) else at
        for name, value in _with_meta(at) if isinstance(at, dict) else ():
            if _MORE_PAGES.fullmatch(name) and _flag(value) is False:
                return True
            if _LAST.fullmatch(name) and _flag(value) and not str(value).isdigit():  # Laravel's is a page's number
                return True
    return False


def is_cut_short(value: Json, *, by_count: bool = True) -> bool:
    """Whether the envelope of a list says that the list goes on elsewhere, as GraphQL's connections do.

    Args:
        value: the envelope. Any other value says nothing.
        by_count: whether it says so, too, if it counts more items than it has.
    """
    items = unwrapped(value)
    if items is value or not isinstance(value, dict):
        return False
    return any(
        _says_more(name, below) or (by_count and _counts_more(name, below, len(items)))
        for name, below in _with_meta(value)
    )


def _with_meta(envelope: dict[str, Json]) -> Iterator[tuple[str, Json]]:
    """The plain names and values in an envelope, and in the maps about the list in it."""
    for name, value in envelope.items():
        plain = plain_name(name)
        yield plain, value
        if isinstance(value, dict) and _META.fullmatch(plain):
            yield from ((plain_name(below), each) for below, each in value.items())


def _flag(value: Json) -> bool | None:
    """A flag as JSON, text or number; None if the value is none."""
    if isinstance(value, float) or not isinstance(value, int | str):
        return None
    return _FLAGS.get(str(value).strip().lower())


def counts_beside(paths: Paths) -> Callable[[Json, int], bool]:
    """A function (record, items) -> whether a count beside a list, such as ``labels_count``, exceeds its items.

    Args:
        paths: where the list is in a record.
    """
    places = [(path.split(".")[:-1], _names_of_count(path.rpartition(".")[2])) for path in paths if path[0] != "@"]

    def exceed(record: Json, items: int) -> bool:
        for way, names in places:
            at = record
            for step in way:
                at = at.get(step) if isinstance(at, dict) else None
            if not isinstance(at, dict) or names.isdisjoint(at):
                continue
            if any(type(at[n]) is int and at[n] > items for n in names & at.keys()):
                return True
        return False

    return exceed


def _names_of_count(name: str) -> set[str]:
    """What APIs call the count of a list: for ``labels``, ``label_count``, ``labelsCount``, ``total_labels`` …"""
    one = f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")
    parts = [(each, word) for each in (name, one) for word in ("count", "total")]
    after = {f"{each}{joined}" for each, word in parts for joined in (f"_{word}", word.capitalize(), word)}
    return after | {
        f"{word}{joined}" for word in ("total", "num") for joined in (f"_{name}", name[:1].upper() + name[1:])
    }


def _says_more(name: str, value: Json) -> bool:
    if _NEXT.fullmatch(name):
        value = value.get("href") if isinstance(value, dict) else value
        return bool(value) and str(value).lower() not in NO_PAGE
    flag = _flag(value)
    if flag is None or (_LAST.fullmatch(name) and str(value).isdigit()):
        return False
    return (_MORE if flag else _LAST).fullmatch(name) is not None


def _counts_more(name: str, value: Json, count: int) -> bool:
    return type(value) is int and value > count and _COUNT.fullmatch(name) is not None
