"""Conversion of an API's times, in any of many formats, to microseconds since 1970 (UTC)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cache
from math import floor
from typing import Any, TypeAlias

from ideas_pipeline.late.arrow import pa, pc
from ideas_pipeline.late.frames import np, pd
from ideas_pipeline.tables.reject_reasons import Reason, Unreadable
from ideas_pipeline.times import EARLIEST, LATEST_PLAN

# A column of microseconds since 1970, with _UNREAD in place of each value that is null or has to be read by itself.
Moments: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_DAY = 24 * 3600 * 1_000_000
_FIRST = (datetime.min - _EPOCH) // _MICROSECOND
_LAST = (datetime.max - _EPOCH) // _MICROSECOND
_UNREAD = _FIRST - 1
# Local times this close to either end may leave the range when they are converted to UTC.
_MARGIN = 2 * _DAY
# 0000-00-00 as PHP reads it, in seconds since 1970: it lies before the first year.
_ZERO_DATE = "-0001-11-30"
_ZERO_DATE_SECONDS = -62_169_984_000

# A zone, and what some languages write behind it: "+0100 CET", "+01:00[Europe/Madrid]" (RFC 9557).
_ZONE = (
    r"(?:\s*(?:(?P<utc>Z|UTC|GMT|UT)|(?:UTC|GMT)?(?P<sign>[+-])(?P<zone_hours>[0-9]{2})(?::?(?P<zone_minutes>[0-9]{2}))?)"
    r"(?:\s[A-Z]{1,5})?(?:\[[^\]]+\])?)?"
)
_ISO = re.compile(
    r"(?P<year>-?[0-9]{4})(?P<between>[-/])(?P<month>[0-9]{2})(?P=between)(?P<day>[0-9]{2})"
    r"(?:(?:T|\s+)(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?)?"
    + _ZONE,
    re.IGNORECASE,
)
_ISO_BASIC = re.compile(
    r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
    r"(?:(?P<between>T|\s)?(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?:(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?)?"
    + _ZONE,
    re.IGNORECASE,
)
_MONTH = "(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_CLOCK = "(?P<clock>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)"
_NAMED_ZONE = r"(?P<zone>(?:GMT|UTC)?[+-][0-9]{2}:?[0-9]{2}|[A-Z]{1,5})"
_WITH_MONTH_NAME = (
    # RFC 5322, RFC 9110 §5.6.7: Fri, 05 Jan 2024 10:15:00 GMT; Friday, 05-Jan-24 10:15:00 GMT
    re.compile(
        rf"(?:[a-z]{{3,9}},?\s+)?(?P<day>[0-9]{{1,2}})[\s-]{_MONTH}[\s-](?P<year>[0-9]{{4}}|[0-9]{{2}})\s+{_CLOCK}"
        rf"(?:\s*{_NAMED_ZONE})?(?:\s*\(.*\))?",
        re.IGNORECASE,
    ),
    # C and Java: Fri Jan  5 10:15:00 UTC 2024
    re.compile(
        rf"[a-z]{{3,9}}\s+{_MONTH}\s+(?P<day>[0-9]{{1,2}})\s+{_CLOCK}(?:\s+{_NAMED_ZONE})?\s+(?P<year>[0-9]{{4}})",
        re.IGNORECASE,
    ),
    # JavaScript: Fri Jan 05 2024 10:15:00 GMT+0100 (CET)
    re.compile(
        rf"[a-z]{{3,9}}\s+{_MONTH}\s+(?P<day>[0-9]{{1,2}})\s+(?P<year>[0-9]{{4}})\s+{_CLOCK}"
        rf"(?:\s+{_NAMED_ZONE})?(?:\s*\(.*\))?",
        re.IGNORECASE,
    ),
)
_DOT_NET = re.compile(r"/Date\((-?[0-9]{1,20})(?:[+-][0-9]{4})?\)/")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DIGITS_OF_A_DAY = 8

# Formats that Arrow parses a column at a time; anything else is parsed value by value. A month and a day are not 00:
# Arrow refuses a whole column if one day does not exist.
_PLAIN = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
_PLAIN_WITH_ZONE = _PLAIN + r"(Z|[+-][0-9]{2}:[0-9]{2})$"
_PLAIN_NAIVE = _PLAIN + "$"

# Units of numbers that count from 1970, in nanoseconds.
_UNITS = {"seconds": 10**9, "milliseconds": 10**6, "microseconds": 10**3, "nanoseconds": 1}
_EARLIEST = (EARLIEST.replace(tzinfo=None) - _EPOCH) // _MICROSECOND
_LATEST = (LATEST_PLAN.replace(tzinfo=None) - _EPOCH) // _MICROSECOND
_TOO_LARGE = 1e21
# Digits that are a day or a time without separators have a year between these.
_YEARS = range(1990, 2200)


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How the API writes times.

    Attributes:
        timezone: the zone of times without one. An hour that occurs twice is taken as the first; a time in a skipped
            hour becomes the moment at which the clocks went forward.
        epoch: the unit of numbers: ``seconds``, ``milliseconds``, ``microseconds`` or ``nanoseconds``; None takes the
            unit in which a number is a time between 1995 and 2199.
        no_times: days (``0001-01-01``) and times (``1970-01-01 00:00:00``) that mean that there is no time, as they
            are written or in UTC.
    """

    timezone: str = "UTC"
    epoch: str | None = None
    no_times: tuple[str, ...] = ()


def timestamps(values: Sequence[Any], written: TimeFormat) -> tuple[list[int | None], dict[int, Reason]]:
    """Convert a column of times.

    Texts in ISO 8601 (extended and basic), RFC 3339, RFC 5322 and HTTP's formats, and in those of C, Java and
    JavaScript; and numbers or texts of digits that count from 1970. A date means its midnight; eight digits are a date.
    Digits beyond the microsecond are dropped.

    Args:
        values: JSON values, with None for missing ones.
        written: how they are written.

    Returns:
        Microseconds since 1970 (UTC) for each value, or None; and by position, why a value could not be read.
    """
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {str}:
        together = _texts_together(values, written)
    elif kinds == {int}:
        together = _numbers_together(values, written)
    else:
        together = _unread(values)
    is_unread = together == _UNREAD
    moments: list[int | None] = pa.array(together, pa.int64(), mask=is_unread).to_pylist()
    others = {n: value for n in np.flatnonzero(is_unread).tolist() if (value := values[n]) is not None}
    one_by_one, reasons = _read_one_by_one(others, written)
    for position, moment in one_by_one.items():
        moments[position] = moment
    return moments, reasons


def _unread(values: Sequence[Any]) -> Moments:
    return np.full(len(values), _UNREAD)


def _texts_together(values: Sequence[str | None], written: TimeFormat) -> Moments:
    """Convert the texts in the formats that Arrow parses."""
    try:
        texts = pa.array(values, pa.string())
    except UnicodeEncodeError:
        return _unread(values)
    moments = _certain(_parsed(texts, _PLAIN_WITH_ZONE, pa.timestamp("us", tz="UTC")), written)
    if np.count_nonzero(moments == _UNREAD) == texts.null_count:
        return moments
    local = _certain(_parsed(texts, _PLAIN_NAIVE, pa.timestamp("us")), written, local=True)
    return np.where(moments == _UNREAD, local, moments)


def _parsed(texts: pa.Array, form: str, kind: pa.DataType) -> Moments:
    """The moments of the texts that match ``form``."""
    matching = pc.if_else(pc.match_substring_regex(texts, form), texts, pa.scalar(None, texts.type))
    try:
        moments = matching.cast(kind).cast(pa.int64())
    except pa.ArrowInvalid:  # one of them is a day or an hour that does not exist
        return _unread(texts)
    return np.asarray(moments.fill_null(_UNREAD))


def _numbers_together(values: Sequence[int | None], written: TimeFormat) -> Moments:
    """Convert the numbers that are likely times in one unit: that of the contract, or else of the largest number."""
    try:
        numbers = np.asarray(pa.array(values, pa.int64()).fill_null(0))
    except (pa.ArrowInvalid, OverflowError):
        return _unread(values)
    unit = written.epoch or unit_of(int(numbers.max()))
    size = _UNITS[unit] // 1000 if unit else 0
    if not size:
        return _unread(values)
    is_likely = (_EARLIEST // size <= numbers) & (numbers < _LATEST // size)
    may_be_day = (numbers >= 10**11) & (numbers < 10**12)  # 202401051015; a likely time has neither 8 nor 14 digits
    return _certain(np.where(is_likely & ~may_be_day, numbers * size, _UNREAD), written)


def _certain(moments: Moments, written: TimeFormat, *, local: bool = False) -> Moments:
    """Convert moments to UTC, except those that may mean "no time" or may not be between the years 1 and 9999.

    ``local``: whether they are in local time.
    """
    margin = _MARGIN if local else 0
    is_certain = (moments >= _FIRST + margin) & (moments <= _LAST - margin)
    for day in _days(written.no_times):
        is_certain &= abs(moments - day) > _MARGIN
    moments = np.where(is_certain, moments, _UNREAD)
    if local and written.timezone != "UTC":
        moments[is_certain] = _in_utc(moments[is_certain], written.timezone)
    return moments


@cache
def _days(no_times: tuple[str, ...]) -> tuple[int, ...]:
    """The midnights of those days of ``no_times`` that a calendar has, in microseconds since 1970."""
    found = []
    for text in no_times:
        try:
            found.append((datetime.fromisoformat(text[:10]) - _EPOCH) // _MICROSECOND)
        except ValueError:
            continue
    return tuple(found)


def _read_one_by_one(values: Mapping[int, Any], written: TimeFormat) -> tuple[dict[int, int | None], dict[int, Reason]]:
    """Convert values, given by position. Both results are by position; what means "no time" may be left out of both."""
    moments: dict[int, int | None] = {}
    reasons: dict[int, Reason] = {}
    local: list[int] = []
    is_utc = written.timezone == "UTC"
    none = frozenset(written.no_times)
    for position, value in values.items():
        try:
            moment, is_local = _read(value, written.epoch, none)
        except Unreadable as error:
            reasons[position] = error.reason
            continue
        if moment is None:
            continue
        margin = _MARGIN if is_local and not is_utc else 0
        if not _FIRST + margin <= moment <= _LAST - margin:
            reasons[position] = Reason.OUT_OF_RANGE
            continue
        moments[position] = moment
        if is_local:
            local.append(position)
    if local and not is_utc:
        converted = _in_utc(np.array([moments[position] for position in local], np.int64), written.timezone)
        for position, moment in zip(local, converted.tolist(), strict=True):
            moments[position] = None if _means_none(moment, none) else moment
    return moments, reasons


def _read(value: Any, epoch: str | None, none: Collection[str]) -> tuple[int | None, bool]:
    """Return microseconds since 1970, or None if there is no time, and whether they are in local time.

    Raises Unreadable.
    """
    if isinstance(value, str):
        text = value.strip()
        if found := _ISO.fullmatch(text):
            return _read_iso(found, none)
        if (found := _ISO_BASIC.fullmatch(text)) and _is_basic(found):
            return _read_iso(found, none)
        if found := _DOT_NET.fullmatch(text):
            return _read_number(int(found[1]), "milliseconds", none), False
        if "A" <= text[:1].upper() <= "Z" or ":" in text:
            return _read_with_month_name(text, none)
        if not _NUMBER.fullmatch(text) or len(text) > 40:
            raise Unreadable(Reason.UNKNOWN_FORMAT)
        value = Decimal(text) if "." in text else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise Unreadable(Reason.NOT_A_TIME)
    if 0 < value < 1e14 and value == int(value):
        digits = _ISO_BASIC.fullmatch(str(int(value)))
        if digits and _is_basic(digits):
            return _read_iso(digits, none)
    return _read_number(value, epoch, none), False


def _is_basic(found: re.Match[str]) -> bool:
    """Whether digits are a day, or a day and an hour, and not a number that counts from 1970."""
    if found["between"] or found["utc"] or found["sign"] or len(found[0]) == _DIGITS_OF_A_DAY:
        return True
    return int(found["year"]) in _YEARS and 1 <= int(found["month"]) <= 12 and 1 <= int(found["day"]) <= 31


def unit_of(number: int | float | Decimal) -> str | None:
    """The unit in which a number that counts from 1970 is a time between 1995 and 2199; None if there is none."""
    units = _UNITS.items()
    return next((unit for unit, size in units if _EARLIEST * 1000 // size <= number < _LATEST * 1000 // size), None)


def _read_number(value: int | float | Decimal, epoch: str | None, none: Collection[str]) -> int | None:
    """Microseconds since 1970 of a number; None if it means "no time"."""
    if not -_TOO_LARGE < value < _TOO_LARGE:  # NaN and infinities, too
        raise Unreadable(Reason.OUT_OF_RANGE)
    exact = Decimal(repr(value)) if isinstance(value, float) else value  # with the digits that were sent
    likely = epoch or unit_of(exact)
    moments = [floor(exact * _UNITS[unit]) // 1000 for unit in ([likely] if likely else _UNITS)]
    if epoch is None and likely:
        return None if _means_none(moments[0], none) else moments[0]
    if any(_means_none(moment, none) for moment in moments):
        return None
    if epoch is None:
        raise Unreadable(Reason.NO_UNIT)
    if not _FIRST <= moments[0] <= _LAST:
        raise Unreadable(Reason.OUT_OF_RANGE)
    return moments[0]


def _means_none(moment: int, none: Collection[str]) -> bool:
    """Whether a moment, in microseconds since 1970 (UTC), is one of ``none``."""
    if not none:
        return False
    if moment == _ZERO_DATE_SECONDS * 1_000_000:
        return _ZERO_DATE in none
    if not _FIRST <= moment <= _LAST:
        return False
    text = str(_EPOCH + moment * _MICROSECOND)
    return text[:10] in none or text in none


def _read_iso(found: re.Match[str], none: Collection[str]) -> tuple[int | None, bool]:
    part = found.groupdict(default="")
    day = f"{part['year']}-{part['month']}-{part['day']}"
    hour, minute, second = part["hour"] or "00", part["minute"] or "00", part["second"] or "00"
    if day in none or f"{day} {hour}:{minute}:{second}" in none:
        return None, False
    later = 0
    if (hour, minute, second) == ("24", "00", "00"):  # ISO 8601: the end of the day
        hour, later = "00", _DAY
    if second == "60":  # a leap second
        second, later = "59", 1_000_000
    try:
        clock = datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}")
    except ValueError:
        raise Unreadable(Reason.NO_SUCH_DAY) from None
    moment = (clock - _EPOCH) // _MICROSECOND + int(part["fraction"][:6].ljust(6, "0")) + later
    if not part["sign"]:
        return moment, not part["utc"]
    hours, minutes = int(part["zone_hours"]), int(part["zone_minutes"] or 0)
    if hours > 23 or minutes > 59:
        raise Unreadable(Reason.NO_SUCH_ZONE)
    offset = (hours * 60 + minutes) * 60_000_000
    moment += -offset if part["sign"] == "+" else offset
    return (None if _means_none(moment, none) else moment), False


def _read_with_month_name(text: str, none: Collection[str]) -> tuple[int | None, bool]:
    found = next((match for form in _WITH_MONTH_NAME if (match := form.fullmatch(text))), None)
    if not found:
        raise Unreadable(Reason.UNKNOWN_FORMAT)
    zone = (found["zone"] or "").upper().replace(":", "")
    if zone[:3] in ("GMT", "UTC") and zone[3:]:
        zone = zone[3:]
    try:
        clock = parsedate_to_datetime(
            f"{found['day']} {found['month']} {found['year']} {found['clock']} {zone}".strip()
        )
    except ValueError:
        raise Unreadable(Reason.NO_SUCH_DAY) from None
    if zone and clock.tzinfo is None and zone != "-0000":  # a name that RFC 5322 does not define
        raise Unreadable(Reason.NO_SUCH_ZONE)
    if clock.replace(tzinfo=None).isoformat(" ") in none or str(clock.date()) in none:
        return None, False
    offset = clock.utcoffset() or timedelta()
    moment = (clock.replace(tzinfo=None) - offset - _EPOCH) // _MICROSECOND
    return (None if zone and _means_none(moment, none) else moment), not zone


def _in_utc(local: Moments, timezone: str) -> Moments:
    """Convert microseconds of local time in ``timezone`` to microseconds since 1970 (UTC)."""
    index = pd.DatetimeIndex(local.view("M8[us]")).tz_localize(
        timezone, ambiguous=np.ones(len(local), bool), nonexistent="shift_forward"
    )
    return np.asarray(index.asi8)
