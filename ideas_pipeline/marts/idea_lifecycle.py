"""``mart_idea_lifecycle``: the age, stage, responses, votes and adoption of each idea."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.adoption import adopted_ideas, classes_exist
from ideas_pipeline.marts.dialect import literal_moment, seconds_between
from ideas_pipeline.marts.facts import ACTS, COUNTED_IDEAS, IDEA_ACTS
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.marts.stages import STAYS
from ideas_pipeline.tables.columns import column
from ideas_pipeline.tables.community import USERS

TABLE = mart_table(
    "mart_idea_lifecycle",
    "One row per idea that exists and is not removed. Titles are in ideas. A response is a comment by someone other "
    "than the idea's author and co-authors, even if the start of a stage cleared it later. A comment without a person "
    "is one, too, unless the source says that an author of the idea wrote it.",
    column("idea_id", "id", "The idea.", key=True, references="ideas"),
    column("challenge_id", "id", "The challenge it is in now.", references="challenges"),
    column("stage_id", "id", "The stage it is in now."),
    column("submitted_at", "timestamp", "When it was submitted."),
    column("published_at", "timestamp", "When it became visible."),
    column("age_seconds", "integer", "Seconds from submission to now (see _marts.as_of)."),
    column("stage_since", "timestamp", "When it was first seen in its current stage (since it last entered it)."),
    column("stage_age_seconds", "integer", "Seconds from then to now."),
    column("responses", "integer", "Responses.", required=True),
    column("first_response_at", "timestamp", "When the first response with a known time was written."),
    column(
        "seconds_to_first_response",
        "integer",
        "Seconds from submission to first_response_at; null if either is unknown, or if the response is earlier.",
    ),
    column(
        "seconds_to_first_admin_response",
        "integer",
        "The same for the first response by an admin. The moderators of a challenge are not known.",
    ),
    column("votes", "integer", "Current votes.", required=True),
    column(
        "is_adopted",
        "boolean",
        "Whether it ever had a label of the class adopted; null while label_classes is empty.",
    ),
    column("adopted_at", "timestamp", "When such a label was first seen on it."),
)


def _select(context: BuildContext) -> sa.Select[Any]:
    idea, now = COUNTED_IDEAS.c, literal_moment(context.as_of)
    acts, by_admins = IDEA_ACTS.c, _responses_by_admins(context)
    stage = (
        sa.select(STAYS.c.idea_id, STAYS.c.stage_id, sa.func.max(STAYS.c.began).label("since"))
        .where(STAYS.c.ended.is_(None))
        .group_by(STAYS.c.idea_id, STAYS.c.stage_id)
        .subquery()
    )
    adopted = adopted_ideas(context)
    return (
        sa.select(
            idea.idea_id,
            idea.challenge_id,
            idea.stage_id,
            idea.created_at,
            idea.published_at,
            seconds_between(idea.created_at, now, context),
            stage.c.since,
            seconds_between(stage.c.since, now, context),
            acts.responses,
            acts.first_response_at,
            seconds_between(idea.created_at, acts.first_response_at, context),
            seconds_between(idea.created_at, by_admins.c.first_at, context),
            acts.votes,
            sa.case((classes_exist(context), sa.case((adopted.c.idea_id.is_not(None), sa.true()), else_=sa.false()))),
            adopted.c.at,
        )
        .join_from(COUNTED_IDEAS, IDEA_ACTS, acts.idea_id == idea.idea_id)
        .outerjoin(by_admins, by_admins.c.idea_id == idea.idea_id)
        .outerjoin(stage, sa.and_(stage.c.idea_id == idea.idea_id, stage.c.stage_id == idea.stage_id))
        .outerjoin(adopted, adopted.c.idea_id == idea.idea_id)
    )


def _responses_by_admins(context: BuildContext) -> sa.Subquery:
    c = ACTS.c
    admins = sa.select(USERS.c.id).where(USERS.c.community == context.community, USERS.c.role == "admin")
    return (
        sa.select(c.idea_id, sa.func.min(c.at).label("first_at"))
        .where(c.kind == "comment", ~c.by_author, c.user_id.in_(admins))
        .group_by(c.idea_id)
        .subquery()
    )


def _ages(context: BuildContext) -> dict[str, sa.ColumnElement[Any]]:
    now = literal_moment(context.as_of)
    return {
        "age_seconds": seconds_between(TABLE.c.submitted_at, now, context),
        "stage_age_seconds": seconds_between(TABLE.c.stage_since, now, context),
    }


MART = Mart(
    TABLE,
    _select,
    reads=("ideas", "idea_coauthors", "idea_labels", "idea_history", "comments", "votes", "users"),
    people=("banned", "admins"),
    ages=_ages,
)
