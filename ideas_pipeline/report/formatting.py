"""Formatting of numbers, durations, moments and titles for readers."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from ideas_pipeline.times import duration, utc

NONE = "–"
_TITLE = 90
# Keeps a number and its unit on one line.
_FIXED = "\N{NO-BREAK SPACE}"


def number(value: float | None) -> str:
    """``1,234``; one decimal for fractions; a dash for None."""
    if value is None:
        return NONE
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def percent(share: float | None) -> str:
    """A fraction as ``12.3 %``; 0 and 1 as ``0 %`` and ``100 %``; a dash for None."""
    if share is None:
        return NONE
    shown = f"{share * 100:,.1f}"
    return f"{shown if share % 1 else shown.removesuffix('.0')}{_FIXED}%"


def share_of(part: int, whole: int) -> str:
    """``part`` ÷ ``whole`` in percent."""
    return percent(part / whole if whole else None)


def length_of_time(seconds: float | None) -> str:
    """A duration: ``3.5 days``, ``36 hours``, ``under 2 minutes``; a dash for None."""
    if seconds is None:
        return NONE
    shown = duration(seconds, digits=1) if abs(seconds) >= 120 else "under 2 minutes"
    return shown.replace(" ", _FIXED)


def count(things: int, thing: str) -> str:
    """``1 idea``, ``1,234 ideas``."""
    return f"{things:,}{_FIXED}{thing}" if things == 1 else f"{things:,}{_FIXED}{thing}s"


def people(number_of: int) -> str:
    """``1 person``, ``1,234 people``."""
    return count(number_of, "person") if number_of == 1 else f"{number_of:,}{_FIXED}people"


def joined(names: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def clock(moment: datetime | None, timezone: str) -> str:
    """``2026-11-23 02:04`` in the time zone; a dash for None. A naive moment is taken as UTC."""
    return NONE if moment is None else f"{utc(moment).astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"


def date_of(moment: datetime | None, timezone: str) -> str:
    """``2026-11-23`` in the time zone; a dash for None."""
    return clock(moment, timezone).split()[0]


def clean_title(text: str | None, default: str) -> str:
    """A title on one line, of limited length and without invisible characters; ``default`` if nothing is left.

    Titles may contain characters that change the direction of text or end a file early.
    """
    visible = "".join(c for c in " ".join((text or "").split()) if c.isprintable()).strip()
    if len(visible) > _TITLE:
        visible = visible[: _TITLE - 1].rstrip() + "…"
    return visible or default
