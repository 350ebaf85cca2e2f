"""``mart_adoption``: how many ideas ever had a label of each class in ``label_classes``."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import count_if, share
from ideas_pipeline.marts.facts import COUNTED_IDEAS
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.tables.analyst import ADOPTED, LABEL_CLASSES
from ideas_pipeline.tables.columns import column
from ideas_pipeline.tables.history import IDEA_HISTORY, LABEL

TABLE = mart_table(
    "mart_adoption",
    "One row per challenge with ideas, and class of labels. Analysts define the classes in label_classes; while that "
    "table is empty, so is this one. Labels that came and went before the first sync were not seen.",
    column("challenge_id", "id", "The challenge.", key=True, references="challenges"),
    column("class", "id", "The class, such as adopted.", key=True),
    column("ideas", "integer", "Ideas of the challenge.", required=True),
    column("ideas_ever", "integer", "Ideas that ever had a label of the class.", required=True),
    column("ideas_now", "integer", "Ideas that have one now.", required=True),
    column("rate", "number", "ideas_ever ÷ ideas."),
)


def _select(context: BuildContext) -> sa.Select[Any]:
    labelled = _labelled(context)
    each = (
        sa.select(
            labelled.c["class"],
            labelled.c.idea_id,
            sa.func.max(labelled.c.is_now).label("is_now"),
        )
        .group_by(labelled.c["class"], labelled.c.idea_id)
        .subquery()
    )
    idea = COUNTED_IDEAS.c
    classes = (
        sa.select(LABEL_CLASSES.c["class"]).where(LABEL_CLASSES.c.community == context.community).distinct().subquery()
    )
    of_idea = sa.and_(each.c.idea_id == idea.idea_id, each.c["class"] == classes.c["class"])
    ever = sa.func.count(each.c.idea_id)
    return (
        sa.select(
            idea.challenge_id,
            classes.c["class"],
            sa.func.count(),
            ever,
            count_if(each.c.is_now == 1),
            share(ever, sa.func.count()),
        )
        .join_from(COUNTED_IDEAS, classes, sa.true())
        .outerjoin(each, of_idea)
        .where(idea.challenge_id.is_not(None))
        .group_by(idea.challenge_id, classes.c["class"])
    )


def _labelled(context: BuildContext) -> sa.Subquery:
    """When a label of each class was seen on each idea."""
    seen, labels = IDEA_HISTORY.c, LABEL_CLASSES.c
    of_class = sa.and_(labels.community == context.community, labels.label_id == seen.value)
    return (
        sa.select(
            labels["class"],
            seen.idea_id,
            seen.observed_from.label("at"),
            sa.case((seen.observed_to.is_(None), 1), else_=0).label("is_now"),
        )
        .join(LABEL_CLASSES, of_class)
        .where(seen.community == context.community, seen.attribute == LABEL)
        .subquery()
    )


def adopted_ideas(context: BuildContext) -> sa.Subquery:
    """Ideas that ever had a label of the class ``adopted``: ``idea_id`` and ``at``, when it was first seen."""
    labelled = _labelled(context)
    return (
        sa.select(labelled.c.idea_id, sa.func.min(labelled.c.at).label("at"))
        .where(labelled.c["class"] == ADOPTED)
        .group_by(labelled.c.idea_id)
        .subquery()
    )


def classes_exist(context: BuildContext) -> sa.ColumnElement[bool]:
    """Whether the community has any row in ``label_classes``."""
    return sa.exists().where(LABEL_CLASSES.c.community == context.community)


MART = Mart(TABLE, _select, reads=("ideas", "idea_labels", "idea_history", "users"), people=("banned",))
