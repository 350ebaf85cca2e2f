"""``mart_people``: the number of people by status, including banned ones."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ideas_pipeline.marts.dialect import count_if
from ideas_pipeline.marts.mart import BuildContext, Mart, mart_table
from ideas_pipeline.tables.columns import column, is_live
from ideas_pipeline.tables.community import USERS

TABLE = mart_table(
    "mart_people",
    "One row per status of people, as far as the API's account may see them.",
    column(
        "status", "id", "active, banned, removed, deleted, invited, erased; unknown if the source has none.", key=True
    ),
    column("people", "integer", "People with this status.", required=True),
    column("admins", "integer", "Admins among them.", required=True),
)


def _select(context: BuildContext) -> sa.Select[Any]:
    c = USERS.c
    people = (
        sa.select(sa.func.coalesce(c.status, "unknown").label("status"), c.role)
        .where(is_live(USERS, context.community))
        .subquery()
    )
    return sa.select(people.c.status, sa.func.count(), count_if(people.c.role == "admin")).group_by(people.c.status)


MART = Mart(TABLE, _select, reads=("users",))
