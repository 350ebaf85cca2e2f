"""The parts of a mart: its table, the SELECT that fills it, and the context of a build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from ideas_pipeline.tables.columns import column

MART_METADATA = sa.MetaData()


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What a build depends on.

    Attributes:
        community: The community.
        as_of: The moment up to which unfinished durations are counted, timezone-aware.
        timezone: The IANA name of the time zone whose days and months are counted.
        dialect: The SQL dialect, such as ``postgresql``.
    """

    community: str
    as_of: datetime
    timezone: str
    dialect: str


PartOfUsers = Literal["banned", "admins", "reported statuses"]
"""Who is banned, who the admins are, and whether the source has reported any status."""


@dataclass(frozen=True, slots=True)
class Mart:
    """A table and the SELECT that fills it, with the table's columns in order, without ``community``.

    Attributes:
        table: The mart's table.
        select: The SELECT that fills it.
        reads: The tables that it is built from.
        people: The parts of ``users`` that it depends on, if it does not depend on all of it.
        ages: The columns that count up to now and depend on other columns of their row only: they are updated without
            a rebuild.
        counts_up_to_now: Whether other columns count up to now: the mart is then rebuilt whenever now has moved.
    """

    table: sa.Table
    select: Callable[[BuildContext], sa.Select[Any]]
    reads: tuple[str, ...]
    people: tuple[PartOfUsers, ...] = ()
    ages: Callable[[BuildContext], dict[str, sa.ColumnElement[Any]]] | None = None
    counts_up_to_now: bool = False


def mart_table(name: str, meaning: str, *columns: sa.Column[Any]) -> sa.Table:
    """Define a mart's table; ``meaning`` becomes its comment."""
    return sa.Table(
        name, MART_METADATA, column("community", "id", "The community.", key=True), *columns, comment=meaning
    )
