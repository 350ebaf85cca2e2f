"""Whether a contract and the warehouse's tables fit together: what the contract's own models cannot know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa

from ideas_pipeline.contract.load import load_contract, unusable
from ideas_pipeline.contract.mistakes import Mistake, nearest
from ideas_pipeline.contract.model import Contract, Stream
from ideas_pipeline.contract.types import Json
from ideas_pipeline.contract.yaml_lines import Steps
from ideas_pipeline.tables.columns import own_keys, part_of
from ideas_pipeline.tables.community import TABLES

_CURSOR = Stream.model_fields["cursor"].default


def load_fitting_contract(override: Path | None) -> Contract:
    """As ``load_contract``, and ContractError also tells, by file and line, what does not fit the tables."""
    return load_contract(override, more_mistakes=_mistakes)


def check_fit(contract: Contract) -> None:
    """Raises ContractError, a line for each mistake, where ``contract`` names a table or column that does not exist,
    or leaves a key, or the column that says whose row it is, without a value."""
    if found := list(_mistakes(contract.model_dump(by_alias=True))):
        raise unusable(f"  {'.'.join(map(str, mistake.steps))} {mistake.what}" for mistake in found)


def _mistakes(contract: Json) -> Iterator[Mistake]:
    """What does not fit in a contract as plain data. What has not even the right shape is passed over."""
    streams = {name: stream for name, stream in _map(_map(contract).get("streams")).items() if isinstance(stream, dict)}
    for name, stream in streams.items():
        yield from _stream_mistakes(("streams", name), name, stream)
        if name in TABLES:
            yield from _time_mistakes(("streams", name), name, stream)
            yield from _fingerprint_mistakes(("streams", name, "each", "changed_when"), streams, stream)
        if name in TABLES and "id" in _texts(stream.get("key")):
            yield from _made_id_mistakes(streams, name)


def _stream_mistakes(at: Steps, name: str, stream: dict[str, Json]) -> Iterator[Mistake]:
    streams = [table for table, columns in TABLES.items() if _keys(columns) == ["id"]]
    if name not in streams:
        yield Mistake(
            at, f"fills no table: a stream has the name of its table, and there is none{nearest(name, streams)}"
        )
        return
    table, fields, each = TABLES[name], _map(stream.get("fields")), _map(stream.get("each"))
    yield from _unknown_keys((*at, "fields"), fields, table)
    filled = _filled(stream)
    for column in _texts(stream.get("key")):
        if column not in filled:
            yield Mistake((*at, "key"), f"is wrong: {column} has no value{nearest(column, filled)}")
    owner = part_of(table)
    if owner and owner[0] not in filled:
        what = f"lacks {owner[0]}: map it, as it says to which row of {owner[1]} a record belongs"
        yield Mistake((*at, "fields"), what)
    yield from _each_mistakes((*at, "each"), each)
    for embedded_name, embedded in _map(stream.get("embedded")).items():
        if isinstance(embedded, dict):
            yield from _embedded_mistakes((*at, "embedded", embedded_name), embedded_name, embedded, name)


def _time_mistakes(at: Steps, name: str, stream: dict[str, Json]) -> Iterator[Mistake]:
    """Columns by which a list is filtered, or its days told, that have no value."""
    cursor = stream.get("cursor", _CURSOR)
    named = [((bound, "column"), _map(stream.get(bound)).get("column")) for bound in ("since", "until")]
    # Where the API says no times at all, there are no days to tell.
    for steps, column in [*named, *([(("cursor",), cursor)] if cursor != _CURSOR else [])]:
        if isinstance(column, str) and column not in _filled(stream):
            yield Mistake((*at, *steps), f"is wrong: {_no_value(column, name, stream)}")


def _fingerprint_mistakes(at: Steps, streams: dict[str, dict[str, Json]], stream: dict[str, Json]) -> Iterator[Mistake]:
    """What a parent is to say of its list, and does not: its lists would be left alone though they have changed."""
    each = _map(stream.get("each"))
    parents = {source.partition(".")[0] for source in _texts(each.get("of"))} & streams.keys()
    for parent in sorted(parents):
        for column in _texts(each.get("changed_when")):
            if column not in _filled(streams[parent]):
                yield Mistake(at, f"is wrong: {_no_value(column, parent, streams[parent])}")


def _no_value(column: str, name: str, stream: dict[str, Json]) -> str:
    return f"{name} has no value for {column}{nearest(column, _filled(stream))}"


def _filled(stream: dict[str, Json]) -> set[str]:
    """The columns of a stream that get a value."""
    each = _map(stream.get("each"))
    is_list = stream.get("reads", "list") == "list"
    return set(_map(stream.get("fields"))) | ({str(each.get("placeholder"))} if each and is_list else set())


def _made_id_mistakes(streams: dict[str, dict[str, Json]], name: str) -> Iterator[Mistake]:
    """Why the ids of the stream ``name`` cannot be made of a key with id, or cannot be used where they are named."""
    stream, owner = streams[name], (part_of(TABLES[name]) or ("", ""))[0]
    at = ("streams", name)
    if not owner:
        yield Mistake((*at, "key"), f"cannot hold id: {name} is one list, in which each id must be unique")
        return
    if set(_texts(stream.get("key"))) != {owner, "id"}:
        what = f"cannot make unique ids: with id, it holds {owner} and nothing else, as an id is unique in its list"
        yield Mistake((*at, "key"), what)
    if _map(stream.get("each")).get("moves"):
        what = f"cannot be true: a record that moves keeps its id, and this one is made of {owner} (see key)"
        yield Mistake((*at, "each", "moves"), what)
    for other, spec in streams.items():
        if other in TABLES and other != name:
            yield from _naming_mistakes(("streams", other), other, spec, name, owner)


def _naming_mistakes(at: Steps, stream: str, spec: dict[str, Json], target: str, owner: str) -> Iterator[Mistake]:
    """What keeps ``stream`` from naming rows of ``target``, whose ids are made of ``owner`` and the source's id."""
    for column in _map(spec.get("fields")):
        if _target(stream, column) == target:
            what = f"cannot name a row of {target}, whose ids are made of a key: use each, with of: [{target}.id]"
            yield Mistake((*at, "fields", column), what)
    sources = _texts(_map(spec.get("each")).get("of"))
    for source in sources:
        if _target(*source.partition(".")[::2]) == target:
            yield Mistake((*at, "each", "of"), f"is wrong: {source} is made of a key. Name {target}.id instead")
    if f"{target}.id" in sources:
        if len(sources) > 1:
            yield Mistake((*at, "each", "of"), f"is wrong: {target}.id is made of a key, so it must stand alone")
        if f"{{{owner}}}" not in str(spec.get("path")):
            what = f"must contain {{{owner}}}, too: ids of {target} are unique only together with it (see its key)"
            yield Mistake((*at, "path"), what)


def _target(table: str, column: str) -> str:
    """The table whose row the column names; empty where it names none."""
    info = TABLES[table].c[column].info if table in TABLES and column in TABLES[table].c else {}
    return str(info.get("part_of") or info.get("refers_to") or "")


def _each_mistakes(at: Steps, each: dict[str, Json]) -> Iterator[Mistake]:
    for source in _texts(each.get("of")):
        table, _, column = source.partition(".")
        if table not in TABLES:
            yield Mistake((*at, "of"), f"is wrong: there is no table {table}{nearest(table, TABLES)}")
            continue
        if column:
            yield from _unknown_column((*at, "of"), column, TABLES[table])
        for declared in _texts(each.get("declared")):
            yield from _unknown_column((*at, "declared"), declared, TABLES[table])


def _embedded_mistakes(at: Steps, name: str, embedded: dict[str, Json], stream: str) -> Iterator[Mistake]:
    known = [table for table, columns in TABLES.items() if (part_of(columns) or ("", ""))[1] == stream]
    inside = [table for table in known if _keys(TABLES[table]) != ["id"]]
    if name not in inside:
        yield Mistake(
            at, f"fills no table: none of this name holds what is inside a record of {stream}{nearest(name, inside)}"
        )
        return
    table, fields = TABLES[name], _map(embedded.get("fields"))
    owner = (part_of(table) or ("",))[0]
    for column in _texts(embedded.get("parent_key")):
        if column != owner:
            yield Mistake((*at, "parent_key"), f"is wrong: the column that names the record is {owner}, not {column}")
    yield from _unknown_keys((*at, "fields"), fields, table)
    for column in _keys(table):
        if column not in fields and column != owner:
            yield Mistake((*at, "fields"), f"lacks {column}: map it, as it is part of the key")


def _unknown_keys(at: Steps, fields: Iterable[str], table: sa.Table) -> Iterator[Mistake]:
    for name in fields:
        yield from _unknown_column((*at, name), name, table)


def _unknown_column(at: Steps, name: str, table: sa.Table) -> Iterator[Mistake]:
    columns = [c.name for c in table.columns if c.name != "community" and not c.name.startswith("_")]
    if name not in columns:
        yield Mistake(at, f"is wrong: the table {table.name} has no column {name}{nearest(name, columns)}")


def _keys(table: sa.Table) -> list[str]:
    return [c.name for c in own_keys(table)]


def _map(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _texts(value: Json) -> list[str]:
    """The texts in a list, or in what stands for one."""
    values = value if isinstance(value, list | tuple) else [value]
    return [value for value in values if isinstance(value, str)]
