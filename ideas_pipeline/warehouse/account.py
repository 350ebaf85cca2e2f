"""The role of the API's account under which absences are believed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import ACCOUNT
from ideas_pipeline.warehouse.engines import utc


def role(connection: sa.Connection, community: str) -> tuple[bool, str | None]:
    """Whether a role was ever accepted, and which; None is a role that the API does not tell."""
    row = connection.execute(sa.select(ACCOUNT.c.role).where(ACCOUNT.c.community == community)).first()
    return (False, None) if row is None else (True, row.role)


def accept_role(connection: sa.Connection, community: str, role: str | None, at: datetime) -> None:
    connection.execute(sa.delete(ACCOUNT).where(ACCOUNT.c.community == community))
    connection.execute(sa.insert(ACCOUNT).values(community=community, role=role, accepted_at=utc(at)))
