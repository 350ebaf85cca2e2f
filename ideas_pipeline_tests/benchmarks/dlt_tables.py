"""The tables of the dlt pipeline: typed Arrow tables of the records of pages, and of the lists inside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from ideas_pipeline_tests.benchmarks.reading import Page, Row

_TYPES = {
    "text": pa.string(),
    "times": pa.timestamp("us", "UTC"),
    "counts": pa.int64(),
    "numbers": pa.float64(),
    "flags": pa.bool_(),
}


def _schema(**columns: str) -> pa.Schema:
    return pa.schema([(name, _TYPES[kind]) for kind, names in columns.items() for name in names.split()])


SCHEMAS = {
    "challenges": _schema(
        text="id type title description status voting_type idea_visibility url",
        times="starts_at deadline_at created_at updated_at",
        counts="idea_count comment_count vote_count",
        flags="visible allow_ideas allow_comments joint_submissions blind_voting",
    ),
    "challenge_stages": _schema(
        text="challenge_id id kind name description voting_type",
        times="starts_at ends_at",
        counts="position time_limit_days vote_target",
        numbers="min_score",
        flags="reset_votes clear_comments advance_all",
    ),
    "users": _schema(
        text="id display_name email role status avatar_url url",
        times="joined_at last_seen_at",
        counts="points rank idea_count comment_count vote_count",
    ),
    "user_answers": _schema(text="user_id question_id label value"),
    "ideas": _schema(
        text="id challenge_id stage_id author_id title body status moderation_status approval_status score_type url",
        times="created_at published_at updated_at",
        counts="vote_count comment_count view_count follower_count",
        numbers="score",
        flags="is_anonymous",
    ),
    "idea_labels": _schema(text="idea_id id name color", counts="position", flags="is_system"),
    "idea_tags": _schema(text="idea_id name"),
    "idea_coauthors": _schema(text="idea_id id", counts="position", flags="is_lead"),
    "idea_answers": _schema(text="idea_id question_id label type value"),
    "idea_attachments": _schema(text="idea_id id kind filename mime_type url", counts="bytes"),
    "comments": _schema(
        text="id idea_id parent_id author_id body status",
        times="created_at updated_at",
        counts="like_count",
        flags="is_author_comment",
    ),
    "votes": _schema(text="id idea_id user_id stage_id voting_type", times="created_at updated_at", numbers="value"),
    "vote_ratings": _schema(text="vote_id criterion_id criterion", numbers="rating"),
}
EMBEDDED_KEYS = {
    "challenge_stages": ("challenge_id", "id"),
    "user_answers": ("user_id", "question_id"),
    "idea_labels": ("idea_id", "id"),
    "idea_tags": ("idea_id", "name"),
    "idea_coauthors": ("idea_id", "id"),
    "idea_answers": ("idea_id", "question_id"),
    "idea_attachments": ("idea_id", "id"),
    "vote_ratings": ("vote_id", "criterion_id"),
}
"""The key of each table of lists inside records: the id of the record, and the key of the item."""

_LISTS = {
    "challenges": {"stages": "challenge_stages"},
    "users": {"profile_answers": "user_answers"},
    "ideas": {name: f"idea_{name}" for name in ("labels", "tags", "coauthors", "answers", "attachments")},
    "comments": {},
    "votes": {"ratings": "vote_ratings"},
}
_PEOPLE = {"ideas": "author", "comments": "author", "votes": "user"}


def tables(stream: str, pages: Iterable[Page]) -> Iterator[tuple[str, pa.Table]]:
    """The tables of some pages of a stream, by name, without those that would be empty."""
    rows: dict[str, list[Row]] = {stream: []}
    person = _PEOPLE.get(stream)
    for page in pages:
        for record in page.records:
            if person:
                record[f"{person}_id"] = record[person]["id"] if record[person] else None
            for field, table in _LISTS[stream].items():
                for item in record.get(field, ()):
                    rows.setdefault(table, []).append({EMBEDDED_KEYS[table][0]: record["id"], **item})
        rows[stream] += page.records
    for name, found in rows.items():
        if found:
            yield name, _typed(found, SCHEMAS[name])


def _typed(rows: list[Row], schema: pa.Schema) -> pa.Table:
    """Arrow casts text to times, column by column, much faster than Python parses it value by value."""
    columns = []
    for field in schema:
        values = [row.get(field.name) for row in rows]
        as_received = pa.string() if pa.types.is_timestamp(field.type) else field.type
        columns.append(pa.array(values, as_received).cast(field.type))
    return pa.table(columns, schema=schema)
