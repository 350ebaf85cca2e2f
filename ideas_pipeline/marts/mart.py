"""What a mart is: a table that is made of the others by one select, which runs inside the warehouse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.tables.columns import column

MART_METADATA = sa.MetaData()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the marts are built for: one community at one moment, by the days of one time zone, in one SQL dialect."""

    community: str
    as_of: datetime
    timezone: str
    dialect: str


@dataclass(frozen=True, slots=True)
class Mart:
    """A table and the select that fills it: its columns are the table's, in order, without ``community``."""

    table: sa.Table
    select: Callable[[Asked], sa.Select[Any]]
    reads: tuple[str, ...]
    """The tables of the community that it is made of."""


def mart_table(name: str, meaning: str, *columns: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        name, MART_METADATA, column("community", "id", "The community.", key=True), *columns, comment=meaning
    )
