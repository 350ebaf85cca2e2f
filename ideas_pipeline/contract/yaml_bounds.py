"""Bounds for YAML of unknown origin: text that nests too deeply or has too many parts, aliases that multiply values."""

from __future__ import annotations

import re
from typing import Any

_DEEPEST = 64
_MOST_VALUES = 1_000_000
# Lists of lists can begin on one line: "- - - -".
_BEGINS = re.compile(r"(?:[-?:][ \t]+){64}")
_BRACKETS = re.compile(r"[\[{\]}]")
_PARTS = re.compile(r"[\[{,]|[-?:]\s")


def is_too_deep(text: str) -> bool:
    """Whether YAML or JSON text nests deeper than any contract or description of an API.

    Check this before parsing, because the parser's time grows with the square of the depth. Brackets in strings count,
    too: text that opens 64 brackets more than it closes counts as too deep.
    """
    if _BEGINS.search(text):
        return True
    depth = 0
    for bracket in _BRACKETS.finditer(text):
        depth = depth + 1 if bracket[0] in "[{" else max(0, depth - 1)
        if depth > _DEEPEST:
            return True
    return False


def parts(text: str) -> int:
    """About how many maps, lists and values are in YAML text. The parser takes up to a millisecond for each."""
    return sum(1 for _ in _PARTS.finditer(text))


def is_too_large(data: Any) -> bool:
    """Whether ``data`` would have more than a million values if each alias were replaced by what it stands for.

    Data that contains itself has no end, and is too large. The time depends on the
    size of the data in memory, where an alias takes no space.
    """
    sizes: dict[int, float] = {}

    def size(value: Any) -> float:
        if not isinstance(value, dict | list):
            return 1
        if id(value) not in sizes:
            sizes[id(value)] = float("inf")  # until it is known: if it is needed before, the value contains itself
            items = value.values() if isinstance(value, dict) else value
            sizes[id(value)] = 1 + sum(size(item) for item in items)
        return sizes[id(value)]

    return size(data) > _MOST_VALUES
