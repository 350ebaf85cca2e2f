"""Which streams are read by days, and when the days of a community begin and end."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.sync.modes import Window


def dated(contract: Contract) -> list[str]:
    """The streams whose lists grow from day to day, each after those that it depends on: those below others.

    One whose records say no time (``cursor``) has no days.
    """
    lists = {name: s for name, s in contract.streams.items() if s.each and s.reads == "list"}
    return [name for name in contract.order() if name in lists and lists[name].cursor in lists[name].fields]


def window_of(first: date, last: date, zone: str) -> Window:
    """From the beginning of ``first`` to the end of ``last`` in ``zone``; a day on which the clock is moved has 23 or
    25 hours.
    """
    return Window(_midnight(first, zone), _midnight(last + timedelta(days=1), zone))


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))
