"""Text and JSON that every database engine can hold."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

Json = Any

# No engine stores NUL and lone surrogates alike: some refuse them, some cut the text short.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def clean_text(text: str) -> str:
    """``text`` with U+FFFD in place of NUL characters and lone surrogates."""
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def clean_json(value: Json) -> Json:
    """``value`` with clean texts and names; numbers that JSON does not have (NaN, infinities) become null."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(name): clean_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_text(value: Json) -> str:
    """``value`` as compact JSON text with sorted names and clean texts.

    Raises ValueError where it is nested too deeply, or has a number of thousands of digits.
    """
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        if b"\\u0000" not in text:
            return text.decode()
        return orjson.dumps(clean_json(value), option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        pass  # lone surrogates, integers of more than 64 bits, or too deep
    try:
        return json.dumps(clean_json(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
