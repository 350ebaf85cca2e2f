"""JSON of rows: each column at the contract's first path, with the quirks of real APIs."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from ideas_pipeline.contract.model import Contract, Embedded, Fields, FieldSource
from ideas_pipeline.contract.types import Json
from ideas_pipeline.simulator.statuses import RateRefusal, TokenRefusal
from ideas_pipeline.simulator.truth import Index, Row


@dataclass(frozen=True)
class Quirks:
    """Habits of real APIs, each off by default.

    numbers_as_text   ``"12"``, ``"3.50"``
    booleans          ``text``: "1" and "0"; ``number``: 1 and 0; ``empty_text``: "1" and ""; ``letters``: "Y" and "N"
    ids_as_numbers    ``12`` if an id is all digits
    keyed_lists       records, and embedded items whose key may be ``@key``, as a map keyed by id
    empty_as_list     ``[]`` instead of null for an absent object
    timestamps        ``naive``: local time of the contract's zone, without an offset (the repeated hour in autumn is
                      then ambiguous); ``epoch``: seconds, or milliseconds if the contract says so; ``milliseconds``;
                      ``mixed``: many formats in one column
    no_timestamp      the value that means "none": ``"0000-00-00 00:00:00"``, ``0``, ``""``
    extra_fields      unmapped fields, and people's names and e-mail addresses (see ``email_of``)
    signed_urls       volatile addresses get a signature that differs in every response
    total             the list's total as ``text``, ``absent``, on the ``first page`` only, or ``capped``
    beyond_end        a page behind the last one is refused with this status, or is the ``last page`` again
    empty_list        a list without rows is ``null``, its key is ``left out``, or the answer is ``204`` or ``404``
    endless           the cursor or link to a next page never ends
    hidden_rows       rows that the account may not see are left out after a page was cut, so that pages can be empty
    newest_first      lists are sorted by last edit, the newest first
    next_links        ``relative`` to the host
    expired_as        how a token is refused (see ``statuses``)
    limited_as        how a client that is too fast is refused (see ``statuses``)
    refresh_rotates   a refresh brings a new refresh token
    broken_texts      U+FFFD in a text is sent as ``bytes`` that are not valid UTF-8, a ``NUL``, or a lone ``surrogate``
    ignored_parents   every list of a parent holds the records of all parents
    names_parents     records name the parent in whose list they are, where the contract reads it
    """

    numbers_as_text: bool = False
    booleans: Literal["json", "text", "number", "empty_text", "letters"] = "json"
    ids_as_numbers: bool = False
    keyed_lists: bool = False
    empty_as_list: bool = False
    timestamps: Literal["as_is", "naive", "epoch", "milliseconds", "mixed"] = "as_is"
    no_timestamp: Json = None
    extra_fields: bool = False
    signed_urls: bool = False
    total: Literal["number", "text", "absent", "first page", "capped"] = "number"
    beyond_end: Literal["empty", "last page", "400", "404", "416"] = "empty"
    empty_list: Literal["list", "null", "left out", "204", "404"] = "list"
    endless: bool = False
    hidden_rows: bool = False
    newest_first: bool = False
    next_links: Literal["absolute", "relative"] = "absolute"
    expired_as: TokenRefusal = "401"
    limited_as: RateRefusal = "429"
    refresh_rotates: bool = True
    broken_texts: Literal["", "bytes", "NUL", "surrogate"] = ""
    ignored_parents: bool = False
    names_parents: bool = False


_BOOLEANS: dict[str, tuple[Json, Json]] = {
    "json": (False, True),
    "text": ("0", "1"),
    "number": (0, 1),
    "empty_text": ("", "1"),
    "letters": ("N", "Y"),
}


def email_of(user_id: str) -> str:
    """The e-mail address of a made-up person; tests search for it to find leaks."""
    return f"person-{user_id}@people.example"


def put(target: dict[str, Any], path: str, value: Json) -> None:
    """Set ``value`` at a dotted path, creating the objects on the way."""
    *parents, last = path.split(".")
    for name in parents:
        if not isinstance(target.get(name), dict):
            target[name] = {}
        target = target[name]
    target[last] = value


class Shape:
    """Renders rows of a stream as JSON records, embedded rows included."""

    def __init__(self, contract: Contract, quirks: Quirks) -> None:
        self._contract = contract
        self._quirks = quirks
        self._signatures: Iterator[int] = itertools.count(1)

    def record(self, stream_name: str, key: str, index: Index) -> dict[str, Any]:
        """Render the row ``key``. Columns that the contract does not map appear under their own names."""
        stream = self._contract.streams[stream_name]
        row = index.tables[stream_name][key]
        zone = ZoneInfo(self._contract.stream_timezone(stream_name))
        # The path says it already.
        parent = {stream.each.placeholder} if stream.each and not self._quirks.names_parents else set()
        shown = {name: value for name, value in row.items() if name not in parent}
        record = self._fields(shown, stream.fields, {"id"}, stream.volatile, zone)
        for table, embedded in stream.embedded.items():
            if table in index.tables:
                rows = [index.tables[table][k] for k in index.keys(table, embedded.parent_key).get(key, ())]
                put(record, embedded.paths[0], self._embedded(rows, embedded, zone))
        if self._quirks.extra_fields:
            people = index.tables.get("users", {})
            self._add_extra_fields(record, stream_name, row, stream.fields, people)
        return record

    def _fields(
        self, row: Row, fields: Fields, hidden: Collection[str], volatile: Collection[str], zone: ZoneInfo
    ) -> dict[str, Any]:
        record: dict[str, Any] = {}
        for column, value in row.items():
            source = fields.get(column)
            if source is None and column in hidden:
                continue
            path = source.paths[0] if source else column
            if path.startswith("@"):
                continue
            shown = self._value(column, value, source, zone)
            if self._quirks.signed_urls and shown and column in volatile and column.endswith("url"):
                shown = f"{shown}?__cld_token__=exp={next(self._signatures)}"
            if shown is None and "." in path:
                record.setdefault(path.split(".")[0], [] if self._quirks.empty_as_list else None)
            else:
                put(record, path, shown)
        return record

    def _embedded(self, rows: list[Row], embedded: Embedded, zone: ZoneInfo) -> Json:
        first = {source.paths[0]: column for column, source in embedded.fields.items()}
        items: list[Json] = []
        for row in rows:
            if "@value" in first:
                items.append(self._value(first["@value"], row.get(first["@value"]), None, zone))
            else:
                items.append(self._fields(row, embedded.fields, {embedded.parent_key}, embedded.volatile, zone))
        key_column = first.get("@key")
        if key_column is None and self._quirks.keyed_lists:
            key_column = next((c for c, source in embedded.fields.items() if "@key" in source.paths), None)
        if key_column is None:
            return items
        keyed = {str(row[key_column]): item for row, item in zip(rows, items, strict=True)}
        return keyed or ([] if self._quirks.empty_as_list or self._quirks.keyed_lists else {})

    def _value(self, column: str, value: Json, source: FieldSource | None, zone: ZoneInfo) -> Json:
        quirks = self._quirks
        if column.endswith("_at"):
            return self._timestamp(value, source, zone)
        if isinstance(value, bool):
            return _BOOLEANS[quirks.booleans][value]
        if column == "id" or column.endswith("_id"):
            is_number = isinstance(value, str) and value.isdecimal() and str(int(value)) == value
            return int(value) if quirks.ids_as_numbers and is_number else value
        if quirks.numbers_as_text and isinstance(value, int):
            return str(value)
        if quirks.numbers_as_text and isinstance(value, float):
            return f"{value:.2f}" if round(value, 2) == value else repr(value)
        return value

    def _timestamp(self, value: Json, source: FieldSource | None, zone: ZoneInfo) -> Json:
        if value is None:
            return self._quirks.no_timestamp
        if self._quirks.timestamps == "as_is":
            return value
        moment = datetime.fromisoformat(value)
        if self._quirks.timestamps == "naive":
            local = moment.astimezone(zone) if moment.tzinfo else moment
            return local.replace(tzinfo=None).isoformat(sep=" ")
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        if self._quirks.timestamps == "mixed":
            return _in_some_format(moment)
        seconds = moment.timestamp()
        if self._quirks.timestamps == "milliseconds" or (source and source.epoch == "milliseconds"):
            return round(seconds * 1000)
        return int(seconds) if seconds == int(seconds) else seconds

    def _add_extra_fields(
        self, record: dict[str, Any], stream: str, row: Row, fields: Fields, people: dict[str, Row]
    ) -> None:
        key = str(row["id"])
        record["karma"] = len(key) * 7
        record["client_flags"] = {"pinned": False, "locale": "en-GB", "badges": ["early", "helpful"]}
        if stream == "users":
            record["email"] = email_of(key)
        for column in ("author_id", "user_id"):
            if row.get(column) is not None:
                path = fields[column].paths[0] if column in fields else ""
                who = record.setdefault(path.split(".")[0] if "." in path else column.removesuffix("_id"), {})
                person = people.get(str(row[column]), {})
                who["name"] = person.get("display_name", "Someone")
                who["email"] = email_of(str(row[column]))


def _in_some_format(moment: datetime) -> Json:
    """A time in one of the formats that APIs mix; always the same for the same time."""
    formats: tuple[Json, ...] = (
        moment.isoformat(),
        moment.astimezone(timezone(timedelta(hours=2))).isoformat(sep=" "),
        format_datetime(moment),
        f"{moment:%Y%m%dT%H%M%SZ}",
        int(moment.timestamp()),
        int(moment.timestamp()) * 1000,
    )
    return formats[moment.minute % len(formats)]
