"""A community of few rows, written directly into the tables, whose marts can be checked by reading."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.tables.columns import kind
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY

COMMUNITY = "acme"
AS_OF = datetime(2026, 4, 10, 12, tzinfo=UTC)
_SYNCED = "2026-02-01 03:00"

# Every moment is in UTC. Whoever is not named here (no author, no person) is nobody.
ROWS: dict[str, list[dict[str, Any]]] = {
    "challenges": [
        {"id": "waste", "title": "Waste less", "type": "funnel"},
        {"id": "start", "title": "A better first week", "type": "standard"},
        {"id": "quiet", "title": "Nobody came", "type": "standard"},
    ],
    "challenge_stages": [
        {"challenge_id": "waste", "id": "s1", "position": 0, "name": "Collect", "kind": "phase"},
        {"challenge_id": "waste", "id": "s2", "position": 1, "name": "Review", "kind": "phase"},
    ],
    "users": [
        {"id": "ann", "status": "active", "joined_at": "2026-01-01 08:00", "display_name": "Ann"},
        {"id": "ben", "status": "active", "joined_at": "2026-01-01 08:00", "display_name": "Ben"},
        {"id": "cem", "status": "active", "joined_at": "2026-02-01 08:00", "display_name": "Cem"},
        {"id": "dee", "status": "active", "joined_at": "2026-02-01 08:00", "display_name": "Dee"},
        {"id": "eve", "status": "banned", "joined_at": "2026-01-01 08:00", "display_name": "Eve"},
        {"id": "fay", "status": "active", "joined_at": "2026-01-01 08:00", "_deleted_at": "2026-03-01 03:00"},
    ],
    "user_answers": [
        {"user_id": "ann", "question_id": "site", "label": "Your site", "value": "Leeds"},
        {"user_id": "ben", "question_id": "site", "label": "Your site", "value": "Leeds"},
        {"user_id": "cem", "question_id": "site", "label": "Your site", "value": "Lyon"},
        {"user_id": "dee", "question_id": "site", "label": "Your site", "value": "Lyon"},
        {"user_id": "eve", "question_id": "site", "label": "Your site", "value": "Lyon"},
        {"user_id": "fay", "question_id": "site", "label": "Your site", "value": "Leeds"},
        {"user_id": "cem", "question_id": "team", "label": "Your team", "value": "Leeds"},
        {
            "user_id": "dee",
            "question_id": "team",
            "label": "Your team",
            "value": "x",
            "_deleted_at": "2026-03-01 03:00",
        },
    ],
    "ideas": [
        {"id": "101", "challenge_id": "waste", "stage_id": "s2", "author_id": "ann", "title": "Paper cups"}
        | {"created_at": "2026-01-10 09:00", "published_at": "2026-01-10 09:00"}
        | {"approval_status": "approved"},
        {"id": "102", "challenge_id": "waste", "stage_id": "s1", "author_id": "ben", "title": "Night bus"}
        | {"created_at": "2026-02-05 09:00", "published_at": "2026-02-08 09:00"},
        {"id": "103", "challenge_id": "start", "stage_id": None, "author_id": "ann", "title": "A guide"}
        | {"created_at": "2026-02-10 09:00", "published_at": "2026-02-10 19:00"},
        {"id": "removed", "challenge_id": "start", "author_id": "ben", "title": "Spam"}
        | {"created_at": "2026-02-11 09:00", "moderation_status": "removed"},
        {
            "id": "banned",
            "challenge_id": "start",
            "author_id": "eve",
            "title": "Worse",
            "created_at": "2026-02-12 09:00",
        },
        {"id": "gone", "challenge_id": "waste", "author_id": "ann", "title": "Gone", "created_at": "2026-02-13 09:00"}
        | {"_deleted_at": "2026-03-01 03:00", "_deleted_because": "gone"},
    ],
    "idea_labels": [{"idea_id": "103", "label_id": "12", "name": "Adopted"}],
    "comments": [
        {"id": "c1", "idea_id": "101", "author_id": "ben", "created_at": "2026-01-12 09:00"},
        {"id": "c2", "idea_id": "101", "author_id": "ann", "created_at": "2026-01-13 09:00"},
        {"id": "c3", "idea_id": "103", "author_id": "cem", "created_at": "2026-02-11 09:00"},
        {"id": "c4", "idea_id": "103", "author_id": "ben", "created_at": "2026-02-12 09:00"},
        {"id": "c5", "idea_id": "103", "author_id": "eve", "created_at": "2026-02-12 10:00"},
        {"id": "c6", "idea_id": "102", "author_id": "cem", "created_at": "2026-02-12 10:00", "status": "removed"},
        {"id": "c7", "idea_id": "102", "author_id": "cem", "created_at": "2026-02-12 10:00"}
        | {"_deleted_at": "2026-03-01 03:00", "_deleted_because": "gone"},
    ],
    "votes": [
        {"id": "v1", "idea_id": "101", "user_id": "ben", "voting_type": "thumbs", "value": 1}
        | {"created_at": "2026-01-14 09:00"},
        {"id": "v2", "idea_id": "101", "user_id": "cem", "voting_type": "thumbs", "value": -1}
        | {"created_at": "2026-02-14 09:00"},
        {"id": "v3", "idea_id": "103", "user_id": "ben", "voting_type": "stars", "value": 2.2}
        | {"created_at": "2026-03-20 09:00"},
        {"id": "v4", "idea_id": "103", "user_id": None, "voting_type": "stars", "value": 1.1}
        | {"created_at": "2026-04-02 09:00"},
        {"id": "v5", "idea_id": "103", "user_id": "eve", "voting_type": "stars", "value": 1}
        | {"created_at": "2026-03-21 09:00"},
    ],
}
HISTORY: list[dict[str, Any]] = [
    {"idea_id": "101", "attribute": "stage", "value": "s1", "name": "Collect", "challenge_id": "waste"}
    | {"observed_from": "2026-02-01 03:00", "observed_to": "2026-03-01 03:00", "is_left_censored": True},
    {"idea_id": "101", "attribute": "stage", "value": "s2", "name": "Review", "challenge_id": "waste"}
    | {"observed_from": "2026-03-01 03:00"},
    {"idea_id": "101", "attribute": "status", "value": "new"}
    | {"observed_from": "2026-02-01 03:00", "observed_to": "2026-03-10 03:00", "is_left_censored": True},
    {"idea_id": "101", "attribute": "status", "value": "done", "observed_from": "2026-03-10 03:00"},
    {"idea_id": "102", "attribute": "stage", "value": "s1", "name": "Collect", "challenge_id": "waste"}
    | {"observed_from": "2026-02-06 03:00", "is_left_censored": True},
    {"idea_id": "103", "attribute": "label", "value": "12", "name": "Adopted", "observed_from": "2026-03-05 03:00"},
]


def fill(engine: sa.Engine, community: str = COMMUNITY) -> None:
    """Write the rows for ``community``."""
    written = {"_first_seen_at": _SYNCED, "_changed_at": _SYNCED, "_row_hash": "", "_run_id": "run"}
    with engine.begin() as connection:
        for name, rows in ROWS.items():
            _insert(connection, TABLES[name], [{"community": community, **written, **row} for row in rows])
        same = {"community": community, "is_left_censored": False, "_run_id": "run"}
        _insert(connection, IDEA_HISTORY, [{**same, **row} for row in HISTORY])
        _insert(connection, LABEL_CLASSES, [{"community": community, "label_id": "12", "class": "adopted"}])


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    times = {c.name for c in table.columns if kind(c) == "timestamp"}
    for row in rows:
        moments = {n: datetime.fromisoformat(row[n]).replace(tzinfo=UTC) for n in times if row.get(n)}
        connection.execute(sa.insert(table), row | moments)
