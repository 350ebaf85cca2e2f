"""Map a JSON record of any shape to values by column, as the contract says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from ideas_pipeline.contract.model import Contract, Embedded, FieldSource
from ideas_pipeline.contract.types import Json, Paths
from ideas_pipeline.errors import UnexpectedResponse
from ideas_pipeline.ideas_api.composite_ids import (
    PEOPLE,
    all_ids_are_composite,
    anonymous_id,
    composite_id,
    id_text,
    is_bare_id,
    parent_key,
    path_values,
    set_composite_ids,
    state_of,
)
from ideas_pipeline.ideas_api.deleted import says_deleted
from ideas_pipeline.ideas_api.envelopes import counts_beside, is_cut_short, unwrapped
from ideas_pipeline.ideas_api.references import NO_ROWS, REFERS, KnownRows, plain_references, words_for
from ideas_pipeline.text import Repeated, clean_text, decode_entities

MISSING: Final[Any] = type("Missing", (), {"__repr__": lambda _: "MISSING"})()

# Databases and encoders refuse deep JSON, each at another depth. No real field is nested deeper than this.
_DEEPEST = 50
_TOO_DEEP = "(nested too deeply to be stored)"

_EMAIL = re.compile(r"\s*(?:[^<>@]*<)?(?:mailto:)?[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+>?\s*", re.IGNORECASE)
_LONGEST_EMAIL = 400

# The parts of a record that the contract's paths read: True if the whole value is read.
_ReadTree = dict[str, Any]
_Nones = dict[type, tuple[Json, ...]]
_Candidates = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(slots=True)
class Record:
    """One record by column.

    Attributes:
        columns: the value of each column that the record has. None means that the record says "none"; a column none of
            whose paths is present is left out.
        extra: the fields that the contract does not map.
        embedded: the embedded rows by table, for the tables whose list is present in the record.
        cut: the tables whose embedded list says that it goes on elsewhere.
        named: the parent that the record itself names, if it names one. The record belongs to it if it is known.
        state: a digest of its content if its id does not identify it: the id was made up, or another record of the page
            has it, too.
        repeats: set if another record with its id came before it in the same sweep. If one of both was edited after
            this moment (timezone-aware), they may be one record that changed while its list was read.
        deleted: whether the record says that it is deleted.
    """

    columns: dict[str, Json]
    extra: dict[str, Json]
    embedded: dict[str, list[Record]] = field(default_factory=dict)
    cut: frozenset[str] = frozenset()
    named: str | None = None
    state: str | None = None
    repeats: datetime | None = None
    deleted: bool = False


Outline = Callable[[Json, str | None, int], Record]


class Mapper(Protocol):
    """Maps a record to columns: the record, its key in a keyed map, its index from 0, the scope, and the known rows."""

    def __call__(
        self, record: Json, key: str | None, index: int, scope: str, known: KnownRows = NO_ROWS, /
    ) -> Record: ...


def present(value: Json, paths: Paths) -> Json:
    """The first value at ``paths`` that is not null; None if all are null; MISSING if no path is present."""
    found: Json = MISSING
    for path in paths:
        at = value
        for step in () if path in ("@body", "@value") else path.split("."):
            at = at.get(step, MISSING) if isinstance(at, dict) else MISSING
        if at is not MISSING and at is not None:
            return at
        found = at if found is MISSING else found
    return found


def records_in(body: Json, paths: Paths) -> list[tuple[str | None, Json]]:
    """The records of a response, each with its key if they are a map by id, else None.

    Args:
        body: the response's JSON.
        paths: where the records are: a list, perhaps in an envelope, a map of objects, or one object. Null and empty
            values have no records; PHP also sends false.

    Raises:
        UnexpectedResponse: no path is present, or the value there is of another kind.
    """
    found = present(body, paths)
    if found is MISSING:
        raise no_list(paths, body, "there is nothing at {} in")
    if not (found in (None, "") or found is False or isinstance(found, list | dict)):
        raise no_list(paths, found)
    found = unwrapped(found)
    if not found:
        return []
    if isinstance(found, list):
        return [(None, record) for record in found]
    if all(isinstance(record, dict) for record in found.values()):
        return list(found.items())
    return [(None, found)]


def no_list(paths: Paths, found: Json, what: str = "at {} is") -> UnexpectedResponse:
    """The error for a response without a list at ``paths``, where ``found`` is."""
    return UnexpectedResponse(
        "the response has no list of records where the contract expects it: "
        f"{what.format(' or '.join(paths))} {_shape(found)}",
        hint="Set the stream's records to the path of the list.",
    )


def field_map(contract: Contract, stream: str) -> Mapper:
    """A function that maps the records of ``stream``.

    Its arguments are the record, its key in a keyed map (or None), its index from 0, the scope, and the rows that are
    known. The column that ``each.placeholder`` names gets the parent that the record itself names, if that one is
    known, and the scope otherwise: an API can ignore the parent in the path. A missing id becomes a composite id of the
    stream's ``key``, or the scope if the stream reads one record at a time. A number as id becomes text. Records of one
    page can still have one id: see ``repeated_ids``.
    """
    spec = contract.streams[stream]
    item = _item_map(contract, spec.fields, [*spec.deleted, *(p for e in spec.embedded.values() for p in e.paths)])
    embedded = [(name, e, _embedded_map(contract, e), counts_beside(e.paths)) for name, e in spec.embedded.items()]
    is_list = spec.reads == "list"
    placeholder = spec.listed_by
    all_composite = all_ids_are_composite(spec)
    below_composite = bool(parent_key(contract, stream))
    person = PEOPLE.get(stream) if PEOPLE.get(stream) in spec.key else None
    settle = plain_references(contract, stream, spec.fields.keys() - {placeholder})
    parents_called = words_for(contract, REFERS.get(placeholder or "", ""))

    def record_of(record: Json, key: str | None, index: int, scope: str, known: KnownRows = NO_ROWS, /) -> Record:
        mapped = item(record, key, index)
        columns = mapped.columns
        settle(columns, known)
        mapped.deleted = bool(spec.deleted) and says_deleted(present(record, spec.deleted), contract.no_times)
        if placeholder is not None:
            named = mapped.named = _id_named(columns.get(placeholder))
            columns[placeholder] = scope
            if named is not None and below_composite and named == _own_id(contract, stream, scope):
                mapped.named = scope
            elif named is not None and (parent := known.parent(named, parents_called)) is not None:
                columns[placeholder] = mapped.named = parent
        own_id = columns.get("id")
        if all_composite:
            set_composite_ids(columns, stream, spec.key)
        elif own_id is None and not is_list:
            columns["id"] = scope
        elif own_id is None:
            unknown = person is not None and columns.get(person) is None
            made = anonymous_id(columns, spec, placeholder) if unknown else composite_id(columns, spec.key, placeholder)
            columns["id"] = made
            mapped.state = made and state_of(columns, mapped.extra, spec.volatile)
        elif type(own_id) in (int, float):  # 12 and "12" are the same id
            columns["id"] = id_text(own_id)
        for table, each, rows_of, counts_exceed in embedded:
            stated = present(record, each.paths)
            rows = MISSING if stated is MISSING else rows_of(stated, columns["id"])
            if rows is not MISSING:
                mapped.embedded[table] = rows
                if is_cut_short(stated) or counts_exceed(record, len(rows)):
                    mapped.cut |= {table}
        return mapped

    return record_of


def outline(contract: Contract, stream: str) -> Outline | None:
    """A function that maps of a record only what completeness needs: its id, and the times that show a list's order.

    Its arguments are the record, its key in a keyed map, and its index. An id is text if the API sent text or a number.

    Returns:
        None if the stream's ids are composite, or it reads one record at a time.
    """
    spec = contract.streams[stream]
    if all_ids_are_composite(spec) or spec.reads != "list":
        return None
    names = [name for name in ("id", "created_at", "updated_at") if name in spec.fields]
    columns_of = _columns_map(contract, {name: spec.fields[name] for name in names})

    def outline_of(value: Json, key: str | None, index: int) -> Record:
        columns = columns_of(value, key, index)
        if type(columns.get("id")) in (int, float):
            columns["id"] = id_text(columns["id"])
        return Record(columns, {})

    return outline_of


def _id_named(value: Json) -> str | None:
    """The id in a column that names a row; None for anything that is not an id."""
    return clean_text(text) if type(value) in (str, int, float) and (text := id_text(value)) else None


def _own_id(contract: Contract, stream: str, scope: str) -> str:
    """The API's own id of the parent whose composite id is ``scope``."""
    each = contract.streams[stream].each
    try:
        return path_values(contract, stream, scope)[each.placeholder] if each else scope
    except KeyError:
        return scope


def _embedded_map(contract: Contract, spec: Embedded) -> Callable[[Json, Json], list[Record]]:
    """A function (list or map, the parent's id) -> rows. It returns MISSING for anything else, such as a count."""
    item = _item_map(contract, spec.fields, [])
    first = next(iter(spec.fields.values())).paths if spec.fields else ()
    naming = tuple(path for path in first if not path.startswith("@"))
    nones = _nones(contract.none_values)

    def rows_of(stated: Json, parent: Json) -> Json:
        pairs: list[tuple[str | None, Json]]
        stated = unwrapped(stated)
        if stated is None or stated in nones.get(type(stated), ()):
            pairs = []
        elif isinstance(stated, list):
            pairs = [(None, value) for value in stated]
        elif isinstance(stated, str) or (isinstance(stated, dict) and _is_one_item(stated, naming)):
            pairs = [(None, stated)]
        elif isinstance(stated, dict):
            pairs = list(stated.items())
        else:
            return MISSING
        rows = [item(value, key, index) for index, (key, value) in enumerate(pairs) if value is not None]
        for row in rows:
            row.columns[spec.parent_key] = parent
        return rows

    return rows_of


def _is_one_item(stated: dict[str, Json], naming: Paths) -> bool:
    """Whether a map is a single item, and not a map of items, or of plain values, by key."""
    return not all(isinstance(value, dict) for value in stated.values()) and present(stated, naming) is not MISSING


def _item_map(
    contract: Contract, fields: Mapping[str, FieldSource], elsewhere: list[str]
) -> Callable[[Json, str | None, int], Record]:
    """A function (value, key, index) -> Record. ``elsewhere``: paths that others read, so they are not ``extra``."""
    columns_of = _columns_map(contract, fields)
    paths = [path for source in fields.values() for path in source.paths]
    tree = _read_tree(paths + elsewhere)
    read_whole = frozenset(name for name, below in tree.items() if below is True)
    not_stored = frozenset(name.lower() for name in contract.not_stored)

    def record_of(value: Json, key: str | None, index: int) -> Record:
        record = value if isinstance(value, dict) else {}
        extra = {} if record.keys() <= read_whole else _left(record, tree, not_stored, 0)
        return Record(columns_of(value, key, index), extra)

    return record_of


def _columns_map(
    contract: Contract, fields: Mapping[str, FieldSource]
) -> Callable[[Json, str | None, int], dict[str, Json]]:
    """A function (value, key, index) -> the value by column."""
    plan = [
        (name, _candidates(source.paths), _nones(contract.none_values + source.none)) for name, source in fields.items()
    ]
    uses_place = any(path.startswith("@") for source in fields.values() for path in source.paths)
    escaped = [name for name, source in fields.items() if source.entities]

    def columns_of(value: Json, key: str | None, index: int) -> dict[str, Json]:
        source = record = value if isinstance(value, dict) else {}
        if uses_place:
            source = record | {"@value": value, "@body": value, "@index": index}
            if key is not None:
                source["@key"] = key
        get = source.get
        columns: dict[str, Json] = {}
        for column, candidates, nones in plan:
            for name, below in candidates:
                found = get(name, MISSING)
                for step in below:
                    if found.__class__ is list and found:
                        found = found[0]  # the first of several authors
                    if found.__class__ is dict and found:
                        found = found.get(step, MISSING)
                    elif step == "id" and is_bare_id(found):
                        break  # "author": 7 is "author": {"id": 7}
                    elif found is not MISSING and found.__class__ is not Repeated:
                        found = None  # "author": null and "author": [] mean no author
                if found is MISSING:
                    continue
                if found is None or ((empty := nones.get(found.__class__)) and found in empty):
                    columns[column] = None
                    continue
                columns[column] = found
                break
        for column in escaped:
            if isinstance(text := columns.get(column), str):
                columns[column] = decode_entities(text)
        return columns

    return columns_of


def _candidates(paths: Paths) -> _Candidates:
    return tuple((first, tuple(below)) for first, *below in (path.split(".") for path in paths))


def _nones(values: tuple[Json, ...]) -> _Nones:
    """The values that mean "none", by type. As in JSON, 0 equals 0.0, but neither equals false."""
    nones: _Nones = {}
    for value in values:
        for kind in (int, float) if type(value) in (int, float) else (type(value),):
            nones[kind] = (*nones.get(kind, ()), value)
    return nones


def _read_tree(paths: list[str]) -> _ReadTree:
    tree: _ReadTree = {}
    for path in sorted(paths):  # "stage" sorts before "stage.id", and includes it
        if path.startswith("@"):
            continue
        *way, last = path.split(".")
        at: Any = tree
        for step in way:
            at = True if at is True else at.setdefault(step, {})
        if at is not True:
            at[last] = True
    return tree


def _left(record: dict[str, Json], read: _ReadTree, not_stored: frozenset[str], depth: int) -> dict[str, Json]:
    """``record`` without what is read and what must not be stored. Maps that become empty are dropped."""
    left: dict[str, Json] = {}
    for name, value in record.items():
        below = read.get(name)
        if below is True or name.lower() in not_stored or is_email(name):
            continue
        if below and not value:  # some APIs send "author": [] for no author
            continue
        kept = _storable(value, below or {}, not_stored, depth + 1)
        if kept is not MISSING:
            left[name] = kept
    return left


def storable(value: Json, not_stored: frozenset[str]) -> Json:
    """``value`` without what must not be stored, at any depth; None if nothing is left.

    Args:
        value: a value as received.
        not_stored: the names of the contract's ``not_stored``, in lower case.
    """
    left = _storable(value, {}, not_stored, 0)
    return None if left is MISSING else left


def _storable(value: Json, read: _ReadTree, not_stored: frozenset[str], depth: int) -> Json:
    if depth > _DEEPEST:
        return _TOO_DEEP
    if isinstance(value, dict):
        left = _left(value, read, not_stored, depth)
        return left if left or not value else MISSING
    if isinstance(value, list):
        items = [_storable(item, {}, not_stored, depth + 1) for item in value]
        return [item for item in items if item is not MISSING]
    return MISSING if isinstance(value, str) and is_email(value) else value


def is_email(text: str) -> bool:
    """Whether a text as a whole is an e-mail address, also with a name before it: ``Ann <ann@people.example>``."""
    return "@" in text and len(text) < _LONGEST_EMAIL and _EMAIL.fullmatch(text) is not None


def _shape(value: Json) -> str:
    """The kind of a value and its names, never a value."""
    if isinstance(value, dict):
        names = ", ".join(sorted(name for name in value if not is_email(name))[:10])
        return f"a map of {names}" if names else "an empty map"
    kinds = {list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
