"""Engagement levels, and the share of contributions by the most active people."""

from __future__ import annotations

from ideas_pipeline.marts.contributors import LEVELS
from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.elements import Chart, Section, Table
from ideas_pipeline.report.figures import Figures
from ideas_pipeline.report.formatting import count, number, people, percent, share_of

_LEVELS = {
    "all_rounder": ("All-rounders", "ideas, and comments or votes"),
    "generator": ("Generators", "only ideas"),
    "feedbacker": ("Feedbackers", "only comments or votes"),
    "viewer": ("Viewers", "no contribution, but a visit"),
    "idle": ("Idle", "no contribution and no visit"),
    "inactive": ("Inactive", "no contribution; visits are not known"),
}


def engagement(figures: Figures) -> Section:
    if not figures.engagement:
        return Section("engagement", "Engagement levels", "No people are known yet.")
    on = {row.engagement_level: row.people for row in figures.engagement}
    everybody = figures.engagement[0].of_people
    # Contributors are on the first three levels, which are shown even if they are empty.
    contributed = sum(on.get(level, 0) for level in LEVELS[:3])
    named = [(*_LEVELS[level], on.get(level, 0)) for level in LEVELS if level in LEVELS[:3] or level in on]
    drawn = bars([Bar(name, n, f"{number(n)} ({share_of(n, everybody)})") for name, _, n in named], everybody)
    most = max(named, key=lambda one: one[2])
    return Section(
        "engagement",
        "Engagement levels",
        f"Everybody who is registered or has contributed ({people(everybody)}), by everything that they ever did. "
        f"Each person has one level: {'; '.join(f'{name.lower()}: {what}' for name, what, _ in named)}.",
        charts=[
            Chart(
                "People by level",
                f"Of {people(everybody)}, {number(contributed)} ({percent(contributed / everybody)}) contributed. "
                f"The largest group: {most[0].lower()} ({most[1]}), {share_of(most[2], everybody)}.",
                *drawn,
                Table(
                    "People by engagement level",
                    ["Level", "Contributions", "People", "Share"],
                    [[name, what, number(n), share_of(n, everybody)] for name, what, n in named],
                    left=2,
                ),
            )
        ],
    )


def concentration(figures: Figures) -> Section:
    tops = [row for row in figures.concentration if row.top_percent < 100]
    if not tops:
        return Section("concentration", "Concentration", "Nobody who contributed is known yet.")
    tenth = next(row for row in tops if row.top_percent == 10)
    drawn = bars(
        [Bar(f"Top {row.top_percent} %: {people(row.people)}", row.share, percent(row.share)) for row in tops], whole=1
    )
    return Section(
        "concentration",
        "Concentration",
        f"Of {count(tenth.of_contributions, 'contribution')} (comments, votes, and ideas, which count for each author) "
        f"the share that comes from the most active of the {people(tenth.of_people)} who contributed. "
        "Contributions without a person are excluded.",
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
