"""Which table's rows name which other's, as diagrams in Mermaid's language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa


def diagram(tables: Iterable[sa.Table], others: Iterable[str] = ()) -> str:
    """An entity diagram of ``tables``. ``others``: tables that it shows beside them, where a row is named of them."""
    tables = list(tables)
    shown = {table.name for table in tables} | set(others)
    lines = ["erDiagram", "    direction LR"]
    for table in tables:
        lines += list(_relations(table, shown)) or [f"    {table.name}"]
    return "\n".join(lines)


def _relations(table: sa.Table, shown: set[str]) -> Iterator[str]:
    for column in table.columns:
        for other, link in ((column.info["part_of"], "||--o{"), (column.info["refers_to"], "|o--o{")):
            if other in shown:
                yield f"    {other} {link} {table.name} : {column.name}"
