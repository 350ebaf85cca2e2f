"""From the bytes of a body to JSON: encodings, broken characters, long numbers, repeated names."""

from __future__ import annotations

import codecs
import json
import re
import sys
from dataclasses import dataclass, field
from typing import Any

import orjson

from ideas_pipeline.text import Repeated, clean_json, is_clean

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)
# Frameworks declare these by default, whatever they send: a body that is valid UTF-8 is UTF-8 all the same.
_DECLARED_BY_DEFAULT = {"iso8859-1", "ascii"}
# Python decodes these in quadratic time, or they are notations for something else than a document.
_NOT_OF_BODIES = ("punycode", "idna", "unicode_escape", "unicode-escape", "raw_unicode_escape", "raw-unicode-escape")
# Browsers and servers mean this by ISO-8859-1 (https://encoding.spec.whatwg.org/#names-and-labels).
_LATIN = "cp1252"

# Digits become zeros, so that a long number is found by a search for bytes, and not by a slow regular expression.
_DIGITS = bytes.maketrans(b"123456789Ee", b"000000000..")
# orjson makes a float of an integer beyond 64 bits, and a float holds no more than 15 digits exactly.
_LONG_INTEGER = b"0" * 19
_LONG_DECIMAL = b"0" * 16 + b"."
_LONGEST_INTEGER = 1_000
# The most different values that are kept of one name: more add nothing, and comparing all of them would be quadratic.
_MOST_REPEATED = 100
_WHOLE = re.compile(r"(-?[0-9]+)\.0+")


@dataclass(frozen=True, slots=True)
class Parsed:
    """The JSON of a body. ``replaced``: how many of its characters were broken, and became U+FFFD."""

    value: Any = field(repr=False)
    replaced: int = 0


class NestedTooDeeply(ValueError):
    """JSON in more levels than the parsers read: about 1,000."""


def parse(body: bytes, content_type: str = "") -> Parsed:
    """Parse JSON in any encoding.

    Bytes that are not text in the body's encoding, NUL characters and lone surrogates become U+FFFD; NaN and Infinity
    become None. Whole numbers keep every digit. A name that comes more than once in one map, with different values,
    gets all of them (``Repeated``).

    Args:
        body: the bytes as received.
        content_type: the header of that name. Its charset counts if the body is text in that encoding. A byte order
            mark and the pattern of UTF-16 and UTF-32 (RFC 4627 §3) count for more.

    Raises:
        ValueError: it is not JSON.
        NestedTooDeeply: it is nested too deeply.
    """
    try:
        if charset_of(content_type) is None:
            plain = body.removeprefix(codecs.BOM_UTF8)
            try:
                value = orjson.loads(plain)
            except orjson.JSONDecodeError:
                pass
            else:
                if not (_has_long_number(plain) or _repeats_names(plain, value)):
                    return Parsed(clean_json(value) if b"\\u0000" in plain else value)
        text, replaced = decode(body, content_type)
        # The standard library reads what orjson refuses: lone surrogates, NaN, line breaks within texts.
        value = json.loads(
            text,
            strict=False,
            parse_constant=lambda _: None,
            parse_int=_integer,
            parse_float=_decimal,
            object_pairs_hook=_map,
        )
        # Since Python 3.12 it reads more levels than any function can walk through.
        may_be_deep = text.count("[") + text.count("{") >= sys.getrecursionlimit()
        return Parsed(clean_json(value) if may_be_deep or "\\u" in text or not is_clean(text) else value, replaced)
    except RecursionError:
        raise NestedTooDeeply("JSON that is nested too deeply") from None


def may_exceed(body: bytes, values: int) -> bool:
    """Whether JSON may hold more than so many values. Commas within texts do not count, in any encoding.

    Nothing is parsed: a million small values take some fifty times their bytes in memory.
    """
    if body.count(b",") < values:
        return False
    plain = body.replace(b"\0", b"").replace(b"\\\\", b"").replace(b'\\"', b"")
    return sum(part.count(b",") for part in plain.split(b'"')[::2]) >= values


def charset_of(content_type: str) -> str | None:
    """The charset that a Content-Type header declares, if Python knows it and it is not UTF-8."""
    found = _CHARSET.search(content_type)
    if not found:
        return None
    try:
        name = codecs.lookup(found[1]).name
        b"[]".decode(name)
    except (LookupError, UnicodeError):  # unknown, or a codec that makes no text, such as base64
        return None
    return None if name in ("utf-8", "utf-8-sig", *_NOT_OF_BODIES) else name


def decode(body: bytes, content_type: str = "") -> tuple[str, int]:
    """Decode a body.

    Args:
        body: the bytes as received.
        content_type: the header of that name.

    Returns:
        The text without a byte order mark, and how many characters were broken and became U+FFFD.
    """
    detected: str = json.detect_encoding(body)
    encodings = [detected]
    declared = charset_of(content_type)
    if declared and detected == "utf-8":
        encodings = [detected, _LATIN] if declared in _DECLARED_BY_DEFAULT else [declared, detected]
    for encoding in encodings:
        try:
            return body.decode(encoding), 0
        except UnicodeError:
            continue
    encoding = detected if declared in _DECLARED_BY_DEFAULT else encodings[0]
    try:
        # Halves of characters beyond U+FFFF, each encoded by itself, are joined (https://www.unicode.org/reports/tr26/).
        halves = body.decode(encoding, "surrogatepass").encode("utf-16-le", "surrogatepass")
        text, intact = halves.decode("utf-16-le", "replace"), halves.decode("utf-16-le", "ignore")
    except UnicodeError:
        text, intact = body.decode(encoding, "replace"), body.decode(encoding, "ignore")
    return text, text.count("\ufffd") - intact.count("\ufffd")


def _has_long_number(body: bytes) -> bool:
    zeros = body.translate(_DIGITS)
    return _LONG_INTEGER in zeros or _LONG_DECIMAL in zeros


def _repeats_names(body: bytes, value: Any) -> bool:
    """Whether the body has more names than the parsed ``value``. A quotation mark within a text has a backslash."""
    try:
        written = orjson.dumps(value)
    except orjson.JSONEncodeError:  # nested too deeply to be written, and for the standard library to read
        return False
    return _names(body) > _names(written)


def _names(body: bytes) -> int:
    return body.count(b'":') + body.count(b'" :')


def _integer(digits: str) -> int | str:
    """An integer; the digits themselves if there are more than any number needs."""
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


def _decimal(digits: str) -> int | float:
    """A float; an integer if it is whole, and a float could not hold it."""
    number = float(digits)
    whole = _WHOLE.fullmatch(digits)
    return int(whole[1]) if whole and abs(number) >= 2**53 and len(digits) <= _LONGEST_INTEGER else number


def _map(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    values: dict[str, list[Any]] = {}
    for name, value in pairs:
        all_of = values.setdefault(name, [])
        if len(all_of) < _MOST_REPEATED and value not in all_of:
            all_of.append(value)
    return {name: all_of[0] if len(all_of) == 1 else Repeated(all_of) for name, all_of in values.items()}
