"""Adoption: how many ideas ever had a label of each class."""

from __future__ import annotations

from itertools import groupby

from ideas_pipeline.report.charts import Bar, bars
from ideas_pipeline.report.elements import Chart, Section, Table, limited_table
from ideas_pipeline.report.figures import Figures, Rows
from ideas_pipeline.report.formatting import clean_title, count, number, percent, share_of
from ideas_pipeline.tables.analyst import ADOPTED

# More classes are only in the mart.
_CLASSES = 12


def section(figures: Figures) -> Section:
    classes = {name: list(rows) for name, rows in groupby(figures.adoption, key=lambda row: getattr(row, "class"))}
    if not classes:
        return Section(
            "adoption",
            "Adoption",
            "It is not known yet which status labels mean that an idea was adopted. Add one row per such label to the "
            f"table label_classes (community {figures.community}, label_id from idea_labels, class {ADOPTED}), "
            "then run ideas-pipeline marts.",
        )
    # Adopted first, then the classes with the most ideas.
    ever = {name: sum(row.ideas_ever for row in rows) for name, rows in classes.items()}
    names = sorted(classes, key=lambda name: (name != ADOPTED, -ever[name], name))[:_CLASSES]
    ideas = sum(row.ideas for row in classes[names[0]])
    first = names[0]
    return Section(
        "adoption",
        "Adoption",
        f"Ideas that ever had a label of the class ÷ the {count(ideas, 'idea')} of all challenges. The table "
        "label_classes defines the classes. Labels that came and went before the first sync were not seen.",
        charts=[
            Chart(
                "Ideas that ever had a label of the class",
                f"{number(ever[first])} of {count(ideas, 'idea')} ({share_of(ever[first], ideas)}) ever had a label "
                f"of the class {clean_title(first, '?')}.",
                *bars(
                    [
                        Bar(clean_title(name, "?"), ever[name], f"{number(ever[name])} ({share_of(ever[name], ideas)})")
                        for name in names
                    ],
                    whole=ideas,
                ),
                Table(
                    "Ideas by class of their labels",
                    ["Class", "Ever", "Share", "Now"],
                    [
                        [
                            clean_title(name, "?"),
                            number(ever[name]),
                            share_of(ever[name], ideas),
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
    return limited_table(
        f"Ideas with a label of the class {clean_title(name, '?')}, by challenge",
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
