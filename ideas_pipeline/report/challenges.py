"""Top challenges: where the most people took part."""

from __future__ import annotations

from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.elements import Chart, Section, bounded
from ideas_pipeline.report.figures import Figures, Rows
from ideas_pipeline.report.words import count, date_of, number, people, percent

_TOP = 10


def by_contributors(figures: Figures) -> Rows:
    """The challenges, those with the most contributors first; equal ones by their ideas, then by their ids."""
    return sorted(figures.challenges, key=lambda row: (-row.contributors, -row.ideas, row.challenge_id))


def section(figures: Figures) -> Section:
    ranked = by_contributors(figures)
    if not any(row.contributors for row in ranked):
        there = f"There are {count(len(ranked), 'challenge')}, and nobody took part yet." if ranked else ""
        return Section("challenges", "Top challenges", there or "There are no challenges yet.")
    top = [row for row in ranked[:_TOP] if row.contributors]
    called, timezone, first = figures.challenge, figures.timezone, top[0]
    drawn = bars([Bar(called(row.challenge_id), row.contributors, people(row.contributors)) for row in top])
    table = bounded(
        "Challenges, those with the most contributors first",
        [
            "Challenge",
            "Contributors",
            "Share of the registered",
            "Ideas",
            "Comments",
            "Votes",
            "Comments per idea",
            "Votes per idea",
            "Last contribution",
        ],
        [
            [
                called(row.challenge_id),
                number(row.contributors),
                percent(row.participation_rate),
                number(row.ideas),
                number(row.comments),
                number(row.votes),
                number(row.comments_per_idea),
                number(row.votes_per_idea),
                date_of(row.last_contribution_at, timezone),
            ]
            for row in ranked
        ],
        "mart_challenges",
    )
    return Section(
        "challenges",
        "Top challenges",
        "Contributors are different people who ever submitted an idea, commented or voted there; somebody can "
        "contribute to several. Share of the registered: those among them who are registered now ÷ the "
        f"{people(first.registered)} registered now. Ideas, comments and votes are those that are there now.",
        charts=[
            Chart(
                f"The {len(top)} challenges with the most contributors" if len(top) > 1 else "Contributors",
                f"Most people took part in “{called(first.challenge_id)}”: {number(first.contributors)}, "
                f"with {count(first.ideas, 'idea')}, {count(first.comments, 'comment')} and "
                f"{count(first.votes, 'vote')}."
                + (f" {count(len(ranked), 'challenge')} in all." if len(ranked) > len(top) else ""),
                *drawn,
                table,
            )
        ],
    )
