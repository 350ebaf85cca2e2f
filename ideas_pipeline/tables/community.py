"""The tables of a community: challenges, ideas, comments, votes, people.

Every row belongs to a ``community``. Beside the source's columns it has those of the pipeline: unmapped fields
(``_extra``), when it was first seen and last changed, and when it was marked deleted.
Ids are opaque text. Timestamps are UTC.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.tables.columns import column, known_word, parent_of

BANNED = ("banned", "removed")

METADATA = sa.MetaData()

_VOTING_TYPES = ("thumbs", "thumbs_up", "stars", "points", "scorecard")


def _table(name: str, meaning: str, *columns: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        name,
        METADATA,
        column("community", "id", "The community (IDEAS_COMMUNITY).", key=True),
        *columns,
        column("_extra", "json", "Fields of the API's record that the contract does not map, as received."),
        column("_first_seen_at", "timestamp", "When the pipeline first saw this row.", required=True),
        column(
            "_changed_at",
            "timestamp",
            "When the pipeline last wrote this row because its values had changed.",
            required=True,
        ),
        column(
            "_deleted_at",
            "timestamp",
            "When the source no longer listed the row, or listed it as deleted; null while it exists there.",
        ),
        column(
            "_deleted_because",
            "text",
            "Why it is marked deleted: gone, flagged (by the source itself), parent_gone, cleared (by the start of a "
            "stage), or gone (confirmed).",
        ),
        column(
            "_row_hash",
            "text",
            "Hash of the row's values, without volatile columns.",
            required=True,
        ),
        column("_run_id", "id", "The run that last wrote this row (see _sync_runs).", required=True),
        comment=meaning,
    )


CHALLENGES = _table(
    "challenges",
    "A challenge: a question put to the community, under which ideas are posted.",
    column("id", "id", "The challenge's id at the source.", key=True),
    column(
        "type",
        "text",
        "standard, funnel (timed phases) or milestone (each idea at its own pace).",
        values=("standard", "funnel", "milestone"),
    ),
    column("title", "text", "The challenge's title."),
    column("description", "text", "The challenge's text, HTML as stored at the source."),
    column("status", "text", "The challenge's status, in the source's words."),
    column("is_visible", "boolean", "False if the challenge does not appear in feeds and e-mails."),
    column("allows_ideas", "boolean", "Whether new ideas can be posted."),
    column("allows_comments", "boolean", "Whether comments can be written."),
    column("joint_submissions", "boolean", "Whether an idea can have co-authors."),
    column(
        "voting_type",
        "text",
        "thumbs, thumbs_up, stars, points or scorecard. A stage can have its own.",
        values=_VOTING_TYPES,
    ),
    column(
        "blind_voting",
        "boolean",
        "True if scores are hidden: a null score then does not mean that there are no votes.",
    ),
    column("idea_visibility", "text", "Who sees the ideas: everyone with access, or moderators only."),
    column("starts_at", "timestamp", "When the challenge opens.", planned=True),
    column("deadline_at", "timestamp", "When posting ends; null if there is no deadline.", planned=True),
    column("idea_count", "integer", "Number of ideas that the source declares (compare with the rows of ideas)."),
    column("comment_count", "integer", "Number of comments that the source declares."),
    column("vote_count", "integer", "Number of votes that the source declares."),
    column("created_at", "timestamp", "When the challenge was created."),
    column("updated_at", "timestamp", "The source's own time of the last change."),
    column("url", "text", "URL of the challenge."),
)

CHALLENGE_STAGES = _table(
    "challenge_stages",
    "A phase of a funnel challenge or a milestone of a milestone challenge.",
    column("challenge_id", "id", "The challenge.", key=True, parent="challenges"),
    column("id", "id", "The stage's id; its position if the source has no id.", key=True),
    column("position", "integer", "Order within the challenge, in the source's numbering."),
    column(
        "kind",
        "text",
        "phase, vote_target, refinement or approval.",
        values=("phase", "vote_target", "refinement", "approval"),
    ),
    column("name", "text", "The stage's name."),
    column("description", "text", "The stage's text."),
    column("starts_at", "timestamp", "When the stage starts.", planned=True),
    column("ends_at", "timestamp", "When the stage ends; null for the last one.", planned=True),
    column("time_limit_days", "integer", "Number of days that an idea may stay in the stage."),
    column("voting_type", "text", "How ideas are voted on in this stage.", values=_VOTING_TYPES),
    column("vote_target", "number", "Number of votes that an idea needs to move on."),
    column("min_score", "number", "Average rating that an idea needs to move on."),
    column("resets_votes", "boolean", "True if all votes are deleted when the stage starts."),
    column("clears_comments", "boolean", "True if all comments are deleted when the stage starts."),
    column("advances_all", "boolean", "True if all ideas move on to the next stage."),
)

USERS = _table(
    "users",
    "A person's account, as far as the API's account is allowed to see it.",
    column("id", "id", "The account's id at the source.", pii="person_id", key=True),
    column("display_name", "text", "The name that the community shows.", pii="name"),
    column(
        "email", "text", "The e-mail address or its hash; null unless IDEAS_PII_EMAIL is keep or hash.", pii="email"
    ),
    column("role", "text", "user or admin.", values=("user", "admin")),
    column(
        "status",
        "text",
        "active, banned, removed, deleted or invited; erased after an erasure of a person who was not banned.",
        values=("active", "banned", "removed", "deleted", "invited", "erased"),
    ),
    column("joined_at", "timestamp", "When the person joined."),
    column("last_seen_at", "timestamp", "The last visit, if the source has it.", pii="profile"),
    column("points", "integer", "Points. They can be reset, so they do not measure activity."),
    column("rank", "integer", "Place on the leaderboard."),
    column("idea_count", "integer", "Number of ideas that the source declares."),
    column("comment_count", "integer", "Number of comments that the source declares."),
    column("vote_count", "integer", "Number of votes that the source declares."),
    column(
        "avatar_url",
        "text",
        "URL of the picture; it is signed and expires, and is ignored when rows are compared.",
        pii="profile",
    ),
    column("url", "text", "URL of the profile.", pii="profile"),
)

USER_ANSWERS = _table(
    "user_answers",
    "A person's answer to a profile question.",
    column("user_id", "id", "The person.", pii="person_id", key=True, parent="users"),
    column("question_id", "id", "The question's id or key at the source.", key=True),
    column("label", "text", "The question."),
    column("value", "text", "The answer; as JSON if it is a list or a map.", pii="profile"),
)

IDEAS = _table(
    "ideas",
    "An idea that was posted to a challenge. It can move to another challenge and keeps its id.",
    column("id", "id", "The idea's id at the source.", key=True),
    column("challenge_id", "id", "The challenge that lists it now.", parent="challenges"),
    column("stage_id", "id", "The phase or milestone it is in now."),
    column(
        "author_id",
        "id",
        "The author; null if anonymous or if the account was deleted.",
        pii="person_id",
        references="users",
    ),
    column("title", "text", "The idea's title.", pii="free_text"),
    column("body", "text", "The idea's text, HTML as stored at the source.", pii="free_text"),
    column("status", "text", "The idea's status, in the source's words."),
    column(
        "moderation_status",
        "text",
        "clear, closed, closed_comments or removed.",
        values=("clear", "closed", "closed_comments", "removed"),
    ),
    column(
        "approval_status",
        "text",
        "pending, approved or rejected.",
        values=("pending", "approved", "rejected"),
    ),
    column("is_anonymous", "boolean", "Whether the author is hidden."),
    column("score", "number", "Score. Its meaning depends on the voting type: do not compare it across challenges."),
    column(
        "score_type", "text", "How the score is computed: sum, count or average.", values=("sum", "count", "average")
    ),
    column("vote_count", "integer", "Number of votes that the source declares (compare with the rows of votes)."),
    column(
        "comment_count", "integer", "Number of comments that the source declares (compare with the rows of comments)."
    ),
    column("view_count", "integer", "Number of views that the source declares."),
    column("follower_count", "integer", "Number of followers that the source declares."),
    column("created_at", "timestamp", "When it was submitted."),
    column(
        "published_at",
        "timestamp",
        "When it became visible; later than created_at if it waited for approval.",
    ),
    column("updated_at", "timestamp", "The source's own time of the last change."),
    column("url", "text", "URL of the idea."),
)

IDEA_LABELS = _table(
    "idea_labels",
    "A status label of an idea. Labels can be renamed: join on label_id, not on name.",
    column("idea_id", "id", "The idea.", key=True, parent="ideas"),
    column("label_id", "id", "The label's id at the source.", key=True),
    column("name", "text", "The label's text when last read."),
    column("color", "text", "The label's colour."),
    column("is_system", "boolean", "True if the product sets the label itself."),
    column("position", "integer", "Order of display."),
)

IDEA_TAGS = _table(
    "idea_tags",
    "A tag on an idea.",
    column("idea_id", "id", "The idea.", key=True, parent="ideas"),
    column("tag", "id", "The tag.", key=True),
)

IDEA_COAUTHORS = _table(
    "idea_coauthors",
    "A person who submitted an idea jointly with its author.",
    column("idea_id", "id", "The idea.", key=True, parent="ideas"),
    column("user_id", "id", "The person.", pii="person_id", key=True, references="users"),
    column("is_lead", "boolean", "Whether this is the lead author."),
    column("position", "integer", "Order of display."),
)

IDEA_ANSWERS = _table(
    "idea_answers",
    "An answer to one of the additional questions of an idea's form.",
    column("idea_id", "id", "The idea.", key=True, parent="ideas"),
    column("question_id", "id", "The question's id or key at the source.", key=True),
    column("label", "text", "The question."),
    column("type", "text", "The kind of question."),
    column("value", "text", "The answer; as JSON if it is a list or a map.", pii="free_text"),
)

IDEA_ATTACHMENTS = _table(
    "idea_attachments",
    "A file, image or video attached to an idea.",
    column("idea_id", "id", "The idea.", key=True, parent="ideas"),
    column("attachment_id", "id", "The file's id; its name or position if the source has no id.", key=True),
    column("kind", "text", "file, image or video.", values=("file", "image", "video")),
    column("filename", "text", "The file's name.", pii="free_text"),
    column("mime_type", "text", "The file's media type."),
    column("size_bytes", "integer", "The file's size."),
    column("url", "text", "URL of the file; it is signed and expires, and is ignored when rows are compared."),
)

COMMENTS = _table(
    "comments",
    "A comment on an idea.",
    column("id", "id", "The comment's id at the source.", key=True),
    column("idea_id", "id", "The idea that lists it.", parent="ideas"),
    column(
        "parent_comment_id",
        "id",
        "The comment that it replies to; null at the top of a thread.",
        references="comments",
    ),
    column(
        "author_id",
        "id",
        "The author; null if the account was deleted.",
        pii="person_id",
        references="users",
    ),
    column("body", "text", "The comment's text, HTML as stored at the source.", pii="free_text"),
    column("is_author_comment", "boolean", "Whether it was written by an author of the idea."),
    column("status", "text", "visible, removed or cleared.", values=("visible", "removed", "cleared")),
    column("like_count", "integer", "Number of likes that the source declares."),
    column("created_at", "timestamp", "When it was written."),
    column("updated_at", "timestamp", "The source's own time of the last change."),
)

VOTES = _table(
    "votes",
    "One person's vote on an idea (in a stage). Do not add values of different voting types.",
    column("id", "id", "The vote's id; composed of idea, person and stage if the source has no id.", key=True),
    column("idea_id", "id", "The idea.", parent="ideas"),
    column("user_id", "id", "The voter; null if the account was deleted.", pii="person_id", references="users"),
    column("stage_id", "id", "The stage in which the vote was cast."),
    column("voting_type", "text", "thumbs, thumbs_up, stars, points or scorecard.", values=_VOTING_TYPES),
    column("value", "number", "The vote's value: +1 or -1, stars, points, or the average of the ratings."),
    column("created_at", "timestamp", "When the vote was cast."),
    column("updated_at", "timestamp", "When it was changed."),
)

VOTE_RATINGS = _table(
    "vote_ratings",
    "The rating of one criterion in a scorecard vote.",
    column("vote_id", "id", "The vote.", key=True, parent="votes"),
    column("criterion_id", "id", "The criterion's id or key at the source.", key=True),
    column("criterion", "text", "The criterion's name."),
    column("rating", "number", "The rating."),
)

sa.Index("ix_ideas_challenge", IDEAS.c.community, IDEAS.c.challenge_id)
sa.Index("ix_comments_idea", COMMENTS.c.community, COMMENTS.c.idea_id)
sa.Index("ix_votes_idea", VOTES.c.community, VOTES.c.idea_id)

TABLES: dict[str, sa.Table] = dict(METADATA.tables)


def means_banned(status: object) -> bool:
    """Whether a person's status, as it is sent or stored, is one of ``BANNED``."""
    return isinstance(status, str) and known_word(USERS.c.status, status) in BANNED


def scope_of(table: sa.Table, placeholder: str | None) -> sa.ColumnElement[str]:
    """The scope in which a row is listed, as SQL; ``""`` if its stream is one list.

    Args:
        table: the table of a stream.
        placeholder: the column whose value identifies the list: one of the table, or of the rows that its rows
            belong to, such as the challenge of a comment's idea. None if the stream is one list.

    Raises:
        KeyError: neither has the column.
    """
    if placeholder is None:
        return sa.literal("", sa.Text())
    if placeholder in table.c:
        return table.c[placeholder]
    parent = parent_of(table)
    if parent is None:
        raise KeyError(placeholder)
    above = TABLES[parent[1]]
    of_parent = sa.and_(above.c.community == table.c.community, above.c.id == table.c[parent[0]])
    return sa.select(scope_of(above, placeholder)).where(of_parent).correlate(table).scalar_subquery()


def is_listed_in(
    table: sa.Table, community: str, placeholder: str | None, scopes: sa.Select[tuple[str]]
) -> sa.ColumnElement[bool]:
    """Condition: ``scope_of`` a row is among ``scopes``. Engines can use an index for it."""
    if placeholder is None or placeholder in table.c:
        return scope_of(table, placeholder).in_(scopes)
    parent = parent_of(table)
    if parent is None:
        raise KeyError(placeholder)
    above = TABLES[parent[1]]
    of_them = sa.and_(above.c.community == community, is_listed_in(above, community, placeholder, scopes))
    return table.c[parent[0]].in_(sa.select(above.c.id).where(of_them))
