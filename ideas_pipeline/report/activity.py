"""Activity over time: by day, week or month, depending on the length of the community's life."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from ideas_pipeline.marts.daily_activity import ACTIVE_DAYS
from ideas_pipeline.report.charts import Panel, over_time
from ideas_pipeline.report.elements import Chart, Section, Table
from ideas_pipeline.report.figures import Figures, Rows
from ideas_pipeline.report.formatting import joined, number, people

_COUNTED = {"ideas": "ideas submitted", "comments": "comments written", "votes": "votes cast"}


@dataclass(frozen=True, slots=True)
class _Unit:
    """A unit of time: up to how many days it is used, and the first day of its span and of the next span."""

    name: str
    preposition: str
    up_to_days: float
    first_day: Callable[[date], date]
    next_first_day: Callable[[date], date]
    form: str


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


_UNITS = (
    _Unit("day", "on", 92, lambda day: day, lambda day: day + timedelta(days=1), "%Y-%m-%d"),
    _Unit(
        "week",
        "in the week of",
        731,
        lambda day: day - timedelta(days=day.weekday()),
        lambda day: day + timedelta(days=7),
        "%Y-%m-%d",
    ),
    _Unit("month", "in", float("inf"), lambda day: day.replace(day=1), _next_month, "%Y-%m"),
)


def section(figures: Figures) -> Section:
    days = figures.daily_activity
    if not days:
        return Section("activity", "Activity over time", "There is no activity with a known time yet.")
    unit = next(unit for unit in _UNITS if len(days) <= unit.up_to_days)
    counted = [name for name in _COUNTED if name not in figures.without_times]
    done = joined([_COUNTED[name] for name in counted])
    meaning = (
        f"{done.capitalize()} per {unit.name}, from {days[0].day} to {days[-1].day}. "
        "Votes and comments that the start of a stage cleared later are counted on their day."
    )
    if unit.name != "day":
        starting = "Weeks start on Monday. " if unit.name == "week" else ""
        meaning += f" {starting}The first and the last {unit.name} may be incomplete."
    if figures.without_times:
        meaning += f" Without a known time, and therefore not shown: all {joined(figures.without_times)}."
    spans = {first: list(rows) for first, rows in groupby(days, key=lambda row: unit.first_day(row.day))}
    charts = [_contributions(spans, unit, counted)]
    if figures.names_contributors:
        charts.append(_active(spans, unit))
    return Section("activity", "Activity over time", meaning, charts=charts)


def _contributions(spans: Mapping[date, Rows], unit: _Unit, counted: list[str]) -> Chart:
    sums = {name: [sum(getattr(row, name) for row in rows) for rows in spans.values()] for name in counted}
    new = [sum(row.new_contributors for row in rows) for rows in spans.values()]
    totals = []
    for name, values in sums.items():
        most = max(values)
        when = list(spans)[values.index(most)]
        totals.append(
            f"{name} {number(sum(values))}"
            + (f", most {unit.preposition} {when:{unit.form}} ({number(most)})" if most else "")
        )
    narrow, wide = over_time(
        [Panel(f"{name.capitalize()} per {unit.name}", values) for name, values in sums.items()],
        [(first, unit.next_first_day(first)) for first in spans],
        unit.form,
    )
    rows = [
        [f"{first:{unit.form}}", *(number(sums[name][at]) for name in counted), number(new[at])]
        for at, first in enumerate(spans)
    ]
    return Chart(
        f"{joined(counted).capitalize()} per {unit.name}",
        f"Totals: {'; '.join(totals)}.",
        narrow,
        wide,
        Table(
            f"Contributions per {unit.name}, and people who contributed for the first time",
            [unit.name.capitalize(), *(name.capitalize() for name in counted), "New contributors"],
            rows,
        ),
    )


def _active(spans: Mapping[date, Rows], unit: _Unit) -> Chart:
    active = [rows[-1].active_28d for rows in spans.values()]
    ends = [rows[-1].day for rows in spans.values()]
    most = max(active)
    summary = f"Active in the {ACTIVE_DAYS} days up to {ends[-1]}: {people(active[-1])}. "
    summary += f"The maximum was {number(most)}, on {ends[active.index(most)]}."
    narrow, wide = over_time(
        [Panel(f"People active in the previous {ACTIVE_DAYS} days", active, "line")],
        [(first, unit.next_first_day(first)) for first in spans],
        unit.form,
    )
    rows = [
        [str(end), number(now), number(of[-1].registered)]
        for end, now, of in zip(ends, active, spans.values(), strict=True)
    ]
    return Chart(
        "Active people",
        summary,
        narrow,
        wide,
        Table(
            f"Distinct people who contributed in the {ACTIVE_DAYS} days up to each day, and people registered by then",
            ["Up to", "Active", "Registered"],
            rows,
        ),
    )
