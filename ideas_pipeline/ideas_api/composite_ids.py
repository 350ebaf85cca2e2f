"""Composite ids, for records whose own id is missing or not unique, and the URL path values that they stand for.

A stream's ``key`` names the columns. If ``id`` is not among them, only records without an id get a composite id. If it
is, the API's ids are unique only together with the other columns, and every record gets a composite id.

The votes of two people whose accounts were deleted are two votes: a record whose person is unknown is identified by its
content as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import orjson

from ideas_pipeline.contract.model import Contract, Stream
from ideas_pipeline.contract.types import Json
from ideas_pipeline.text import json_text

# The column in which a record names another record of its own list. A test compares this with the tables.
SELF_REFERENCES = {"comments": "parent_comment_id"}
# The column in which a record names its person. A test compares this with the tables.
PEOPLE = {"ideas": "author_id", "comments": "author_id", "votes": "user_id"}

# The columns that hold a person's id, in any table. A test compares them with the tables.
_OF_PEOPLE = frozenset({"author_id", "user_id"})

# What never changes in a record, and contains no personal data: it identifies a record whose person is unknown.
_LASTING = ("_at", "_id", "type", "value")
_PASSING = ("_count", "updated_at")
_BY_CONTENT = "~"


def all_ids_are_composite(spec: Stream) -> bool:
    """Whether the API's own ids are not unique within the community."""
    return "id" in spec.key


def names_people(contract: Contract, stream: str) -> bool:
    """Whether the scopes of a stream are ids of people, or contain them: no error, log line or message shows these."""
    each = contract.streams[stream].each
    for source in each.of if each else ():
        table, column = source.split(".")
        if (table, column) == ("users", "id") or column in _OF_PEOPLE:
            return True
        named = contract.streams.get(table if column == "id" else f"{column.removesuffix('_id')}s")
        if named and not _OF_PEOPLE.isdisjoint(named.key):
            return True
    return False


def shown_scope(contract: Contract, stream: str, scope: str) -> str:
    """The scope as errors may show it: empty if it is, or contains, a person's id."""
    return "" if names_people(contract, stream) else scope


def composite_id(columns: dict[str, Json], key: tuple[str, ...], placeholder: str | None) -> str | None:
    """The id that consists of the key columns: a compact JSON list of their values as text.

    Args:
        columns: the record by column.
        key: the columns of the key.
        placeholder: the column that holds the scope, if there is one.

    Returns:
        None if no key column but the placeholder has a value.
    """
    values = {name: id_text(columns.get(name)) for name in key}
    if all(value is None for name, value in values.items() if name != placeholder):
        return None
    return orjson.dumps(list(values.values())).decode()


def anonymous_id(columns: dict[str, Json], spec: Stream, placeholder: str | None) -> str | None:
    """The id of a record whose person is unknown: its key, and a digest of what does not change in it.

    Args:
        columns: the record by column.
        spec: the record's stream.
        placeholder: the column that holds the scope, if there is one.

    Returns:
        None if there is nothing that could identify it.
    """
    lasting = {
        name: str(value)
        for name, value in columns.items()
        if value is not None
        and name not in (placeholder, *spec.volatile)
        and not name.endswith(_PASSING)
        and (isinstance(value, bool | int | float) or (isinstance(value, str) and name.endswith(_LASTING)))
    }
    if not lasting:
        return None
    digest = hashlib.blake2b(json_text(lasting).encode(), digest_size=6).hexdigest()
    return orjson.dumps([*(id_text(columns.get(name)) for name in spec.key), _BY_CONTENT + digest]).decode()


def numbered(id_: str, number: int) -> str:
    """The id of the record that is the ``number``-th, from 1, with an anonymous id; the first one keeps it."""
    return id_ if number == 1 else orjson.dumps([*split_id(id_), str(number)]).decode()


def is_anonymous(id_: str) -> bool:
    """Whether an id was made of the content of a record whose person is unknown."""
    return any(isinstance(value, str) and value.startswith(_BY_CONTENT) for value in split_id(id_)[-2:])


def state_of(columns: dict[str, Json], extra: dict[str, Json], volatile: Collection[str]) -> str:
    """A digest of a record's content, which distinguishes two records with one id. It is never stored."""
    content = [{name: value for name, value in part.items() if name not in volatile} for part in (columns, extra)]
    try:
        text = json_text(content)
    except ValueError:  # nested too deeply
        text = json_text({name: str(type(value)) for name, value in columns.items()})
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def set_composite_ids(columns: dict[str, Json], stream: str, key: tuple[str, ...]) -> None:
    """Replace the record's own id, and the id by which it names another record, by composite ids, in place.

    An id that is missing or invalid stays as it is, so that the record is rejected.

    Args:
        columns: the record by column; it is changed.
        stream: the record's stream.
        key: the columns of the key.
    """
    composite = {}
    for name in _id_columns(stream):
        own = columns.get(name)
        if type(own) in (str, int) or (type(own) is float and own.is_integer()):
            composite[name] = composite_id(columns | {"id": own}, key, None)
    columns.update(composite)


def _id_columns(stream: str) -> list[str]:
    return ["id", *([SELF_REFERENCES[stream]] if stream in SELF_REFERENCES else [])]


def key_values(key: tuple[str, ...], id_: str) -> dict[str, str | None]:
    """The values in a composite id by column; empty if the id does not consist of the columns of ``key``."""
    values = split_id(id_)
    return dict(zip(key, values, strict=True)) if len(values) == len(key) else {}


def split_id(id_: str) -> list[Json]:
    """The values in a composite id, in the order of the key; empty if the id is the API's own."""
    if not id_.startswith("["):
        return []
    try:
        values: list[Json] = orjson.loads(id_)
    except orjson.JSONDecodeError:
        return []
    return values


def parent_key(contract: Contract, stream: str) -> tuple[str, ...]:
    """The key of the composite ids that are the scopes of ``stream``; empty if its scopes are the API's own ids."""
    each = contract.streams[stream].each
    for source in each.of if each else ():
        table, column = source.split(".")
        if column == "id" and table in contract.streams and all_ids_are_composite(contract.streams[table]):
            return contract.streams[table].key
    return ()


def path_values(contract: Contract, stream: str, scope: str) -> dict[str, str]:
    """The values of the placeholders in the stream's path: the API's own id of the parent, and the rest of its key.

    Args:
        contract: the contract.
        stream: the stream.
        scope: the scope to request.

    Raises:
        KeyError: ``scope`` is not a composite id as the contract defines it now.
    """
    each = contract.streams[stream].each
    if each is None:
        return {}
    key = parent_key(contract, stream)
    if not key:
        return {each.placeholder: scope}
    values = {name: value or "" for name, value in key_values(key, scope).items()}
    return {each.placeholder: values.pop("id")} | values


def id_text(value: Json) -> str | None:
    """An id as text, whole numbers without a decimal point: 12, 12.0 and "12" are the same id."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def is_bare_id(value: Json) -> bool:
    """Whether a value at the place of an object is the object's id: a number, or a text with a digit and no space.

    A text without a digit can be a person's name, and 0 and false stand for no object.
    """
    if isinstance(value, str):
        return len(value.split()) == 1 and any(map(str.isdigit, value)) and "@" not in value
    return type(value) is int and value > 0
