"""At a glance: the last 28 days with activity, and the 28 before."""

from __future__ import annotations

from datetime import timedelta

from ideas_pipeline.marts.daily_activity import ACTIVE_DAYS
from ideas_pipeline.report.completeness import unlisted
from ideas_pipeline.report.elements import Number, Section
from ideas_pipeline.report.figures import Figures, Rows
from ideas_pipeline.report.words import count, number, people, percent

_QUIET = timedelta(days=7)
_SUMMED = {
    "new_contributors": ("New contributors", "People who contributed for the first time"),
    "ideas": ("Ideas", "Ideas submitted"),
    "comments": ("Comments", "Comments written"),
    "votes": ("Votes", "Votes given, of whatever type: how many, not what they say"),
}


def section(figures: Figures) -> Section:
    days = figures.daily_activity
    if not days:
        return Section(
            "glance",
            "At a glance",
            "Nobody has contributed yet: as soon as there is an idea, a comment or a vote, its figures are here.",
        )
    period, before = days[-ACTIVE_DAYS:], days[-2 * ACTIVE_DAYS : -ACTIVE_DAYS]
    meaning = f"The {count(len(period), 'day')} from {period[0].day} to {period[-1].day}, the last one with activity"
    if len(before) == ACTIVE_DAYS:
        meaning += f", compared with the {ACTIVE_DAYS} days before. "
    else:
        before = ()
        meaning += f". There is nothing to compare with yet: that takes {2 * ACTIVE_DAYS} days. "
    meaning += "Removed ideas and banned people are left out, here and everywhere but under Moderation."
    numbers = _people(period, before, figures.declared.undated)
    for column, (name, what) in _SUMMED.items():
        total = _sum(period, column)
        change = _change(total, _sum(before, column)) if before else ""
        numbers.append(Number(name, number(total), f"{what}. {number(_sum(days, column))} in all.", change))
    return Section(
        "glance", "At a glance", meaning, notice=f"{_quiet(figures)} {unlisted(figures)}".strip(), numbers=numbers
    )


def _quiet(figures: Figures) -> str:
    """What to know where the last activity is not recent."""
    last = figures.daily_activity[-1].day
    if figures.today - last <= _QUIET:
        return ""
    return (
        f"Nothing has happened since {last}: that is {count((figures.today - last).days, 'day')} before this report. "
        "The figures below are of the time before."
    )


def _people(period: Rows, before: Rows, undated: int) -> list[Number]:
    now = period[-1]
    active = Number(
        "Active people",
        number(now.active_28d),
        "Different people who submitted an idea, commented or voted.",
        _change(now.active_28d, before[-1].active_28d) if before else "",
    )
    share = now.participation_rate
    of = f"Active people who are registered ÷ {people(now.registered)} registered by {now.day}."
    if undated:
        of += f" Of {number(undated)} it is not known since when."
    taking_part = Number(
        "Participation",
        percent(share),
        of,
        _points(share, before[-1].participation_rate) if before else "",
    )
    return [active, taking_part]


def _sum(rows: Rows, column: str) -> int:
    return sum(getattr(row, column) for row in rows)


def _change(now: int, then: int) -> str:
    """``▲ up 12 % from 100``."""
    if now == then:
        return f"the same as before ({number(then)})"
    if then == 0:
        return "▲ up from none"
    return f"{'▲ up' if now > then else '▼ down'} {percent(abs(now - then) / then)} from {number(then)}"


def _points(now: float | None, then: float | None) -> str:
    """The same for shares, whose difference is in percentage points."""
    if now is None or then is None:
        return ""
    points = f"{abs(now - then) * 100:.1f}"
    if points == "0.0":
        return f"the same as before ({percent(then)})"
    return f"{'▲ up' if now > then else '▼ down'} {points} points from {percent(then)}"
