"""Moderation: ideas that the other sections exclude, and the time until publication."""

from __future__ import annotations

from collections.abc import Mapping

from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.elements import Chart, Section, Table, limited_table
from ideas_pipeline.report.figures import Figures, Rows
from ideas_pipeline.report.formatting import clean_title, count, joined, length_of_time, number, percent, share_of

# Column → its name in the report, and what is unknown if the source has no value in any row.
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
    known = {column: name for column, (name, _) in _COUNTED.items() if _is_reported(rows, column)}
    unknown = list(dict.fromkeys(what for column, (_, what) in _COUNTED.items() if column not in known))
    if any(row.comments for row in rows) and not _is_reported(rows, "removed_comments"):
        unknown.append("which comments were removed")
    meaning = (
        f"All ideas of the community ({number(ideas)}), including those that the other sections exclude. An idea can "
        "be in several rows. “Published after a wait” means a minute or more after submission."
    )
    if unknown:
        meaning += f" The source does not report {joined(unknown)}, so these figures are not shown."
    charts = [_chart(rows, ideas, known)] if known else []
    return Section("moderation", "Moderation", meaning, charts=charts, tables=[_by_challenge(figures), *tables])


def _is_reported(rows: Rows, column: str) -> bool:
    return any(getattr(row, column) is not None for row in rows)


def _chart(rows: Rows, ideas: int, known: Mapping[str, str]) -> Chart:
    sums = {column: sum(getattr(row, column) for row in rows) for column in known}
    counted = [(name, sums[column]) for column, name in known.items()]
    parts = [f"{name.lower()}: {number(n)} ({share_of(n, ideas)})" for name, n in counted]
    sentence = f"Of {count(ideas, 'idea')}, {'; '.join(parts)}."
    if _is_reported(rows, "removed_comments"):
        comments, removed = sum(row.comments for row in rows), sum(row.removed_comments for row in rows)
        sentence += f" Of {count(comments, 'comment')}, removed: {number(removed)} ({share_of(removed, comments)})."
    return Chart(
        "Ideas by moderation status",
        sentence,
        *bars([Bar(name, n, f"{number(n)} ({share_of(n, ideas)})") for name, n in counted], whole=ideas),
        Table(
            "Ideas by moderation status",
            ["Status", "Ideas", "Share of all"],
            [[name, number(n), share_of(n, ideas)] for name, n in counted],
        ),
    )


def _by_challenge(figures: Figures) -> Table:
    most = sorted(figures.moderation, key=lambda row: (-(row.pending or 0), -(row.removed or 0), row.challenge_id))
    return limited_table(
        "Challenges by number of waiting ideas. Delay: from submission to publication",
        ["Challenge", "Ideas", "Waiting", "Removed", "Share removed", "Median delay", "90 % within"],
        [
            [
                figures.challenge(row.challenge_id),
                number(row.ideas),
                number(row.pending),
                number(row.removed),
                percent(row.removed_rate),
                length_of_time(row.median_delay_seconds),
                length_of_time(row.p90_delay_seconds),
            ]
            for row in most
        ],
        "mart_moderation",
    )


def _people(figures: Figures) -> Table:
    return limited_table(
        "People by status, as far as the API's account may see them",
        ["Status", "People", "Admins among them"],
        [[clean_title(row.status, "unknown"), number(row.people), number(row.admins)] for row in figures.people],
        "mart_people",
    )
