"""From the bytes of a response to JSON that every engine can hold."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

import orjson

# No text column and no JSON column of any engine takes these.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def parse(body: bytes) -> Any:
    """UTF-8 JSON, with or without a byte order mark, as Python values.

    NUL characters and lone surrogates become U+FFFD. NaN and Infinity become None: they are no values.
    Integers beyond 64 bits become floats. Raises ValueError for anything that is no JSON, or nested too deeply.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            # The standard library reads what orjson refuses: lone surrogates, NaN, numbers out of range.
            text = body.decode("utf-8", "surrogatepass")
            return _storable(json.loads(text, parse_constant=lambda _: None))
        return _storable(parsed) if b"\\u0000" in body else parsed
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub(_REPLACEMENT, value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value
