"""Rows by the time that the API says of them."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from ideas_pipeline.tables.community import TABLES, is_listed_in
from ideas_pipeline.warehouse.database import Transaction


def live_ids_after(
    tx: Transaction, stream: str, column: str, moment: datetime, listed_by: str | None, scope: str
) -> set[str]:
    """The ids of the live rows in ``scope`` whose ``column`` is after ``moment``.

    Args:
        tx: the transaction.
        stream: the stream.
        column: the name of a column with times.
        moment: timezone-aware.
        listed_by: the column that names the scope; None if the stream is one list (see ``scope_of``).
        scope: the scope.
    """
    table = TABLES[stream]
    query = sa.select(table.c.id).where(tx.live(table), table.c[column] > moment)
    if listed_by is not None:
        query = query.where(is_listed_in(table, tx.community, listed_by, sa.select(sa.literal(scope))))
    return set(tx.scalars(query))
