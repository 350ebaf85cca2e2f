"""An example query for each table and mart, from ``examples.sql``."""

from __future__ import annotations

import re
from pathlib import Path

_FILE = Path(__file__).with_name("examples.sql")


def examples() -> dict[str, str]:
    """By table, a query that runs on every engine; its first line is a comment with the question that it answers."""
    parts = re.split(r"^-- (\w+)\n", _FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: query.strip() for name, query in zip(parts[1::2], parts[2::2], strict=True)}
