"""Build all marts of a community in one transaction, so that they agree and readers see all or none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.marts import (
    adoption,
    challenge_votes,
    challenges,
    cohorts,
    communities,
    concentration,
    contributors,
    daily_activity,
    engagement,
    filling,
    funnel,
    idea_lifecycle,
    moderation,
    people,
    response_times,
    stage_times,
)
from ideas_pipeline.marts.dialect import DIALECTS
from ideas_pipeline.marts.mart import BuildContext, Mart
from ideas_pipeline.marts.sources import made_of
from ideas_pipeline.tables.bookkeeping import MARTS as BUILT_MARTS
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.database import Transaction, wait_for_builder
from ideas_pipeline.warehouse.grants import share
from ideas_pipeline.warehouse.schema import comments
from ideas_pipeline.warehouse.warehouse import Warehouse

# In build order: some marts are built from others.
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

# Every table that is created and filled here.
TABLES: dict[str, sa.Table] = {name: mart.table for name, mart in MARTS.items()}
TABLES[str(communities.TABLE.name)] = communities.TABLE

# A number of bound values that every engine accepts in one statement.
_CHUNK = 1_000


def build_marts(tx: Transaction, timezone: str, as_of: datetime | None = None) -> dict[str, int]:
    """Rebuild every mart of the community from the tables. Readers see all marts before the build, or all after it.

    See ``refresh_marts`` for rebuilding only what has changed.

    Args:
        tx: A transaction that writes.
        timezone: The IANA name of the time zone whose days and months are counted.
        as_of: The moment up to which unfinished durations are counted, timezone-aware; now by default.

    Returns:
        The number of rows by mart.

    Raises:
        WarehouseError: The engine is not supported, or the build failed; the marts are unchanged.
    """
    tx.execute(sa.delete(BUILT_MARTS).where(tx.owns(BUILT_MARTS)))
    return refresh_marts(tx, timezone, as_of)


def refresh_marts(tx: Transaction, timezone: str, as_of: datetime | None = None) -> dict[str, int]:
    """Rebuild the marts whose sources have changed since they were built, and update ages in the others.

    Args, result and errors are those of ``build_marts``.
    """
    now = datetime.now(UTC)
    context = _context(tx, timezone, as_of or now)
    to_refresh, to_compare = _prepare(tx.connection)
    for community, zone in (to_refresh | to_compare).items():
        if community == tx.community:
            continue
        other = Transaction(tx.connection, community)
        of_other = _context(other, zone, now)
        if community in to_refresh:
            _refresh(other, of_other, now)
        else:
            communities.write_row(other, of_other)
    return _refresh(tx, context, now)


def _refresh(tx: Transaction, context: BuildContext, now: datetime) -> dict[str, int]:
    """Rebuild the marts of one community whose sources have changed. The marts' tables are up to date."""
    built = {row.mart: row for row in tx.execute(sa.select(BUILT_MARTS).where(tx.owns(BUILT_MARTS)))}
    current = made_of(tx, MARTS, context)
    stale = {
        name: mart
        for name, mart in MARTS.items()
        if name not in built
        or built[name].made_of != current[name]
        or (mart.counts_up_to_now and utc(built[name].as_of) != context.as_of)
    }
    tx.execute(
        sa.delete(BUILT_MARTS).where(tx.owns(BUILT_MARTS), BUILT_MARTS.c.mart.in_([*stale, *(built.keys() - MARTS)]))
    )
    kept = {name: mart for name, mart in MARTS.items() if name not in stale}
    for mart in kept.values():
        if mart.ages:
            tx.execute(sa.update(mart.table).where(tx.owns(mart.table)).values(**mart.ages(context)))
    if kept:
        moved = {**_as_of(context), "checked_at": now}
        tx.execute(sa.update(BUILT_MARTS).where(tx.owns(BUILT_MARTS)).values(**moved))
    rows = _rebuild(tx, stale, context, current, now)
    communities.write_row(tx, context)
    return {name: rows[name] if name in rows else built[name].rows for name in MARTS}


def refresh(warehouse: Warehouse, timezone: str, *, everything: bool = False) -> dict[str, int]:
    """Rebuild the community's marts in a transaction of its own, which does not block those who write the tables.

    If the marts' tables have to be created or changed, as after an upgrade, all writers wait, and the rows of the other
    communities in these marts are rebuilt, too.

    Args:
        warehouse: The warehouse.
        timezone: The IANA name of the time zone whose days and months are counted.
        everything: Whether marts are rebuilt whose sources have not changed.

    Returns:
        The number of rows by mart.

    Raises:
        WarehouseError: The engine is not supported, or the build failed; the marts are unchanged.
    """
    with warehouse.reading() as tx:
        is_ready = not (any(_other_shapes(tx.connection)) or _comments(tx.connection))
    build = build_marts if everything else refresh_marts
    with warehouse.building() if is_ready else warehouse.changing_tables() as tx:
        return build(tx, timezone)


def _context(tx: Transaction, timezone: str, as_of: datetime) -> BuildContext:
    if tx.dialect.name not in DIALECTS:
        raise WarehouseError(
            f"The marts can be built on {' and '.join(DIALECTS)} only, not on {tx.dialect.name}. "
            "The tables of the community can still be used."
        )
    return BuildContext(tx.community, as_of, timezone, tx.dialect.name)


def _as_of(context: BuildContext) -> dict[str, Any]:
    """The columns of ``_marts`` that say up to when durations are counted."""
    today = context.as_of.astimezone(ZoneInfo(context.timezone)).date()
    return {"as_of": context.as_of, "timezone": context.timezone, "today": today}


def _rebuild(
    tx: Transaction, marts: Mapping[str, Mart], context: BuildContext, fingerprints: Mapping[str, str], now: datetime
) -> dict[str, int]:
    """Build ``marts``, of which ``_marts`` has no rows, and the temporary tables that they need."""
    if not marts:
        return {}
    needed = filling.needed_by([mart.select(context) for mart in marts.values()], context)
    filling.fill(tx.connection, context, needed)
    rows = {name: _build(tx, mart, context) for name, mart in marts.items()}
    filling.drop(tx.connection, needed)
    same = {"community": tx.community, "built_at": now, "checked_at": now, **_as_of(context)}
    built = [{"mart": name, "rows": count, "made_of": fingerprints[name], **same} for name, count in rows.items()]
    tx.execute(sa.insert(BUILT_MARTS), built)
    return rows


def _build(tx: Transaction, mart: Mart, context: BuildContext) -> int:
    table = mart.table
    tx.execute(sa.delete(table).where(tx.owns(table)))
    built = mart.select(context).subquery()
    rows = sa.select(sa.literal(tx.community, table.c.community.type), *built.c)
    tx.execute(sa.insert(table).from_select([c.name for c in table.columns], rows))
    count = sa.select(sa.func.count()).select_from(table).where(tx.owns(table))
    return tx.scalar(count) or 0


def delete_people(tx: Transaction, is_erased: Callable[[str], object]) -> dict[str, int]:
    """Delete the rows of people from every mart that names people, until the marts are rebuilt.

    Do this last in a transaction: if the marts are being built, it waits for that.

    Args:
        tx: A transaction that writes.
        is_erased: Whether the person with an id is to be deleted.

    Returns:
        The number of deleted people by mart.
    """
    wait_for_builder(tx.connection, tx.community)
    existing = set(sa.inspect(tx.connection).get_table_names())
    deleted: dict[str, int] = {}
    for name, mart in MARTS.items():
        for column in mart.table.columns:
            if pii(column) != "person_id" or name not in existing:
                continue
            mine = tx.owns(mart.table)
            people = [id_ for id_ in tx.scalars(sa.select(column).distinct().where(mine)) if is_erased(id_)]
            for at in range(0, len(people), _CHUNK):
                chunk = people[at : at + _CHUNK]
                tx.execute(sa.delete(mart.table).where(mine, column.in_(chunk)))
            if people:
                deleted[name] = len(people)
    outdated = sa.and_(tx.owns(BUILT_MARTS), BUILT_MARTS.c.mart.in_(deleted))
    tx.execute(sa.update(BUILT_MARTS).where(outdated).values(made_of=None))
    return deleted


def _other_shapes(connection: sa.Connection) -> tuple[list[sa.Table], list[sa.Table]]:
    """The marts' tables that are missing, and those that have other columns than they should."""
    inspector = sa.inspect(connection)
    columns = {name: found for (_, name), found in inspector.get_multi_columns().items()}
    keys = {name: found["constrained_columns"] for (_, name), found in inspector.get_multi_pk_constraint().items()}
    missing, other = [], []
    for table in TABLES.values():
        if table.name not in columns:
            missing.append(table)
            continue
        wanted = [{"name": c.name, "type": c.type, "nullable": c.nullable} for c in table.columns]
        same_key = keys[table.name] == table.primary_key.columns.keys()
        if not same_key or _shape(connection, columns[table.name]) != _shape(connection, wanted):
            other.append(table)
    return missing, other


def _prepare(connection: sa.Connection) -> tuple[dict[str, str], dict[str, str]]:
    """Create the marts' tables and update their comments. A table with other columns is dropped first.

    Returns:
        The communities that have lost rows of ``MARTS`` because of that, each with the time zone of its marts; and
        those that have no row of ``mart_communities``, because it is new.
    """
    missing, other = _other_shapes(connection)
    changed = BUILT_MARTS.c.mart.in_([table.name for table in (*missing, *other)])
    lost = sa.select(BUILT_MARTS.c.community, BUILT_MARTS.c.timezone).where(changed)
    zones = {row.community: row.timezone for row in connection.execute(lost)}
    known = sa.select(BUILT_MARTS.c.community, BUILT_MARTS.c.timezone)
    is_new = communities.TABLE in (*missing, *other)
    to_compare = {row.community: row.timezone for row in connection.execute(known)} if is_new else {}
    connection.execute(sa.delete(BUILT_MARTS).where(changed))
    for table in other:
        table.drop(connection)
    for table in (*missing, *other):
        table.create(connection)
    share(connection, [table.name for table in (*missing, *other)])
    for comment in _comments(connection):
        connection.execute(comment)
    return zones, to_compare


def _comments(connection: sa.Connection) -> list[sa.Executable]:
    return comments(sa.inspect(connection), list(TABLES.values()))


def _shape(connection: sa.Connection, columns: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, bool]]:
    dialect = connection.dialect
    return [(c["name"], c["type"].compile(dialect=dialect), bool(c["nullable"])) for c in columns]
