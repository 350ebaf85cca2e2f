"""Conversion of an API's times, in any of many formats, to microseconds since 1970 (UTC)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min - _EPOCH) // _MICROSECOND
_LAST = (datetime.max - _EPOCH) // _MICROSECOND
# Local times this close to either end may leave the range when they are converted to UTC.
_MARGIN = 2 * 24 * 3600 * 1_000_000

_ISO = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?)?"
    r"(?:\s*(?:(?P<utc>Z|UTC|GMT)|(?P<sign>[+-])(?P<zone_hours>[0-9]{2})(?::?(?P<zone_minutes>[0-9]{2}))?))?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# Formats that Arrow parses a column at a time; anything else is parsed value by value.
_PLAIN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
_PLAIN_WITH_ZONE = _PLAIN + r"(Z|[+-][0-9]{2}:[0-9]{2})$"
_PLAIN_NAIVE = _PLAIN + "$"

_SCALE = {"seconds": 1_000_000, "milliseconds": 1_000}
_OUT_OF_RANGE = "is not between the years 1 and 9999"


def timestamps(values: Sequence[Any], timezone: str, epoch: str = "seconds") -> tuple[list[int | None], dict[int, str]]:
    """Convert a column of times.

    Two formats are accepted: ISO 8601 text (with "T" or a space, with or without seconds, fraction and zone; a date
    means its midnight), and numbers or texts of digits, which count from 1970. Digits beyond the microsecond are
    dropped.

    Args:
        values: JSON values, with None for missing ones.
        timezone: the zone of times without one. An hour that occurs twice is taken as the first; a time in a skipped
            hour becomes the moment at which the clocks went forward.
        epoch: the unit of numbers, ``seconds`` or ``milliseconds``.

    Returns:
        Microseconds since 1970 (UTC) for each value, or None; and by position, why a value could not be read.
    """
    if set(map(type, values)) <= {str, type(None)}:
        moments = _read_together(values, timezone)
        if moments is not None:
            return moments, {}
    return _read_one_by_one(values, timezone, epoch)


def _read_together(values: Sequence[str | None], timezone: str) -> list[int | None] | None:
    """Convert all values at once; return None unless all have the usual format."""
    try:
        texts = pa.array(values, pa.string())
        if pc.all(pc.match_substring_regex(texts, _PLAIN_WITH_ZONE), min_count=0).as_py():
            moments = texts.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
            margin = 0
        elif pc.all(pc.match_substring_regex(texts, _PLAIN_NAIVE), min_count=0).as_py():
            moments = texts.cast(pa.timestamp("us")).cast(pa.int64())
            margin = _MARGIN
        else:
            return None
    except (pa.ArrowInvalid, UnicodeEncodeError):
        return None
    ends = pc.min_max(moments).as_py()
    if ends["min"] is not None and not (_FIRST + margin <= ends["min"] and ends["max"] <= _LAST - margin):
        return None
    if margin and timezone != "UTC":
        is_null = np.asarray(moments.is_null())
        local = moments.fill_null(0).to_numpy(zero_copy_only=False)
        moments = pa.array(_in_utc(local, timezone), pa.int64(), mask=is_null)
    plain: list[int | None] = moments.to_pylist()
    return plain


def _read_one_by_one(values: Sequence[Any], timezone: str, epoch: str) -> tuple[list[int | None], dict[int, str]]:
    moments: list[int | None] = [None] * len(values)
    reasons: dict[int, str] = {}
    local: list[int] = []
    for position, value in enumerate(values):
        if value is None:
            continue
        try:
            moment, is_local = _read(value, epoch)
        except ValueError as error:
            reasons[position] = str(error)
            continue
        margin = _MARGIN if is_local and timezone != "UTC" else 0
        if not _FIRST + margin <= moment <= _LAST - margin:
            reasons[position] = _OUT_OF_RANGE
            continue
        moments[position] = moment
        if is_local:
            local.append(position)
    if local and timezone != "UTC":
        converted = _in_utc(np.array([moments[position] for position in local], np.int64), timezone)
        for position, moment in zip(local, converted.tolist(), strict=True):
            moments[position] = moment
    return moments, reasons


def _read(value: Any, epoch: str) -> tuple[int, bool]:
    """Return microseconds since 1970, and whether they are in local time. Raises ValueError with the reason."""
    if isinstance(value, str):
        text = value.strip()
        if found := _ISO.fullmatch(text):
            return _read_iso(found)
        if not _NUMBER.fullmatch(text) or len(text) > 40:
            raise ValueError("is not a time: it is neither ISO 8601 nor a number")
        value = float(text) if "." in text else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a time")
    moment = value * _SCALE[epoch]
    if not _FIRST <= moment <= _LAST:  # NaN and infinities, too
        raise ValueError(_OUT_OF_RANGE)
    return round(moment), False


def _read_iso(found: re.Match[str]) -> tuple[int, bool]:
    part = found.groupdict(default="")
    try:
        clock = datetime.fromisoformat(
            f"{part['date']}T{part['hour'] or '00'}:{part['minute'] or '00'}:{part['second'] or '00'}"
        )
    except ValueError:
        raise ValueError("is not a time: there is no such day or hour") from None
    moment = (clock - _EPOCH) // _MICROSECOND + int(part["fraction"][:6].ljust(6, "0"))
    if not part["sign"]:
        return moment, not part["utc"]
    hours, minutes = int(part["zone_hours"]), int(part["zone_minutes"] or 0)
    if hours > 23 or minutes > 59:
        raise ValueError("is not a time: there is no such zone")
    offset = (hours * 60 + minutes) * 60_000_000
    return (moment - offset if part["sign"] == "+" else moment + offset), False


def _in_utc(local: np.ndarray[Any, np.dtype[np.int64]], timezone: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Convert microseconds of local time in ``timezone`` to microseconds since 1970 (UTC)."""
    index = pd.DatetimeIndex(local.view("M8[us]")).tz_localize(
        timezone, ambiguous=np.ones(len(local), bool), nonexistent="shift_forward"
    )
    return np.asarray(index.asi8)
