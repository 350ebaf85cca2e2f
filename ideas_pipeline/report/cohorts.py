"""Cohorts: how many people still contribute in the months after their first contribution."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from ideas_pipeline.report.charts import Cell, heat_map
from ideas_pipeline.report.elements import Chart, Section, Table
from ideas_pipeline.report.figures import Figures
from ideas_pipeline.report.formatting import NONE, count, number, people, percent

# As many as are legible on a phone.
_COHORTS = 12
_MONTHS = 12
_ALL = "All"


class _Month(NamedTuple):
    """A cohort in a later month, as in ``mart_cohorts``."""

    cohort_month: date
    months_later: int
    month: date
    cohort_size: int
    active: int
    retention: float


def section(figures: Figures) -> Section:
    # An unfinished month would look like a loss.
    finished = [row for row in _up_to_today(figures) if row.months_later and _next_month(row.month) <= figures.today]
    if not finished:
        return Section(
            "cohorts",
            "Cohorts: who keeps contributing",
            "This section appears when the first month after people's first contribution is over.",
        )
    cohorts = sorted({row.cohort_month for row in finished})
    shown = cohorts[-_COHORTS:]
    months = range(1, min(_MONTHS, max(row.months_later for row in finished)) + 1)
    sizes = {row.cohort_month: row.cohort_size for row in finished}
    share = {(row.cohort_month, row.months_later): row.retention for row in finished}
    all_cohorts = {month: _all_cohorts(finished, month) for month in months}
    rows = {_ALL: all_cohorts} | {f"{c:%Y-%m}": {m: share[c, m] for m in months if (c, m) in share} for c in shown}
    counts = [sum(sizes.values()), *(sizes[cohort] for cohort in shown)]
    # The share of a few people means little, so the size of the cohort is part of its label.
    drawn = {f"{row} ({number(size)})": values for (row, values), size in zip(rows.items(), counts, strict=True)}
    cells = [Cell(row, str(month), value) for row, values in drawn.items() for month, value in values.items()]
    columns = [str(month) for month in months]
    left_out = ""
    if len(cohorts) > len(shown):
        left_out = f" Only the last {_COHORTS} of {len(cohorts)} cohorts are shown; mart_cohorts has all."
    at = 3 if 3 in all_cohorts else max(all_cohorts)
    return Section(
        "cohorts",
        "Cohorts: who keeps contributing",
        "A cohort is everybody who first contributed in the same month; its number of people is in brackets. Each "
        "figure is the percentage of the cohort that contributed in that later month. “All” combines the cohorts for "
        f"which that month is over, weighted by size. The current month is excluded.{left_out}",
        charts=[
            Chart(
                "Share of each cohort that contributed, in percent",
                f"{people(counts[0])} in {count(len(cohorts), 'cohort')}. In the month after their first contribution, "
                f"{percent(all_cohorts[1])} contributed again"
                + (f"; {at} months after it, {percent(all_cohorts[at])}." if at > 1 else "."),
                *heat_map(cells, list(drawn), columns, "months later"),
                Table(
                    "Retention by month of the first contribution: share of the cohort, by months later",
                    ["Cohort", "People", *columns],
                    [
                        [row, number(size), *(percent(values[m]) if m in values else NONE for m in months)]
                        for (row, values), size in zip(rows.items(), counts, strict=True)
                    ],
                ),
            )
        ],
    )


def _up_to_today(figures: Figures) -> list[_Month]:
    """The months of all cohorts. The mart ends with the last contribution; nobody contributed in the months since."""
    months = [_Month(*(getattr(row, name) for name in _Month._fields)) for row in figures.cohorts]
    last = max((row.month for row in months), default=None)
    for silent in [row for row in months if row.month == last]:
        month, later = _next_month(silent.month), silent.months_later + 1
        while month <= figures.today:
            months.append(silent._replace(month=month, months_later=later, active=0, retention=0.0))
            month, later = _next_month(month), later + 1
    return months


def _all_cohorts(finished: Sequence[_Month], month: int) -> float:
    of_month = [row for row in finished if row.months_later == month]
    share: float = sum(row.active for row in of_month) / sum(row.cohort_size for row in of_month)
    return share


def _next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)
