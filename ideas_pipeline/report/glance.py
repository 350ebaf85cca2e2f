"""At a glance: the 28 days up to the last activity, compared with the 28 days before."""

from __future__ import annotations

from datetime import timedelta

from ideas_pipeline.marts.daily_activity import ACTIVE_DAYS
from ideas_pipeline.report.completeness import unlisted_notice
from ideas_pipeline.report.elements import Number, Section
from ideas_pipeline.report.figures import Figures, Rows
from ideas_pipeline.report.formatting import NONE, count, number, people, percent

_QUIET = timedelta(days=7)
_EXCLUDED = "Removed ideas and banned people are excluded everywhere except under Moderation."
_SUMMED = {
    "new_contributors": ("New contributors", "People who contributed for the first time"),
    "ideas": ("Ideas", "Ideas submitted"),
    "comments": ("Comments", "Comments written"),
    "votes": ("Votes", "Votes cast, of all types"),
}


def section(figures: Figures) -> Section:
    days = figures.daily_activity
    undated = sum(row.undated for row in figures.challenges)
    if not days:
        return Section("glance", "At a glance", f"{_nothing(undated)} {_EXCLUDED}")
    period, before = days[-ACTIVE_DAYS:], days[-2 * ACTIVE_DAYS : -ACTIVE_DAYS]
    meaning = f"The {count(len(period), 'day')} from {period[0].day} to {period[-1].day}, the last day with activity"
    if len(period) == 1:
        meaning = f"The only day with activity, {period[0].day}"
    if len(before) == ACTIVE_DAYS:
        meaning += f", compared with the {ACTIVE_DAYS} days before. "
    else:
        before = ()
        meaning += f". A comparison needs {2 * ACTIVE_DAYS} days of data. "
    meaning += _EXCLUDED
    if undated:
        meaning += f" {count(undated, 'contribution')} without a known time cannot be assigned to a day."
    numbers = _people(period, before, figures.declared.undated) if figures.names_contributors else []
    for column, (name, what) in _SUMMED.items():
        if column == "new_contributors" and not figures.names_contributors:
            continue
        if column in figures.without_times:
            numbers.append(Number(name, NONE, f"{what}. When is not known."))
            continue
        total = _sum(period, column)
        change = _change(total, _sum(before, column)) if before else ""
        numbers.append(
            Number(
                name,
                number(total),
                f"{what}. {number(_sum(days, column))} in total{', as far as times are known' if undated else ''}.",
                change,
            )
        )
    return Section(
        "glance",
        "At a glance",
        meaning,
        notice=" ".join(filter(None, (_quiet(figures), unlisted_notice(figures), _nobody(figures)))),
        numbers=numbers,
    )


def _nothing(undated: int) -> str:
    if undated:
        return f"No contribution has a known time: {count(undated, 'contribution')} cannot be assigned to a day."
    return "There are no contributions yet. Figures appear here with the first idea, comment or vote."


def _quiet(figures: Figures) -> str:
    """A warning if the last activity is not recent, or an empty text."""
    last = figures.daily_activity[-1].day
    if figures.today - last <= _QUIET:
        return ""
    return (
        f"There was no activity after {last}, {count((figures.today - last).days, 'day')} before this report. "
        "The figures below are for the days up to then."
    )


def _nobody(figures: Figures) -> str:
    """A warning if no contribution has a person, or an empty text."""
    return "" if figures.names_contributors else "The source does not say who contributed, so people are not counted."


def _people(period: Rows, before: Rows, undated: int) -> list[Number]:
    now = period[-1]
    active = Number(
        "Active people",
        number(now.active_28d),
        "Distinct people who submitted an idea, commented or voted. Contributions without a person are excluded.",
        _change(now.active_28d, before[-1].active_28d) if before else "",
    )
    share = now.participation_rate
    meaning = f"Active people who are registered ÷ {people(now.registered)} registered by {now.day}."
    if undated:
        meaning += f" The joining date of {people(undated)} is not known."
    taking_part = Number(
        "Participation",
        percent(share),
        meaning,
        _points(share, before[-1].participation_rate) if before else "",
    )
    return [active, taking_part]


def _sum(rows: Rows, column: str) -> int:
    return sum(getattr(row, column) for row in rows)


def _change(now: int, then: int) -> str:
    """``▲ up 12 % from 100``."""
    if now == then:
        return f"unchanged ({number(then)})"
    if then == 0:
        return "▲ up from none"
    return f"{'▲ up' if now > then else '▼ down'} {percent(abs(now - then) / then)} from {number(then)}"


def _points(now: float | None, then: float | None) -> str:
    """``▲ up 1.5 points from 10 %``: the change of a share in percentage points."""
    if now is None or then is None:
        return ""
    points = f"{abs(now - then) * 100:.1f}"
    if points == "0.0":
        return f"unchanged ({percent(then)})"
    return f"{'▲ up' if now > then else '▼ down'} {points} points from {percent(then)}"
