"""What ideas have been: the source shows only the present, so the past is kept here.

What was an idea's status on 3 March? (All times are UTC; on PostgreSQL, say ``SET TIME ZONE 'UTC'`` first.) ::

    SELECT value, observed_from, observed_to, is_left_censored
    FROM idea_history
    WHERE community = 'acme' AND idea_id = '7' AND attribute = 'status'
      AND observed_from <= '2026-03-03 12:00' AND (observed_to > '2026-03-03 12:00' OR observed_to IS NULL)

How many days was it in review, all its stays together? On PostgreSQL::

    SELECT sum(extract(epoch FROM coalesce(observed_to, now()) - observed_from)) / 86400 AS days
    FROM idea_history
    WHERE community = 'acme' AND idea_id = '7' AND attribute = 'stage' AND name = 'Review'

On SQLite::

    SELECT sum(julianday(coalesce(observed_to, 'now')) - julianday(observed_from)) AS days
    FROM idea_history
    WHERE community = 'acme' AND idea_id = '7' AND attribute = 'stage' AND name = 'Review'

Times are as fine as the schedule of the runs: a stay that began and ended between two of them was not seen. Where
``is_left_censored`` is true, the stay can have begun before ``observed_from``.
"""

from __future__ import annotations

import sqlalchemy as sa

from ideas_pipeline.tables.columns import column
from ideas_pipeline.tables.community import METADATA

# What is kept, and the column of ``ideas`` that says it now. Labels come from ``idea_labels``.
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
    column("idea_id", "id", "The idea.", key=True, part_of="ideas"),
    column("attribute", "id", "challenge, stage, status, moderation, approval or label.", key=True),
    column("value", "id", "What it was: the id of the challenge, stage or label, or the status itself.", key=True),
    column("observed_from", "timestamp", "When the pipeline first saw this value (again).", key=True),
    column("observed_to", "timestamp", "When the pipeline first saw that it was over; null while it lasts."),
    column("challenge_id", "id", "Of a stage: the challenge whose stage it is. A stage's id may mean nothing without."),
    column("name", "text", "The challenge's title, the stage's or label's name, as they were called then."),
    column(
        "source_at",
        "timestamp",
        "The idea's own updated_at when the value was first seen: where the source moves it, the change is no later.",
    ),
    column(
        "is_left_censored", "boolean", "True for an idea's first observation: the value may be older.", required=True
    ),
    column("_run_id", "id", "The run that last wrote this row.", required=True),
    comment="One row an interval in which an idea had a value. Returning to a value is a new row. "
    "No row at a moment means: none, or that the idea was not there.",
)
