"""When a server says to come back: seconds, an HTTP date, or a Unix time."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

# A number above this is a moment, not a pause: 10^9 seconds are 31 years, and as a Unix time September 2001.
_SMALLEST_UNIX_TIME = 1e9
# A longer pause is a mistake of the server's; whoever waits has given up before.
_LONGEST = 24 * 3600.0


def pause(value: str | None, now: float) -> float | None:
    """Seconds from ``now`` (seconds since 1970) until the moment that a Retry-After header names.

    From 0 to a day. None where there is no header, or it cannot be understood.
    """
    if value is None:
        return None
    seconds = _number(value)
    if seconds is None:
        moment = http_date(value)
        seconds = None if moment is None else moment - now
    elif seconds > _SMALLEST_UNIX_TIME:
        seconds -= now
    return None if seconds is None else min(max(seconds, 0.0), _LONGEST)


def http_date(value: str | None) -> float | None:
    """Seconds since 1970 of a date such as ``Sun, 06 Nov 1994 08:49:37 GMT``; None for anything else."""
    try:
        return parsedate_to_datetime(value or "").timestamp()
    except (ValueError, OverflowError):
        return None


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
