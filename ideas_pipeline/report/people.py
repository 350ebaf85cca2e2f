"""Engagement levels, and how much of the work few people do."""

from __future__ import annotations

from ideas_pipeline.marts.contributors import LEVELS
from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.elements import Chart, Section, Table
from ideas_pipeline.report.figures import Figures
from ideas_pipeline.report.words import count, number, of, people, percent

_LEVELS = {
    "all_rounder": ("All-rounders", "ideas, and comments or votes"),
    "generator": ("Generators", "ideas alone"),
    "feedbacker": ("Feedbackers", "comments or votes alone"),
    "viewer": ("Viewers", "nothing yet, but have visited"),
    "idle": ("Idle", "nothing, and never visited"),
    "inactive": ("Inactive", "nothing; no visits are known of anybody"),
}


def engagement(figures: Figures) -> Section:
    if not figures.engagement:
        return Section("engagement", "Engagement levels", "There are no people yet.")
    on = {row.engagement_level: row.people for row in figures.engagement}
    everybody = figures.engagement[0].of_people
    # Whoever contributed is on one of the first three, which are shown also where nobody is on them.
    contributed = sum(on.get(level, 0) for level in LEVELS[:3])
    named = [(*_LEVELS[level], on.get(level, 0)) for level in LEVELS if level in LEVELS[:3] or level in on]
    drawn = bars([Bar(name, n, f"{number(n)} ({of(n, everybody)})") for name, _, n in named], everybody)
    most = max(named, key=lambda one: one[2])
    return Section(
        "engagement",
        "Engagement levels",
        f"What each of the {people(everybody)} who are registered or have contributed has ever done. "
        f"Everybody is on one level: {'; '.join(f'{name.lower()}: {what}' for name, what, _ in named)}.",
        charts=[
            Chart(
                "People by level",
                f"{number(contributed)} of {people(everybody)} ({percent(contributed / everybody)}) have contributed. "
                f"The largest group: {most[0].lower()} ({most[1]}), {of(most[2], everybody)}.",
                *drawn,
                Table(
                    "People by level of engagement",
                    ["Level", "What they have done", "People", "Share"],
                    [[name, what, number(n), of(n, everybody)] for name, what, n in named],
                    left=2,
                ),
            )
        ],
    )


def concentration(figures: Figures) -> Section:
    tops = [row for row in figures.concentration if row.top_percent < 100]
    if not tops:
        return Section("concentration", "Concentration", "Nobody has contributed yet.")
    tenth = next(row for row in tops if row.top_percent == 10)
    drawn = bars(
        [Bar(f"Top {row.top_percent} %: {people(row.people)}", row.share, percent(row.share)) for row in tops], whole=1
    )
    return Section(
        "concentration",
        "Concentration",
        f"What share of all {count(tenth.of_contributions, 'contribution')} (comments, votes, and ideas, which count "
        f"for each of their authors) is of the most active of the {people(tenth.of_people)} who contributed. "
        "Contributions that name nobody are left out.",
        charts=[
            Chart(
                "Contributions by the most active",
                f"The most active 10 %, {people(tenth.people)}, made {percent(tenth.share)} of all contributions.",
                *drawn,
                Table(
                    "Share of all contributions by the most active people",
                    ["Most active", "People", "Contributions", "Share"],
                    [
                        [f"{row.top_percent} %", number(row.people), number(row.contributions), percent(row.share)]
                        for row in tops
                    ],
                ),
            )
        ],
    )
