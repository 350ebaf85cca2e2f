"""Erased people out of what the pipeline keeps about its own work: rejects, absences, and the accounts of lists."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Set
from typing import Any

import orjson
import sqlalchemy as sa

from ideas_pipeline.privacy.blank import Blanker
from ideas_pipeline.records.text import json_text
from ideas_pipeline.tables.bookkeeping import ABSENCES, REJECTED_RECORDS, SCOPES, SYNC_RUNS, SYNC_SCOPES, SYNC_STREAMS
from ideas_pipeline.tables.columns import own_keys, part_of
from ideas_pipeline.tables.community import TABLES


def scrub_accounts(
    connection: sa.Connection, blanker: Blanker, without_texts: Mapping[str, Set[str]]
) -> dict[str, int]:
    """Blanks everyone whom ``blanker`` knows. Returns how many rows were changed, by table.

    ``without_texts``: by table, the ids of the rows that they are part of whose author's texts are erased.
    """
    changed = {REJECTED_RECORDS.name: _rejects(connection, blanker, without_texts)}
    for table in (ABSENCES, SCOPES, SYNC_SCOPES):
        changed[table.name] = _lists(connection, table, blanker)
    changed[ABSENCES.name] += _parts(connection, blanker, without_texts)
    if blanker.people.scopes:
        for table in (SYNC_SCOPES, SYNC_STREAMS, SYNC_RUNS):
            changed[table.name] = changed.get(table.name, 0) + _reasons(connection, table, blanker)
    return changed


def _rejects(connection: sa.Connection, blanker: Blanker, without_texts: Mapping[str, Set[str]]) -> int:
    def blanked(row: dict[str, Any]) -> dict[str, Any]:
        table = row["table_name"]
        received = row["payload"] or {}
        columns = {name: value for name, value in received.items() if name != "_extra"}
        extra = dict(received.get("_extra") or {})
        parents = without_texts.get(table, frozenset())
        blanker.row(table, columns, extra, without_texts=any(str(v) in parents for v in columns.values()))
        payload = columns | {"_extra": extra or None}
        if payload == received:
            return row
        return row | {
            "record_key": _key(blanker, table, row["record_key"], row["scope"], payload),
            "reason": row["reason"].split(" (it is ")[0],  # what follows can quote a value
            "payload": payload,
        }

    return _rewrite(connection, REJECTED_RECORDS, blanker.erased.community, blanked)


def _key(blanker: Blanker, table: str, key: str, scope: str, payload: Mapping[str, Any]) -> str:
    if not key.startswith("["):  # a fingerprint of what was received
        return f"sha256:{hashlib.sha256(json_text([scope, payload]).encode()).hexdigest()}"
    names = [c.name for c in own_keys(TABLES[table])]
    pointers = blanker.people.pointers[table]
    values = [blanker.id(pointers[n], v) if n in pointers else v for n, v in zip(names, orjson.loads(key), strict=True)]
    return orjson.dumps(values).decode()


def _lists(connection: sa.Connection, table: sa.Table, blanker: Blanker) -> int:
    """Ids of absent rows, and of lists, that are or hold a person's."""
    ids = {stream: columns["id"] for stream, columns in blanker.people.pointers.items() if "id" in columns}
    scopes = blanker.people.scopes
    streams = scopes.keys() | (ids.keys() if table is ABSENCES else set())

    def blanked(row: dict[str, Any]) -> dict[str, Any]:
        stream, new = row["stream"], dict(row)
        if "id" in row and stream in ids:
            new["id"] = blanker.id(ids[stream], row["id"])
        if stream in scopes:
            new["scope"] = blanker.id(scopes[stream], row["scope"])
        return new

    return _rewrite(connection, table, blanker.erased.community, blanked, table.c.stream.in_(streams))


def _parts(connection: sa.Connection, blanker: Blanker, without_texts: Mapping[str, Set[str]]) -> int:
    """Embedded rows that are held: their id is a key as JSON, and their scope the record that they are part of.

    Those of a record whose texts are erased are forgotten, as a text can be a key; if they are still missing, the next
    reading holds them again.
    """
    held = ABSENCES.c
    ours = held.community == blanker.erased.community
    for name, owners in without_texts.items():
        there = connection.scalars(sa.select(held.scope).distinct().where(ours, held.stream == name)).all()
        for owner in owners & set(there):
            connection.execute(sa.delete(ABSENCES).where(ours, held.stream == name, held.scope == owner))
    owners_of = {t.name: part_of(t) for t in TABLES.values() if "id" not in t.c or len(t.primary_key) > 2}

    def blanked(row: dict[str, Any]) -> dict[str, Any]:
        table = row["stream"]
        owner = blanker.people.pointers[table].get((owners_of[table] or ("", ""))[0])
        scope = blanker.id(owner, row["scope"]) if owner else row["scope"]
        return row | {"id": _key(blanker, table, row["id"], row["scope"], {}), "scope": scope}

    return _rewrite(connection, ABSENCES, blanker.erased.community, blanked, held.stream.in_(owners_of))


def _reasons(connection: sa.Connection, table: sa.Table, blanker: Blanker) -> int:
    """Sentences name a list by its stream and scope: ``users 42: …``, ``list 42``."""
    streams = "|".join(map(re.escape, [*blanker.people.scopes, "list"]))
    named = re.compile(rf"\b((?:{streams}) )([^\s:;,]+)")

    def blanked(row: dict[str, Any]) -> dict[str, Any]:
        reason = named.sub(lambda m: m[1] + (blanker.erased.surrogate(m[2]) or m[2]), row["reason"])
        return row | {"reason": reason}

    return _rewrite(connection, table, blanker.erased.community, blanked, table.c.reason.is_not(None))


def _rewrite(
    connection: sa.Connection,
    table: sa.Table,
    community: str,
    blanked: Callable[[dict[str, Any]], dict[str, Any]],
    which: sa.ColumnElement[bool] | None = None,
) -> int:
    """Puts the row that ``blanked`` gives in the place of each that it changes. These tables are small."""
    query = sa.select(table).where(table.c.community == community)
    rows = [dict(row) for row in connection.execute(query if which is None else query.where(which)).mappings()]
    pairs = [(row, new) for row in rows if (new := blanked(row)) != row]
    if not pairs:
        return 0
    keys = [str(c.name) for c in table.primary_key.columns]
    places = {tuple(row[k] for k in keys): None for pair in pairs for row in pair}
    connection.execute(
        sa.delete(table).where(*(table.c[k] == sa.bindparam(f"of_{k}") for k in keys)),
        [{f"of_{k}": v for k, v in zip(keys, place, strict=True)} for place in places],
    )
    news = {tuple(new[k] for k in keys): new for _, new in pairs}
    connection.execute(sa.insert(table), list(news.values()))
    return len(pairs)
