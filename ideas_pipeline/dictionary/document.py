"""Generate the data dictionary ``docs/warehouse.md`` from ``tables/``, ``marts/`` and the contract."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.dictionary.sources import Source, sources
from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.marts.build import TABLES as MART_TABLES
from ideas_pipeline.tables.all_tables import BOOKKEEPING_TABLES
from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.tables.columns import Kind, column, kind, known_values, pii
from ideas_pipeline.tables.community import IDEAS, TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY

_KINDS: dict[Kind, str] = {
    "id": "an id or a short word; text, even if it looks like a number",
    "text": "text of any length",
    "integer": "a whole number",
    "number": "a number with a fraction",
    "boolean": "true or false; 1 or 0 on SQLite",
    "timestamp": "a moment in UTC; on SQLite text such as `2026-03-01 09:00:00.000000`",
    "date": "a day; on SQLite text such as `2026-03-01`",
    "json": "a list or a map, as JSON",
}

_INTRODUCTION = Path(__file__).with_name("introduction.md")

_SECTIONS = {
    "community": ("The community", "The present state of the source."),
    "history": (
        "History",
        "The source shows only the present. Past values of ideas are kept here, from the first sync on.",
    ),
    "own": ("Your own table", "The pipeline reads it and never writes it."),
    "marts": (
        "Marts",
        "Figures for reports; every share comes with its numerator and denominator. A sync rebuilds the marts whose "
        "data has changed, all in one transaction. Removed ideas and banned people are excluded; `mart_moderation` and "
        "`mart_people` count them. A time before 1995, or more than a day in the future, is a mistake of the source "
        "and counts as unknown; what depends on an unknown time is null. Seconds are counted between times without "
        "their fractions, and are null if the times are in the wrong order. Medians and percentiles are by nearest "
        "rank: the smallest value that at least 50 % (90 %) of the values do not exceed.",
    ),
    "bookkeeping": (
        "Bookkeeping",
        "What the pipeline did and knows: runs, scopes, rejects, absent rows, fields, erasures.",
    ),
}

# Columns of every community table, described only once.
_SHARED = [c.name for c in IDEAS.columns if c.name == "community" or c.name.startswith("_")]


def document(contract: Contract, override: Path | None) -> str:
    """The dictionary as Markdown. ``override``: the file that ``contract`` was loaded from; None for the default."""
    found, queries = sources(contract, override), examples()
    tables = {
        "community": list(TABLES.values()),
        "history": [IDEA_HISTORY],
        "own": [LABEL_CLASSES],
        "marts": list(MART_TABLES.values()),
        "bookkeeping": list(BOOKKEEPING_TABLES.values()),
    }
    parts = [_INTRODUCTION.read_text(encoding="utf-8"), _types(), _index(tables), _diagrams(tables)]
    for name, (title, meaning) in _SECTIONS.items():
        parts.append(f"## {title}\n\n{meaning}\n")
        if name == "community":
            shared = [IDEAS.c[column] for column in _SHARED]
            parts.append("Every one of these tables also has:\n\n" + _columns(shared, None))
        parts += [_table(table, found.get(table.name), queries[table.name]) for table in tables[name]]
    return "\n".join(parts)


def _types() -> str:
    engines = [sa.make_url(f"{name}://").get_dialect()() for name in ("sqlite", "postgresql")]
    rows = []
    for name in get_args(Kind):
        of = column("x", name, "").type
        rows.append((f"`{name}`", *(f"`{of.compile(dialect=engine)}`" for engine in engines), _KINDS[name]))
    return "## Types\n\n" + _grid(("type", "on SQLite", "on PostgreSQL", "what it holds"), rows)


def _index(tables: dict[str, list[sa.Table]]) -> str:
    rows = [
        (f"[`{table.name}`](#{table.name})", str(table.comment).split(". ")[0].rstrip(".") + ".")
        for group in tables.values()
        for table in group
    ]
    return "## Tables\n\n" + _grid(("table", "what it holds"), rows)


def _diagrams(tables: dict[str, list[sa.Table]]) -> str:
    own = tables["community"] + tables["history"]
    return (
        "## Relations\n\nA double bar marks a parent that the other row needs, a circle a row that may be "
        f"absent. The label of a line is the column with the reference.\n\n```mermaid\n{diagram(own)}\n```\n\n"
        "The marts, and the tables that they refer to:\n\n"
        f"```mermaid\n{diagram(tables['marts'], others=TABLES)}\n```\n"
    )


def _table(table: sa.Table, source: Source | None, query: str) -> str:
    own = [c for c in table.columns if c.name not in _SHARED] if table.name in TABLES else list(table.columns)
    lines = [f"### {table.name}\n", f"{table.comment}\n"]
    if table.name in MARTS:
        lines.append(f"Built from {', '.join(f'`{name}`' for name in MARTS[table.name].reads)}.\n")
    elif source:
        lines.append(f"{source.records}\n")
    elif table.name in TABLES:
        lines.append("The contract does not fill this table.\n")
    lines += [_columns(own, source), f"```sql\n{query}\n```\n"]
    return "\n".join(lines)


def _columns(columns: Iterable[sa.Column[Any]], source: Source | None) -> str:
    rows = []
    for c in columns:
        row = [f"`{c.name}`", f"`{kind(c)}`{', key' if c.primary_key else ''}", _meaning(c)]
        rows.append((*row, source.columns.get(c.name, "") if source else ""))
    return _grid(("column", "type", "meaning", "path in the API's record"), rows)


def _meaning(column: sa.Column[Any]) -> str:
    return " ".join(_sentences(column))


def _sentences(column: sa.Column[Any]) -> Iterator[str]:
    yield str(column.comment)
    if unlisted := [value for value in known_values(column) if value not in str(column.comment)]:
        yield f"Known values: {', '.join(unlisted)}."
    if other := column.info["parent"] or column.info["references"]:
        yield f"→ `{other}`"
    if of := pii(column):
        yield f"*Personal data: {of}.*"


def _grid(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table without empty columns."""
    filled = [i for i in range(len(head)) if any(row[i] for row in rows)]
    lines = [[head[i] for i in filled], ["---"] * len(filled), *([row[i] for i in filled] for row in rows)]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def diagram(tables: Iterable[sa.Table], others: Iterable[str] = ()) -> str:
    """A Mermaid entity diagram of ``tables``. ``others``: further tables, shown if one of ``tables`` refers to them."""
    tables = list(tables)
    shown = {table.name for table in tables} | set(others)
    lines = ["erDiagram", "    direction LR"]
    for table in tables:
        lines += list(_relations(table, shown)) or [f"    {table.name}"]
    return "\n".join(lines)


def _relations(table: sa.Table, shown: set[str]) -> Iterator[str]:
    for own in table.columns:
        for other, link in ((own.info["parent"], "||--o{"), (own.info["references"], "|o--o{")):
            if other in shown:
                yield f"    {other} {link} {table.name} : {own.name}"


_FILE = Path(__file__).with_name("examples.sql")


def examples() -> dict[str, str]:
    """Example queries by table. Each runs on every engine, and begins with a comment: the question that it answers."""
    parts = re.split(r"^-- (\w+)\n", _FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: query.strip() for name, query in zip(parts[1::2], parts[2::2], strict=True)}
