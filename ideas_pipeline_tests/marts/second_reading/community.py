"""The people, contributions and stays that all marts count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]


@dataclass(frozen=True)
class Act:
    """A contribution. ``person`` and ``at`` are None if unknown; ``there``: not cleared by the start of a stage."""

    kind: str
    idea: Row
    person: str | None
    at: datetime | None
    there: bool
    row: Row


class Community:
    """The rows of one community, and what the marts count of them.

    Args:
        tables: All rows of the community in each table, deleted ones included, with times in UTC.
        as_of: Now.
        timezone: The zone of days and months.
    """

    def __init__(self, tables: dict[str, list[Row]], as_of: datetime, timezone: str) -> None:
        self.all = tables
        self.as_of = as_of
        self.zone = ZoneInfo(timezone)
        self.live = {
            name: [row for row in rows if row.get("_deleted_at") is None] for name, rows in tables.items()
        }  # history and label classes are never deleted

    @cached_property
    def banned(self) -> set[str]:
        """Banned or removed people, as last seen."""
        return {row["id"] for row in self.all["users"] if row["status"] in ("banned", "removed")}

    @cached_property
    def registered(self) -> dict[str, Row]:
        nobody = ("banned", "removed", "deleted", "invited", "erased")
        return {row["id"]: row for row in self.live["users"] if row["status"] not in nobody}

    @cached_property
    def ideas(self) -> dict[str, Row]:
        return {
            row["id"]: row
            for row in self.live["ideas"]
            if row["moderation_status"] != "removed" and row["author_id"] not in self.banned
        }

    @cached_property
    def coauthors(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for row in self.live["idea_coauthors"]:
            idea = self.ideas.get(row["idea_id"])
            if idea and row["user_id"] not in self.banned and row["user_id"] != idea["author_id"]:
                found[row["idea_id"]].add(row["user_id"])
        return found

    def authors(self, idea: Row) -> set[str]:
        return {person for person in (idea["author_id"], *self.coauthors.get(idea["id"], ())) if person}

    @cached_property
    def acts(self) -> list[Act]:
        acts = []
        for idea in self.ideas.values():
            at = self.time(idea["created_at"])
            acts.append(Act("idea", idea, idea["author_id"], at, True, idea))
            acts += [Act("joint", idea, who, at, True, idea) for who in sorted(self.coauthors.get(idea["id"], ()))]
        for table, kind, by in (("comments", "comment", "author_id"), ("votes", "vote", "user_id")):
            for row in self.all[table]:
                cleared = row["_deleted_because"] == "cleared" or row.get("status") == "cleared"
                if row["_deleted_at"] and row["_deleted_because"] != "cleared":
                    continue
                if row["idea_id"] not in self.ideas or row[by] in self.banned or row.get("status") == "removed":
                    continue
                at = self.time(row["created_at"])
                acts.append(Act(kind, self.ideas[row["idea_id"]], row[by], at, not cleared, row))
        return acts

    @cached_property
    def stays(self) -> dict[str, list[Row]]:
        """Each counted idea's stays in stages, in time."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.all["idea_history"]:
            if row["attribute"] == "stage" and row["idea_id"] in self.ideas:
                found[row["idea_id"]].append(row)
        for rows in found.values():
            rows.sort(key=lambda row: row["observed_from"])
        return found

    def time(self, at: datetime | None) -> datetime | None:
        """The moment, or None if it cannot be true: before 1995, or more than a day after now."""
        return at if at and datetime(1995, 1, 1, tzinfo=UTC) <= at < self.as_of + timedelta(1) else None

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def month(self, at: datetime) -> date:
        return self.day(at).replace(day=1)

    def of_challenge(self, challenge: str) -> list[Act]:
        return [act for act in self.acts if act.idea["challenge_id"] == challenge]

    def ideas_of(self, challenge: str) -> list[Row]:
        return [idea for idea in self.ideas.values() if idea["challenge_id"] == challenge]

    @property
    def with_ideas(self) -> set[str]:
        return {idea["challenge_id"] for idea in self.ideas.values()}


def persons(acts: Iterable[Act]) -> set[str]:
    return {act.person for act in acts if act.person}
