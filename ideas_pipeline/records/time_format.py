"""How an API writes times, the numbers among them, and the times that mean "no time"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import floor
from typing import NamedTuple

from ideas_pipeline.tables.reject_reasons import Reason, Unreadable
from ideas_pipeline.times import EARLIEST, LATEST_PLAN

EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)
DAY = 24 * 3600 * 1_000_000  # in microseconds
FIRST = (datetime.min - EPOCH) // MICROSECOND
LAST = (datetime.max - EPOCH) // MICROSECOND
# 0000-00-00 as PHP reads it, in seconds since 1970: it lies before the first year.
_ZERO_DATE = "-0001-11-30"
_ZERO_DATE_SECONDS = -62_169_984_000

# Units of numbers that count from 1970, in nanoseconds.
UNITS = {"seconds": 10**9, "milliseconds": 10**6, "microseconds": 10**3, "nanoseconds": 1}
LIKELY_FROM = (EARLIEST.replace(tzinfo=None) - EPOCH) // MICROSECOND
LIKELY_UNTIL = (LATEST_PLAN.replace(tzinfo=None) - EPOCH) // MICROSECOND
_TOO_LARGE = 1e21


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How the API writes times.

    Attributes:
        timezone: the zone of times without one. An hour that occurs twice is taken as the first; a time in a skipped
            hour becomes the moment at which the clocks went forward.
        epoch: the unit of numbers: ``seconds``, ``milliseconds``, ``microseconds`` or ``nanoseconds``; None takes the
            unit in which a number is a time between 1995 and 2199.
        no_times: days (``0001-01-01``) and times (``1970-01-01 00:00:00``) that mean that nothing happened, as they
            are written or in UTC.
    """

    timezone: str = "UTC"
    epoch: str | None = None
    no_times: tuple[str, ...] = ()


class Moment(NamedTuple):
    """A time as it was written.

    Attributes:
        micros: microseconds since 1970; None if the value means "no time".
        zone: the time zone in which they are local time, by its name; None if they are in UTC.
    """

    micros: int | None
    zone: str | None = None


NO_TIME = Moment(None)


def unit_of(number: int | float | Decimal) -> str | None:
    """The unit in which a number that counts from 1970 is a time between 1995 and 2199; None if there is none."""
    first, last = LIKELY_FROM * 1000, LIKELY_UNTIL * 1000
    return next((unit for unit, size in UNITS.items() if first // size <= number < last // size), None)


def read_number(value: int | float | Decimal, written: TimeFormat) -> Moment:
    """The moment of a number that counts from 1970. Raises Unreadable."""
    if not -_TOO_LARGE < value < _TOO_LARGE:  # NaN and infinities, too
        raise Unreadable(Reason.OUT_OF_RANGE)
    exact = Decimal(repr(value)) if isinstance(value, float) else value  # with the digits that were sent
    likely = written.epoch or unit_of(exact)
    moments = [floor(exact * UNITS[unit]) // 1000 for unit in ([likely] if likely else UNITS)]
    if any(means_none(moment, written) for moment in moments):
        return NO_TIME
    if likely is None:
        raise Unreadable(Reason.NO_UNIT)
    if not FIRST <= moments[0] <= LAST:
        raise Unreadable(Reason.OUT_OF_RANGE)
    return Moment(moments[0])


def means_none(moment: int, written: TimeFormat) -> bool:
    """Whether a moment, in microseconds since 1970 (UTC), means that nothing happened."""
    none = written.no_times
    if not none:
        return False
    if moment == _ZERO_DATE_SECONDS * 1_000_000:
        return _ZERO_DATE in none
    if not FIRST <= moment <= LAST:
        return False
    text = str(EPOCH + moment * MICROSECOND)
    return text[:10] in none or text in none
