"""Text: what every database engine can store, JSON as text, and numbers of things in sentences."""

from __future__ import annotations

import json
import math
import re
from html import unescape
from html.entities import html5
from typing import Any

import orjson

Json = Any

# Engines differ on NUL and lone surrogates: some refuse them, some truncate the text there.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


class TooDeep(ValueError):
    """A value is nested too deeply for a text."""


class Repeated(list[Json]):
    """The different values of a name that came more than once in one JSON map: nobody knows which of them is meant."""


def counted(number: int, thing: str) -> str:
    """``1 row``, ``1,234 rows``."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def decode_entities(text: str) -> str:
    """Replace HTML entities (``&amp;``, ``&#39;``) by the characters that they stand for, each once.

    ``html.unescape`` alone would also find ``&copy`` in ``?a=1&copy=2`` and in ``&copyright;``.
    """
    return _ENTITY.sub(_decoded, text) if "&" in text else text


def _decoded(entity: re.Match[str]) -> str:
    is_known = entity[0][1] == "#" or entity[0][1:] in html5
    return unescape(entity[0]) if is_known else entity[0]


def clean_text(text: str) -> str:
    """Replace NUL characters and lone surrogates with U+FFFD."""
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def is_clean(text: str) -> bool:
    """Whether every engine can store the text as it is."""
    return _UNSTORABLE.search(text) is None


def clean_json(value: Json, *, finite: bool = False) -> Json:
    """Clean every text and name in ``value``. With ``finite``, NaN and infinities, which JSON lacks, become null."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(name): clean_json(item, finite=finite) for name, item in value.items()}
    if isinstance(value, list | tuple):
        items = [clean_json(item, finite=finite) for item in value]
        return Repeated(items) if isinstance(value, Repeated) else items
    return None if finite and isinstance(value, float) and not math.isfinite(value) else value


def json_text(value: Json) -> str:
    """Write ``value`` as compact JSON with sorted names and clean texts; NaN and infinities become null.

    Raises TooDeep if it is nested too deeply, and ValueError if it holds a number of thousands of digits.
    """
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        if b"\\u0000" not in text:
            return text.decode()
        return orjson.dumps(clean_json(value), option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        pass  # lone surrogates, integers of more than 64 bits, or nested too deeply
    try:
        cleaned = clean_json(value, finite=True)
        return json.dumps(cleaned, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    except RecursionError:
        raise TooDeep("is nested too deeply") from None


def in_one_line(message: str) -> str:
    """The lines of a message as one: a line that begins a sentence ends the one before it."""
    joined = ""
    for line in map(str.strip, message.splitlines()):
        ends = not joined or joined.endswith((".", ":", "!", "?")) or not line[:1].isupper()
        joined += f"{'' if ends else '.'} {line}"
    return joined.strip()
