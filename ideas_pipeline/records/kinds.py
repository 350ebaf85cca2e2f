"""Conversion of JSON values to the kind of a column; a whole column at once if its values are of that kind already."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ideas_pipeline.late.arrow import pa, pc
from ideas_pipeline.records.time_format import TimeFormat
from ideas_pipeline.records.timestamps import timestamps
from ideas_pipeline.tables.columns import Kind, arrow_type
from ideas_pipeline.tables.reject_reasons import Reason, Unreadable
from ideas_pipeline.text import Repeated, TooDeep, clean_text, json_text

Json = Any

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}(\.0*)?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
_BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}
# PostgreSQL indexes no key beyond 2,700 bytes, and a key can have two ids.
_LONGEST_ID = 1_000


@dataclass(frozen=True, slots=True)
class Values:
    """A column of one kind.

    Attributes:
        plain: the values for Python; times are microseconds since 1970, UTC.
        array: the same values for Arrow.
        reasons: why a value could not be read, by its position. Such a value is None in both.
    """

    plain: list[Any]
    array: pa.Array
    reasons: dict[int, Reason]


def convert(kind: Kind, values: list[Json], times: TimeFormat) -> Values:
    """Convert a column of JSON values. Each result depends on its own value alone.

    Args:
        kind: the kind of the column.
        values: JSON values, with None for missing ones.
        times: how times are written.
    """
    if kind == "timestamp":
        moments, reasons = timestamps(values, times)
        return Values(moments, pa.array(moments, pa.int64()).cast(arrow_type(kind)), reasons)
    kinds = set(map(type, values))
    if kind in ("id", "text") and int in kinds and kinds <= {int, str, _NONE}:
        values = _whole_numbers_as_text(values)
        kinds = set(map(type, values))
    if kinds <= _ALREADY[kind]:
        ready = _as_they_are(kind, values)
        if ready is not None:
            return ready
    return _one_by_one(kind, values)


_NONE = type(None)
_ALREADY: dict[Kind, set[type]] = {
    "id": {str, _NONE},
    "text": {str, _NONE},
    "json": set(),
    "integer": {int, _NONE},
    "number": {int, float, _NONE},
    "boolean": {bool, _NONE},
}


def _whole_numbers_as_text(values: list[Json]) -> list[Json]:
    try:
        return [str(value) if type(value) is int else value for value in values]
    except ValueError:  # Python refuses to write a number of more than 4,300 digits
        return values


def _as_they_are(kind: Kind, values: list[Json]) -> Values | None:
    """Convert values that need no change; return None if any does."""
    try:
        array = pa.array(values, arrow_type(kind))
    except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError):
        return None
    if kind in ("id", "text"):
        if kind == "id" and (pc.max(pc.binary_length(array)).as_py() or 0) > _LONGEST_ID:
            return None
        return None if pc.any(pc.match_substring(array, "\0"), min_count=0).as_py() else Values(values, array, {})
    if kind == "number":
        if not pc.all(pc.is_finite(array), min_count=0).as_py():
            return None
        array = pc.add(array, 0.0)  # -0.0 becomes 0.0: both mean the same, and must have one hash
        return Values(array.to_pylist(), array, {})
    return Values(values, array, {})


def _one_by_one(kind: Kind, values: list[Json]) -> Values:
    convert_one = _CONVERTERS[kind]
    plain: list[Any] = [None] * len(values)
    reasons: dict[int, Reason] = {}
    for position, value in enumerate(values):
        if value is None:
            continue
        try:
            if isinstance(value, Repeated):
                raise Unreadable(Reason.REPEATED)
            plain[position] = convert_one(value)
        except Unreadable as error:
            reasons[position] = error.reason
        except TooDeep:
            reasons[position] = Reason.TOO_DEEP
        except (ValueError, OverflowError):  # Python writes no number of more than 4,300 digits
            reasons[position] = Reason.TOO_MANY_DIGITS
    return Values(plain, pa.array(plain, arrow_type(kind)), reasons)


def _id(value: Json) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unreadable(Reason.NOT_AN_ID)
    text = _text(value)
    if len(text.encode()) > _LONGEST_ID:
        raise Unreadable(Reason.TOO_LONG_AN_ID)
    return text


def _text(value: Json) -> str:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict | list):
        return json_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _integer(value: Json) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        value = int(value.strip().split(".")[0])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unreadable(Reason.NOT_A_WHOLE_NUMBER)
    if not -(2**63) <= value < 2**63:
        raise Unreadable(Reason.TOO_LARGE)
    return value


def _number(value: Json) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unreadable(Reason.NOT_A_NUMBER)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Unreadable(Reason.NOT_FINITE)
    return number + 0.0  # -0.0 becomes 0.0


def _boolean(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    known = _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else None
    if known is None:
        raise Unreadable(Reason.NOT_A_BOOLEAN)
    return known


_CONVERTERS: dict[Kind, Callable[[Json], Any]] = {
    "id": _id,
    "text": _text,
    "json": json_text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}
