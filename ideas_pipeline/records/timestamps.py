"""Conversion of an API's times, in any of many formats, to microseconds since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias

from ideas_pipeline.late.arrow import pa, pc
from ideas_pipeline.late.frames import np, pd
from ideas_pipeline.records.single_times import read_time
from ideas_pipeline.records.time_format import (
    DAY,
    EPOCH,
    FIRST,
    LAST,
    LIKELY_FROM,
    LIKELY_UNTIL,
    MICROSECOND,
    UNITS,
    TimeFormat,
    means_none,
    unit_of,
)
from ideas_pipeline.tables.reject_reasons import Reason, Unreadable

# A column of microseconds since 1970, with _UNREAD in place of each value that is null or has to be read by itself.
Moments: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

_UNREAD = FIRST - 1
# Local times this close to either end may leave the range when they are converted to UTC.
_MARGIN = 2 * DAY

# Formats that Arrow parses a column at a time; anything else is parsed value by value. A month and a day are not 00:
# Arrow refuses a whole column if one day does not exist.
_PLAIN = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
_PLAIN_WITH_ZONE = _PLAIN + r"(Z|[+-][0-9]{2}:[0-9]{2})$"
_PLAIN_NAIVE = _PLAIN + "$"


def timestamps(values: Sequence[Any], written: TimeFormat) -> tuple[list[int | None], dict[int, Reason]]:
    """Convert a column of times.

    Texts as ``time_texts`` has them, numbers or texts of digits that count from 1970, and maps and lists as
    ``single_times`` has them. A date means its midnight; eight digits are a date. Digits beyond the microsecond are
    dropped.

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
    size = UNITS[unit] // 1000 if unit else 0
    if not size:
        return _unread(values)
    is_likely = (LIKELY_FROM // size <= numbers) & (numbers < LIKELY_UNTIL // size)
    may_be_day = (numbers >= 10**11) & (numbers < 10**12)  # 202401051015; a likely time has neither 8 nor 14 digits
    return _certain(np.where(is_likely & ~may_be_day, numbers * size, _UNREAD), written)


def _certain(moments: Moments, written: TimeFormat, *, local: bool = False) -> Moments:
    """Convert moments to UTC, except those that may mean "no time" or may not be between the years 1 and 9999.

    ``local``: whether they are in local time.
    """
    margin = _MARGIN if local else 0
    is_certain = (moments >= FIRST + margin) & (moments <= LAST - margin)
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
            found.append((datetime.fromisoformat(text[:10]) - EPOCH) // MICROSECOND)
        except ValueError:
            continue
    return tuple(found)


def _read_one_by_one(values: Mapping[int, Any], written: TimeFormat) -> tuple[dict[int, int | None], dict[int, Reason]]:
    """Convert values, given by position. Both results are by position; what means "no time" may be left out of both."""
    moments: dict[int, int | None] = {}
    reasons: dict[int, Reason] = {}
    local: dict[str, list[int]] = {}
    for position, value in values.items():
        try:
            moment, zone = read_time(value, written)
        except Unreadable as error:
            reasons[position] = error.reason
            continue
        if moment is None:
            continue
        is_local = zone not in (None, "UTC")
        margin = _MARGIN if is_local else 0
        if not FIRST + margin <= moment <= LAST - margin:
            reasons[position] = Reason.OUT_OF_RANGE
            continue
        moments[position] = moment
        if zone is not None and is_local:
            local.setdefault(zone, []).append(position)
    for zone, positions in local.items():
        converted = _in_utc(np.array([moments[position] for position in positions], np.int64), zone)
        for position, moment in zip(positions, converted.tolist(), strict=True):
            moments[position] = None if means_none(moment, written) else moment
    return moments, reasons


def _in_utc(local: Moments, timezone: str) -> Moments:
    """Convert microseconds of local time in ``timezone`` to microseconds since 1970 (UTC)."""
    index = pd.DatetimeIndex(local.view("M8[us]")).tz_localize(
        timezone, ambiguous=np.ones(len(local), bool), nonexistent="shift_forward"
    )
    return np.asarray(index.asi8)
