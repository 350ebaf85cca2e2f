"""Moderation: what the other sections leave out, and how long ideas wait to be published."""

from __future__ import annotations

from collections.abc import Mapping

from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.elements import Chart, Section, Table, bounded
from ideas_pipeline.report.figures import Figures, Rows
from ideas_pipeline.report.words import count, length, listed, number, of, percent, title

# By column, which is null in every row where the source does not tell: its name here, and what is not told then.
_COUNTED = {
    "removed": ("Removed by a moderator", "which ideas were removed or closed"),
    "closed": ("Closed, or closed for comments", "which ideas were removed or closed"),
    "by_banned_people": ("By people who are banned", "who is banned"),
    "pending": ("Waiting for approval", "which ideas wait for approval"),
    "rejected": ("Not approved", "which ideas wait for approval"),
    "published_later": ("Published after a wait", "when ideas were published"),
}


def section(figures: Figures) -> Section:
    rows = figures.moderation
    ideas = sum(row.ideas for row in rows)
    tables = [_people(figures)] if figures.people else []
    if not ideas:
        return Section("moderation", "Moderation", "There are no ideas yet.", tables=tables)
    known = {column: name for column, (name, _) in _COUNTED.items() if _is_told(rows, column)}
    untold = list(dict.fromkeys(what for column, (_, what) in _COUNTED.items() if column not in known))
    if any(row.comments for row in rows) and not _is_told(rows, "removed_comments"):
        untold.append("which comments were removed")
    meaning = (
        f"Of all {count(ideas, 'idea')} that the community has, also those that the other sections leave out. "
        "An idea can be in several of these rows. A wait is a minute or more from submission to publication."
    )
    if untold:
        meaning += f" The source does not tell {listed(untold)}, so that is not shown."
    charts = [_chart(rows, ideas, known)] if known else []
    return Section("moderation", "Moderation", meaning, charts=charts, tables=[_by_challenge(figures), *tables])


def _is_told(rows: Rows, column: str) -> bool:
    return any(getattr(row, column) is not None for row in rows)


def _chart(rows: Rows, ideas: int, known: Mapping[str, str]) -> Chart:
    sums = {column: sum(getattr(row, column) for row in rows) for column in known}
    counted = [(name, sums[column]) for column, name in known.items()]
    says = [f"{name.lower()}: {number(n)} ({of(n, ideas)})" for name, n in counted]
    sentence = f"Of {count(ideas, 'idea')}, {'; '.join(says)}."
    if _is_told(rows, "removed_comments"):
        comments, removed = sum(row.comments for row in rows), sum(row.removed_comments for row in rows)
        sentence += f" Of {count(comments, 'comment')}, removed: {number(removed)} ({of(removed, comments)})."
    return Chart(
        "What became of ideas",
        sentence,
        *bars([Bar(name, n, f"{number(n)} ({of(n, ideas)})") for name, n in counted], whole=ideas),
        Table(
            "Ideas by what became of them",
            ["Ideas", "Number", "Share of all"],
            [[name, number(n), of(n, ideas)] for name, n in counted],
        ),
    )


def _by_challenge(figures: Figures) -> Table:
    most = sorted(figures.moderation, key=lambda row: (-(row.pending or 0), -(row.removed or 0), row.challenge_id))
    return bounded(
        "By challenge, those with the most waiting ideas first. Delay: from submission to publication",
        ["Challenge", "Ideas", "Waiting", "Removed", "Share removed", "Median delay", "90 % within"],
        [
            [
                figures.challenge(row.challenge_id),
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
