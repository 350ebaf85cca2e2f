"""Erased people out of the community's tables, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Set
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.marts.build import forget
from ideas_pipeline.privacy.blank import Blanker, author_column, parts_with_texts
from ideas_pipeline.privacy.key import is_surrogate
from ideas_pipeline.privacy.scrub_accounts import scrub_accounts
from ideas_pipeline.records.typed import row_hash
from ideas_pipeline.tables.columns import part_of, pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.staging import stage_ids, staging_ids

_MANY = 2_000


def scrub(connection: sa.Connection, contract: Contract, blanker: Blanker, at: datetime) -> dict[str, int]:
    """Blanks everyone whom ``blanker`` knows in every table. Returns how many rows were changed, by table.

    ``at`` (it knows its zone) becomes ``_changed_at``, so that whoever copies what changed hears of it. A row whose
    place is taken, as the person was erased before and came back, takes that place over.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")  # what is overwritten is gone from the page
    authors = [entry.surrogate for entry in blanker.erased.entries() if entry.in_force and entry.texts]
    volatile = {name: stream.volatile for name, stream in contract.streams.items()}
    for stream in contract.streams.values():
        volatile |= {name: embedded.volatile for name, embedded in stream.embedded.items()}
    parts = parts_with_texts()
    hidden: dict[str, set[str]] = {}
    changed: dict[str, int] = {}
    with (
        # Whose texts are to go may have been blanked before, when they were to stay.
        _staged(connection, "people", [*people_in(connection, blanker), *authors]) as people,
        _staged(connection, "writers", authors) as writers,
    ):
        for table in sorted(TABLES.values(), key=lambda t: t.name in parts):  # those that they are part of come first
            without_texts = hidden.get(parts.get(table.name, ""), set())
            changed[table.name] = _scrub_table(
                connection, table, blanker, people, without_texts, volatile.get(table.name, ()), at
            )
            hidden[table.name] = _without_texts(connection, table, blanker, writers)
    changed |= scrub_accounts(connection, blanker, {part: hidden[above] for part, above in parts.items()})
    changed |= forget(
        connection, blanker.erased.community, lambda id_: not is_surrogate(id_) and blanker.erased.surrogate(id_)
    )
    return {name: rows for name, rows in changed.items() if rows}


@contextmanager
def _staged(connection: sa.Connection, name: str, ids: Iterable[str]) -> Iterator[sa.Select[tuple[str]]]:
    """A query for ``ids``, in a temporary table: there can be more of them than a statement takes values."""
    table = staging_ids(name)
    stage_ids(connection, table, ids)
    yield sa.select(table.c.id)
    table.drop(connection, checkfirst=False)


def people_in(connection: sa.Connection, blanker: Blanker) -> list[str]:
    """The ids of erased people that a table still names."""
    found: set[str] = set()
    for table in TABLES.values():
        for column in table.columns:
            if pii(column) == "person_id":
                ours = sa.and_(table.c.community == blanker.erased.community, column.is_not(None))
                found.update(connection.scalars(sa.select(column).distinct().where(ours)))
    return sorted(id_ for id_ in found if not is_surrogate(id_) and blanker.erased.surrogate(id_))


def _scrub_table(
    connection: sa.Connection,
    table: sa.Table,
    blanker: Blanker,
    people: sa.Select[tuple[str]],
    without_texts: Set[str],
    volatile: Collection[str],
    at: datetime,
) -> int:
    community = blanker.erased.community
    own = [str(c.name) for c in table.columns if c.name != "community" and not c.name.startswith("_")]
    keys = [name for name in own if table.c[name].primary_key]
    parent = part_of(table)
    concerned: list[sa.ColumnElement[bool]] = [table.c._extra.is_not(None)]
    for name, target in blanker.people.pointers[table.name].items():
        concerned.append(table.c[name].in_(people) if target == "users" else table.c[name].startswith("["))
    updates: list[dict[str, Any]] = []
    with _staged(connection, "parents", without_texts) as parents:
        if parent and without_texts:
            concerned.append(table.c[parent[0]].in_(parents))
        query = sa.select(*(table.c[name] for name in [*own, "_extra"])).where(
            table.c.community == community, sa.or_(*concerned)
        )
        for found in connection.execute(query, execution_options={"yield_per": _MANY}).mappings():
            row = {name: found[name] for name in own}
            extra = dict(found["_extra"] or {})
            blanker.row(table.name, row, extra, without_texts=bool(parent and row[parent[0]] in without_texts))
            if any(row[name] != found[name] for name in own) or extra != (found["_extra"] or {}):
                new = row | {"_extra": extra or None, "_row_hash": row_hash(table, row, extra, volatile)}
                updates.append({f"new_{n}": v for n, v in new.items()} | {f"old_{n}": found[n] for n in keys})
    moved = [u for u in updates if any(u[f"new_{n}"] != u[f"old_{n}"] for n in keys)]
    if moved:
        place = (table.c[n] == sa.bindparam(f"new_{n}") for n in keys)
        connection.execute(
            sa.delete(table).where(table.c.community == community, *place),
            [{f"new_{n}": u[f"new_{n}"] for n in keys} for u in moved],
        )
    if updates:
        values = {n: sa.bindparam(f"new_{n}", type_=table.c[n].type) for n in [*own, "_extra", "_row_hash"]}
        connection.execute(
            sa.update(table)
            .where(table.c.community == community, *(table.c[n] == sa.bindparam(f"old_{n}") for n in keys))
            .values(**values, _changed_at=at),
            updates,
        )
    return len(updates)


def _without_texts(
    connection: sa.Connection, table: sa.Table, blanker: Blanker, writers: sa.Select[tuple[str]]
) -> set[str]:
    """The ids of the rows whose author's texts are erased."""
    author = author_column(table.name)
    if author is None or "id" not in table.c:
        return set()
    query = sa.select(table.c.id).where(table.c.community == blanker.erased.community, table.c[author].in_(writers))
    return set(connection.scalars(query))
