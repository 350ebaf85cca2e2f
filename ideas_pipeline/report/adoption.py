"""Adoption: how many ideas ever carried a label that says so."""

from __future__ import annotations

from itertools import groupby

from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.elements import Chart, Section, Table, bounded
from ideas_pipeline.report.figures import Figures, Rows
from ideas_pipeline.report.words import count, number, of, percent, title
from ideas_pipeline.tables.analyst import ADOPTED

# Whoever needs more classes than this reads the mart.
_CLASSES = 12


def section(figures: Figures) -> Section:
    classes = {name: list(rows) for name, rows in groupby(figures.adoption, key=lambda row: getattr(row, "class"))}
    if not classes:
        return Section(
            "adoption",
            "Adoption",
            "To see how many ideas were adopted, say which status labels mean that: write a row for each into the "
            f"table label_classes (community {figures.community}, the label_id as in idea_labels, and the class "
            f"{ADOPTED}), and run ideas-pipeline marts.",
        )
    # Adopted first, then those that most ideas carried.
    ever = {name: sum(row.ideas_ever for row in rows) for name, rows in classes.items()}
    names = sorted(classes, key=lambda name: (name != ADOPTED, -ever[name], name))[:_CLASSES]
    ideas = sum(row.ideas for row in classes[names[0]])
    first = names[0]
    return Section(
        "adoption",
        "Adoption",
        f"Ideas that ever carried a label of the class ÷ the {count(ideas, 'idea')} of all challenges. Which label is "
        "of which class stands in label_classes. Labels that came and went before the first sync were not seen.",
        charts=[
            Chart(
                "Ideas that ever carried a label of the class",
                f"{number(ever[first])} of {count(ideas, 'idea')} ({of(ever[first], ideas)}) ever carried a label "
                f"of the class {title(first, '?')}.",
                *bars(
                    [
                        Bar(title(name, "?"), ever[name], f"{number(ever[name])} ({of(ever[name], ideas)})")
                        for name in names
                    ],
                    whole=ideas,
                ),
                Table(
                    "Ideas by class of their labels",
                    ["Class", "Ever", "Share", "Now"],
                    [
                        [
                            title(name, "?"),
                            number(ever[name]),
                            of(ever[name], ideas),
                            number(sum(row.ideas_now for row in classes[name])),
                        ]
                        for name in names
                    ],
                ),
            )
        ],
        tables=[_by_challenge(figures, first, classes[first])],
    )


def _by_challenge(figures: Figures, name: str, rows: Rows) -> Table:
    return bounded(
        f"Ideas with a label of the class {title(name, '?')}, by challenge",
        ["Challenge", "Ideas", "Ever", "Share", "Now"],
        [
            [
                figures.challenge(row.challenge_id),
                number(row.ideas),
                number(row.ideas_ever),
                percent(row.rate),
                number(row.ideas_now),
            ]
            for row in sorted(rows, key=lambda row: (-row.ideas_ever, row.challenge_id))
        ],
        "mart_adoption",
    )
