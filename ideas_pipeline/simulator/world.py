"""A community at a moment, as events find and change it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ideas_pipeline.simulator.truth import Row, Tables


@dataclass
class World:
    """The community at a moment.

    Attributes:
        tables: Changed in place by the events.
        rng: Source of every choice.
        now: The community's clock, UTC in whole seconds.
        numbers: Ids that were never used.
        marks_ideas: A change of an idea's comments or votes sets the idea's ``updated_at``.
    """

    tables: Tables
    rng: random.Random
    now: datetime
    numbers: Iterator[int]
    marks_ideas: bool

    @property
    def moment(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def any(self, table: str, fits: Callable[[Row], Any] = bool) -> Row | None:
        rows = [row for row in self.tables[table].values() if fits(row)]
        return self.rng.choice(rows) if rows else None

    def add(self, table: str, **row: Any) -> Row:
        key = str(next(self.numbers))
        self.tables[table][key] = {"id": key} | row if table in ("users", "ideas", "comments", "votes") else row
        return self.tables[table][key]

    def drop(self, table: str, fits: Callable[[Row], Any]) -> int:
        gone = [key for key, row in self.tables[table].items() if fits(row)]
        for key in gone:
            del self.tables[table][key]
        return len(gone)

    def mark_idea(self, idea: str) -> None:
        if self.marks_ideas:
            self.tables["ideas"][idea]["updated_at"] = self.moment

    def stages(self, challenge: str) -> list[Row]:
        rows = [row for row in self.tables["challenge_stages"].values() if row["challenge_id"] == challenge]
        return sorted(rows, key=lambda row: row["position"])

    def drop_comments(self, ideas: set[str]) -> None:
        self.drop("comments", lambda row: row["idea_id"] in ideas)

    def drop_votes(self, fits: Callable[[Row], Any]) -> None:
        gone = {key for key, row in self.tables["votes"].items() if fits(row)}
        self.drop("votes", lambda row: row["id"] in gone)
        self.drop("vote_ratings", lambda row: row["vote_id"] in gone)
