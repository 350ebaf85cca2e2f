"""A made-up community, deterministic for a seed: few people write much, many are silent, some rows are odd."""

from __future__ import annotations

import itertools
import math
import random
import zlib
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from ideas_pipeline.contract.types import Json
from ideas_pipeline.simulator import words
from ideas_pipeline.simulator.counts import declare_counts
from ideas_pipeline.simulator.shape import email_of
from ideas_pipeline.simulator.truth import EMBEDDED_TABLES, Row, Tables

Scale = Literal["small", "medium", "large"]


class Size(NamedTuple):
    challenges: int
    ideas: int
    comments: int
    votes: int
    users: int


SIZES: dict[Scale, Size] = {
    "small": Size(6, 60, 300, 900, 120),
    "medium": Size(20, 2_000, 10_000, 30_000, 3_000),
    "large": Size(200, 50_000, 400_000, 1_000_000, 50_000),
}
_END = datetime(2025, 4, 2, 9, tzinfo=UTC)
_DAYS = 450
_ACTIVE_SHARE = 0.6  # The others register, and never do anything.
_TYPES = ("standard", "funnel", "milestone")
_VOTING = ("thumbs", "thumbs_up", "scorecard", "points", "stars")
_SITE = "https://community.example"


def generate(scale: Scale | Size, seed: int = 1, ends: datetime = _END) -> Tables:
    """Generate a community. Timestamps are ISO 8601 in UTC, ids are digits.

    Args:
        scale: A size, or the name of one of ``SIZES``.
        seed: The same seed makes the same community.
        ends: All activity lies shortly before this moment, timezone-aware.
    """
    size = scale if isinstance(scale, Size) else SIZES[scale]
    return _Community(size, random.Random(seed), ends).tables


def demo_community(name: str = "demo") -> Tables:
    """The small community that is served for one without an API client; another for each name.

    It ends last Monday, so it is the same all week.
    """
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    seed = 1 if name == "demo" else zlib.crc32(name.encode())
    return generate("small", seed, ends=today - timedelta(days=today.weekday()))


def _text(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


class _Picker:
    """Picks items by a power law: the first far more often than the last."""

    def __init__(self, items: list[str], steepness: float, rng: random.Random) -> None:
        self._items = items
        self._weights = list(itertools.accumulate((n + 1) ** -steepness for n in range(len(items))))
        self._rng = rng

    def pick(self) -> str:
        return self._rng.choices(self._items, cum_weights=self._weights)[0]


class _Community:
    def __init__(self, size: Size, rng: random.Random, ends: datetime) -> None:
        self._rng = rng
        self._end = ends
        self._start = ends - timedelta(days=_DAYS)
        self._numbers = itertools.count(1)
        self.tables: Tables = {
            name: {} for name in ("challenges", "users", "ideas", "comments", "votes", *EMBEDDED_TABLES)
        }
        people = self._users(size.users)
        rng.shuffle(people)
        # One of the most active people has deleted the account: the posts stay, without an author.
        self._deleted = "deleted"
        people.insert(2, self._deleted)
        self._anyone = _Picker(people[: int(len(people) * _ACTIVE_SHARE)], 0.7, rng)
        self._writers = _Picker(people[: max(3, len(people) // 10)], 0.6, rng)
        self._challenges(size.challenges)
        self._ideas(size.ideas)
        self._comments(size.comments)
        self._votes(size.votes)
        declare_counts(self.tables)

    def _add(self, table: str, row: Row, key: str | None = None) -> None:
        self.tables[table][key or str(next(self._numbers))] = row

    def _moment(self, after: datetime, days: float) -> datetime:
        """A random moment after ``after``, within ``days`` and before the end."""
        most = min(timedelta(days=days), self._end - after)
        return after + timedelta(seconds=self._rng.randrange(1, max(2, int(most.total_seconds()))))

    def _chance(self, share: float) -> bool:
        return self._rng.random() < share

    def _some(self, choices: tuple[Json, ...], most: int) -> list[Json]:
        """No choice in about half of all cases, else a few distinct ones, ``most`` at most."""
        return self._rng.sample(choices, self._rng.randint(1, most)) if self._chance(0.5) else []

    def _author(self, person: str) -> str | None:
        return None if person == self._deleted else person

    def _users(self, count: int) -> list[str]:
        rng = self._rng
        for number in range(count):
            key = str(20_011 + number * 3)
            joined = self._moment(self._start, _DAYS * 2 / 3)
            status = "active" if number % 40 else ("active", "banned", "removed", "invited")[number // 40 % 4]
            row = {
                "id": key,
                "display_name": f"{rng.choice(words.FIRST_NAMES)} {rng.choice(words.LAST_NAMES)}",
                "email": email_of(key),
                "role": "admin" if number < 2 else "user",
                "status": status,
                "joined_at": _text(joined),
                "last_seen_at": _text(self._moment(joined, _DAYS)) if self._chance(0.7) else None,
                "points": rng.randrange(0, 2_000),
                "rank": number + 1,
                "avatar_url": f"{_SITE}/avatars/{key}.png",
                "url": f"{_SITE}/profile/{key}",
            }
            self._add("users", row, key)
            for question, label, answers in self._some(words.PROFILE_QUESTIONS, 2):
                answer = {"user_id": key, "question_id": question, "label": label, "value": rng.choice(answers)}
                self._add("user_answers", answer)
        return list(self.tables["users"])

    def _challenges(self, count: int) -> None:
        self._stages: dict[str, list[str]] = {}
        for number in range(count):
            key = str(501 + number)
            created = self._moment(self._start, _DAYS / 3)
            row = {
                "id": key,
                "type": _TYPES[number % 3],
                "title": f"{words.CHALLENGE_TITLES[number % len(words.CHALLENGE_TITLES)]} ({number + 1})",
                "description": self._rng.choice(words.PARAGRAPHS),
                "status": "closed" if number % 7 == 6 else "open",
                "is_visible": number % 9 != 8,
                "allows_ideas": number % 7 != 6,
                "allows_comments": True,
                "joint_submissions": number % 2 == 0,
                "voting_type": _VOTING[number % 5],
                "blind_voting": number % 6 == 5,
                "idea_visibility": "moderators" if number % 8 == 7 else "everyone",
                "starts_at": _text(created + timedelta(days=2)),
                "deadline_at": _text(created + timedelta(days=120)) if number % 3 == 0 else None,
                "created_at": _text(created),
                "updated_at": _text(self._moment(created, 30)),
                "url": f"{_SITE}/challenge/{key}",
            }
            self._add("challenges", row, key)
            self._stages[key] = self._add_stages(row, created)

    def _add_stages(self, challenge: Row, created: datetime) -> list[str]:
        is_funnel = challenge["type"] == "funnel"
        names = {"funnel": ("Collect", "Refine", "Decide"), "milestone": ("Support", "Details", "Approval")}
        kinds = ("phase",) * 3 if is_funnel else ("vote_target", "refinement", "approval")
        keys: list[str] = []
        for position, name in enumerate(names.get(challenge["type"], ())):
            key = f"{challenge['id']}{position + 1}"
            starts = created + timedelta(days=2 + 30 * position)
            needs_votes = kinds[position] == "vote_target"
            stage = {
                "challenge_id": challenge["id"],
                "id": key,
                "position": position,
                "kind": kinds[position],
                "name": name,
                "description": self._rng.choice(words.PARAGRAPHS),
                "starts_at": _text(starts) if is_funnel else None,
                "ends_at": _text(starts + timedelta(days=30)) if is_funnel and position < 2 else None,
                "time_limit_days": None if is_funnel else 7 * (position + 1),
                "voting_type": challenge["voting_type"],
                "vote_target": 25.0 if needs_votes and challenge["voting_type"] != "scorecard" else None,
                "min_score": 3.5 if needs_votes and challenge["voting_type"] == "scorecard" else None,
                "resets_votes": is_funnel and position == 2,
                "clears_comments": False,
                "advances_all": is_funnel and position == 0,
            }
            self._add("challenge_stages", stage)
            keys.append(key)
        return keys

    def _ideas(self, count: int) -> None:
        rng = self._rng
        challenges = list(self.tables["challenges"])
        where = challenges + [_Picker(challenges, 0.5, rng).pick() for _ in range(count - len(challenges))]
        self._created: dict[str, datetime] = {}
        for number, challenge in enumerate(where):
            key = str(718_775 + number * 13)
            stages = self._stages[challenge]
            created = self._moment(self._start + timedelta(days=_DAYS / 3), _DAYS * 2 / 3)
            waited = self._chance(0.1)
            pending = self._chance(0.02)
            anonymous = number == 1 or self._chance(0.03)
            author = self._deleted if number == 0 else self._writers.pick()
            self._created[key] = created
            row = {
                "id": key,
                "challenge_id": challenge,
                "stage_id": rng.choice(stages) if stages else None,
                "author_id": None if anonymous else self._author(author),
                "title": f"{rng.choice(words.VERBS)} {rng.choice(words.THINGS)}",
                "body": "\n".join(rng.sample(words.PARAGRAPHS, rng.randint(1, 4))),
                "status": rng.choice(("new", "discussed", "done")),
                "moderation_status": rng.choice(("closed", "closed_comments")) if self._chance(0.05) else "clear",
                "approval_status": "pending" if pending else "approved",
                "is_anonymous": anonymous,
                "view_count": int(rng.paretovariate(0.9)) % 100_000,
                "follower_count": int(rng.paretovariate(1.2)) % 10_000,
                "created_at": _text(created),
                "published_at": None if pending else _text(self._moment(created, 21) if waited else created),
                "updated_at": _text(self._moment(created, 60)),
                "url": f"{_SITE}/post/{key}",
            }
            if number == 2 or self._chance(0.02):
                row["moderation_status"] = "removed"
            self._add("ideas", row, key)
            self._add_embedded_rows(row, joint=self.tables["challenges"][challenge]["joint_submissions"])

    def _add_embedded_rows(self, idea: Row, *, joint: bool) -> None:
        rng, of = self._rng, {"idea_id": idea["id"]}
        for position, (label, name, color, system) in enumerate(self._some(words.LABELS, 3)):
            row = {"label_id": label, "name": name, "color": color, "is_system": system, "position": position}
            self._add("idea_labels", of | row)
        for tag in self._some(words.TAGS, 3):
            self._add("idea_tags", of | {"tag": tag})
        if joint and idea["author_id"] and self._chance(0.3):
            others = {self._anyone.pick() for _ in range(rng.randint(1, 9))} - {self._deleted, idea["author_id"]}
            for position, person in enumerate((idea["author_id"], *sorted(others))):
                self._add("idea_coauthors", of | {"user_id": person, "is_lead": position == 0, "position": position})
        for question, label, kind, answers in self._some(words.IDEA_QUESTIONS, 2):
            row = {"question_id": question, "label": label, "type": kind, "value": rng.choice(answers)}
            self._add("idea_answers", of | row)
        for number, (kind, name, mime) in enumerate(self._some(words.FILES, 2)):
            key = f"{idea['id']}{number}"
            row = {"attachment_id": key, "kind": kind, "filename": name, "mime_type": mime}
            row |= {"size_bytes": rng.randrange(900, 9_000_000), "url": f"{_SITE}/files/{key}"}
            self._add("idea_attachments", of | row)

    def _popular(self) -> _Picker:
        ideas = list(self.tables["ideas"])
        self._rng.shuffle(ideas)
        return _Picker(ideas, 0.6, self._rng)

    def _comments(self, count: int) -> None:
        rng, popular = self._rng, self._popular()
        threads: dict[str, list[tuple[str, datetime]]] = {}
        for number in range(count):
            key = str(1_200_017 + number * 2)
            idea = popular.pick()
            thread = threads.setdefault(idea, [])
            parent, after = rng.choice(thread) if thread and self._chance(0.4) else (None, self._created[idea])
            created = self._moment(after, 40)
            person = self._deleted if number == 0 else self._anyone.pick()
            by_author = person == self.tables["ideas"][idea]["author_id"]
            row = {
                "id": key,
                "idea_id": idea,
                "parent_comment_id": parent,
                "author_id": self._author(person),
                "body": rng.choice(words.REMARKS),
                "is_author_comment": by_author,
                "status": "removed" if self._chance(0.02) else "visible",
                "like_count": int(rng.paretovariate(1.5)) - 1,
                "created_at": _text(created),
                "updated_at": _text(self._moment(created, 5)) if self._chance(0.1) else None,
            }
            self._add("comments", row, key)
            thread.append((key, created))

    def _votes(self, count: int) -> None:
        rng, popular = self._rng, self._popular()
        given: set[tuple[str, str]] = set()
        while len(given) < count:
            idea, person = (popular.pick(), self._deleted if not given else self._anyone.pick())
            row = self.tables["ideas"][idea]
            if (idea, person) in given or person == row["author_id"]:
                continue
            key = str(3_000_029 + len(given) * 7)
            given.add((idea, person))
            voting = self.tables["challenges"][row["challenge_id"]]["voting_type"]
            ratings = [rng.randint(1, 5) for _ in words.CRITERIA] if voting == "scorecard" else []
            values = {"thumbs": rng.choice((1, 1, 1, -1)), "thumbs_up": 1, "stars": rng.randint(1, 5)}
            values["points"] = rng.randint(1, 10)
            created = self._moment(self._created[idea], 60)
            vote = {
                "id": key,
                "idea_id": idea,
                "user_id": self._author(person),
                "stage_id": row["stage_id"],
                "voting_type": voting,
                "value": round(math.fsum(ratings) / len(ratings), 2) if ratings else float(values[voting]),
                "created_at": _text(created),
                "updated_at": _text(self._moment(created, 5)) if self._chance(0.05) else None,
            }
            self._add("votes", vote, key)
            for (criterion, name), rating in zip(words.CRITERIA, ratings, strict=False):
                row = {"vote_id": key, "criterion_id": criterion, "criterion": name, "rating": float(rating)}
                self._add("vote_ratings", row)
