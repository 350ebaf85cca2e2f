"""Accounts that were deleted at the source, as far as that shows."""

from __future__ import annotations

from operator import itemgetter

import sqlalchemy as sa

from ideas_pipeline.privacy.key import is_surrogate
from ideas_pipeline.privacy.policy import ABOUT_A_PERSON
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.community import TABLES


def deleted_accounts(connection: sa.Connection, community: str) -> list[tuple[str, str | None, str | None]]:
    """Id, name and e-mail address (as stored) of people who are proven absent from ``users``, and whom nothing that is
    there names any more.

    A deleted account's posts stay, and the source takes the name off them; who merely left a community is still named
    by what they posted. (Who left and never posted looks the same as who was deleted: they are found here, too.)
    """
    users = TABLES["users"]
    named = [
        sa.exists().where(table.c.community == users.c.community, column == users.c.id, table.c._deleted_at.is_(None))
        for table in TABLES.values()
        if table.name not in ABOUT_A_PERSON
        for column in table.columns
        if pii(column) == "person_id"
    ]
    query = sa.select(users.c.id, users.c.display_name, users.c.email).where(
        users.c.community == community, users.c._deleted_at.is_not(None), ~sa.or_(*named)
    )
    return sorted((tuple(row) for row in connection.execute(query) if not is_surrogate(row.id)), key=itemgetter(0))
