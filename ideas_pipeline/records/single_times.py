"""A time by itself: a number, a text, or a map or list as libraries and databases write times in JSON.

Maps are MongoDB's (``{"$date": …}``), Firestore's and protobuf's (``seconds``, ``nanos``), PHP's and Microsoft Graph's
(a date or ``dateTime`` beside a zone), those of Parse and ServiceNow (``iso``, ``value``), and of Java's ``LocalDate``
and ``LocalDateTime``, which are also written as lists: ``[2026, 1, 31, 9, 0]``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ideas_pipeline.records.time_format import Moment, TimeFormat, read_number
from ideas_pipeline.records.time_texts import basic_form, read_text
from ideas_pipeline.tables.reject_reasons import Reason, Unreadable

Json = Any

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_LONGEST_NUMBER = 40
_HAS_ZONE = re.compile(r"(?:[0-9]Z|[+-][0-9]{2}:?[0-9]{2})$", re.IGNORECASE)

_NANOS = {"nanos", "nanoseconds"}
_ZONES = ("timezone", "zone", "tz", "offset")
_TEXTS = ("datetime", "iso", "iso8601", "value")
_NUMBERS = ("epoch", "unix", "timestamp")
_OF_A_DATE = {"date", "time", "timezonetype", *_ZONES}
_OF_A_MOMENT = {*_TEXTS, *_NUMBERS, *_ZONES, "type", "displayvalue", "link", "formatted", "human", "relative"}
_PARTS = ("hour", "minute", "second")
_OF_PARTS = {"year", "month", "monthvalue", "day", "dayofmonth", "dayofweek", "dayofyear", "leapyear", "nano"}
_OF_PARTS |= {"chronology", *_PARTS}


def read_time(value: Json, written: TimeFormat) -> Moment:
    """The moment of a JSON value. Raises Unreadable."""
    if isinstance(value, str):
        return _read_text_or_number(value, written)
    if isinstance(value, dict):
        return _read_map(value, written)
    if type(value) is list:  # not Repeated
        return read_text(_iso_of_list(value), written)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise Unreadable(Reason.NOT_A_TIME)
    if 0 < value < 1e14 and value == int(value) and basic_form(digits := str(int(value))):
        return read_text(digits, written)
    return read_number(value, written)


def sure_time(value: Json) -> Moment | None:
    """The moment of a text, map or list that can only be a time, read as UTC if it has no zone; None for others.

    Digits may be any number, and fewer than five numbers may be any list.
    """
    is_digits = isinstance(value, str) and _NUMBER.fullmatch(value)
    if is_digits or (not isinstance(value, dict | str) and not (isinstance(value, list) and len(value) > 4)):
        return None
    try:
        return read_time(value, TimeFormat())
    except Unreadable:
        return None


def _read_text_or_number(text: str, written: TimeFormat) -> Moment:
    text = text.strip()
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text) or basic_form(text):
        return read_text(text, written)
    return read_time(Decimal(text) if "." in text else int(text), written)


def _read_map(value: Mapping[str, Json], written: TimeFormat) -> Moment:
    if value.keys() == {"$date"}:
        return _read_mongo(value["$date"], written)
    named = {str(name).replace("_", "").lower(): below for name, below in value.items()}
    if "seconds" in named and named.keys() <= {"seconds", *_NANOS}:
        nanos = next((named[name] for name in _NANOS if name in named), 0)
        total = _whole(named["seconds"]) * 10**9 + _whole(nanos)
        return read_number(total, replace(written, epoch="nanoseconds"))
    if named.keys() <= _OF_PARTS:
        return read_text(_iso_of_parts(named, {}), written)
    if "date" in named and named.keys() <= _OF_A_DATE:
        day, clock = named["date"], named.get("time")
        if isinstance(day, dict):
            return read_text(_iso_of_parts(day, clock or {}), written)
        return _read_in_zone(f"{_text(day)} {_text(clock)}" if clock else _text(day), named, written)
    if named.keys() <= _OF_A_MOMENT:
        for name in _TEXTS:
            if isinstance(named.get(name), str):
                return _read_in_zone(named[name], named, written)
        for name in _NUMBERS:
            if name in named and not isinstance(named[name], dict | list):
                return read_time(named[name], written)
    raise Unreadable(Reason.NOT_A_TIME)


def _read_mongo(value: Json, written: TimeFormat) -> Moment:
    """The moment of MongoDB's extended JSON: a text, or milliseconds as a number or in ``$numberLong``."""
    if isinstance(value, dict) and value.keys() == {"$numberLong"}:
        value = _whole(value["$numberLong"])
    return read_time(value, replace(written, epoch="milliseconds") if not isinstance(value, str) else written)


def _read_in_zone(text: str, beside: Mapping[str, Json], written: TimeFormat) -> Moment:
    """The moment of a text that has its zone beside it, unless it has one itself."""
    zone = next((beside[name] for name in beside if name.endswith(_ZONES) and beside[name]), None)
    if zone is None or _HAS_ZONE.search(text):
        return _read_text_or_number(text, written)
    return read_text(f"{text} {_text(zone)}", written)


def _iso_of_list(value: Sequence[Json]) -> str:
    """The text of Java's list: year, month, day, hour, minute, second and nanoseconds, as far as they are not 0."""
    if not 3 <= len(value) <= 7:
        raise Unreadable(Reason.NOT_A_TIME)
    return _iso(*value)


def _iso_of_parts(day: Mapping[str, Json], clock: Mapping[str, Json]) -> str:
    if not isinstance(clock, dict):
        raise Unreadable(Reason.NOT_A_TIME)
    part = {str(name).replace("_", "").lower(): value for name, value in {**day, **clock}.items()}
    if not part.keys() <= _OF_PARTS:
        raise Unreadable(Reason.NOT_A_TIME)
    month, of_month = part.get("monthvalue", part.get("month")), part.get("dayofmonth", part.get("day"))
    return _iso(part.get("year"), month, of_month, *(part.get(name, 0) for name in (*_PARTS, "nano")))


def _iso(year: Json, month: Json, day: Json, hour: Json = 0, minute: Json = 0, second: Json = 0, nano: Json = 0) -> str:
    parts = (year, month, day, hour, minute, second, nano)
    if not all(type(part) is int and part >= 0 for part in parts):
        raise Unreadable(Reason.NOT_A_TIME)
    # Jackson reads what is less than 1,000 as milliseconds, too (WRITE_DATE_TIMESTAMPS_AS_NANOSECONDS).
    nano = nano * 1_000_000 if nano < 1000 else nano
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nano:09}"


def _whole(value: Json) -> int:
    """A whole number, which protobuf and MongoDB write as text."""
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER and re.fullmatch(r"-?[0-9]+", value):
        return int(value)
    if type(value) is not int:
        raise Unreadable(Reason.NOT_A_TIME)
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise Unreadable(Reason.NOT_A_TIME)
    return value.strip()
