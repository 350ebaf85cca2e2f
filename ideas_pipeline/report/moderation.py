"""Moderation: what the other sections leave out, and how long ideas wait to be published."""

from __future__ import annotations

from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.figures import Figures
from ideas_pipeline.report.parts import Chart, Section, Table, bounded
from ideas_pipeline.report.words import count, length, number, of, percent, title

_COUNTED = {
    "removed": "Removed by a moderator",
    "by_banned_people": "By people who are banned",
    "pending": "Waiting for approval",
    "rejected": "Not approved",
    "closed": "Closed, or closed for comments",
    "published_later": "Published a minute or more later",
}


def section(figures: Figures) -> Section:
    rows = figures.moderation
    ideas = sum(row.ideas for row in rows)
    tables = [_people(figures)] if figures.people else []
    if not ideas:
        return Section("moderation", "Moderation", "There are no ideas yet.", tables=tables)
    sums = {column: sum(getattr(row, column) for row in rows) for column in _COUNTED}
    counted = [(name, sums[column]) for column, name in _COUNTED.items()]
    comments, removed = sum(row.comments for row in rows), sum(row.removed_comments for row in rows)
    return Section(
        "moderation",
        "Moderation",
        f"Of all {count(ideas, 'idea')} that the community has, also those that the other sections leave out. "
        "An idea can be in several of these rows.",
        charts=[
            Chart(
                "What became of ideas",
                f"Of {count(ideas, 'idea')}, {number(sums['removed'])} ({of(sums['removed'], ideas)}) were removed and "
                f"{number(sums['pending'])} wait for approval. Of {count(comments, 'comment')}, {number(removed)} "
                f"({of(removed, comments)}) were removed.",
                *bars([Bar(name, n, f"{number(n)} ({of(n, ideas)})") for name, n in counted]),
                Table(
                    "Ideas by what became of them",
                    ["Ideas", "Number", "Share of all"],
                    [[name, number(n), of(n, ideas)] for name, n in counted],
                ),
            )
        ],
        tables=[_by_challenge(figures), *tables],
    )


def _by_challenge(figures: Figures) -> Table:
    most = sorted(figures.moderation, key=lambda row: (-row.pending, -row.removed, row.challenge_id))
    return bounded(
        "By challenge, those with the most waiting ideas first. Delay: from submission to publication",
        ["Challenge", "Ideas", "Waiting", "Removed", "Share", "Median delay", "90 % within"],
        [
            [
                figures.titles.get(row.challenge_id, f"Challenge {row.challenge_id}"),
                number(row.ideas),
                number(row.pending),
                number(row.removed),
                percent(row.removed_rate),
                length(row.median_delay_seconds),
                length(row.p90_delay_seconds),
            ]
            for row in most
        ],
        "mart_moderation",
    )


def _people(figures: Figures) -> Table:
    return bounded(
        "People by status, as far as the API's account may see them",
        ["Status", "People", "Admins among them"],
        [[title(row.status, "unknown"), number(row.people), number(row.admins)] for row in figures.people],
        "mart_people",
    )
