"""What the simulated community really holds: the tables that a warehouse must end up equal to."""

from __future__ import annotations

from ideas_pipeline.contract.types import Json

Row = dict[str, Json]
Tables = dict[str, dict[str, Row]]
"""Table → id → row by column name, in the order of the API's lists. Rows of embedded tables have any unique key."""

PARTS = (
    "challenge_stages",
    "user_answers",
    "idea_labels",
    "idea_tags",
    "idea_coauthors",
    "idea_answers",
    "idea_attachments",
    "vote_ratings",
)
"""Tables whose rows are part of another row: they need no id of their own, or it is unique only within that row."""


class Index:
    """Which rows of a table have a value in a column. It knows the tables as they were when it was first asked."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self._keys: dict[tuple[str, str], dict[str, list[str]]] = {}

    def keys(self, table: str, column: str) -> dict[str, list[str]]:
        """The column's values, as text, each with the keys of its rows in list order."""
        found = self._keys.get((table, column))
        if found is None:
            found = self._keys[table, column] = {}
            for key, row in self.tables.get(table, {}).items():
                if (value := row.get(column)) is not None:
                    found.setdefault(str(value), []).append(key)
        return found
