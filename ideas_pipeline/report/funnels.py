"""Funnels: how many ideas reached each stage, for challenges with stages."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.report.challenges import by_contributors
from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.elements import Chart, Section, Table, limited_table
from ideas_pipeline.report.figures import Figures, Rows
from ideas_pipeline.report.formatting import clean_title, count, length_of_time, number, percent

_DRAWN = 6

_HEADERS = (
    "Stage",
    "Reached",
    "Share of all",
    "Seen in it",
    "Skipped",
    "Not observed",
    "Returned",
    "In it now",
    "Reached the next",
    "Median time in it",
)


def section(figures: Figures) -> Section:
    stages = {id_: list(rows) for id_, rows in groupby(figures.funnel, key=lambda row: row.challenge_id)}
    ranked = [row.challenge_id for row in by_contributors(figures) if row.challenge_id in stages]
    with_ideas = [id_ for id_ in ranked if stages[id_][0].ideas]
    if not with_ideas:
        empty = "No idea was seen in a stage yet." if ranked else "No challenge has stages."
        return Section("funnel", "Funnel: how far ideas get", empty)
    times = {(row.challenge_id, row.stage_id): row.median_seconds for row in figures.stage_times}
    rest = [id_ for id_ in ranked if id_ not in with_ideas[:_DRAWN]]
    return Section(
        "funnel",
        "Funnel: how far ideas get",
        "An idea has reached a stage if it was ever seen in it or in a later one. Shares are of all ideas that were "
        "ever seen in a stage of the challenge; “reached the next” is a share of the ideas that reached the stage. The "
        "number of ideas that are in the stage now is beside each bar. Stages before the first sync are not known. "
        "Stages that the source removed are included if an idea was seen in them."
        + (f" Only the {_DRAWN} challenges with the most contributors are drawn." if len(with_ideas) > _DRAWN else ""),
        charts=[_chart(figures.challenge(id_), stages[id_], times) for id_ in with_ideas[:_DRAWN]],
        tables=[_rest(figures, stages, rest)] if rest else [],
    )


def _chart(challenge: str, rows: Rows, times: Mapping[tuple[str, str], int | None]) -> Chart:
    ideas = rows[0].ideas
    stages = _placed(rows)
    names = [_name(row) for row in stages]
    drawn = bars(
        [
            Bar(
                name,
                row.reached,
                f"{number(row.reached)} ({percent(row.reached_rate)}), {number(row.currently_in)} now",
            )
            for name, row in zip(names, stages, strict=True)
        ],
        whole=ideas,
    )
    if stages:
        last = stages[-1]
        reached = f"{number(last.reached)} ({percent(last.reached_rate)})"
        summary = f"Of {count(ideas, 'idea')}, {reached} reached “{names[-1]}”"
    else:
        summary = f"The order of the stages that {count(ideas, 'idea')} were seen in is not known"
    steps = [row for row in stages[:-1] if row.conversion is not None]
    if len(steps) > 1:
        hardest = min(steps, key=lambda row: row.conversion)
        summary += f"; “{_name(hardest)}” has the lowest conversion to the next stage ({percent(hardest.conversion)})"
    lines = [
        [
            _name(row),
            number(row.reached),
            percent(row.reached_rate),
            number(row.entered),
            number(row.skipped),
            number(row.not_observed),
            number(row.re_entered),
            number(row.currently_in),
            percent(row.conversion),
            length_of_time(times.get((row.challenge_id, row.stage_id))),
        ]
        for row in rows
    ]
    meaning = (
        f"Stages of “{challenge}”. Reached = seen in it + skipped + not observed (already past it when first seen)"
    )
    return Chart(challenge, f"{summary}.", *drawn, Table(meaning, _HEADERS, lines))


def _rest(figures: Figures, stages: Mapping[str, Rows], challenges: list[str]) -> Table:
    rows = []
    for id_ in challenges:
        placed = _placed(stages[id_])
        rows.append(
            [
                figures.challenge(id_),
                number(stages[id_][0].ideas),
                " → ".join(number(row.reached) for row in placed),
                percent(placed[-1].reached_rate if placed else None),
            ]
        )
    return limited_table(
        "The other challenges with stages",
        ["Challenge", "Ideas", "Reached, by stage", "Reached the last"],
        rows,
        "mart_funnel",
    )


def _placed(stages: Rows) -> Rows:
    """The stages whose place among the others is known."""
    return [row for row in stages if row.place is not None]


def _name(row: sa.Row[Any]) -> str:
    name = clean_title(row.name, row.kind or "Stage")
    return name if row.place is None else f"{row.place}. {name}"
