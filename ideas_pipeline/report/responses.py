"""Time to first response: how soon an idea gets a comment by somebody else."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.elements import Chart, Number, Section, Table, limited_table
from ideas_pipeline.report.figures import Figures
from ideas_pipeline.report.formatting import count, length_of_time, number, percent, share_of

_HOUR, _DAY = 3600, 86400
_WITHIN = {
    "Within an hour": _HOUR,
    "1 hour to a day": _DAY,
    "1 to 3 days": 3 * _DAY,
    "3 to 7 days": 7 * _DAY,
    "1 to 4 weeks": 28 * _DAY,
}
_LATER, _UNKNOWN, _NONE_YET = "Over 4 weeks", "Time not known", "No response yet"


def section(figures: Figures) -> Section:
    ideas = len(figures.response_seconds)
    if not ideas:
        return Section("responses", "Time to first response", "There are no ideas yet.")
    waited = sorted(seconds for seconds in figures.response_seconds if seconds is not None)
    names = [*_WITHIN, _LATER]
    found = Counter(names[bisect_right([*_WITHIN.values()], seconds - 1)] for seconds in waited)
    found[_NONE_YET] = ideas - len(waited) - figures.untimed
    if figures.untimed:
        found[_UNKNOWN] = figures.untimed
        names.append(_UNKNOWN)
    counted = [(name, found[name]) for name in (*names, _NONE_YET)]
    drawn = bars(
        [Bar(name, n, f"{number(n)} ({share_of(n, ideas)})", highlighted=name == _NONE_YET) for name, n in counted]
    )
    within_a_week = sum(found[name] for name in names[:4])
    return Section(
        "responses",
        "Time to first response",
        "The time from an idea's submission to the first comment by someone other than its authors, for the "
        f"{count(ideas, 'current idea')}. The median excludes unanswered ideas: read it together with their share."
        + (
            f" It also excludes {count(figures.untimed, 'answered idea')} without a known time."
            if figures.untimed
            else ""
        ),
        numbers=[
            Number(
                "Median", length_of_time(percentile(waited, 50)), f"Over the {count(len(waited), 'answered idea')}."
            ),
            Number(
                "90 % within",
                length_of_time(percentile(waited, 90)),
                "Nine in ten of the answered ideas were answered within this time.",
            ),
            Number(
                "Unanswered",
                share_of(found[_NONE_YET], ideas),
                f"{number(found[_NONE_YET])} of {count(ideas, 'idea')}.",
            ),
        ],
        charts=[
            Chart(
                "Ideas by the time to their first response",
                f"Of {count(ideas, 'idea')}, {number(within_a_week)} ({share_of(within_a_week, ideas)}) got a response "
                f"within a week, and {number(found[_NONE_YET])} ({share_of(found[_NONE_YET], ideas)}) none yet.",
                *drawn,
                Table(
                    "Ideas by the time to their first response",
                    ["First response", "Ideas", "Share"],
                    [[name, number(n), share_of(n, ideas)] for name, n in counted],
                ),
            )
        ],
        tables=[_by_challenge(figures)],
    )


def _by_challenge(figures: Figures) -> Table:
    slowest = sorted(
        (row for row in figures.response_times if row.ideas), key=lambda row: (row.answered_rate, row.challenge_id)
    )
    return limited_table(
        "Challenges by share of answered ideas, lowest first",
        ["Challenge", "Ideas", "Answered", "Share answered", "Median", "90 % within"],
        [
            [
                figures.challenge(row.challenge_id),
                number(row.ideas),
                number(row.answered),
                percent(row.answered_rate),
                length_of_time(row.median_seconds),
                length_of_time(row.p90_seconds),
            ]
            for row in slowest
        ],
        "mart_response_times",
    )


def percentile(ordered: Sequence[int], percent_: int) -> int | None:
    """Percentile of sorted values by nearest rank, as in the marts; None without values."""
    return ordered[-(-len(ordered) * percent_ // 100) - 1] if ordered else None
