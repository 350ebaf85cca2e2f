"""Time to first response: how soon somebody else says something about an idea."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.elements import Chart, Number, Section, Table, bounded
from ideas_pipeline.report.figures import Figures
from ideas_pipeline.report.words import count, length, number, of, percent

_HOUR, _DAY = 3600, 86400
_WITHIN = {
    "Within an hour": _HOUR,
    "1 hour to a day": _DAY,
    "1 to 3 days": 3 * _DAY,
    "3 to 7 days": 7 * _DAY,
    "1 to 4 weeks": 28 * _DAY,
}
_LATER, _NONE_YET = "Over 4 weeks", "No response yet"


def section(figures: Figures) -> Section:
    ideas = len(figures.waits)
    if not ideas:
        return Section("responses", "Time to first response", "There are no ideas yet.")
    waited = sorted(seconds for seconds in figures.waits if seconds is not None)
    names = [*_WITHIN, _LATER]
    found = Counter(names[bisect_right([*_WITHIN.values()], seconds - 1)] for seconds in waited)
    found[_NONE_YET] = ideas - len(waited)
    counted = [(name, found[name]) for name in (*names, _NONE_YET)]
    drawn = bars([Bar(name, n, f"{number(n)} ({of(n, ideas)})", stands_out=name == _NONE_YET) for name, n in counted])
    within_a_week = sum(found[name] for name in names[:4])
    return Section(
        "responses",
        "Time to first response",
        "From an idea's submission to the first comment by someone other than its authors, of the "
        f"{count(ideas, 'idea')} that are there. Unanswered ideas are in no median: read it together with their share.",
        numbers=[
            Number("Median", length(percentile(waited, 50)), f"Of the {count(len(waited), 'answered idea')}."),
            Number(
                "90 % within", length(percentile(waited, 90)), "Of the answered, nine in ten were answered by then."
            ),
            Number(
                "Unanswered",
                of(ideas - len(waited), ideas),
                f"{number(ideas - len(waited))} of {count(ideas, 'idea')}.",
            ),
        ],
        charts=[
            Chart(
                "Ideas by the time to their first response",
                f"{number(within_a_week)} of {count(ideas, 'idea')} ({of(within_a_week, ideas)}) were answered within "
                f"a week; {number(found[_NONE_YET])} ({of(found[_NONE_YET], ideas)}) have no response yet.",
                *drawn,
                Table(
                    "Ideas by the time to their first response",
                    ["First response", "Ideas", "Share"],
                    [[name, number(n), of(n, ideas)] for name, n in counted],
                ),
            )
        ],
        tables=[_by_challenge(figures)],
    )


def _by_challenge(figures: Figures) -> Table:
    slowest = sorted(
        (row for row in figures.response_times if row.ideas), key=lambda row: (row.answered_rate, row.challenge_id)
    )
    return bounded(
        "Response by challenge, those with the smallest share answered first",
        ["Challenge", "Ideas", "Answered", "Share answered", "Median", "90 % within"],
        [
            [
                figures.challenge(row.challenge_id),
                number(row.ideas),
                number(row.answered),
                percent(row.answered_rate),
                length(row.median_seconds),
                length(row.p90_seconds),
            ]
            for row in slowest
        ],
        "mart_response_times",
    )


def percentile(in_order: Sequence[int], percents: int) -> int | None:
    """By nearest rank, as in the marts: the smallest value that so many percent do not exceed; None of none."""
    return in_order[-(-len(in_order) * percents // 100) - 1] if in_order else None
