"""Moderation: what the other sections leave out, and how long ideas wait to be published."""

from __future__ import annotations

from collections.abc import Mapping

from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.figures import Figures, Rows
from ideas_pipeline.report.parts import Chart, Section, Table, bounded
from ideas_pipeline.report.words import count, length, listed, number, of, percent, title

# By column: its name here, and what the source must tell of ideas, or of people, that it be known.
_COUNTED = {
    "removed": ("Removed by a moderator", "moderation"),
    "closed": ("Closed, or closed for comments", "moderation"),
    "by_banned_people": ("By people who are banned", "status_of_people"),
    "pending": ("Waiting for approval", "approval"),
    "rejected": ("Not approved", "approval"),
    "published_later": ("Published after a wait", "publication"),
}
_UNTOLD = {
    "moderation": "which ideas were removed or closed",
    "status_of_people": "who is banned",
    "approval": "which ideas wait for approval",
    "publication": "when ideas were published",
}


def section(figures: Figures) -> Section:
    rows = figures.moderation
    ideas = sum(row.ideas for row in rows)
    tables = [_people(figures)] if figures.people else []
    if not ideas:
        return Section("moderation", "Moderation", "There are no ideas yet.", tables=tables)
    untold = [said for known, said in _UNTOLD.items() if not getattr(figures.declared, known)]
    meaning = (
        f"Of all {count(ideas, 'idea')} that the community has, also those that the other sections leave out. "
        "An idea can be in several of these rows. A wait is a minute or more from submission to publication."
    )
    if untold:
        meaning += f" The source does not tell {listed(untold)}, so that is not shown."
    known = {column: name for column, (name, of_what) in _COUNTED.items() if getattr(figures.declared, of_what)}
    charts = [_chart(rows, ideas, known)] if known else []
    return Section("moderation", "Moderation", meaning, charts=charts, tables=[_by_challenge(figures, known), *tables])


def _chart(rows: Rows, ideas: int, known: Mapping[str, str]) -> Chart:
    sums = {column: sum(getattr(row, column) for row in rows) for column in known}
    counted = [(name, sums[column]) for column, name in known.items()]
    says = [f"{name.lower()}: {number(n)} ({of(n, ideas)})" for name, n in counted]
    comments, removed = sum(row.comments for row in rows), sum(row.removed_comments for row in rows)
    return Chart(
        "What became of ideas",
        f"Of {count(ideas, 'idea')}, {'; '.join(says)}. "
        f"Of {count(comments, 'comment')}, removed: {number(removed)} ({of(removed, comments)}).",
        *bars([Bar(name, n, f"{number(n)} ({of(n, ideas)})") for name, n in counted], whole=ideas),
        Table(
            "Ideas by what became of them",
            ["Ideas", "Number", "Share of all"],
            [[name, number(n), of(n, ideas)] for name, n in counted],
        ),
    )


def _by_challenge(figures: Figures, known: Mapping[str, str]) -> Table:
    most = sorted(figures.moderation, key=lambda row: (-row.pending, -row.removed, row.challenge_id))
    return bounded(
        "By challenge, those with the most waiting ideas first. Delay: from submission to publication",
        ["Challenge", "Ideas", "Waiting", "Removed", "Share removed", "Median delay", "90 % within"],
        [
            [
                figures.titles.get(row.challenge_id, f"Challenge {row.challenge_id}"),
                number(row.ideas),
                number(row.pending if "pending" in known else None),
                number(row.removed if "removed" in known else None),
                percent(row.removed_rate if "removed" in known else None),
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
