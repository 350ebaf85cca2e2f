"""Engagement levels, and how much of the work few people do."""

from __future__ import annotations

from ideas_pipeline.marts.contributors import LEVELS
from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.figures import Figures
from ideas_pipeline.report.parts import Chart, Section, Table
from ideas_pipeline.report.words import count, number, people, percent

_LEVELS = {
    "all_rounder": ("All-rounders", "ideas, and comments or votes"),
    "generator": ("Generators", "ideas alone"),
    "feedbacker": ("Feedbackers", "comments or votes alone"),
    "viewer": ("Viewers", "nothing yet, but have visited"),
    "idle": ("Idle", "nothing, and never visited"),
    "inactive": ("Inactive", "nothing; no visits are known of anybody"),
}


def engagement(figures: Figures) -> Section:
    levels = sorted(figures.engagement, key=lambda row: LEVELS.index(row.engagement_level))
    if not levels:
        return Section("engagement", "Engagement levels", "There are no people yet.")
    named = [(*_LEVELS[row.engagement_level], row) for row in levels]
    everybody = levels[0].of_people
    contributed = sum(row.people for row in levels if row.engagement_level in LEVELS[:3])
    drawn = bars(
        [Bar(name, row.people, f"{number(row.people)} ({percent(row.share)})") for name, _, row in named], everybody
    )
    most = max(named, key=lambda one: one[2].people)
    return Section(
        "engagement",
        "Engagement levels",
        f"What each of the {people(everybody)} who are registered or have contributed has ever done. "
        "Everybody is on one level.",
        charts=[
            Chart(
                "People by level",
                f"{number(contributed)} of {people(everybody)} ({percent(contributed / everybody)}) have contributed. "
                f"The largest group: {most[0].lower()} ({most[1]}), {percent(most[2].share)}.",
                *drawn,
                Table(
                    "People by level of engagement",
                    ["Level", "What they have done", "People", "Share"],
                    [[name, what, number(row.people), percent(row.share)] for name, what, row in named],
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
        f"What share of all {count(tenth.of_contributions, 'contribution')} (ideas, comments, votes) is of the most "
        f"active of the {people(tenth.of_people)} who contributed. Contributions that name nobody are left out.",
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
