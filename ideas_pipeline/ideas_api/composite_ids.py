"""Ids that are made of a record's columns, where its own is missing or not unique, and what the API is asked for then.

A stream's ``key`` names the columns. Without ``id`` among them, it makes the id of a record that brings none. With
``id`` among them, the source's ids are unique only together with the other columns: every id is made.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from ideas_pipeline.contract.model import Contract, Stream
from ideas_pipeline.contract.types import Json

# The column in which a record names another one of its own list. A test holds this against the tables.
NAMES_ITS_OWN_KIND = {"comments": "parent_comment_id"}


def every_id_is_made(spec: Stream) -> bool:
    """Whether the source's own ids are not unique within the community."""
    return "id" in spec.key


def made_id(columns: dict[str, Json], key: tuple[str, ...], placeholder: str | None) -> str | None:
    """A compact JSON list of the key columns' values as text; None where only the scope is known of them."""
    values = {name: id_text(columns.get(name)) for name in key}
    if all(value is None for name, value in values.items() if name != placeholder):
        return None
    return orjson.dumps(list(values.values())).decode()


def make_ids(columns: dict[str, Json], stream: str, key: tuple[str, ...]) -> None:
    """Makes the id of a record whose own is not unique, and the one by which it names another record, in place.

    An id that is missing, or cannot be one, stays as it is: the record is rejected for it.
    """
    made = {}
    for name in _made(stream):
        own = columns.get(name)
        if type(own) in (str, int) or (type(own) is float and own.is_integer()):
            made[name] = made_id(columns | {"id": own}, key, None)
    columns.update(made)


def own_ids(columns: Mapping[str, Json], stream: str, key: tuple[str, ...]) -> dict[str, Json]:
    """``columns`` with the source's own ids in the place of those that ``make_ids`` made."""
    values = {name: columns[name] for name in _made(stream) if isinstance(columns.get(name), str)}
    return {**columns, **{name: parts(key, value).get("id", value) for name, value in values.items()}}


def _made(stream: str) -> list[str]:
    return ["id", *([NAMES_ITS_OWN_KIND[stream]] if stream in NAMES_ITS_OWN_KIND else [])]


def parts(key: tuple[str, ...], id_: str) -> dict[str, str | None]:
    """The values of which an id was made, by the columns of ``key``; none where it was not made of them."""
    values = values_of(id_)
    return dict(zip(key, values, strict=True)) if len(values) == len(key) else {}


def values_of(id_: str) -> list[Json]:
    """The values of which an id was made, in the order of the key; none where it is the source's own."""
    if not id_.startswith("["):
        return []
    try:
        values: list[Json] = orjson.loads(id_)
    except orjson.JSONDecodeError:
        return []
    return values


def parent_key(contract: Contract, stream: str) -> tuple[str, ...]:
    """The columns of which the ids were made that are the scopes of ``stream``; none where they are the source's."""
    each = contract.streams[stream].each
    for source in each.of if each else ():
        table, column = source.split(".")
        if column == "id" and table in contract.streams and every_id_is_made(contract.streams[table]):
            return contract.streams[table].key
    return ()


def in_the_path(contract: Contract, stream: str, scope: str) -> dict[str, str]:
    """What the placeholders of the stream's path stand for: the source's own id, and what else its parent is known by.

    Raises KeyError where ``scope`` is not made as the contract says now.
    """
    each = contract.streams[stream].each
    if each is None:
        return {}
    key = parent_key(contract, stream)
    if not key:
        return {each.placeholder: scope}
    values = {name: value or "" for name, value in parts(key, scope).items()}
    return {each.placeholder: values.pop("id")} | values


def id_text(value: Json) -> str | None:
    """An id as text, a whole number without a point: 12 here, 12.0 and "12" there are one id."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)
