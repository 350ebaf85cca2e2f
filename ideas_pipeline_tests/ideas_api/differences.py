"""Ways in which an API can differ from the contract."""

from __future__ import annotations

from typing import Any

STREAMS = ("challenges", "users", "ideas", "comments", "votes")


def in_all_streams(part: dict[str, Any]) -> dict[str, Any]:
    return {"streams": dict.fromkeys(STREAMS, part)}


def paged(**paging: Any) -> dict[str, Any]:
    return in_all_streams({"paging": paging})


# What the API is really like (beside the contract), where that shows, and a part of the sentence that says so.
DIFFERENCES: dict[str, tuple[dict[str, Any], str, str]] = {
    "a field has another name": (
        {"streams": {"ideas": {"fields": {"title": "subject"}}}},
        "ideas",
        "ideas.title is missing, but the API sends subject (text)",
    ),
    "a key has another name": (
        {"streams": {"ideas": {"fields": {"id": "uid"}}}},
        "ideas",
        "ideas.id is missing, but the API sends uid",
    ),
    "a nested author has another id": (
        {"streams": {"comments": {"fields": {"author_id": {"paths": "creator.uid"}}}}},
        "comments",
        "comments.author_id is missing, but the API sends creator.uid",
    ),
    "a time has another name": (
        {"streams": {"votes": {"fields": {"created_at": {"paths": "dateSubmitted"}}}}},
        "votes",
        "votes.created_at is missing, but the API sends dateSubmitted (time as text)",
    ),
    "an embedded list has another name": (
        {"streams": {"ideas": {"embedded": {"idea_labels": {"paths": ["badges"]}}}}},
        "ideas",
        "the list for idea_labels is at badges, not at labels or status_labels",
    ),
    "a field of an embedded list has another name": (
        {"streams": {"challenges": {"embedded": {"challenge_stages": {"fields": {"name": "heading"}}}}}},
        "challenges",
        "challenge_stages.name is missing, but the API sends stages[].heading (text)",
    ),
    "records are elsewhere": (
        in_all_streams({"records": ["result.rows"]}),
        "challenges",
        "the records are at result.rows, not at data or challenges or items",
    ),
    "records are the whole body": (
        in_all_streams({"records": ["@body"], "paging": {"total": {"header": "X-Total-Count"}}}),
        "votes",
        "the records are the whole body, not at data or votes or items",
    ),
    "the total is elsewhere in the body": (
        paged(total={"body": ["meta.totalRecords"]}),
        "comments",
        "the list's total is at meta.totalRecords",
    ),
    "the total is in a header": (paged(total={"header": "X-Total-Count"}), "users", "header X-Total-Count"),
    "the API has no total": (paged(total=None), "users", "the API reports no total"),
    "pages are numbered from 0": (paged(first=0), "ideas", "pages are numbered from 0"),
    "the next page is a link": (
        paged(style="next_link", next="links.next"),
        "users",
        "the API refuses the paging parameters (HTTP 400)",
    ),
    "the next page is a cursor": (
        paged(style="cursor", cursor="meta.next_cursor"),
        "users",
        "the API refuses the paging parameters (HTTP 400)",
    ),
    "the token goes into another header": (
        {"auth": {"header": {"name": "X-Access-Token", "format": "{access_token}"}}},
        "header",
        "the API refuses the contract's header Authorization, but accepts X-Access-Token",
    ),
    "the token goes bare into the header": (
        {"auth": {"header": {"format": "{access_token}"}}},
        "header",
        "the API refuses the contract's header Authorization, but accepts",
    ),
    "tokens are refreshed at another address": (
        {"auth": {"refresh": {"path": "auth/token"}}},
        "refresh",
        "tokens are refreshed at auth/token, not at auth/refresh",
    ),
    "tokens are validated at another address": (
        {"auth": {"validate": {"path": "auth/check"}}},
        "validation",
        "tokens are validated at auth/check, not at auth/validate",
    ),
}
