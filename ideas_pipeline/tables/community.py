"""The tables that hold a community: what an analyst reads.

Every row belongs to a ``community`` and keeps, beside the source's own columns, what the pipeline knows of it:
fields the contract does not map (``_extra``), when it was first and last seen to change, when it was proven absent.
Ids are opaque text. Timestamps are UTC.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.tables.columns import column

BANNED = ("banned", "removed")

METADATA = sa.MetaData()

_VOTING_TYPES = ("thumbs", "thumbs_up", "stars", "points", "scorecard")


def _table(name: str, meaning: str, *columns: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        name,
        METADATA,
        column("community", "id", "The community, as configured (IDEAS_COMMUNITY).", key=True),
        *columns,
        column("_extra", "json", "Fields that the API sent and the contract does not map, as sent."),
        column("_first_seen_at", "timestamp", "When the pipeline first saw this row.", required=True),
        column(
            "_changed_at",
            "timestamp",
            "When the pipeline last wrote this row because it differed.",
            required=True,
        ),
        column(
            "_deleted_at",
            "timestamp",
            "When this row was proven absent from the source; null while it is there.",
        ),
        column(
            "_deleted_because",
            "text",
            "Why it is absent: gone, parent_gone, cleared (by the start of a stage), or gone (confirmed).",
        ),
        column(
            "_row_hash",
            "text",
            "Fingerprint of the row's meaning; volatile columns are left out.",
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
    column("description", "text", "The challenge's text, HTML as the source holds it."),
    column("status", "text", "The source's own word for the challenge's state."),
    column("is_visible", "boolean", "False where the challenge is left out of feeds and e-mails."),
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
        "True where scores are hidden, so that a null score does not mean no votes.",
    ),
    column("idea_visibility", "text", "Who sees the ideas: everyone with access, or moderators only."),
    column("starts_at", "timestamp", "When the challenge opens."),
    column("deadline_at", "timestamp", "When posting ends; null where there is no deadline."),
    column("idea_count", "integer", "Ideas, as declared by the source (compare with the rows of ideas)."),
    column("comment_count", "integer", "Comments, as declared by the source."),
    column("vote_count", "integer", "Votes, as declared by the source."),
    column("created_at", "timestamp", "When the challenge was created."),
    column("updated_at", "timestamp", "When the source says it last changed."),
    column("url", "text", "The challenge's page."),
)

CHALLENGE_STAGES = _table(
    "challenge_stages",
    "A phase of a funnel challenge or a milestone of a milestone challenge.",
    column("challenge_id", "id", "The challenge.", key=True, part_of="challenges"),
    column("id", "id", "The stage's id; its position where the source gives none.", key=True),
    column("position", "integer", "Order within the challenge, as the source numbers it."),
    column(
        "kind",
        "text",
        "phase, vote_target, refinement or approval.",
        values=("phase", "vote_target", "refinement", "approval"),
    ),
    column("name", "text", "The stage's name."),
    column("description", "text", "The stage's text."),
    column("starts_at", "timestamp", "When the stage starts."),
    column("ends_at", "timestamp", "When the stage ends; null for the last one."),
    column("time_limit_days", "integer", "Days an idea may stay in the stage."),
    column("voting_type", "text", "How ideas are voted on in this stage.", values=_VOTING_TYPES),
    column("vote_target", "number", "Votes that an idea needs to go on."),
    column("min_score", "number", "Average rating that an idea needs to go on."),
    column("resets_votes", "boolean", "True where the stage's start sets all votes to none."),
    column("clears_comments", "boolean", "True where the stage's start removes all comments."),
    column("advances_all", "boolean", "True where all ideas go on to the next stage."),
)

USERS = _table(
    "users",
    "A person's account, as far as the API's account may see it.",
    column("id", "id", "The account's id at the source.", pii="person_id", key=True),
    column("display_name", "text", "The name shown in the community.", pii="name"),
    column(
        "email", "text", "The e-mail address or its hash; null unless IDEAS_PII_EMAIL is keep or hash.", pii="email"
    ),
    column("role", "text", "user or admin.", values=("user", "admin")),
    column(
        "status",
        "text",
        "active, banned, removed, deleted or invited; erased where we blanked the row of one who was not banned.",
        values=("active", "banned", "removed", "deleted", "invited", "erased"),
    ),
    column("joined_at", "timestamp", "When the person joined."),
    column("last_seen_at", "timestamp", "The last visit, where the source tells.", pii="profile"),
    column("points", "integer", "Points. They can be reset, so they are no measure of activity."),
    column("rank", "integer", "Place on the leaderboard."),
    column("idea_count", "integer", "Ideas, as declared by the source."),
    column("comment_count", "integer", "Comments, as declared by the source."),
    column("vote_count", "integer", "Votes, as declared by the source."),
    column("avatar_url", "text", "The picture's address; signed and expiring, never compared.", pii="profile"),
    column("url", "text", "The profile's page.", pii="profile"),
)

USER_ANSWERS = _table(
    "user_answers",
    "A person's answer to a profile question.",
    column("user_id", "id", "The person.", pii="person_id", key=True, part_of="users"),
    column("question_id", "id", "The question's id, or its key at the source.", key=True),
    column("label", "text", "The question."),
    column("value", "text", "The answer; JSON where it is a list or a map.", pii="profile"),
)

IDEAS = _table(
    "ideas",
    "An idea that was posted to a challenge. It can move to another challenge and keeps its id.",
    column("id", "id", "The idea's id at the source.", key=True),
    column("challenge_id", "id", "The challenge under which the source lists it now.", part_of="challenges"),
    column("stage_id", "id", "The phase or milestone it is in now."),
    column(
        "author_id",
        "id",
        "Who posted it; null where anonymous or the account was deleted.",
        pii="person_id",
        refers_to="users",
    ),
    column("title", "text", "The idea's title.", pii="free_text"),
    column("body", "text", "The idea's text, HTML as the source holds it.", pii="free_text"),
    column("status", "text", "The source's own word for the idea's state."),
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
    column("score", "number", "Score. Its meaning follows the voting type: never compare across challenges."),
    column("score_type", "text", "How the score is made: sum, count or average.", values=("sum", "count", "average")),
    column("vote_count", "integer", "Votes, as declared by the source (compare with the rows of votes)."),
    column("comment_count", "integer", "Comments, as declared by the source (compare with the rows of comments)."),
    column("view_count", "integer", "Views, as declared by the source."),
    column("follower_count", "integer", "Followers, as declared by the source."),
    column("created_at", "timestamp", "When it was submitted."),
    column(
        "published_at",
        "timestamp",
        "When it became visible; later than created_at where it waited for approval.",
    ),
    column("updated_at", "timestamp", "When the source says it last changed."),
    column("url", "text", "The idea's page."),
)

IDEA_LABELS = _table(
    "idea_labels",
    "A status label that an idea carries. Labels can be renamed: join on label_id, not on name.",
    column("idea_id", "id", "The idea.", key=True, part_of="ideas"),
    column("label_id", "id", "The label's id at the source.", key=True),
    column("name", "text", "The label's text when last read."),
    column("color", "text", "The label's colour."),
    column("is_system", "boolean", "True for labels that the product sets itself."),
    column("position", "integer", "Order of display."),
)

IDEA_TAGS = _table(
    "idea_tags",
    "A tag on an idea.",
    column("idea_id", "id", "The idea.", key=True, part_of="ideas"),
    column("tag", "id", "The tag, as given.", key=True),
)

IDEA_COAUTHORS = _table(
    "idea_coauthors",
    "A person who submitted an idea jointly with its author.",
    column("idea_id", "id", "The idea.", key=True, part_of="ideas"),
    column("user_id", "id", "The person.", pii="person_id", key=True, refers_to="users"),
    column("is_lead", "boolean", "Whether this is the lead author."),
    column("position", "integer", "Order of display."),
)

IDEA_ANSWERS = _table(
    "idea_answers",
    "An answer to one of the additional questions of an idea's form.",
    column("idea_id", "id", "The idea.", key=True, part_of="ideas"),
    column("question_id", "id", "The question's id, or its key at the source.", key=True),
    column("label", "text", "The question."),
    column("type", "text", "The kind of question."),
    column("value", "text", "The answer; JSON where it is a list or a map.", pii="free_text"),
)

IDEA_ATTACHMENTS = _table(
    "idea_attachments",
    "A file, image or video attached to an idea.",
    column("idea_id", "id", "The idea.", key=True, part_of="ideas"),
    column("attachment_id", "id", "The file's id; its name or position where the source gives none.", key=True),
    column("kind", "text", "file, image or video.", values=("file", "image", "video")),
    column("filename", "text", "The file's name.", pii="free_text"),
    column("mime_type", "text", "The file's media type."),
    column("size_bytes", "integer", "The file's size."),
    column("url", "text", "The file's address; signed and expiring, never compared."),
)

COMMENTS = _table(
    "comments",
    "A comment on an idea.",
    column("id", "id", "The comment's id at the source.", key=True),
    column("idea_id", "id", "The idea under which the source lists it.", part_of="ideas"),
    column(
        "parent_comment_id",
        "id",
        "The comment that it answers; null at the top of a thread.",
        refers_to="comments",
    ),
    column(
        "author_id",
        "id",
        "Who wrote it; null where the account was deleted.",
        pii="person_id",
        refers_to="users",
    ),
    column("body", "text", "The comment's text, HTML as the source holds it.", pii="free_text"),
    column("is_author_comment", "boolean", "Whether it was written by an author of the idea."),
    column("status", "text", "visible, removed or cleared.", values=("visible", "removed", "cleared")),
    column("like_count", "integer", "Likes, as declared by the source."),
    column("created_at", "timestamp", "When it was written."),
    column("updated_at", "timestamp", "When the source says it last changed."),
)

VOTES = _table(
    "votes",
    "One person's vote on an idea (in a stage). Never add values of different voting types.",
    column("id", "id", "The vote's id; made of idea, person and stage where the source gives none.", key=True),
    column("idea_id", "id", "The idea.", part_of="ideas"),
    column("user_id", "id", "Who voted; null where the account was deleted.", pii="person_id", refers_to="users"),
    column("stage_id", "id", "The stage in which the vote was given."),
    column("voting_type", "text", "thumbs, thumbs_up, stars, points or scorecard.", values=_VOTING_TYPES),
    column("value", "number", "The vote's value: +1 or -1, stars, points, or the average of the ratings."),
    column("created_at", "timestamp", "When the vote was given."),
    column("updated_at", "timestamp", "When it was changed."),
)

VOTE_RATINGS = _table(
    "vote_ratings",
    "One criterion's rating within a scorecard vote.",
    column("vote_id", "id", "The vote.", key=True, part_of="votes"),
    column("criterion_id", "id", "The criterion's id, or its key at the source.", key=True),
    column("criterion", "text", "The criterion's name."),
    column("rating", "number", "The rating."),
)

sa.Index("ix_ideas_challenge", IDEAS.c.community, IDEAS.c.challenge_id)
sa.Index("ix_comments_idea", COMMENTS.c.community, COMMENTS.c.idea_id)
sa.Index("ix_votes_idea", VOTES.c.community, VOTES.c.idea_id)

TABLES: dict[str, sa.Table] = dict(METADATA.tables)
