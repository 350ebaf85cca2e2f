"""Rows that look absent and wait for a person to say whether they are gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import ABSENCES, SYNC_RUNS
from ideas_pipeline.warehouse.engines import reading, utc


@dataclass(frozen=True, slots=True)
class Held:
    """A row whose absence is not believed, and why. ``noticed_at``: when it was first missed, in UTC."""

    stream: str
    scope: str
    id: str
    because: str
    noticed_at: datetime


def held(engine: sa.Engine, community: str) -> list[Held]:
    """The held rows by stream, list and id. Raises WarehouseError."""
    rows = ABSENCES.c
    query = (
        sa.select(rows.stream, rows.scope, rows.id, rows.held_because, rows.noticed_at)
        .where(rows.community == community, rows.held_because.is_not(None))
        .order_by(rows.stream, rows.scope, rows.id)
    )
    with reading(engine) as connection:
        return [Held(*row[:4], noticed_at=utc(row.noticed_at)) for row in connection.execute(query)]


def present_role(engine: sa.Engine, community: str) -> str | None:
    """The role of the API's account as the last run that read the API saw it; None where the API does not tell.

    Raises WarehouseError.
    """
    runs = SYNC_RUNS.c
    query = (
        sa.select(runs.account_role)
        .where(runs.community == community, runs.mode.in_(["incremental", "full"]))
        # One that failed before it could ask has not seen it.
        .where(sa.or_(runs.verdict != "failed", runs.account_role.is_not(None)))
        .order_by(runs.started_at.desc())
        .limit(1)
    )
    with reading(engine) as connection:
        role: str | None = connection.scalar(query)
        return role
