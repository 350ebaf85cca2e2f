"""A community whose API puts recognisable personal data anywhere, and what of it can be found again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from ideas_pipeline.tables.columns import Pii
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received

Json = Any

# Names of fields as APIs write them, each with the class of what it holds.
FIELDS: dict[Pii, tuple[str, ...]] = {
    "email": ("contact_mail", "eMailAddress", "E-Mail", "authorEmail", "mailto", "work-email", "Mail"),
    "name": ("author_name", "displayName", "first-name", "LastName", "posted_by_name", "userName", "nick", "full name"),
    "profile": (
        "phone",
        "mobilePhone",
        "avatar-url",
        "home_address",
        "City",
        "jobTitle",
        "birth_date",
        "ip",
        "Twitter",
    ),
}
WHO = ("last_commenter", "createdBy", "owner", "Mentions", "liked_by", "moderator", "assignees", "winner")
INSIDE: dict[Pii, tuple[str, ...]] = {
    "email": ("email", "mail"),
    "name": ("name", "label", "full_name"),
    "profile": ("picture", "about", "role_title", "url", "team"),
}
INNOCENT: dict[str, Json] = {
    "karma": 3,
    "is_pinned": True,
    "category": {"id": 3, "name": "Energy"},
    "client": "web",
    "created_via": "api",
    "version": "1.24.0",
    "published": "2026-01-05T10:00:00+01:00",
    "votes_by_day": {"2026-01-05": 4},
    "flags": ["new", "hot"],
    "mood": None,
    "email_frequency": "weekly",
}
STREAMS = ("challenges", "users", "ideas", "comments", "votes")


@dataclass
class Planted:
    """Makes records, and remembers what it planted in them. ``needles``: by class, each in no more than one place."""

    seed: int
    needles: dict[Pii, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._made = 0

    def value(self, of: Pii) -> str:
        """A new value of a class, which is found nowhere else."""
        self._made += 1
        text = {
            "email": f"quirina{self._made}x@people.example",
            "name": f"Quirina{self._made}x Zoltanfy",
            "profile": f"Calle Falsa {self._made}x",
            "free_text": f"I dreamt of {self._made}x trees",
        }[of]
        self.needles.setdefault(of, []).append(text)
        return text

    def phone(self) -> str:
        self._made += 1
        self.needles.setdefault("profile", []).append(text := f"+34 600 {self.seed:03} {self._made:04}")
        return text

    def extra(self) -> dict[str, Json]:
        """Unmapped fields: one that holds personal data somewhere, among others."""
        plant = self._random.choice([self._by_name, self._by_shape, self._somebody, self._people, self._by_key])
        name, value = plant()
        for _ in range(self._random.randrange(4)):
            name, value = self._random.choice(
                [(f"layer{self._made}", {name: value}), ("items", [{name: value}, 3]), ("meta", {"n": 1, name: value})]
            )
        return INNOCENT | {name: value}

    def _by_name(self) -> tuple[str, Json]:
        of = self._random.choice(list(FIELDS))
        value: Json = self.value(of)
        return self._random.choice(FIELDS[of]), self._random.choice([value, [value], {"value": value}])

    def _by_shape(self) -> tuple[str, Json]:
        text = self._random.choice([self.phone, lambda: self.value("email"), self._within_a_text])()
        return self._random.choice(["x17", "k", "values"]), self._random.choice([text, [text, "none"]])

    def _within_a_text(self) -> str:
        return f"ask {self.value('email')} or {self.phone()}, please"

    def _somebody(self) -> tuple[str, Json]:
        return self._random.choice(WHO), self._random.choice([self._person(), [self._person(), self._person()]])

    def _people(self) -> tuple[str, Json]:
        return self._random.choice(["likes", "viewers", "seen"]), [self._person(), self._person()]

    def _by_key(self) -> tuple[str, Json]:
        if self._random.random() < 0.5:
            return "points", {self.value("email"): 3}
        return "points_by_user", {self.value("name"): 3}

    def _person(self) -> Json:
        if self._random.random() < 0.2:
            return self.value("name")
        chosen = {self._random.choice(INSIDE[of]): self.value(of) for of in INSIDE if self._random.random() < 0.7}
        return {"id": self._random.randrange(9999), **chosen}

    def _replies(self, comment: int) -> list[Json]:
        reply = {"id": f"r{comment}", "author": {"id": "u1", "name": self.value("name")}, "created_at": "2026-01-06"}
        return [reply | {"text": self.value("free_text")} | self.extra()]

    def lists(self) -> dict[str, list[Json]]:
        """The lists of a small community, by their path."""
        pick = self._random.randrange
        users = [
            {
                "id": f"u{n}",
                "name": self.value("name"),
                "email": self.value("email"),
                "last_seen_at": "2026-01-05T10:00:00Z",
                "avatar_url": self.value("profile"),
                "answers": self._random.choice([{"q1": self.value("profile")}, [{"id": 1, "answer": self.phone()}]]),
                "role": self._random.choice(["user", {"title": "user", "changed_by": self._person()}]),
                **self.extra(),
            }
            for n in range(4)
        ]
        ideas = [
            {
                "id": n,
                "author": self._random.choice([{"id": f"u{n}", "name": self.value("name")}, {"id": f"u{n}"}]),
                "author_name": self.value("name"),
                "title": self.value("free_text"),
                "body": self.value("free_text"),
                "status": self._random.choice(["open", {"key": "open", "changed_by": self._person()}]),
                "score": self._random.choice([3, {"by": self._person(), "is": 3}]),
                "tags": ["trees", self.value("email")],
                "labels": [{"id": 1, "name": "New", "set_by": self._person()}],
                "coauthors": [{"id": "u1", "name": self.value("name"), "avatar": self.value("profile")}],
                "custom_fields": [{"id": 7, "answer": self.value("free_text")}],
                "attachments": [{"filename": self.value("free_text"), "uploaded_by": self._person()}],
                "comment_count": 2,
                "vote_count": 2,
                **self.extra(),
            }
            for n in range(4)
        ]
        found: dict[str, list[Json]] = {
            "challenges": [{"id": 1, "title": "Energy", "contact": self._person(), "idea_count": 4, **self.extra()}],
            "users": users,
            "challenges/1/ideas": ideas,
        }
        for idea in range(4):
            found[f"ideas/{idea}/comments"] = [
                {"id": 10 * idea + n, "author": {"id": f"u{n}", **self.extra()}, "text": self.value("free_text")}
                | {"created_at": "2026-01-05T10:00:00Z", "replies": self._replies(10 * idea + n)}
                | self.extra()
                for n in range(2)
            ]
            found[f"ideas/{idea}/votes"] = [
                {"id": 10 * idea + n, "user": {"id": f"u{n}", "name": self.value("name")}, "value": pick(5)}
                | self.extra()
                for n in range(2)
            ]
        return found


def api(lists: dict[str, list[Json]]) -> Any:
    """An answer of an API with these lists, for a scripted server."""

    def answer(request: Received) -> Answer:
        path = request.path.removeprefix("/v2/")
        if request.method == "POST":
            return Answer(body={"auth_code": "c", "access_token": "a", "refresh_token": "r", "expires_in": 3600})
        page, size = int(request.query.get("page", 1)), int(request.query.get("per_page", 100))
        rows = lists.get(path, [])
        return Answer(body={"data": rows[(page - 1) * size : page * size], "total": len(rows)})

    return answer


def found_in(content: bytes, needles: list[str]) -> Iterator[str]:
    """The needles that are in ``content``, as they are or as JSON escapes them."""
    for needle in needles:
        if needle.encode() in content or orjson.dumps(needle)[1:-1] in content:
            yield needle
