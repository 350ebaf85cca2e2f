"""Top challenges: those with the most contributors."""

from __future__ import annotations

from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.elements import Chart, Section, limited_table
from ideas_pipeline.report.figures import Figures, Rows
from ideas_pipeline.report.formatting import count, date_of, number, people, percent

_TOP = 10


def by_contributors(figures: Figures) -> Rows:
    """The challenges by descending number of contributors; ties by ideas, then by id."""
    return sorted(figures.challenges, key=lambda row: (-row.contributors, -row.ideas, row.challenge_id))


def section(figures: Figures) -> Section:
    ranked = by_contributors(figures)
    if not any(row.ideas or row.contributors for row in ranked):
        empty = f"There are no ideas in the community's {count(len(ranked), 'challenge')} yet." if ranked else ""
        return Section("challenges", "Top challenges", empty or "There are no challenges yet.")
    top = [row for row in ranked[:_TOP] if row.contributors]
    title_of, timezone, first = figures.challenge, figures.timezone, ranked[0]
    table = limited_table(
        "Challenges by number of contributors",
        [
            "Challenge",
            "Contributors",
            "Participation",
            "Ideas",
            "Comments",
            "Votes",
            "Comments per idea",
            "Votes per idea",
            "Last contribution",
        ],
        [
            [
                title_of(row.challenge_id),
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
    if not top:
        meaning = "The source does not say who contributed. Ideas, comments and votes are the current ones."
        return Section("challenges", "Top challenges", meaning, tables=[table])
    drawn = bars([Bar(title_of(row.challenge_id), row.contributors, people(row.contributors)) for row in top])
    return Section(
        "challenges",
        "Top challenges",
        "Contributors are distinct people who ever submitted an idea, commented or voted in a challenge; a person can "
        "contribute to several. Participation: contributors who are registered now ÷ the "
        f"{people(first.registered)} registered now. Ideas, comments and votes are the current ones.",
        charts=[
            Chart(
                f"The {len(top)} challenges with the most contributors" if len(top) > 1 else "Contributors",
                f"“{title_of(first.challenge_id)}” has the most contributors: {number(first.contributors)}, "
                f"with {count(first.ideas, 'idea')}, {count(first.comments, 'comment')} and "
                f"{count(first.votes, 'vote')}."
                + (f" There are {count(len(ranked), 'challenge')} in total." if len(ranked) > len(top) else ""),
                *drawn,
                table,
            )
        ],
    )
