"""Names that APIs of forums, trackers and idea communities give to the columns' values, per column."""

from __future__ import annotations

import re

_ID = "id uid uuid guid _id key pk identifier"
_PERSON = (
    "author creator user owner submitter poster writer member person account profile created_by submitted_by posted_by"
)
_CREATED = (
    "created_at created created_on date_created creation_date create_date created_date created_time date "
    "posted_at posted posted_on submitted_at submitted submitted_on date_submitted added_at added_on "
    "time timestamp ts inserted_at"
)
_UPDATED = (
    "updated_at updated updated_on date_updated update_date updated_date last_updated modified_at modified modified_on "
    "date_modified modification_date last_modified last_modified_at edited_at edited edited_on "
    "changed_at changed changed_on last_change last_edit last_edited mtime"
)
_BODY = "body text content contents message html description comment body_html text_html details post raw markdown"
_TITLE = "title name subject headline heading caption label summary"
_STATUS = "status state status_name current_status status_code"
_URL = "url link permalink href web_url html_url uri public_url self"
_VOTING = "voting_type votingtype vote_type votetype voting voting_method vote_method voting_kind kind type method"
_STAGE = "stage_id stage phase_id phase milestone_id milestone step_id step current_stage_id current_phase_id stage_uid"
_START = (
    "starts_at start start_date start_at starts starts_on opens_at opens opens_on open_date begin "
    "begins begins_at begin_date from launch_date start_time"
)
_END = (
    "ends_at end end_date end_at ends ends_on finishes_at finish finish_date to until end_time "
    "closes_at close_date closes_on"
)


def _count(things: str) -> str:
    forms = (
        "{0}_count count_{0} num_{0} n_{0} total_{0} {0}_total number_of_{0} nb_{0} {0}s_count "
        "num_{0}s total_{0}s number_of_{0}s {0}s {0}s_total"
    )
    more = "stats_{0}s stats_{0} counts_{0}s counts_{0} counters_{0}s statistics_{0}s"
    return " ".join(f"{forms} {more}".format(thing) for thing in things.split())


_IDEAS = _count("idea post submission suggestion proposal") + " entries_count entry_count num_entries ideas"
_COMMENTS = (
    _count("comment message response") + " replies_count reply_count num_replies replies feedback_count comments"
)
_VOTES = _count("vote ballot rating like supporter") + " votes upvotes"

_NAMES = {
    "challenges.id": f"{_ID} challenge_id campaign_id contest_id board_id project_id",
    "challenges.type": "type kind challenge_type category mode model format",
    "challenges.title": _TITLE,
    "challenges.description": (
        "description desc summary details intro introduction text body content about brief abstract"
    ),
    "challenges.status": f"{_STATUS} challenge_status",
    "challenges.is_visible": "is_visible visible is_public public published is_published is_listed listed shown",
    "challenges.allows_ideas": "allows_ideas allow_ideas ideas_allowed allow_posts allows_posts posts_allowed "
    "post_ideas can_post accepts_ideas submissions_open open_for_ideas posting_enabled ideas_enabled "
    "allow_submissions accept_posts",
    "challenges.allows_comments": "allows_comments allow_comments comments_allowed comments_enabled commenting_enabled "
    "can_comment commenting open_for_comments comments_open",
    "challenges.joint_submissions": "joint_submissions joint joint_submission allow_joint_submissions "
    "coauthors_allowed allow_coauthors team_submissions co_authoring joint_ideas",
    "challenges.voting_type": _VOTING,
    "challenges.blind_voting": (
        "blind_voting blind is_blind hide_scores hidden_scores scores_hidden blind_votes hide_votes"
    ),
    "challenges.idea_visibility": "idea_visibility visibility ideas_visibility post_visibility ideas_visible_to "
    "visible_to privacy access",
    "challenges.starts_at": _START,
    "challenges.deadline_at": "deadline_at deadline due due_date due_at due_on closing_date closes_at closing_at "
    f"closes closes_on close_date submission_deadline {_END}",
    "challenges.idea_count": _IDEAS,
    "challenges.comment_count": _COMMENTS,
    "challenges.vote_count": _VOTES,
    "challenges.created_at": _CREATED,
    "challenges.updated_at": _UPDATED,
    "challenges.url": f"{_URL} challenge_url",
    "challenge_stages.id": f"{_ID} stage_id phase_id step_id milestone_id",
    "challenge_stages.position": "position order index sort sort_order rank number sequence seq ordinal",
    "challenge_stages.kind": "kind type stage_type stage_kind phase_type category",
    "challenge_stages.name": "name title label heading caption stage_name phase_name",
    "challenge_stages.description": "description desc summary details text body intro",
    "challenge_stages.starts_at": _START,
    "challenge_stages.ends_at": _END,
    "challenge_stages.time_limit_days": "time_limit_days time_limit days duration duration_days limit_days max_days",
    "challenge_stages.voting_type": _VOTING,
    "challenge_stages.vote_target": (
        "vote_target target votes_needed target_votes required_votes vote_goal threshold goal"
    ),
    "challenge_stages.min_score": "min_score minimum_score score_target required_score min_rating target_score",
    "challenge_stages.resets_votes": "resets_votes reset_votes votes_reset clear_votes clears_votes",
    "challenge_stages.clears_comments": (
        "clears_comments clear_comments comments_cleared reset_comments resets_comments"
    ),
    "challenge_stages.advances_all": "advances_all advance_all auto_advance advance_all_ideas all_advance",
    "users.id": f"{_ID} user_id member_id account_id profile_id person_id",
    "users.display_name": "display_name displayname name full_name fullname screen_name username user_name nickname "
    "nick nick_name handle login real_name public_name",
    "users.email": "email e_mail email_address mail emailaddress primary_email user_email",
    "users.role": "role user_role roles account_role user_type type permission level access_level",
    "users.status": f"{_STATUS} account_status account_state user_status user_state membership_status",
    "users.joined_at": "joined_at joined joined_on date_joined join_date member_since registered_at registered "
    "registered_on "
    f"registration_date signup_date signed_up_at since {_CREATED}",
    "users.last_seen_at": "last_seen_at last_seen last_login last_login_at last_visit last_visited last_visit_at "
    "last_active "
    "last_active_at last_activity last_activity_at seen_at last_online last_access active_at",
    "users.points": "points total_points points_total score total_score credits xp reputation karma",
    "users.rank": "rank ranking position place leaderboard_position leaderboard_rank standing",
    "users.idea_count": _IDEAS,
    "users.comment_count": _COMMENTS,
    "users.vote_count": _VOTES,
    "users.avatar_url": "avatar_url avatar picture picture_url photo photo_url image image_url profile_image "
    "profile_picture avatar_link thumbnail icon",
    "users.url": f"{_URL} profile_url profile_link user_url",
    "user_answers.question_id": f"question_id question field_id field {_ID}",
    "user_answers.label": "label question name title field prompt text question_text",
    "user_answers.value": "value answer response text content",
    "ideas.id": f"{_ID} idea_id post_id submission_id entry_id",
    "ideas.stage_id": _STAGE,
    "ideas.title": _TITLE,
    "ideas.body": _BODY,
    "ideas.status": f"{_STATUS} idea_status post_status",
    "ideas.moderation_status": "moderation_status moderation moderation_state mod_status moderated moderationstatus",
    "ideas.approval_status": "approval_status approval approval_state approved is_approved approvalstatus",
    "ideas.is_anonymous": "is_anonymous anonymous anon is_anon hide_author author_hidden",
    "ideas.score": "score points rating idea_score total_score average_rating avg_rating vote_score popularity",
    "ideas.score_type": "score_type scoretype scoring scoring_type score_kind score_method",
    "ideas.vote_count": _VOTES,
    "ideas.comment_count": _COMMENTS,
    "ideas.view_count": _count("view hit impression read visit") + " hits views",
    "ideas.follower_count": _count("follower subscriber watcher follow subscription") + " followers",
    "ideas.created_at": _CREATED,
    "ideas.published_at": "published_at published published_on date_published publish_date publication_date "
    "approved_at approved_on date_approved released_at live_at went_live",
    "ideas.updated_at": _UPDATED,
    "ideas.url": f"{_URL} idea_url post_url",
    "idea_labels.label_id": f"label_id {_ID} status_id badge_id",
    "idea_labels.name": "name text title label caption value",
    "idea_labels.color": "color colour hex hex_color background bg_color background_color",
    "idea_labels.is_system": "is_system system automatic is_automatic builtin auto",
    "idea_labels.position": "position order index sort sort_order rank",
    "idea_tags.tag": "tag name text title label slug value",
    "idea_coauthors.user_id": f"user_id {_ID} member_id account_id person_id",
    "idea_coauthors.is_lead": "is_lead lead is_owner owner primary is_primary main",
    "idea_coauthors.position": "position order index sort sort_order",
    "idea_answers.question_id": f"question_id question field_id field {_ID}",
    "idea_answers.label": "label question name title field prompt question_text",
    "idea_answers.type": "type kind question_type field_type",
    "idea_answers.value": "value answer response text content",
    "idea_attachments.attachment_id": f"attachment_id {_ID} file_id",
    "idea_attachments.kind": "kind type category",
    "idea_attachments.filename": "filename file_name name title original_name",
    "idea_attachments.mime_type": "mime_type mime mimetype content_type media_type contenttype",
    "idea_attachments.size_bytes": "size_bytes size bytes file_size filesize length byte_size",
    "idea_attachments.url": f"{_URL} file_url download_url src",
    "comments.id": f"{_ID} comment_id reply_id post_id",
    "comments.parent_comment_id": "parent_comment_id parent_id parent reply_to reply_to_id in_reply_to in_reply_to_id "
    "replyto parent_comment thread_id replies_to response_to",
    "comments.body": _BODY,
    "comments.is_author_comment": "is_author_comment author_comment by_author is_author from_author written_by_author "
    "is_op by_owner",
    "comments.status": f"{_STATUS} visibility comment_status",
    "comments.like_count": _count("like thumb upvote vote heart reaction") + " likes thumbs",
    "comments.created_at": f"{_CREATED} commented_at commented_on written_at",
    "comments.updated_at": _UPDATED,
    "votes.id": f"{_ID} vote_id ballot_id rating_id like_id",
    "votes.stage_id": _STAGE,
    "votes.voting_type": _VOTING,
    "votes.value": "value rating points weight amount score vote stars thumb vote_value direction strength",
    "votes.created_at": f"{_CREATED} voted_at voted_on voted cast_at cast_on cast date_voted vote_date rated_at",
    "votes.updated_at": _UPDATED,
    "vote_ratings.criterion_id": f"criterion_id criteria_id {_ID}",
    "vote_ratings.criterion": "criterion criteria name label title criterion_name",
    "vote_ratings.rating": "rating value score stars mark points grade",
}
_LISTS = {
    "challenge_stages": "stages phases milestones steps challenge_stages workflow timeline rounds",
    "user_answers": "profile_answers answers profile_fields custom_fields profile fields custom questions attributes",
    "idea_labels": "labels status_labels badges flags label_list statuses markers",
    "idea_tags": "tags keywords topics tag_list hashtags categories",
    "idea_coauthors": "coauthors co_authors collaborators contributors authors joint_authors team members",
    "idea_answers": "answers custom_fields form_answers responses questions fields additional_questions custom form",
    "idea_attachments": "attachments files documents media images uploads assets",
    "vote_ratings": "ratings scores criteria marks scorecard criterion_ratings breakdown details",
}
_PEOPLE = {
    "ideas.author_id": _PERSON,
    "comments.author_id": _PERSON,
    "votes.user_id": f"voter cast_by voted_by rater {_PERSON}",
}


def snake(path: str) -> str:
    """A dotted path in snake case: ``creator.userId`` is ``creator_user_id``."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", path).lower().replace("-", "_").replace(".", "_").strip("_")


def known_names(table: str, column: str) -> tuple[str, ...]:
    """The names of a column's value in snake case, the usual ones first; empty if none are known."""
    place = f"{table}.{column}"
    if place in _PEOPLE:
        people = _PEOPLE[place].split()
        suffixes = ("_id", "", "_uid", "_user_id", "_uuid", "_key")
        return (*(f"{person}{suffix}" for suffix in suffixes for person in people), "cast_by", "created_by", "by")
    return tuple(dict.fromkeys(_NAMES.get(place, "").split()))


def known_lists(table: str) -> tuple[str, ...]:
    """The names of the list whose items fill an embedded table, in snake case."""
    return tuple(_LISTS.get(table, "").split())
