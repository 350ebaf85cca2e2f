"""Texts that are times: ISO 8601 and RFC 3339, RFC 5322 and HTTP, C, Java, JavaScript, .NET, and English prose."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ideas_pipeline.records.time_format import (
    DAY,
    EPOCH,
    MICROSECOND,
    NO_TIME,
    Moment,
    TimeFormat,
    means_none,
    read_number,
)
from ideas_pipeline.tables.reject_reasons import Reason, Unreadable

_LONGEST = 100

_CLOCK = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?"
    r"(?:\s*(?P<half>[AP])\.?M\b\.?)?"
)
# A zone, and what some languages write behind it: "+0100 CET", "+01:00[Europe/Madrid]" (RFC 9557), "+0100 (CET)".
_ZONE = (
    r"(?:\s*(?P<zone>(?:UTC|GMT)?[+-][0-9]{2}(?::?[0-9]{2})?|[A-Z]+(?:/[A-Z_-]+)*))?(?:\s[A-Z]{1,5})?"
    r"(?:\s*\[(?P<region>[^\]]+)\])?(?:\s*\(.*\))?"
)
_REST = rf"(?:(?:T|,?\s+(?:at\s+)?){_CLOCK})?{_ZONE}"
_ISO = re.compile(
    rf"(?P<year>-?[0-9]{{4}})(?P<between>[-/])(?P<month>[0-9]{{1,2}})(?P=between)(?P<day>[0-9]{{1,2}}){_REST}",
    re.IGNORECASE,
)
_ISO_BASIC = re.compile(
    r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
    r"(?:(?P<between>T|\s)?(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?:(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?)?"
    + _ZONE,
    re.IGNORECASE,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:[a-z]{3,9},?\s+)?"
_DAY_OF_MONTH = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_WITH_MONTH_NAME = [
    re.compile(_WEEKDAY + form, re.IGNORECASE)
    for form in (
        # RFC 5322, RFC 9110 §5.6.7: Fri, 05 Jan 2024 10:15:00 GMT; Friday, 05-Jan-24 10:15:00 GMT; 5 Jan 2024, 10:15
        rf"{_DAY_OF_MONTH}(?:\s+(?:of\s+)?|-){_MONTH}(?:,?\s+|-)(?P<year>[0-9]{{4}}|[0-9]{{2}}(?=\s)){_REST}",
        # JavaScript: Fri Jan 05 2024 10:15:00 GMT+0100 (CET); January 5, 2024 at 10:15 AM
        rf"{_MONTH}\s+{_DAY_OF_MONTH},?\s+(?P<year>[0-9]{{4}}){_REST}",
        # C and Java: Fri Jan  5 10:15:00 UTC 2024
        rf"{_MONTH}\s+{_DAY_OF_MONTH}\s+{_CLOCK}(?:\s+(?P<zone>[+-][0-9]{{4}}|[A-Z]+))?\s+(?P<year>[0-9]{{4}})",
        rf"(?P<year>[0-9]{{4}})(?:\s+|-){_MONTH}(?:\s+|-){_DAY_OF_MONTH}{_REST}",
    )
]
_DOT_NET = re.compile(r"/Date\((-?[0-9]{1,20})(?:[+-][0-9]{4})?\)/")
# Of two digits, email.utils takes these as years of the last century.
_LAST_CENTURY = 69
# Digits that are a day or a time without separators have a year between these.
_YEARS = range(1990, 2200)
_DIGITS_OF_A_DAY = 8

_UTC = ("Z", "UTC", "GMT", "UT")
# Hours ahead of UTC: the names of RFC 5322, and others that mean one zone alone. CST is also China's: see _named_zone.
_ZONES = {
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "AKST": -9, "AKDT": -8, "HST": -10, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MET": 1, "MEST": 2,
    "EET": 2, "EEST": 3, "HKT": 8, "JST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip


def read_text(text: str, written: TimeFormat) -> Moment:
    """The moment of a text. Digits alone may be a day, or else are not read. Raises Unreadable."""
    text = text.strip()
    if len(text) > _LONGEST:
        raise Unreadable(Reason.UNKNOWN_FORMAT)
    if (found := _ISO.fullmatch(text)) or (found := basic_form(text)):
        return _read_parts(found, written)
    if found := _DOT_NET.fullmatch(text):
        return read_number(int(found[1]), TimeFormat(epoch="milliseconds", no_times=written.no_times))
    for form in _WITH_MONTH_NAME:
        if found := form.fullmatch(text):
            return _read_parts(found, written)
    raise Unreadable(Reason.UNKNOWN_FORMAT)


def basic_form(text: str) -> re.Match[str] | None:
    """The parts of digits without separators that are a day, or a day and an hour; None if they count from 1970."""
    found = _ISO_BASIC.fullmatch(text)
    if not found or found["between"] or found["zone"] or found["region"] or len(text) == _DIGITS_OF_A_DAY:
        return found
    is_day = int(found["year"]) in _YEARS and 1 <= int(found["month"]) <= 12 and 1 <= int(found["day"]) <= 31
    return found if is_day else None


def _read_parts(found: re.Match[str], written: TimeFormat) -> Moment:
    part = {"half": "", "region": ""} | found.groupdict(default="")
    day = f"{_year(part['year'])}-{_month(part['month'])}-{part['day']:0>2}"
    hour, minute, second = _hour(part["hour"] or "00", part["half"]), part["minute"] or "00", part["second"] or "00"
    if day in written.no_times or f"{day} {hour}:{minute}:{second}" in written.no_times:
        return NO_TIME
    later = 0
    if (hour, minute, second) == ("24", "00", "00"):  # ISO 8601: the end of the day
        hour, later = "00", DAY
    if second == "60":  # a leap second
        second, later = "59", 1_000_000
    try:
        clock = datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}")
    except ValueError:
        raise Unreadable(Reason.NO_SUCH_DAY) from None
    moment = (clock - EPOCH) // MICROSECOND + int(part.get("fraction", "")[:6].ljust(6, "0")) + later
    zone = part["zone"] or part["region"]
    if not zone:
        return Moment(moment, written.timezone)
    offset = _offset(zone, clock, written)
    if offset is None:
        return Moment(moment, zone)
    moment -= offset // MICROSECOND
    return NO_TIME if means_none(moment, written) else Moment(moment)


def _year(text: str) -> str:
    return text if len(text) > 2 else f"{'19' if int(text) >= _LAST_CENTURY else '20'}{text}"


def _month(text: str) -> str:
    return f"{text:0>2}" if text.isdecimal() else f"{_MONTHS.index(text[:3].lower()) + 1:02}"


def _hour(text: str, half: str) -> str:
    """The hour of the day, of 24. ``half``: A for the hours before noon, P for those after it, if there are only 12."""
    if not half:
        return f"{text:0>2}"
    if not 1 <= int(text) <= 12:
        raise Unreadable(Reason.NO_SUCH_DAY)
    return f"{int(text) % 12 + (12 if half in 'Pp' else 0):02}"


def _offset(zone: str, clock: datetime, written: TimeFormat) -> timedelta | None:
    """How far a zone is ahead of UTC; None if it is the name of a region, such as ``Europe/Madrid``."""
    name = zone.upper()
    if name[:3] in ("GMT", "UTC") and name[3:]:
        name = name[3:]
    if name[0] in "+-":
        hours, minutes = int(name[1:3]), int(name[3:].lstrip(":") or 0)
        if hours > 23 or minutes > 59:
            raise Unreadable(Reason.NO_SUCH_ZONE)
        offset = timedelta(hours=hours, minutes=minutes)
        return offset if name[0] == "+" else -offset
    if name in _UTC:
        return timedelta()
    if "/" not in zone:
        return _named_zone(name, clock, written.timezone)
    if not _is_region(zone):
        raise Unreadable(Reason.NO_SUCH_ZONE)
    return None


def _named_zone(name: str, clock: datetime, timezone: str) -> timedelta:
    """How far an abbreviation is ahead of UTC. It first means the contract's zone: CST is China's in Asia/Shanghai."""
    for fold in (0, 1):
        local = clock.replace(tzinfo=ZoneInfo(timezone), fold=fold)
        if local.tzname() == name:
            return local.utcoffset() or timedelta()
    if name not in _ZONES:
        raise Unreadable(Reason.UNCLEAR_ZONE)
    return timedelta(hours=_ZONES[name])


@lru_cache
def _is_region(name: str) -> bool:
    try:
        return bool(ZoneInfo(name))
    except (KeyError, OSError, ValueError):
        return False
