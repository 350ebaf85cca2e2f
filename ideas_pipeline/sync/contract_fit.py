"""Whether a contract and the warehouse's tables fit together: what the contract's own models cannot know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

import sqlalchemy as sa

from ideas_pipeline.ideas_api.contract import Contract, Each, Embedded, Stream
from ideas_pipeline.ideas_api.errors import ContractError
from ideas_pipeline.tables.columns import part_of
from ideas_pipeline.tables.community import TABLES


def check_fit(contract: Contract) -> None:
    """Raises ContractError, a line for each mistake, where ``contract`` names a table or column that does not exist,
    or leaves a key, or the column that says whose row it is, without a value."""
    mistakes = [m for name, stream in contract.streams.items() for m in _stream_mistakes(name, stream)]
    if mistakes:
        raise ContractError(
            "the contract does not fit the warehouse's tables:\n"
            + "\n".join(f"  {mistake}" for mistake in mistakes)
            + "\nMend these lines, then run: ideas-pipeline contract validate"
        )


def _stream_mistakes(name: str, stream: Stream) -> Iterator[str]:
    at = f"streams.{name}"
    streams = [table for table, columns in TABLES.items() if _keys(columns) == ["id"]]
    if name not in streams:
        yield f"{at}: a stream fills the table of its name, and there is none{_nearest(name, streams)}"
        return
    table = TABLES[name]
    yield from _unknown_columns(f"{at}.fields", stream.fields, table)
    filled = set(stream.fields) | ({stream.each.placeholder} if stream.each and stream.reads == "list" else set())
    for column in stream.key:
        if column not in filled:
            yield f"{at}.key: {column} has no value{_nearest(column, filled)}"
    owner = part_of(table)
    if owner and owner[0] not in filled:
        yield f"{at}.fields: map {owner[0]}, which says to which row of {owner[1]} a record belongs"
    if stream.each:
        yield from _each_mistakes(f"{at}.each", stream.each)
    for embedded_name, embedded in stream.embedded.items():
        yield from _embedded_mistakes(f"{at}.embedded.{embedded_name}", embedded_name, embedded, name)


def _each_mistakes(at: str, each: Each) -> Iterator[str]:
    for source in each.of:
        table, column = source.split(".")
        if table not in TABLES:
            yield f"{at}.of: there is no table {table}{_nearest(table, TABLES)}"
            continue
        yield from _unknown_columns(f"{at}.of", [column], TABLES[table])
        if each.declared:
            yield from _unknown_columns(f"{at}.declared", [each.declared], TABLES[table])


def _embedded_mistakes(at: str, name: str, embedded: Embedded, stream: str) -> Iterator[str]:
    known = [table for table, columns in TABLES.items() if (part_of(columns) or ("", ""))[1] == stream]
    inside = [table for table in known if _keys(TABLES[table]) != ["id"]]
    if name not in inside:
        yield f"{at}: no table of this name holds what is inside a record of {stream}{_nearest(name, inside)}"
        return
    table = TABLES[name]
    owner = part_of(table)
    if owner and embedded.parent_key != owner[0]:
        yield f"{at}.parent_key: the column that names the record is {owner[0]}, not {embedded.parent_key}"
    yield from _unknown_columns(f"{at}.fields", embedded.fields, table)
    for column in _keys(table):
        if column not in embedded.fields and column != (owner or ("",))[0]:
            yield f"{at}.fields: map {column}, which is part of the key"


def _unknown_columns(at: str, names: Iterable[str], table: sa.Table) -> Iterator[str]:
    columns = _own_columns(table)
    for name in names:
        if name not in columns:
            yield f"{at}: the table {table.name} has no column {name}{_nearest(name, columns)}"


def _own_columns(table: sa.Table) -> list[str]:
    return [c.name for c in table.columns if c.name != "community" and not c.name.startswith("_")]


def _keys(table: sa.Table) -> list[str]:
    return [c.name for c in table.primary_key.columns if c.name != "community"]


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    meant = f"; did you mean {near[0]}?" if near else "."
    return f"{meant} Known are: {', '.join(names)}" if names else ""
