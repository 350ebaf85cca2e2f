"""Erase people from the community's tables, in the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.marts.build import delete_people
from ideas_pipeline.privacy.erase_reasons import erase_reasons
from ideas_pipeline.privacy.key import is_surrogate
from ideas_pipeline.privacy.redact import Redactor, author_column, parts_with_texts
from ideas_pipeline.privacy.stored_rows import (
    ROWS_AT_ONCE,
    Row,
    rename_in_history,
    rewrite_rows,
    rewritten_key,
    update_rows,
)
from ideas_pipeline.records.typed import row_hash
from ideas_pipeline.tables.bookkeeping import ABSENCES, FIELDS, REJECTED_RECORDS, SCOPES, SYNC_SCOPES
from ideas_pipeline.tables.columns import own_columns, own_keys, parent_of, pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.fields import EXTRA
from ideas_pipeline.warehouse.rejects import key_of, record_key_of
from ideas_pipeline.warehouse.staging import stage_ids, staging_ids


def erase_rows(tx: Transaction, contract: Contract, redactor: Redactor, at: datetime) -> dict[str, int]:
    """Erase the people on the suppression list from every table.

    If a row's new key exists already, because the person was erased before and came back, the row replaces the old one.

    Args:
        tx: the transaction.
        contract: which columns are volatile.
        redactor: knows the people.
        at: becomes ``_changed_at`` of changed rows, for readers that copy what changed; timezone-aware.

    Returns:
        Number of changed rows, by table.
    """
    if tx.dialect.name == "sqlite":
        tx.connection.exec_driver_sql("PRAGMA secure_delete = ON")  # what is overwritten is gone from the page
    authors = [entry.surrogate for entry in redactor.erased.entries() if entry.in_force and entry.texts]
    volatile = {name: stream.volatile for name, stream in contract.streams.items()}
    for stream in contract.streams.values():
        volatile |= {name: embedded.volatile for name, embedded in stream.embedded.items()}
    parts = parts_with_texts()
    hidden: dict[str, set[str]] = {}
    changed: dict[str, int] = {}
    with (
        # Authors whose texts are erased now may have been erased before without their texts.
        _staged(tx, "people", [*people_in(tx, redactor), *authors]) as people,
        _staged(tx, "writers", authors) as writers,
    ):
        for table in sorted(TABLES.values(), key=lambda t: t.name in parts):  # tables with the parents come first
            without_texts = hidden.get(parts.get(table.name, ""), set())
            changed[table.name] = _erase_from_table(
                tx, table, redactor, people, without_texts, volatile.get(table.name, ()), at
            )
            hidden[table.name] = _without_texts(tx, table, redactor, writers)
    if "ideas" in redactor.people.made:
        changed[IDEA_HISTORY.name] = rename_in_history(
            tx, lambda id_: redactor.people.replaced("ideas", id_, redactor.erased.surrogate)
        )
    changed |= erase_from_bookkeeping(tx, redactor, {part: hidden[above] for part, above in parts.items()})
    changed |= delete_people(tx, lambda id_: not is_surrogate(id_) and redactor.erased.surrogate(id_))
    return {name: rows for name, rows in changed.items() if rows}


@contextmanager
def _staged(tx: Transaction, name: str, ids: Iterable[str]) -> Iterator[sa.Select[tuple[str]]]:
    """Put ``ids`` into a temporary table, because a statement takes a limited number of values. Yields a query."""
    table = staging_ids(name)
    stage_ids(tx.connection, table, ids)
    yield sa.select(table.c.id)
    table.drop(tx.connection, checkfirst=False)


def people_in(tx: Transaction, redactor: Redactor) -> list[str]:
    """The ids of erased people that a table still names."""
    found: set[str] = set()
    for table in TABLES.values():
        for column in table.columns:
            if pii(column) == "person_id":
                ours = sa.and_(tx.owns(table), column.is_not(None))
                found.update(tx.scalars(sa.select(column).distinct().where(ours)))
    return sorted(id_ for id_ in found if not is_surrogate(id_) and redactor.erased.surrogate(id_))


def _erase_from_table(
    tx: Transaction,
    table: sa.Table,
    redactor: Redactor,
    people: sa.Select[tuple[str]],
    without_texts: Set[str],
    volatile: Collection[str],
    at: datetime,
) -> int:
    own = [str(c.name) for c in own_columns(table)]
    keys = [str(c.name) for c in own_keys(table)]
    parent = parent_of(table)
    concerned: list[sa.ColumnElement[bool]] = [table.c._extra.is_not(None)]
    for name, target in redactor.people.pointers[table.name].items():
        concerned.append(table.c[name].in_(people) if target == "users" else table.c[name].startswith("["))
    updates: list[tuple[Row, Row]] = []
    with _staged(tx, "parents", without_texts) as parents:
        if parent and without_texts:
            concerned.append(table.c[parent[0]].in_(parents))
        query = sa.select(*(table.c[name] for name in [*own, "_extra"])).where(tx.owns(table), sa.or_(*concerned))
        for found in tx.execute(query.execution_options(yield_per=ROWS_AT_ONCE)).mappings():
            row = {name: found[name] for name in own}
            extra = dict(found["_extra"] or {})
            redactor.row(table.name, row, extra, without_texts=bool(parent and row[parent[0]] in without_texts))
            if any(row[name] != found[name] for name in own) or extra != (found["_extra"] or {}):
                new = row | {"_extra": extra or None, "_row_hash": row_hash(table, row, extra, volatile)}
                updates.append(({n: found[n] for n in keys}, new))
    update_rows(tx, table, updates, at)
    return len(updates)


def _without_texts(tx: Transaction, table: sa.Table, redactor: Redactor, writers: sa.Select[tuple[str]]) -> set[str]:
    """The ids of the rows whose author's texts are erased."""
    author = author_column(table.name)
    if author is None or "id" not in table.c:
        return set()
    query = sa.select(table.c.id).where(tx.owns(table), table.c[author].in_(writers))
    return set(tx.scalars(query))


def erase_from_bookkeeping(
    tx: Transaction, redactor: Redactor, without_texts: Mapping[str, Set[str]]
) -> dict[str, int]:
    """Erase the people on the suppression list from the bookkeeping tables. Returns how many rows changed, by table.

    ``without_texts``: by embedded table, the ids of the parent rows whose texts are erased.
    """
    changed = Counter(erase_reasons(tx, redactor))
    changed[REJECTED_RECORDS.name] = _rejects(tx, redactor, without_texts)
    for table in (ABSENCES, SCOPES, SYNC_SCOPES):
        changed[table.name] += _lists(tx, table, redactor)
    changed[ABSENCES.name] += _parts(tx, redactor, without_texts)
    changed[FIELDS.name] = _fields(tx, redactor)
    return changed


def _rejects(tx: Transaction, redactor: Redactor, without_texts: Mapping[str, Set[str]]) -> int:
    def erased(row: dict[str, Any]) -> dict[str, Any]:
        table, column = row["table_name"], row["column_name"]
        received = row["payload"] or {}
        columns = {name: value for name, value in received.items() if name != "_extra"}
        extra = dict(received.get("_extra") or {})
        if column is not None:  # the value has an unknown shape: treat it like an unmapped field
            extra = {column: row["value"]}
        parents = without_texts.get(table, frozenset())
        redactor.row(table, columns, extra, without_texts=any(str(v) in parents for v in columns.values()))
        value = extra.get(column)
        payload = columns if column is not None else columns | {"_extra": extra or None}
        if payload == received and value == row["value"]:
            return row
        key = _key(redactor, table, key_of(row["record_key"], column), row["scope"], payload)
        return row | {"record_key": record_key_of(key, column), "value": value, "payload": payload}

    return rewrite_rows(tx, REJECTED_RECORDS, erased)


def _fields(tx: Transaction, redactor: Redactor) -> int:
    """Delete the names of unmapped fields that name a person: an API can use ids or names as names."""
    unmapped = FIELDS.c.field.startswith(EXTRA, autoescape=True)
    names = tx.scalars(sa.select(FIELDS.c.field).distinct().where(tx.owns(FIELDS), unmapped))
    people = [field for field in names if (name := {field.removeprefix(EXTRA): None}) != redactor.json(name)]
    for field in people:
        tx.execute(sa.delete(FIELDS).where(tx.owns(FIELDS), FIELDS.c.field == field))
    return len(people)


def _key(redactor: Redactor, table: str, key: str, scope: str, payload: Mapping[str, Any]) -> str:
    """A record's key without erased people."""
    pointers = redactor.people.pointers[table]

    def left(column: str, value: str) -> str:
        return redactor.id(pointers[column], value) if column in pointers else value

    return rewritten_key(table, key, left, scope, payload)


def _lists(tx: Transaction, table: sa.Table, redactor: Redactor) -> int:
    """Erase ids of absent rows and names of scopes that are, or contain, the id of a person."""
    ids = {stream: columns["id"] for stream, columns in redactor.people.pointers.items() if "id" in columns}
    scopes = redactor.people.scopes
    streams = scopes.keys() | (ids.keys() if table is ABSENCES else set())

    def erased(row: dict[str, Any]) -> dict[str, Any]:
        stream, new = row["stream"], dict(row)
        if "id" in row and stream in ids:
            new["id"] = redactor.id(ids[stream], row["id"])
        if stream in scopes:
            new["scope"] = redactor.id(scopes[stream], row["scope"])
        return new

    return rewrite_rows(tx, table, erased, table.c.stream.in_(streams))


def _parts(tx: Transaction, redactor: Redactor, without_texts: Mapping[str, Set[str]]) -> int:
    """Erase ids of held embedded rows. Their id is a key as JSON, and their scope is the record that they belong to.

    If the texts of the record are erased, its held rows are deleted, because a text can be a key. If the rows are still
    absent, the next sweep holds them again.
    """
    held = ABSENCES.c
    ours = tx.owns(ABSENCES)
    for name, owners in without_texts.items():
        there = tx.scalars(sa.select(held.scope).distinct().where(ours, held.stream == name)).all()
        for owner in owners & set(there):
            tx.execute(sa.delete(ABSENCES).where(ours, held.stream == name, held.scope == owner))
    owners_of = {t.name: parent_of(t) for t in TABLES.values() if "id" not in t.c or len(t.primary_key) > 2}

    def erased(row: dict[str, Any]) -> dict[str, Any]:
        table = row["stream"]
        owner = redactor.people.pointers[table].get((owners_of[table] or ("", ""))[0])
        scope = redactor.id(owner, row["scope"]) if owner else row["scope"]
        return row | {"id": _key(redactor, table, row["id"], row["scope"], {}), "scope": scope}

    return rewrite_rows(tx, ABSENCES, erased, held.stream.in_(owners_of))
