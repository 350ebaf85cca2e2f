"""Whole APIs at random: login, header, paths, paging, envelopes, names and times, none of them as the default contract.

The names come from lists of the tests' own, made from what public APIs of forums, trackers and idea platforms use, not
from the vocabulary of ``fit``. Some of them are in no vocabulary: those paths and headers are marked.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.merge import merge
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator import faults
from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.paging import POSITION_PARAMETER
from ideas_pipeline.simulator.responses import Response
from ideas_pipeline.simulator.server import Route
from ideas_pipeline.simulator.shape import Quirks
from ideas_pipeline.simulator.simulator import Simulator

_WORDS = {
    "challenges": ("challenges", "campaigns", "contests", "boards", "projects", "competitions"),
    "users": ("users", "members", "people", "profiles", "accounts", "participants"),
    "ideas": ("ideas", "posts", "submissions", "suggestions", "entries", "proposals"),
    "comments": ("comments", "replies", "responses", "feedback"),
    "votes": ("votes", "ratings", "likes", "ballots"),
}
# No vocabulary has these: without a HAR or the like, a person has to look them up.
_ODD_WORDS = {
    "challenges": ("quests", "arenas"),
    "users": ("citizens", "crowd"),
    "ideas": ("sparks", "seeds"),
    "comments": ("chatter", "echoes"),
    "votes": ("stickers", "cheers"),
}
_HEADERS = (
    ("Authorization", "Token {access_token}"),
    ("Authorization", "OAuth {access_token}"),
    ("Authorization", "{access_token}"),
    ("X-Access-Token", "{access_token}"),
    ("X-Auth-Token", "{access_token}"),
    ("Access-Token", "{access_token}"),
)
_ODD_HEADERS = (("X-Crowd-Session", "{access_token}"), ("X-Ideas-Auth", "v1 {access_token}"))
_NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "challenges": {
        "id": ("id", "challengeId", "uid", "uuid", "challenge_id"),
        "type": ("kind", "challengeType", "category"),
        "title": ("name", "heading", "subject", "caption"),
        "description": ("summary", "details", "intro", "text"),
        "status": ("state", "challengeStatus"),
        "is_visible": ("isVisible", "visible"),
        "allows_ideas": ("allowsIdeas", "ideasAllowed", "allow_posts"),
        "allows_comments": ("allowsComments", "commentsAllowed"),
        "joint_submissions": ("jointSubmissions", "joint"),
        "voting_type": ("votingType", "vote_type"),
        "blind_voting": ("blindVoting", "blind"),
        "idea_visibility": ("ideaVisibility", "visibility"),
        "starts_at": ("startDate", "opens_on", "begin_date"),
        "deadline_at": ("closingDate", "due_date", "closes_at"),
        "idea_count": ("ideaCount", "num_ideas", "posts_count"),
        "comment_count": ("commentCount", "num_comments", "replies_count"),
        "vote_count": ("voteCount", "num_votes", "total_votes"),
        "created_at": ("createdAt", "date_created", "creation_date"),
        "updated_at": ("updatedAt", "last_modified", "modification_date"),
        "url": ("link", "permalink", "href"),
    },
    "users": {
        "id": ("id", "userId", "uid", "uuid", "member_id"),
        "display_name": ("displayName", "full_name", "screen_name", "nickname"),
        "email": ("email",),
        "role": ("userRole", "role", "user_type"),
        "status": ("state", "accountStatus", "account_state"),
        "joined_at": ("joinedOn", "registered_at", "member_since", "createdAt"),
        "last_seen_at": ("lastSeen", "last_login", "last_visit", "lastActive"),
        "points": ("score", "credits", "totalPoints"),
        "rank": ("ranking", "position", "place"),
        "idea_count": ("ideaCount", "num_ideas", "posts_count"),
        "comment_count": ("commentCount", "num_comments", "replies_count"),
        "vote_count": ("voteCount", "num_votes", "total_votes"),
        "avatar_url": ("avatarUrl", "picture", "photo_url", "image"),
        "url": ("link", "permalink", "profile_url", "href"),
    },
    "ideas": {
        "id": ("id", "ideaId", "uid", "uuid", "post_id"),
        "stage_id": ("phaseId", "stageId", "phase.id", "milestone_id"),
        "author_id": ("creator.id", "owner_id", "user.uid", "submitter_id", "createdBy"),
        "title": ("subject", "headline", "name", "heading"),
        "body": ("text", "message", "contents", "description"),
        "status": ("state", "ideaStatus"),
        "moderation_status": ("moderationStatus", "moderation", "moderation_state"),
        "approval_status": ("approvalStatus", "approval", "approval_state"),
        "is_anonymous": ("isAnonymous", "anonymous", "anon"),
        "score": ("points", "rating", "ideaScore"),
        "score_type": ("scoreType", "scoring"),
        "vote_count": ("voteCount", "num_votes", "stats.votes"),
        "comment_count": ("commentCount", "num_comments", "stats.comments", "replies_count"),
        "view_count": ("viewCount", "num_views", "stats.views", "hits"),
        "follower_count": ("followerCount", "num_followers", "stats.followers"),
        "created_at": ("createdAt", "date_created", "submitted_on", "postedAt"),
        "published_at": ("publishedAt", "date_published", "approved_on"),
        "updated_at": ("updatedAt", "last_modified", "edited_on", "modified"),
        "url": ("link", "permalink", "href"),
    },
    "comments": {
        "id": ("id", "commentId", "uid", "uuid"),
        "parent_comment_id": ("parentId", "reply_to", "in_reply_to_id", "parent.id"),
        "author_id": ("creator.id", "owner_id", "user.uid", "writer_id", "createdBy"),
        "body": ("text", "message", "contents", "comment"),
        "is_author_comment": ("isAuthorComment", "by_author", "author_comment"),
        "status": ("state", "visibility"),
        "like_count": ("likeCount", "num_likes", "thumbs"),
        "created_at": ("createdAt", "date_created", "posted_on"),
        "updated_at": ("updatedAt", "last_modified", "edited_on"),
    },
    "votes": {
        "id": ("id", "voteId", "uid", "uuid"),
        "user_id": ("voter.id", "member_id", "userId", "voter_id", "cast_by"),
        "stage_id": ("phaseId", "stageId", "phase.id"),
        "voting_type": ("votingType", "vote_type", "kind"),
        "value": ("rating", "points", "weight", "amount"),
        "created_at": ("createdAt", "date_created", "voted_on", "cast_at"),
        "updated_at": ("updatedAt", "last_modified", "changed_on"),
    },
}
_LISTS = {
    "challenge_stages": ("phases", "steps", "challengeStages"),
    "user_answers": ("profileFields", "answers", "customFields"),
    "idea_labels": ("statusLabels", "badges", "flags"),
    "idea_tags": ("keywords", "topics", "tagList"),
    "idea_coauthors": ("coAuthors", "collaborators", "contributors"),
    "idea_answers": ("customFields", "formAnswers", "responses"),
    "idea_attachments": ("documents", "media", "files"),
    "vote_ratings": ("criteria", "marks", "scorecard"),
}
_ITEM_NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "challenge_stages": {"name": ("title", "label"), "kind": ("type", "stageKind")},
    "idea_labels": {"label_id": ("id", "labelId"), "name": ("text", "title"), "color": ("colour", "hex")},
    "idea_attachments": {"filename": ("name", "fileName"), "size_bytes": ("size", "bytes")},
}
_ZONES = ("UTC", "UTC", "Europe/Madrid", "America/New_York", "Asia/Kolkata", "Australia/Sydney")


@dataclass(frozen=True)
class RandomApi:
    """One API.

    Attributes:
        seed: makes the same API again.
        changes: what differs from the default contract.
        contract: the whole contract.
        lenient: whether unknown parameters are ignored instead of refused.
        quirks: habits of its JSON.
        unknown: the places of the contract whose value no vocabulary has.
    """

    seed: int
    changes: dict[str, Any]
    contract: Contract
    lenient: bool
    quirks: Quirks
    unknown: frozenset[str] = field(default_factory=frozenset)


class RandomSimulator(Simulator):
    """Serves a random API. A lenient one drops the parameters that it does not know."""

    def __init__(self, api: RandomApi) -> None:
        size = Size(challenges=8, ideas=60, comments=160, votes=300, users=70)
        super().__init__(api.contract, generate(size, api.seed, ends=datetime.now(UTC)), quirks=api.quirks)
        self._lenient = api.lenient

    async def _respond(
        self, request: web.BaseRequest, raw_path: str, route: Route, due: list[faults.Fault]
    ) -> Response:
        stream = self.contract.streams.get(route.stream)
        if self._lenient and stream is not None:
            paging = stream.paging
            known = {
                getattr(paging, n, None)
                for n in ("page_parameter", "offset_parameter", "cursor_parameter", "size_parameter")
            }
            query = {
                k: v for k, v in request.query.items() if k in known | {POSITION_PARAMETER} | set(stream.parameters)
            }
            request = request.clone(rel_url=request.rel_url.with_query(query))
        return await super()._respond(request, raw_path, route, due)


def random_api(seed: int) -> RandomApi:
    """The API of a seed."""
    rng = random.Random(seed)
    unknown: set[str] = set()
    changes: dict[str, Any] = {"auth": _auth(rng, unknown), "streams": _streams(rng, unknown)}
    naive = rng.random() < 0.2
    zone = rng.choice(_ZONES) if naive else "UTC"
    if naive:
        changes["timezone"] = zone
    milliseconds = not naive and rng.random() < 0.2
    if milliseconds:
        _in_milliseconds(changes)
    quirks = Quirks(
        timestamps="naive" if naive else "epoch" if milliseconds or rng.random() < 0.15 else "as_is",
        ids_as_numbers=rng.random() < 0.5,
        booleans=rng.choice(("json", "json", "text", "number")),
        numbers_as_text=rng.random() < 0.2,
        extra_fields=rng.random() < 0.5,
    )
    contract = Contract.model_validate(merge(load_contract(None).model_dump(by_alias=True), changes))
    return RandomApi(seed, changes, contract, rng.random() < 0.6, quirks, frozenset(unknown))


def _auth(rng: random.Random, unknown: set[str]) -> dict[str, Any]:
    folder = "gatekeeper" if rng.random() < 0.05 else rng.choice(("auth", "oauth", "oauth2", "api/auth"))
    if rng.random() < 0.15:
        code_path, token_path, below_it = "authorize", "token", rng.choice(("", "token/"))
    else:
        code_path = f"{folder}/{rng.choice(('code', 'authorize'))}"
        token_path = rng.choice((f"{folder}/token", f"{folder}/access_token", folder))
        below_it = f"{folder}/"
    one, two = rng.choice((("client_id", "client_secret"),) * 3 + (("clientId", "clientSecret"), ("id", "secret")))
    client = {one: "{client_id}", two: "{client_secret}"}
    without = {name: None for name in ("client_id", "client_secret") if name not in client}
    code = rng.choice(("auth_code", "code", "authCode", "authorization_code"))
    send_as = rng.choice(("form", "form", "json"))
    wrap = rng.choice(("", "", "result.", "data.", "payload.tokens."))
    camel = rng.random() < 0.4
    access = wrap + rng.choice(("accessToken", "token") if camel else ("access_token", "token", "jwt"))
    refresh = wrap + ("refreshToken" if camel else rng.choice(("refresh_token", "refresh")))
    lifetime = wrap + rng.choice(("expiresIn", "ttl") if camel else ("expires_in", "ttl", "expires"))
    pair = {"access_token": access, "refresh_token": refresh, "expires_in": lifetime}
    code_place = rng.choice(("@body", "code", "authCode", "result.code", "data.authorization_code"))
    is_odd = rng.random() < 0.15
    name, form = rng.choice(_ODD_HEADERS if is_odd else _HEADERS)
    if is_odd:
        unknown.update(("auth.header.name", "auth.header.format"))
    refreshed = {"refreshToken" if camel else "refresh_token": "{refresh_token}"} | rng.choice(({}, client))
    checked = {rng.choice(("access_token", "token")): "{access_token}"}
    paths = {"code": code_path, "token": token_path}
    for part, names in {"refresh": ("refresh", "refresh_token"), "validate": ("validate", "verify", "check")}.items():
        paths[part] = below_it + rng.choice(names)
    for part, path in paths.items():
        if path.startswith("gatekeeper"):
            unknown.add(f"auth.{part}.path")
    return {
        "code": {"path": code_path, "send_as": send_as, "fields": client | without, "auth_code": code_place},
        "token": {
            "path": token_path,
            "send_as": send_as,
            "fields": {code: "{auth_code}"} | client | without | ({} if code == "auth_code" else {"auth_code": None}),
        }
        | pair,
        "refresh": {
            "path": paths["refresh"],
            "send_as": send_as,
            "fields": refreshed | ({"refresh_token": None} if "refresh_token" not in refreshed else {}),
        }
        | pair,
        "validate": {
            "path": paths["validate"],
            "send_as": send_as,
            "fields": checked | ({} if "access_token" in checked else {"access_token": None}),
            "valid": rng.choice(("isValid", "active", "result.valid")),
        },
        "header": {"name": name, "format": form},
    }


def _streams(rng: random.Random, unknown: set[str]) -> dict[str, Any]:
    prefix = rng.choice(("", "", "", "api/", "community/"))
    words = {}
    for stream, known in _WORDS.items():
        is_odd = rng.random() < 0.08
        words[stream] = rng.choice(_ODD_WORDS[stream] if is_odd else known)
        if is_odd:
            unknown.add(f"streams.{stream}.path")
    if len(set(words.values())) < len(words):
        return _streams(rng, unknown)
    envelope = rng.choice(("@body", "own", "result.rows", "data.list", "payload", "response.records", "results"))
    paging = _paging(rng, envelope == "@body")
    camel = rng.random() < 0.5
    streams: dict[str, Any] = {}
    paths = {
        "challenges": prefix + words["challenges"],
        "users": prefix + words["users"],
        "ideas": f"{prefix}{words['challenges']}/{{challenge_id}}/{words['ideas']}",
        "comments": f"{prefix}{words['ideas']}/{{idea_id}}/{words['comments']}",
        "votes": f"{prefix}{words['ideas']}/{{idea_id}}/{words['votes']}",
    }
    for stream, path in paths.items():
        streams[stream] = {
            "path": path,
            "records": words[stream] if envelope == "own" else envelope,
            "paging": {"style": "none", "total": paging.get("total")}
            if stream == "challenges" and rng.random() < 0.15
            else paging,
            "fields": _fields(rng, _NAMES[stream], camel),
            "embedded": {},
        }
    default = load_contract(None)
    for stream, spec in default.streams.items():
        taken = set(streams[stream]["fields"].values())
        for table, each in spec.embedded.items():
            free = [name for name in _LISTS[table] if name not in taken]
            path = rng.choice(free)
            taken.add(path)
            names = _ITEM_NAMES.get(table, {})
            chosen = {column: rng.choice(names[column]) for column in names if column in each.fields}
            streams[stream]["embedded"][table] = {"paths": path, "fields": chosen}
    return streams


def _fields(rng: random.Random, names: dict[str, tuple[str, ...]], camel: bool) -> dict[str, Any]:
    """A name for each column, in the API's style if there is a choice, none of them twice."""
    chosen: dict[str, Any] = {}
    for column, known in names.items():
        styled: Sequence[str] = (
            [n for n in known if any(c.isupper() for c in n)] if camel else [n for n in known if n.islower()]
        )
        free = [n for n in styled or known if not _clashes(n, chosen.values())] or [
            n for n in known if not _clashes(n, chosen.values())
        ]
        chosen[column] = rng.choice(free)
    return chosen


def _clashes(name: str, taken: Any) -> bool:
    return any(name == other or name.startswith(f"{other}.") or other.startswith(f"{name}.") for other in taken)


def _paging(rng: random.Random, bare: bool) -> dict[str, Any]:
    header_total = {"header": rng.choice(("X-Total-Count", "X-Total", "Total-Count"))}
    body_total = {
        "body": rng.choice(("totalCount", "meta.total_count", "paging.total", "pagination.totalItems", "count"))
    }
    total = rng.choice((header_total, None) if bare else (header_total, body_total, body_total, None))
    size = rng.choice(("limit", "page_size", "pageSize", "count", "size", "max_results"))
    sized = {"size_parameter": size, "total": total}
    styles = ("page", "offset") if bare else ("page", "page", "offset", "cursor", "next_link")
    match rng.choice(styles):
        case "page":
            name = rng.choice(("p", "pageNumber", "page_number", "pageNo", "page"))
            return {"style": "page", "page_parameter": name, "first": rng.choice((0, 1, 1))} | sized
        case "offset":
            return {"style": "offset", "offset_parameter": rng.choice(("offset", "start", "skip", "from"))} | sized
        case "cursor":
            place = rng.choice(("next_cursor", "meta.nextCursor", "paging.cursors.after", "nextPageToken"))
            name = rng.choice(("cursor", "after", "page_token", "pageToken"))
            return {"style": "cursor", "cursor": place, "cursor_parameter": name} | sized
        case _:
            return {"style": "next_link", "next": rng.choice(("links.next", "next", "paging.next_url"))} | sized


def _in_milliseconds(changes: dict[str, Any]) -> None:
    default = load_contract(None)
    for stream, part in changes["streams"].items():
        for column, path in list(part["fields"].items()):
            if column.endswith("_at"):
                part["fields"][column] = {"paths": path, "epoch": "milliseconds"}
        for table, each in default.streams[stream].embedded.items():
            for column, source in each.fields.items():
                if column.endswith("_at"):
                    part["embedded"][table]["fields"].setdefault(
                        column, {"paths": list(source.paths), "epoch": "milliseconds"}
                    )
