"""Lists in an envelope of their own, such as ``"labels": {"data": [...], "total": 2}`` and GraphQL's connections."""

from __future__ import annotations

import re

from ideas_pipeline.contract.types import Json

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
