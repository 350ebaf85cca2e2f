"""Check that a contract and the warehouse's tables fit together, which the contract's own models cannot know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from ideas_pipeline.contract.load import load_contract, unusable
from ideas_pipeline.contract.mistakes import suggestion
from ideas_pipeline.contract.model import Contract, Each, Embedded, Fields, Stream
from ideas_pipeline.contract.types import Mistake, Steps
from ideas_pipeline.ideas_api.composite_ids import SELF_REFERENCES
from ideas_pipeline.tables.columns import is_prose, kind, own_columns, own_keys, parent_of
from ideas_pipeline.tables.community import TABLES, scope_of

_DEFAULT_CURSOR = Stream.model_fields["cursor"].default


def load_fitting_contract(override: Path | None) -> Contract:
    """Load the contract as ``load_contract`` does, and check it against the tables.

    Raises:
        ContractError: lists every mistake with its file and line.
    """
    return load_contract(override, check=misfits)


def check_fit(contract: Contract) -> None:
    """Check a contract that is loaded already.

    Raises:
        ContractError: lists every mistake: a table or column that does not exist, or a key column or parent column
            that gets no value.
    """
    if found := list(misfits(contract)):
        raise unusable(map(str, found))


def misfits(contract: Contract) -> Iterator[Mistake]:
    """Find what does not fit: a table or column that does not exist, or a key or parent column without a value."""
    for name, stream in contract.streams.items():
        yield from _stream_mistakes(name, stream)
        if name in TABLES:
            yield from _time_mistakes(name, stream)
            yield from _fingerprint_mistakes(contract, name)
        if name in TABLES and "id" in stream.key:
            yield from _composite_id_mistakes(contract, name)


def _stream_mistakes(name: str, stream: Stream) -> Iterator[Mistake]:
    at: Steps = ("streams", name)
    known = [table for table, columns in TABLES.items() if _keys(columns) == ["id"]]
    if name not in known:
        what = f"fills no table: a stream has the name of its table, and there is none{suggestion(name, known)}"
        yield Mistake(at, what)
        return
    table, filled = TABLES[name], _filled(stream)
    yield from _unknown_columns((*at, "fields"), stream.fields, table)
    if stream.nested and (name not in SELF_REFERENCES or stream.reads == "one" or "id" not in stream.fields):
        what = f"is wrong: records of {name} cannot name the record around them{suggestion('', SELF_REFERENCES)}"
        yield Mistake((*at, "nested"), what)
    for column in stream.key:
        if column not in filled:
            yield Mistake((*at, "key"), f"is wrong: {column} has no value{suggestion(column, filled)}")
    owner = parent_of(table)
    if owner and owner[0] not in filled:
        what = f"lacks {owner[0]}: map it, because it says to which row of {owner[1]} a record belongs"
        yield Mistake((*at, "fields"), what)
    if stream.each:
        yield from _each_mistakes((*at, "each"), stream.each)
    if stream.listed_by:
        try:
            scope_of(table, stream.listed_by)
        except KeyError:
            what = (
                f"is wrong: neither {name} nor the tables that its rows belong to have a column {stream.listed_by}, so "
                "it would never be noticed that a list lacks a row. Name the placeholder like the column"
            )
            yield Mistake((*at, "each", "placeholder"), what)
    for embedded_name, embedded in stream.embedded.items():
        yield from _embedded_mistakes((*at, "embedded", embedded_name), embedded, name)


def _time_mistakes(name: str, stream: Stream) -> Iterator[Mistake]:
    """Columns without a value by which a list is filtered, or a record is assigned to a day."""
    used: list[tuple[Steps, str]] = []
    if stream.since:
        used.append((("since", "column"), stream.since.column))
    if stream.until:
        used.append((("until", "column"), stream.until.column))
    # An API that sends no times at all has no column for the default cursor.
    if stream.cursor != _DEFAULT_CURSOR:
        used.append((("cursor",), stream.cursor))
    for steps, column in used:
        if column not in _filled(stream):
            yield Mistake(("streams", name, *steps), f"is wrong: {_no_value(column, name, stream)}")


def _fingerprint_mistakes(contract: Contract, name: str) -> Iterator[Mistake]:
    """Columns of ``changed_when`` that a parent does not fill: a change of its list would never be noticed."""
    each = contract.streams[name].each
    if each is None:
        return
    for parent in sorted({source.partition(".")[0] for source in each.of} & contract.streams.keys()):
        for column in each.changed_when:
            if column not in _filled(contract.streams[parent]):
                what = f"is wrong: {_no_value(column, parent, contract.streams[parent])}"
                yield Mistake(("streams", name, "each", "changed_when"), what)


def _no_value(column: str, name: str, stream: Stream) -> str:
    return f"{name} has no value for {column}{suggestion(column, _filled(stream))}"


def _filled(stream: Stream) -> set[str]:
    """The columns of a stream that get a value."""
    return {*stream.fields, *([stream.listed_by] if stream.listed_by else [])}


def _composite_id_mistakes(contract: Contract, name: str) -> Iterator[Mistake]:
    """Why the stream ``name``, whose key contains id, cannot have composite ids, or why others cannot refer to them."""
    stream, owner = contract.streams[name], (parent_of(TABLES[name]) or ("", ""))[0]
    at: Steps = ("streams", name)
    if not owner:
        yield Mistake((*at, "key"), f"cannot contain id: {name} is one list, in which each id must be unique")
        return
    if set(stream.key) != {owner, "id"}:
        what = f"cannot make unique ids: with id, it contains {owner} and nothing else, because ids are unique per list"
        yield Mistake((*at, "key"), what)
    if stream.each and stream.each.moves:
        what = f"cannot be true: a record that moves keeps its id, but this id contains {owner} (see key)"
        yield Mistake((*at, "each", "moves"), what)
    for other, spec in contract.streams.items():
        if other in TABLES and other != name:
            yield from _reference_mistakes(other, spec, name, owner)


def _reference_mistakes(name: str, stream: Stream, target: str, owner: str) -> Iterator[Mistake]:
    """Why ``stream`` cannot refer to rows of ``target``, whose ids consist of ``owner`` and the API's own id."""
    at: Steps = ("streams", name)
    from_path = stream.listed_by
    for column in stream.fields:
        if _target(name, column) == target and column != from_path:
            what = f"cannot name a row of {target}, whose ids are composite: use each, with of: [{target}.id]"
            yield Mistake((*at, "fields", column), what)
    sources = stream.each.of if stream.each else ()
    for source in sources:
        if _target(*source.partition(".")[::2]) == target:
            what = f"is wrong: {source} holds composite ids. Name {target}.id instead"
            yield Mistake((*at, "each", "of"), what)
    if f"{target}.id" in sources:
        if len(sources) > 1:
            yield Mistake(
                (*at, "each", "of"), f"is wrong: {target}.id holds composite ids, so it must be the only source"
            )
        if owner not in stream.placeholders():
            what = f"must contain {{{owner}}}, too: ids of {target} are unique only together with it (see its key)"
            yield Mistake((*at, "path"), what)


def _target(table: str, column: str) -> str:
    """The table whose rows the column refers to; empty if it refers to none."""
    info = TABLES[table].c[column].info if table in TABLES and column in TABLES[table].c else {}
    return str(info.get("parent") or info.get("references") or "")


def _each_mistakes(at: Steps, each: Each) -> Iterator[Mistake]:
    for source in each.of:
        name, _, column = source.partition(".")
        if name not in TABLES:
            yield Mistake((*at, "of"), f"is wrong: the warehouse has no table {name}{suggestion(name, TABLES)}")
            continue
        yield from _unknown_column((*at, "of"), column, TABLES[name])
        if each.declared:
            yield from _unknown_column((*at, "declared"), each.declared, TABLES[name])


def _embedded_mistakes(at: Steps, embedded: Embedded, stream: str) -> Iterator[Mistake]:
    name = str(at[-1])
    inside = [table for table, columns in TABLES.items() if _keys(columns) != ["id"] and _parent(columns) == stream]
    if name not in inside:
        what = f"fills no table: no table of this name is embedded in {stream}{suggestion(name, inside)}"
        yield Mistake(at, what)
        return
    table = TABLES[name]
    owner = (parent_of(table) or ("",))[0]
    if embedded.parent_key != owner:
        what = f"is wrong: the column that names the record is {owner}, not {embedded.parent_key}"
        yield Mistake((*at, "parent_key"), what)
    if owner in embedded.fields:
        yield Mistake((*at, "fields", owner), f"has no effect: {owner} always gets the id of the record; remove it")
    yield from _unknown_columns((*at, "fields"), embedded.fields, table)
    for column in _keys(table):
        if column not in embedded.fields and column != owner:
            yield Mistake((*at, "fields"), f"lacks {column}: map it, because it is part of the key")


def _unknown_columns(at: Steps, fields: Fields, table: sa.Table) -> Iterator[Mistake]:
    for name, source in fields.items():
        yield from _unknown_column((*at, name), name, table)
        if name in table.columns and kind(table.c[name]) != "timestamp":
            for word in {"epoch", "no_times"} & source.model_fields_set:
                yield Mistake((*at, name, word), f"acts on times only, and {table.name}.{name} holds none")
        if source.entities and name in table.columns and not is_prose(table.c[name]):
            what = (
                f"is wrong: {table.name}.{name} is not a text, or names a row or a person and must stay as it is sent"
            )
            yield Mistake((*at, name, "entities"), what)


def _unknown_column(at: Steps, name: str, table: sa.Table) -> Iterator[Mistake]:
    columns = [c.name for c in own_columns(table)]
    if name not in columns:
        yield Mistake(at, f"is wrong: the table {table.name} has no column {name}{suggestion(name, columns)}")


def _parent(table: sa.Table) -> str:
    """The table whose rows this one's belong to; empty if there is none."""
    return (parent_of(table) or ("", ""))[1]


def _keys(table: sa.Table) -> list[str]:
    return [c.name for c in own_keys(table)]
