"""Generated communities of hostile shapes, as the rows that a warehouse would hold after some syncs.

Times are missing, impossible, out of order, and at the borders of days, months and daylight saving time; people are
authors and responders, banned, deleted or unknown; ideas move between stages and challenges, vanish and return; stages
vanish, too, or were never described.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY

Row = dict[str, Any]
Tables = dict[str, list[Row]]

START = datetime(2025, 8, 25, tzinfo=UTC)
SYNCS = [START + timedelta(days=18 * n, hours=3, microseconds=700_001 * n) for n in range(9)]
STAGES = ("10", "9", "b", "a")
READ = ("users", "challenges", "challenge_stages", "ideas", "idea_coauthors", "idea_labels", "comments", "votes")


def community(seed: int, timezone: str) -> Tables:
    """The rows of one community, by table, without the column ``community``."""
    random = Random(seed)
    tables: Tables = {name: [] for name in (*READ, "idea_history", "label_classes")}
    times = _Times(random, timezone)
    people = [f"p{n}" for n in range(12)]
    tables["users"] = [_person(random, times, key) for key in people if key != "p11"]
    tables["challenges"] = [
        _row(id=key, title=key, type="funnel", starts_at=None, deadline_at=None) for key in ("c1", "c2", "quiet")
    ]
    closed = _row(id="closed", title="closed", type="funnel", starts_at=None, deadline_at=None)
    tables["challenges"].append(closed | {"_deleted_at": SYNCS[-1], "_deleted_because": "gone"})
    tables["challenge_stages"] = list(_stages(random))
    for number in range(14):
        _idea(random, times, tables, f"i{number}", [*people, None])
    if random.random() < 0.8:
        classes = {"l1": "adopted", "l2": "adopted", "l3": "declined", "never": "dreamt of"}
        tables["label_classes"] = [{"label_id": label, "class": name} for label, name in classes.items()]
    return tables


def write(engine: sa.Engine, community: str, tables: Tables) -> None:
    """Insert the rows of a community."""
    written = {"_first_seen_at": SYNCS[0], "_changed_at": SYNCS[0], "_row_hash": "", "_run_id": "run"}
    of = {**TABLES, "idea_history": IDEA_HISTORY, "label_classes": LABEL_CLASSES}
    with engine.begin() as connection:
        for name, rows in tables.items():
            columns = set(of[name].columns.keys())
            same = {key: value for key, value in written.items() if key in columns} | {"community": community}
            if rows:
                connection.execute(sa.insert(of[name]), [{**same, **row} for row in rows])


class _Times:
    """Moments for acts, most of them critical."""

    def __init__(self, random: Random, timezone: str) -> None:
        zone = ZoneInfo(timezone)
        self._random = random
        days = [START.date() + timedelta(days=n) for n in range(150)]
        midnights = [datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) for day in days]
        offsets = [at.astimezone(zone).utcoffset() for at in midnights]
        changes = [at for at, a, b in zip(midnights, offsets, offsets[1:], strict=False) if a != b]
        firsts = [at for at, day in zip(midnights, days, strict=True) if day.day == 1]
        hours = [at + timedelta(minutes=30 * n) for at in changes for n in range(10)]
        self._borders = [*firsts, *hours, *midnights[:40:9]]

    def any(self) -> datetime | None:
        chosen = self._random.random()
        if chosen < 0.12:
            return None
        if chosen < 0.16:
            return self._random.choice([datetime(1970, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC)])
        return self.true()

    def true(self) -> datetime:
        if self._random.random() < 0.5:
            edge = timedelta(microseconds=self._random.choice([-1_000_000, -1, 0, 1, 600_000]))
            return self._random.choice(self._borders) + edge
        return START + timedelta(seconds=self._random.randrange(130 * 86400), microseconds=500_000)


def _row(**values: Any) -> Row:
    return {"_deleted_at": None, "_deleted_because": None, **values}


def _gone(random: Random, row: Row, share: float, because: str = "gone") -> Row:
    if random.random() < share:
        row |= {"_deleted_at": SYNCS[-1], "_deleted_because": because}
    return row


def _person(random: Random, times: _Times, key: str) -> Row:
    status = random.choice(["active"] * 6 + ["banned", "removed", "deleted", "invited", "erased", None])
    seen = times.any() if random.random() < 0.4 else None
    row = _row(id=key, status=status, role=random.choice(["admin", "user", "user", None]), joined_at=times.any())
    return _gone(random, row | {"last_seen_at": seen}, 0.1)


def _stages(random: Random) -> Iterator[Row]:
    """Stages whose ids are in another order than their positions; some were removed, and their positions reused."""
    for challenge in ("c1", "c2", "closed"):
        for position, key in enumerate(STAGES):
            place = random.choice([position, position, position, None]) if challenge == "c2" else position
            row = _row(challenge_id=challenge, id=key, position=place, name=f"{challenge}/{key}", kind="phase")
            yield _gone(random, row, 1 if challenge == "closed" else 0.25)


def _idea(random: Random, times: _Times, tables: Tables, key: str, people: list[str | None]) -> None:
    life = _life(random, key, tables)
    now = life[-1]
    challenge, stage, _ = now or life[-2] or ("c1", None, ())
    author = random.choice(people)
    row = _row(
        id=key,
        challenge_id=challenge,
        stage_id=stage,
        author_id=author,
        moderation_status=random.choice(["clear"] * 6 + ["closed", "removed", None]),
        approval_status=random.choice(["approved", "pending", "rejected", None]),
        created_at=times.any(),
        published_at=times.any(),
    )
    if now is None:
        row |= {"_deleted_at": SYNCS[-1], "_deleted_because": "gone"}
    tables["ideas"].append(row)
    labels = {label for state in life if state for label in state[2]}
    for label in sorted(labels):
        there = now is not None and label in now[2]
        at = None if there else SYNCS[-1]
        tables["idea_labels"].append(
            {"idea_id": key, "label_id": label, "_deleted_at": at, "_deleted_because": None if there else "gone"}
        )
    for person in random.sample(people[:-1], random.choice([0, 0, 1, 2])):
        joint = _row(idea_id=key, user_id=person, is_lead=person == author)
        tables["idea_coauthors"].append(_gone(random, joint, 0.2))
    for number in range(random.randrange(5)):
        is_by_author = random.choice([None, False, False, True])
        comment = _row(
            id=f"{key}-{number}",
            idea_id=key,
            author_id=random.choice([author, *people, *people]),
            is_author_comment=is_by_author,
            status=random.choice(["visible", "visible", "removed", "cleared", None]),
            created_at=times.any(),
        )
        tables["comments"].append(_gone(random, _gone(random, comment, 0.1), 0.1, "cleared"))
    for number in range(random.randrange(5)):
        vote = _row(
            id=f"{key}-{number}",
            idea_id=key,
            user_id=random.choice(people),
            voting_type=random.choice(["stars", "thumbs", None]),
            value=random.choice([None, 1.0, -1.0, 4.0]),
            created_at=times.any(),
        )
        tables["votes"].append(_gone(random, _gone(random, vote, 0.1), 0.1, "cleared"))


State = tuple[str, str | None, tuple[str, ...]] | None
"""An idea's challenge, stage and labels; None while it is absent."""


def _life(random: Random, key: str, tables: Tables) -> list[State]:
    """The idea at each sync; what changed is written to ``idea_history`` as a sync does."""
    state: State = None
    born = random.randrange(len(SYNCS))
    life: list[State] = []
    for number in range(len(SYNCS)):
        if number >= born and (number == born or random.random() < 0.5):
            stage = random.choice([*STAGES, *STAGES, "unlisted", None])
            labels = tuple(sorted(random.sample(["l1", "l2", "l3", "plain"], random.choice([0, 0, 1, 2]))))
            challenges = ["c1", "c1", "c2"] if number == len(SYNCS) - 1 else ["c1", "c1", "c2", "closed"]
            state = (random.choice(challenges), stage, labels)
            if number > born and random.random() < 0.15:
                state = None
        elif number == len(SYNCS) - 1 and state and state[0] == "closed":
            state = ("c1", *state[1:])  # only ideas that moved outlive their challenge
        life.append(state)
    open_: dict[tuple[str, ...], Row] = {}
    for number, now in enumerate(life):
        values = _values(now)
        for attribute in [found for found in open_ if found not in values]:
            open_.pop(attribute)["observed_to"] = SYNCS[number]
        for place in values:
            if place not in open_:
                attribute, value, challenge = place
                open_[place] = {
                    "idea_id": key,
                    "attribute": attribute,
                    "value": value,
                    "challenge_id": challenge or None,
                    "name": f"{challenge}/{value}",
                    "observed_from": SYNCS[number],
                    "observed_to": None,
                    "is_left_censored": number == born,
                }
                tables["idea_history"].append(open_[place])
    return life


def _values(state: State) -> list[tuple[str, str, str]]:
    if state is None:
        return []
    challenge, stage, labels = state
    stages = [("stage", stage, challenge)] if stage else []
    return [("challenge", challenge, ""), *stages, *(("label", label, "") for label in labels)]
