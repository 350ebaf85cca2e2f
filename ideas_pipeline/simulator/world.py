"""The state that events of a living community read and change."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ideas_pipeline.simulator.truth import Row, Tables, drop_votes


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
        """``now`` as the API writes timestamps."""
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def any(self, table: str, fits: Callable[[Row], Any] = bool) -> Row | None:
        """A random row that ``fits``, or None."""
        rows = [row for row in self.tables[table].values() if fits(row)]
        return self.rng.choice(rows) if rows else None

    def add(self, table: str, **row: Any) -> Row:
        """Append a row, with a new id if its table has ids."""
        key = str(next(self.numbers))
        self.tables[table][key] = {"id": key} | row if table in ("users", "ideas", "comments", "votes") else row
        return self.tables[table][key]

    def drop(self, table: str, fits: Callable[[Row], Any]) -> int:
        """Delete the rows that ``fits`` is true for, and return their number."""
        keys = [key for key, row in self.tables[table].items() if fits(row)]
        for key in keys:
            del self.tables[table][key]
        return len(keys)

    def mark_idea(self, idea: str) -> None:
        """Set the idea's ``updated_at`` to now, if changes of its comments and votes are to show."""
        if self.marks_ideas:
            self.tables["ideas"][idea]["updated_at"] = self.moment

    def stages(self, challenge: str) -> list[Row]:
        """The stages of a challenge, in order."""
        rows = [row for row in self.tables["challenge_stages"].values() if row["challenge_id"] == challenge]
        return sorted(rows, key=lambda row: row["position"])

    def drop_comments(self, ideas: set[str]) -> None:
        """Delete the comments of these ideas."""
        self.drop("comments", lambda row: row["idea_id"] in ideas)

    def drop_votes(self, fits: Callable[[Row], Any]) -> None:
        """Delete the votes that ``fits`` is true for, with their ratings."""
        drop_votes(self.tables, fits)
