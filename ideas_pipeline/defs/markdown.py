"""Markdown as the UI shows it."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST = 120


def as_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A value that is long is cut short."""
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_query(sql: str) -> str:
    return f"```sql\n{sql}\n```"


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = " ".join(str(value).split())
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return text.replace("|", "\\|").replace("<", "&lt;")
