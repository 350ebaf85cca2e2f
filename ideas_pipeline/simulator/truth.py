"""The true tables of a simulated community, which a warehouse must end up equal to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ideas_pipeline.contract.types import Json

Row = dict[str, Json]
Tables = dict[str, dict[str, Row]]
"""Table → id → row by column name, in the order of the API's lists. Embedded rows have an arbitrary unique key."""

EMBEDDED_TABLES = (
    "challenge_stages",
    "user_answers",
    "idea_labels",
    "idea_tags",
    "idea_coauthors",
    "idea_answers",
    "idea_attachments",
    "vote_ratings",
)
"""Tables of rows embedded in another row: they have no id, or one that is unique only within that row."""


def drop_votes(tables: Tables, fits: Callable[[Row], Any]) -> None:
    """Delete the votes that ``fits`` is true for, with their ratings."""
    votes = {key for key, row in tables["votes"].items() if fits(row)}
    ratings = [key for key, row in tables["vote_ratings"].items() if row["vote_id"] in votes]
    for key in votes:
        del tables["votes"][key]
    for key in ratings:
        del tables["vote_ratings"][key]


class Index:
    """Index of rows by column value, built on first use. It does not follow later changes of the tables."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self._keys: dict[tuple[str, str], dict[str, list[str]]] = {}

    def keys(self, table: str, column: str) -> dict[str, list[str]]:
        """The values of a column, as text, each with the keys of its rows in list order.

        Comments and votes have the columns of their idea, too, so that a challenge can list them.
        """
        found = self._keys.get((table, column))
        if found is None:
            found = self._keys[table, column] = {}
            for key, row in self.tables.get(table, {}).items():
                of = row if column in row else self.tables.get("ideas", {}).get(str(row.get("idea_id")), row)
                if (value := of.get(column)) is not None:
                    found.setdefault(str(value), []).append(key)
        return found
