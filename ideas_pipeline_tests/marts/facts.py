"""Counted ideas, acts, stays and people, from the source's tables in pandas, as the marts' comments define them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from ideas_pipeline.simulator.truth import Row
from ideas_pipeline_tests.marts.following import Look, Witness

OUT = ("banned", "removed")
_ACT = ("kind", "id", "idea", "challenge", "person", "at", "day", "there", "type", "value", "by_author")


@dataclass(frozen=True)
class Stay:
    """A stay of an idea in a stage. ``to``: None while it lasts. ``first``: earlier stays are unknown."""

    idea: str
    challenge: str
    stage: str
    since: datetime
    to: datetime | None
    first: bool
    comes_from: tuple[str, str] | None
    """The challenge and stage of the previous stay."""


@dataclass(frozen=True, eq=False)
class Facts:
    """The facts. ``acts``: one row per idea, co-author, comment and vote. ``day``: local; ``there``: not cleared.

    ``at`` and ``day`` are None if the source has no time.
    """

    witness: Witness
    classes: dict[str, str]
    """Label → class, as in ``label_classes``."""
    as_of: datetime
    zone: ZoneInfo
    ideas: dict[str, Row]
    authors: dict[str, set[str]]
    acts: pd.DataFrame
    stays: list[Stay]
    stages: dict[str, list[Row]]
    """The stages of each challenge, in order."""
    registered: dict[str, Row]
    people: dict[str, Row]
    """Everybody who was ever seen, in the last seen state."""


def facts(witness: Witness, timezone: str, as_of: datetime, classes: dict[str, str]) -> Facts:
    zone = ZoneInfo(timezone)
    now, people = witness.now, witness.last_known("users")
    out = {key for key, row in people.items() if row.get("status") in OUT}
    ideas = {
        key: row | {"created": moment(row["created_at"])}
        for key, row in now["ideas"].items()
        if row["moderation_status"] != "removed" and row["author_id"] not in out
    }
    authors: dict[str, set[str]] = {key: {row["author_id"]} - {None} for key, row in ideas.items()}
    for row in now["idea_coauthors"].values():
        if row["idea_id"] in ideas and row["user_id"] not in out:
            authors[row["idea_id"]].add(row["user_id"])
    stages: dict[str, list[Row]] = {}
    for row in now["challenge_stages"].values():
        stages.setdefault(row["challenge_id"], []).append(row)
    for rows in stages.values():
        rows.sort(key=lambda row: (row["position"] is None, row["position"] or 0, row["id"]))
    unregistered = (*OUT, "deleted", "invited", "erased")
    return Facts(
        witness,
        classes,
        as_of,
        zone,
        ideas,
        authors,
        _acts(witness, zone, ideas, authors, out),
        [stay for key in ideas for stay in _stays(witness, key)],
        stages,
        {key: row for key, row in now["users"].items() if row.get("status") not in unregistered},
        people,
    )


def moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value).astimezone(UTC) if value else None


def day_of(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def _acts(
    witness: Witness, zone: ZoneInfo, ideas: dict[str, Row], authors: dict[str, set[str]], out: set[str]
) -> pd.DataFrame:
    acts: list[tuple[Any, ...]] = []

    def add(
        kind: str, id_: str, idea: str, who: str | None, at: datetime | None, there: bool = True, **more: Any
    ) -> None:
        values = {"type": None, "value": None, "by_author": False} | more
        where = ideas[idea]["challenge_id"]
        acts.append((kind, id_, idea, where, who, at, at and day_of(at, zone), there, *values.values()))

    for key, row in ideas.items():
        add("idea", key, key, row["author_id"], row["created"])
        for person in authors[key] - {row["author_id"]}:
            add("joint_idea", key, key, person, row["created"])
    for table, clears, who in (("comments", "clears_comments", "author_id"), ("votes", "resets_votes", "user_id")):
        present = [(row, True) for row in witness.now[table].values()]
        for row, there in [*present, *((row, False) for row in witness.cleared(table, clears))]:
            idea, person = row["idea_id"], row[who]
            if idea not in ideas or person in out or (table == "comments" and row["status"] == "removed"):
                continue
            at = moment(row["created_at"])
            if table == "votes":
                add("vote", row["id"], idea, person, at, there, type=row["voting_type"], value=row["value"])
            else:
                written_by_author = bool(row["is_author_comment"]) or person in authors[idea]
                there = there and row["status"] != "cleared"
                add("comment", row["id"], idea, person, at, there, by_author=written_by_author)
    return pd.DataFrame(acts, columns=_ACT, dtype=object)


def _stays(witness: Witness, idea: str) -> list[Stay]:
    """The stays of an idea, from its stage at each sync."""
    stays: list[Stay] = []
    place: tuple[str, str] | None = None
    since, known, previous, first = None, False, None, False

    def end(at: Look | None) -> None:
        nonlocal previous
        if place and since:
            to = witness.observed(idea, at) if at else None
            stays.append(Stay(idea, *place, witness.observed(idea, since), to, first, previous))
            previous = place

    for look in witness.looks:
        row = look.tables["ideas"].get(idea)
        found = (row["challenge_id"], row["stage_id"]) if row and row["stage_id"] else None
        if found != place:
            end(look)
            place, since, first = found, look, not known
        known = known or row is not None
    end(None)
    return stays
