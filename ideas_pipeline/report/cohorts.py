"""Cohorts: of those who first contributed in a month, how many did so again in the months after."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.report.charts import Cell, heat_map
from ideas_pipeline.report.elements import Chart, Section, Table
from ideas_pipeline.report.figures import Figures, Rows
from ideas_pipeline.report.words import NONE, count, number, people, percent

# As many as can be read on a phone.
_COHORTS = 12
_MONTHS = 12
_ALL = "All"


def section(figures: Figures) -> Section:
    # A month that is not over would look like a loss.
    over = [row for row in figures.cohorts if row.months_later and _next_month(row) <= figures.today]
    if not over:
        return Section(
            "cohorts",
            "Cohorts: who comes back",
            "This is shown once a month has gone by after the one in which people first contributed.",
        )
    cohorts = sorted({row.cohort_month for row in over})
    shown = cohorts[-_COHORTS:]
    months = range(1, min(_MONTHS, max(row.months_later for row in over)) + 1)
    sizes = {row.cohort_month: row.cohort_size for row in over}
    share = {(row.cohort_month, row.months_later): row.retention for row in over}
    in_all = {month: _in_all(over, month) for month in months}
    rows = {_ALL: in_all} | {f"{c:%Y-%m}": {m: share[c, m] for m in months if (c, m) in share} for c in shown}
    counts = [sum(sizes.values()), *(sizes[cohort] for cohort in shown)]
    # The share of a few people says little, so how many they are stands beside it.
    drawn = {f"{row} ({number(size)})": values for (row, values), size in zip(rows.items(), counts, strict=True)}
    cells = [Cell(row, str(month), value) for row, values in drawn.items() for month, value in values.items()]
    columns = [str(month) for month in months]
    left_out = ""
    if len(cohorts) > len(shown):
        left_out = f" Shown are the last {_COHORTS} of {len(cohorts)} cohorts: all are in mart_cohorts."
    at = 3 if 3 in in_all else max(in_all)
    return Section(
        "cohorts",
        "Cohorts: who comes back",
        "A cohort is all who first contributed in the same month. Each figure is the percentage of the cohort that "
        "contributed in that later month, and in brackets is how many people the cohort has; “All” is of all cohorts "
        f"for which that month is over, weighted by their size. The running month is left out.{left_out}",
        charts=[
            Chart(
                "Share of each cohort that contributed, in percent",
                f"{people(counts[0])} in {count(len(cohorts), 'cohort')}. In the month after their first, "
                f"{percent(in_all[1])} contributed again"
                + (f"; {at} months after it, {percent(in_all[at])}." if at > 1 else "."),
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


def _in_all(over: Rows, month: int) -> float:
    of_month = [row for row in over if row.months_later == month]
    share: float = sum(row.active for row in of_month) / sum(row.cohort_size for row in of_month)
    return share


def _next_month(row: sa.Row[Any]) -> Any:
    return (row.month + timedelta(days=31)).replace(day=1)
