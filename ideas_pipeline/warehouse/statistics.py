"""What PostgreSQL's planner knows of a table's contents."""

from __future__ import annotations

import sqlalchemy as sa

_GROWN = """
    SELECT pg_relation_size(oid) / current_setting('block_size')::integer > 2 * greatest(relpages, 0) + 64
    FROM pg_class WHERE oid = to_regclass(:name)
"""


def refresh(connection: sa.Connection, table: sa.Table) -> None:
    """Tells PostgreSQL's planner about a table that has doubled; other engines need no telling.

    Its own housekeeping comes by once a minute. In that time a first sync loads many batches, and each would read the
    whole table, which the planner believes to be small, instead of looking its few rows up.
    """
    if connection.dialect.name != "postgresql":
        return
    name = connection.dialect.identifier_preparer.format_table(table)
    if connection.scalar(sa.text(_GROWN), {"name": name}):
        connection.exec_driver_sql(f"ANALYZE {name}")
