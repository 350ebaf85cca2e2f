"""The history of ideas: the source shows only the present, so past values are kept here.

What was an idea's status on 3 March? (All times are UTC; on PostgreSQL, say ``SET TIME ZONE 'UTC'`` first.) ::

    SELECT value, observed_from, observed_to, is_left_censored
    FROM idea_history
    WHERE community = 'acme' AND idea_id = '7' AND attribute = 'status'
      AND observed_from <= '2026-03-03 12:00' AND (observed_to > '2026-03-03 12:00' OR observed_to IS NULL)

How many days was it in review in total? On PostgreSQL::

    SELECT sum(extract(epoch FROM coalesce(observed_to, now()) - observed_from)) / 86400 AS days
    FROM idea_history
    WHERE community = 'acme' AND idea_id = '7' AND attribute = 'stage' AND name = 'Review'

On SQLite::

    SELECT sum(julianday(coalesce(observed_to, 'now')) - julianday(observed_from)) AS days
    FROM idea_history
    WHERE community = 'acme' AND idea_id = '7' AND attribute = 'stage' AND name = 'Review'

Times are only as precise as the schedule of the runs: a value that came and went between two runs was not seen. If
``is_left_censored`` is true, the value may have begun before ``observed_from``.
"""

from __future__ import annotations

import sqlalchemy as sa

from ideas_pipeline.tables.columns import column
from ideas_pipeline.tables.community import METADATA

# Attribute → the column of ``ideas`` with its present value. Labels come from ``idea_labels``.
ATTRIBUTES = {
    "challenge": "challenge_id",
    "stage": "stage_id",
    "status": "status",
    "moderation": "moderation_status",
    "approval": "approval_status",
}
LABEL = "label"

IDEA_HISTORY = sa.Table(
    "idea_history",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("idea_id", "id", "The idea.", key=True, parent="ideas"),
    column("attribute", "id", "challenge, stage, status, moderation, approval or label.", key=True),
    column("value", "id", "The value: the id of the challenge, stage or label, or the status itself.", key=True),
    column(
        "observed_from",
        "timestamp",
        "When the pipeline saw this value for the first time (in this interval).",
        key=True,
    ),
    column(
        "observed_to", "timestamp", "When the pipeline first saw that the value had changed; null while it is current."
    ),
    column("challenge_id", "id", "The challenge of a stage; a stage's id may be unique only within its challenge."),
    column("name", "text", "The title of the challenge, or the name of the stage or label, at that time."),
    column(
        "source_at",
        "timestamp",
        "The idea's updated_at when the value was first seen: if the source maintains it, the change is not later.",
    ),
    column(
        "is_left_censored",
        "boolean",
        "True for the first observation of an idea: the value may be older.",
        required=True,
    ),
    column("_run_id", "id", "The run that last wrote this row.", required=True),
    comment="One row per interval in which an attribute of an idea had a value. Returning to a value starts a new row. "
    "No row at a moment means that there was no value, or no such idea.",
)
