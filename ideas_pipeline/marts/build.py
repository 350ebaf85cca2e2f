"""Building the marts: all of a community's in one transaction, so that they agree and nobody sees half."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.marts import (
    adoption,
    challenge_votes,
    challenges,
    cohorts,
    concentration,
    contributors,
    daily_activity,
    engagement,
    facts,
    funnel,
    idea_lifecycle,
    moderation,
    people,
    response_times,
    stage_times,
)
from ideas_pipeline.marts.dialect import DIALECTS
from ideas_pipeline.marts.mart import Asked, Mart
from ideas_pipeline.tables.bookkeeping import MARTS as BUILT_MARTS
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.warehouse.database import writing
from ideas_pipeline.warehouse.schema import comments

# In the order in which they are built: some are made of others.
MARTS: dict[str, Mart] = {
    str(module.MART.table.name): module.MART
    for module in (
        daily_activity,
        challenges,
        challenge_votes,
        funnel,
        stage_times,
        idea_lifecycle,
        response_times,
        adoption,
        contributors,
        engagement,
        concentration,
        cohorts,
        moderation,
        people,
    )
}


# Values that every engine takes in one statement.
_AT_ONCE = 1_000


def build_marts(engine: sa.Engine, community: str, timezone: str, as_of: datetime | None = None) -> dict[str, int]:
    """Builds every mart of the community anew from the tables, and says how many rows each has.

    ``timezone``: whose days and months are counted, by its IANA name. ``as_of`` (it knows its zone): up to when what
    lasts is counted; now by default. Readers see all marts as they were before, or all as they are after.
    Raises WarehouseError, also on an engine whose dates are not known here; the marts are then as they were.
    """
    if engine.dialect.name not in DIALECTS:
        raise WarehouseError(
            f"The marts can be built on {' and '.join(DIALECTS)} only, not on {engine.dialect.name}. "
            "The tables of the community are there all the same."
        )
    built_at = datetime.now(UTC)
    asked = Asked(community, as_of or built_at, timezone, engine.dialect.name)
    rows: dict[str, int] = {}
    with writing(engine) as connection:
        _prepare(connection)
        facts.fill(connection, asked)
        for name, mart in MARTS.items():
            rows[name] = _build(connection, mart, asked)
        facts.drop(connection)
        connection.execute(sa.delete(BUILT_MARTS).where(BUILT_MARTS.c.community == community))
        same = {"community": community, "as_of": asked.as_of, "timezone": timezone, "built_at": built_at}
        connection.execute(
            sa.insert(BUILT_MARTS), [{"mart": name, "rows": count, **same} for name, count in rows.items()]
        )
    return rows


def _build(connection: sa.Connection, mart: Mart, asked: Asked) -> int:
    table = mart.table
    connection.execute(sa.delete(table).where(table.c.community == asked.community))
    made = mart.select(asked).subquery()
    rows = sa.select(sa.literal(asked.community, table.c.community.type), *made.c)
    connection.execute(sa.insert(table).from_select([c.name for c in table.columns], rows))
    count = sa.select(sa.func.count()).select_from(table).where(table.c.community == asked.community)
    return connection.scalar(count) or 0


def forget(connection: sa.Connection, community: str, is_erased: Callable[[str], object]) -> dict[str, int]:
    """Takes people out of every mart that names people, until the marts are built anew.

    ``is_erased`` is asked about each id. Returns how many rows went, by mart.
    """
    there = set(sa.inspect(connection).get_table_names())
    gone: dict[str, int] = {}
    for name, mart in MARTS.items():
        for column in mart.table.columns:
            if pii(column) != "person_id" or name not in there:
                continue
            mine = mart.table.c.community == community
            people = [id_ for id_ in connection.scalars(sa.select(column).distinct().where(mine)) if is_erased(id_)]
            for at in range(0, len(people), _AT_ONCE):
                few = people[at : at + _AT_ONCE]
                connection.execute(sa.delete(mart.table).where(mine, column.in_(few)))
            if people:
                gone[name] = len(people)
    return gone


def _prepare(connection: sa.Connection) -> None:
    """Creates the marts' tables, and renews what is said of them. One of another shape is dropped first."""
    inspector = sa.inspect(connection)
    columns = {name: found for (_, name), found in inspector.get_multi_columns().items()}
    keys = {name: found["constrained_columns"] for (_, name), found in inspector.get_multi_pk_constraint().items()}
    for mart in MARTS.values():
        table = mart.table
        if table.name in columns:
            wanted = [{"name": c.name, "type": c.type, "nullable": c.nullable} for c in table.columns]
            same_key = keys[table.name] == table.primary_key.columns.keys()
            if same_key and _shape(connection, columns[table.name]) == _shape(connection, wanted):
                continue
            table.drop(connection)
            connection.execute(
                sa.delete(BUILT_MARTS).where(BUILT_MARTS.c.mart == table.name)
            )  # of other communities, too
        table.create(connection)
    for comment in comments(sa.inspect(connection), [mart.table for mart in MARTS.values()]):
        connection.execute(comment)


def _shape(connection: sa.Connection, columns: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, bool]]:
    dialect = connection.dialect
    return [(c["name"], c["type"].compile(dialect=dialect), bool(c["nullable"])) for c in columns]
