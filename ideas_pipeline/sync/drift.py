"""Fields of a stream's records that are new, have another kind of value than before, or have vanished.

If a record lacks a field, either it has no value, or the API no longer sends the field. One record cannot tell which,
but a run can: if all of its records so far lack a field that nearly all had before, the field has vanished. Its value
is then unknown, and the rows keep the value that they have. Otherwise the value is null.

A list inside a record that is left out tells as little, unless the API leaves out empty lists: then some of the run's
records have the list, some lack it, and none has it without items.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain

from ideas_pipeline.contract.model import Contract, Fields
from ideas_pipeline.contract.yaml_file import to_yaml
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.privacy.key import is_surrogate
from ideas_pipeline.privacy.policy import ABOUT_A_PERSON
from ideas_pipeline.probe.guess import likeness
from ideas_pipeline.tables.columns import Kind, kind, pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse import fields
from ideas_pipeline.warehouse.fields import EXTRA, Field
from ideas_pipeline.warehouse.warehouse import Warehouse

_LIKE_ENOUGH = 0.6
_FITTING: dict[Kind, set[str]] = {
    "id": {"text", "number"},
    "text": {"text", "number"},
    "integer": {"text", "number"},
    "number": {"text", "number"},
    "boolean": {"true/false", "text", "number"},
    "timestamp": {"text", "number"},
    "json": {"list", "map"},
}

# A field has vanished if fewer than one in so many runs would lack it in all records by chance.
_ONE_IN = 1_000

# The most fields that are noted per table. If there are more, the names are probably values, and each costs a row.
_MOST_FIELDS = 1_000

_KINDS: dict[type, str] = {str: "text", int: "number", float: "number", bool: "true/false", list: "list", dict: "map"}


@dataclass(slots=True)
class _Seen:
    """Fields of a table's records in this run so far. A null counts as present, but has no kind."""

    records: int = 0
    had: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


class Drift:
    """The fields of one stream and its embedded tables in one run. Not thread-safe."""

    def __init__(self, warehouse: Warehouse, contract: Contract, stream: str) -> None:
        """Read what earlier runs have noted. Raises WarehouseError."""
        self._warehouse = warehouse
        spec = contract.streams[stream]
        # The column that the path fills has a value whatever the API sends.
        from_path = spec.listed_by
        own = {name: source for name, source in spec.fields.items() if name != from_path}
        self._mapped: dict[str, Fields] = {stream: own, **{t: e.fields for t, e in spec.embedded.items()}}
        self._tables = list(self._mapped)
        with warehouse.reading() as tx:
            known = fields.fields(tx, self._tables)
        # A column that was removed from the contract has not vanished.
        known = [f for f in known if not f.is_mapped or f.field in self._mapped[f.table]]
        self._known = {table: {f.field: f for f in known if f.table == table} for table in self._tables}
        self._seen = {table: _Seen() for table in self._tables}
        self._empty: set[str] = set()

    def observe(self, records: Sequence[Record]) -> None:
        """Count the fields of the stream's records."""
        for table in self._tables:
            rows = self._rows(records, table)
            if any(record.embedded.get(table) == [] for record in records):
                self._empty.add(table)
            if table in ABOUT_A_PERSON:
                rows = _not_erased(rows, table)
            _count(rows, self._mapped[table], self._known[table], self._seen[table])

    def vanished(self) -> dict[str, frozenset[str]]:
        """The columns that vanished, by table: no record of this run has them, and that is hardly chance."""
        return {table: frozenset(self._vanished(table)) for table in self._tables}

    def leaves_out(self) -> frozenset[str]:
        """The embedded tables whose lists the API leaves out of a record if they are empty."""
        return frozenset(table for table in self._tables[1:] if self._seen[table].records and table not in self._empty)

    def note(self, run_id: str, at: datetime) -> None:
        """Note what is new, at the end of the stream; without news, write nothing. Raises WarehouseError."""
        changed = [f for table in self._tables for f in _changes(table, self._known[table], self._seen[table], at)]
        if changed:
            with self._warehouse.writing() as tx:
                fields.note(tx, run_id, changed)

    def _vanished(self, table: str) -> list[str]:
        seen = self._seen[table]
        keys = {c.name for c in TABLES[table].primary_key.columns}
        return [
            known.field
            for known in self._known[table].values()
            if known.is_mapped and known.field not in keys
            if not seen.had[known.field] and (known.missing_since or _is_no_chance(known, seen.records))
        ]

    def _rows(self, records: Sequence[Record], table: str) -> Sequence[Record]:
        if table == self._tables[0]:
            return records
        return list(chain.from_iterable(r.embedded[table] for r in records if table in r.embedded))


def _not_erased(rows: Sequence[Record], table: str) -> list[Record]:
    """The rows without those of erased people: their columns are null because the policy blanks them."""
    person = next(c.name for c in TABLES[table].primary_key.columns if pii(c) == "person_id")
    return [row for row in rows if not is_surrogate(str(row.columns.get(person)))]


def _count(rows: Sequence[Record], mapped: Fields, known: dict[str, Field], seen: _Seen) -> None:
    """Count the fields that the API sent. Thousands of records have only a few shapes, so shapes are counted first."""
    seen.records += len(rows)
    shapes = Counter((tuple(r.columns), tuple(map(type, r.columns.values()))) for r in rows)
    extras = Counter((tuple(r.extra), tuple(map(type, r.extra.values()))) for r in rows if r.extra)
    for counted, prefix in ((shapes, ""), (extras, EXTRA)):
        for (names, types), count in counted.items():
            for name, value_type in zip(names, types, strict=True):
                if not prefix and name not in mapped:
                    continue
                place = prefix + name
                if prefix and place not in known and place not in seen.had and len(seen.had) >= _MOST_FIELDS:
                    continue
                seen.had[place] += count
                if value_type in _KINDS:
                    seen.kinds[place].add(_KINDS[value_type])


def _changes(table: str, known: dict[str, Field], seen: _Seen, at: datetime) -> Iterator[Field]:
    """The fields that are new, have a new kind, vanished or came back, and those counted in twice as many records."""
    n = seen.records
    room = _MOST_FIELDS - len(known)
    for name, had in seen.had.items():
        kinds = frozenset(seen.kinds[name])
        before = known.get(name)
        is_mapped = not name.startswith(EXTRA)
        if before is None and (is_mapped or room > 0):
            room -= 1
            yield Field(table, name, is_mapped, kinds, had, n, at, at, None)
        elif before is None:
            continue
        elif before.missing_since or not kinds <= before.kinds or n >= 2 * before.of_records:
            more = n >= before.of_records
            yield replace(
                before,
                kinds=kinds | before.kinds,
                records=had if more else before.records,
                of_records=n if more else before.of_records,
                last_seen_at=at,
                missing_since=None,
            )
    for before in known.values():
        # A field that only some records have can be absent from a few lists that are alike.
        enough = before.records == before.of_records or 2 * n >= before.of_records
        if not seen.had[before.field] and not before.missing_since and enough and _is_no_chance(before, n):
            yield replace(before, missing_since=at)


def _is_no_chance(known: Field, records: int) -> bool:
    """Whether so many records would hardly all lack the field if it were as frequent as before."""
    share = (known.records + 1) / (known.of_records + 2)  # below 1, because only so many were seen
    return (1 - share) ** records < 1 / _ONE_IN


def suggested_lines(contract: Contract, fields: Iterable[Field]) -> dict[tuple[str, str], str]:
    """Contract lines that would fill an empty column from an unmapped field, by table and column, most similar first.

    Args:
        contract: the contract in force.
        fields: all fields that are known of the tables. None is used twice.
    """
    known = list(fields)
    there = [f for f in known if not f.missing_since]
    filled = {(f.table, f.field) for f in there if f.is_mapped}
    pairs = sorted(
        (-likeness(column, name.field.removeprefix(EXTRA), name.table), name.table, column, name.field)
        for name in there
        if not name.is_mapped and name.kinds
        for column in _free_columns(contract, name.table, filled)
        if name.kinds <= _FITTING[kind(TABLES[name.table].columns[column])]
    )
    lines: dict[tuple[str, str], str] = {}
    used: set[tuple[str, str]] = set()
    for unlike, table, column, name in pairs:
        if -unlike >= _LIKE_ENOUGH and (table, column) not in lines and (table, name) not in used:
            used.add((table, name))
            lines[table, column] = _line(contract, table, column, name.removeprefix(EXTRA))
    return lines


def _free_columns(contract: Contract, table: str, filled: set[tuple[str, str]]) -> list[str]:
    stream = contract.tables()[table]
    each = contract.streams[stream].each
    given = {each.placeholder} if each and table == stream else set()
    return [
        str(c.name)  # SQLAlchemy's names are a kind of str that YAML refuses
        for c in TABLES[table].columns
        if not c.primary_key and not c.name.startswith("_") and (table, c.name) not in filled and c.name not in given
    ]


def _line(contract: Contract, table: str, column: str, path: str) -> str:
    stream = contract.tables()[table]
    place = ["streams", stream, *(["embedded", table] if table != stream else []), "fields", column]
    source = _fields_of(contract, table).get(column)
    value: object = {"paths": path} if source and (source.none or source.epoch) else path
    for name in reversed(place):
        value = {name: value}
    return to_yaml(value, flow=True).strip()[1:-1]


def _fields_of(contract: Contract, table: str) -> Fields:
    spec = contract.streams[contract.tables()[table]]
    return spec.fields if table in contract.streams else spec.embedded[table].fields
