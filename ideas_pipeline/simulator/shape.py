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

Total = Literal["number", "text", "absent", "first page", "capped", "rounded", "too small", "too large"]


@dataclass(frozen=True)
class Quirks:
    """Habits of real APIs, each off by default.

    numbers_as_text   ``"12"``, ``"3.50"``
    booleans          ``text``: "1" and "0"; ``number``: 1 and 0; ``empty_text``: "1" and ""; ``letters``: "Y" and "N"
    ids_as_numbers    ``12`` if an id is all digits
    mixed_ids         the same, but only in the record whose id it is: others name it as text
    no_ids            records whose key is a part of their content have no id (see ``key`` in the contract)
    repeated_items    each item of a list inside a record comes twice
    nested            comments have the replies to them inside, at the contract's first path for nested records
    keyed_lists       records, and embedded items whose key may be ``@key``, as a map keyed by id
    empty_as_list     ``[]`` instead of null for an absent object
    timestamps        ``naive``: local time of the contract's zone, without an offset (the repeated hour in autumn is
                      then ambiguous); ``epoch``: seconds, or milliseconds if the contract says so; ``milliseconds``;
                      ``mixed``: many formats in one column; ``skipping``: as ``naive``, but the moment at which the
                      clocks go forward is a time in the hour that they skip; ``days``: ``20240105``, as text or number
    no_timestamp      the value that means "none": ``"0000-00-00 00:00:00"``, ``0``, ``""``
    extra_fields      unmapped fields, and people's names and e-mail addresses (see ``email_of``)
    signed_urls       volatile addresses get a signature that differs in every response
    total             the list's total as ``text``, ``absent``, on the ``first page`` only, ``capped``, a ``rounded``
                      estimate, or ``too small`` or ``too large``; the last three also if the contract names no total,
                      as the contract of a client of such an API must not
    beyond_end        a page beyond the last one is refused with this status, or is the ``last page`` again
    empty_list        a list without rows is ``null``, its key is ``left out``, or the answer is ``204`` or ``404``
    endless           the cursor or link to a next page never ends
    hidden_rows       rows that the account may not see are left out after a page was cut, so that pages can be empty
    newest_first      lists are sorted by last edit, the newest first
    next_links        ``relative`` to the host, with ``http`` whatever the API is served with, or to ``another host``
    expired_as        how a token is refused (see ``statuses``)
    limited_as        how a client that is too fast is refused (see ``statuses``)
    refresh_rotates   a refresh brings a new refresh token
    broken_texts      U+FFFD in a text is sent as ``bytes`` that are not valid UTF-8, a ``NUL``, or a lone ``surrogate``
    ignored_parents   every list of a parent holds the records of all parents
    shared_records    every third record of a parent's list is also in the list of the next parent
    names_parents     records name the parent in whose list they are, where the contract reads it
    """

    numbers_as_text: bool = False
    booleans: Literal["json", "text", "number", "empty_text", "letters"] = "json"
    ids_as_numbers: bool = False
    mixed_ids: bool = False
    no_ids: bool = False
    repeated_items: bool = False
    nested: bool = False
    keyed_lists: bool = False
    empty_as_list: bool = False
    timestamps: Literal["as_is", "naive", "skipping", "epoch", "milliseconds", "mixed", "days"] = "as_is"
    no_timestamp: Json = None
    extra_fields: bool = False
    signed_urls: bool = False
    total: Total = "number"
    beyond_end: Literal["empty", "last page", "400", "404", "416"] = "empty"
    empty_list: Literal["list", "null", "left out", "204", "404"] = "list"
    endless: bool = False
    hidden_rows: bool = False
    newest_first: bool = False
    next_links: Literal["absolute", "relative", "http", "another host"] = "absolute"
    expired_as: TokenRefusal = "401"
    limited_as: RateRefusal = "429"
    refresh_rotates: bool = True
    broken_texts: Literal["", "bytes", "NUL", "surrogate"] = ""
    ignored_parents: bool = False
    shared_records: bool = False
    names_parents: bool = False


ANSWERED = "parent_comment_id"
"""The column in which a comment names the one that it answers."""

_SECOND = timedelta(seconds=1)
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


def replies_to(index: Index, stream: str, row: Row) -> list[str]:
    """The keys of the comments that answer a row of ``stream``, of the same idea."""
    found = index.keys(stream, ANSWERED).get(str(row["id"]), [])
    return [key for key in found if index.tables[stream][key]["idea_id"] == row["idea_id"]]


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

    def record(self, stream_name: str, key: str, index: Index, *, inside: bool = False) -> dict[str, Any]:
        """Render the row ``key``. Columns that the contract does not map appear under their own names.

        Args:
            stream_name: The stream.
            key: The key of the row.
            index: The tables.
            inside: Whether the record stands inside the one that it answers, and need not name it.
        """
        stream = self._contract.streams[stream_name]
        row = index.tables[stream_name][key]
        zone = ZoneInfo(self._contract.stream_timezone(stream_name))
        # The path says it already.
        left_out = {stream.each.placeholder} if stream.each and not self._quirks.names_parents else set()
        if self._quirks.no_ids and stream.key and "id" not in stream.key:
            left_out.add("id")
        if inside:
            left_out.add(ANSWERED)
        shown = {name: value for name, value in row.items() if name not in left_out}
        record = self._fields(shown, stream.fields, {"id"}, stream.volatile, zone)
        for table, embedded in stream.embedded.items():
            if table in index.tables:
                rows = [index.tables[table][k] for k in index.keys(table, embedded.parent_key).get(key, ())]
                put(record, embedded.paths[0], self._embedded(rows, embedded, zone))
        if self._quirks.nested and stream.nested:
            replies = [self.record(stream_name, k, index, inside=True) for k in replies_to(index, stream_name, row)]
            put(record, stream.nested[0], replies)
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
            return [item for item in items for _ in range(2)] if self._quirks.repeated_items else items
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
            as_number = quirks.ids_as_numbers or (quirks.mixed_ids and column == "id")
            return int(value) if as_number and is_number else value
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
        if self._quirks.timestamps in ("naive", "skipping"):
            local = moment.astimezone(zone) if moment.tzinfo else moment
            if self._quirks.timestamps == "skipping" and _was_skipped_to(moment, zone):
                local -= timedelta(minutes=30)
            return local.replace(tzinfo=None).isoformat(sep=" ")
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        if self._quirks.timestamps == "mixed":
            return _in_some_format(moment)
        if self._quirks.timestamps == "days":
            return f"{moment:%Y%m%d}" if moment.day % 2 else int(f"{moment:%Y%m%d}")
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


def _was_skipped_to(moment: datetime, zone: ZoneInfo) -> bool:
    """Whether the clocks of a zone went forward at this moment."""
    before, after = (at.astimezone(zone).replace(tzinfo=None) for at in (moment - _SECOND, moment))
    return after - before > _SECOND


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
