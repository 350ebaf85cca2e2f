"""Response bodies of pages and of single records, cached until the community changes."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import orjson
from yarl import URL

from ideas_pipeline.contract.model import Contract, Stream
from ideas_pipeline.contract.paging import Total as PlaceOfTotal
from ideas_pipeline.contract.types import Json
from ideas_pipeline.simulator.bounds import Span, in_span
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.paging import POSITION_PARAMETER, Slice, cursor
from ideas_pipeline.simulator.responses import RequestRefused, Response, json_bytes
from ideas_pipeline.simulator.rights import Account, visible
from ideas_pipeline.simulator.shape import Quirks, Shape, Total, put, replies_to
from ideas_pipeline.simulator.truth import Index, Tables

TOTAL_CAP = 6
"""A capped total does not count further."""

# A client's contract does not name a total that is wrong, but the API states it all the same.
_WRONG = ("rounded", "too small", "too large")
_UNNAMED_TOTAL = PlaceOfTotal(body=("total",))
_BROKEN = {"bytes": b"\xff", "NUL": b"\\u0000", "surrogate": b"\\ud800"}
_HIDDEN_FROM, _HIDDEN = 4, 30
_TEXTS = ("title", "body", "display_name", "name", "description")


class Lists:
    """Renders pages and records of ``tables``. Call ``changed`` after a change of ``tables`` or ``account``."""

    def __init__(self, contract: Contract, tables: Tables, quirks: Quirks) -> None:
        self._contract = contract
        self._tables = tables
        self.account = Account()
        self._quirks = quirks
        self._shape = Shape(contract, quirks)
        for name, stream in contract.streams.items():
            _check_body_has_room(name, stream)
        self.changed()

    def changed(self) -> None:
        """Drop everything that was rendered."""
        self._shown = visible(self._tables, self.account)
        self._index = Index(self._shown)
        self._records: dict[tuple[str, str], bytes] = {}
        self._responses: dict[tuple[str, str, Slice, Span, URL | None], Response] = {}

    def prepare(self) -> None:
        """Render every record now instead of on its first request."""
        for stream in self._contract.streams:
            for key in self._shown.get(stream, {}):
                self._record(stream, key)

    def one(self, name: str, key: str, faults: list[Fault]) -> Response:
        """A single record by its id. Raises RequestRefused (404) if the account sees no such record."""
        if key not in self._shown.get(name, {}):
            raise RequestRefused(404, f"no such record in {name}")
        record = orjson.Fragment(self._tampered(name, key, faults) or self._record(name, key))
        return Response(200, _body(self._contract.streams[name], record, {}))

    def page(self, name: str, scope: str, slice_: Slice, span: Span, url: URL | None, faults: list[Fault]) -> Response:
        """A page of a list.

        Args:
            name: The stream.
            scope: The id of the parent; empty for a list without a parent.
            slice_: The slice of the list, after ``span`` has been applied.
            span: Only records of this time span.
            url: The request's URL, if pages are linked by URL.
            faults: The faults of the request.

        Raises:
            RequestRefused: 404; the parent is unknown.
        """
        if faults:
            return self._page(name, scope, slice_, span, url, faults)
        response = self._responses.get((name, scope, slice_, span, url))
        if response is None:
            response = self._page(name, scope, slice_, span, url, faults)
            if not self._quirks.signed_urls:
                self._responses[name, scope, slice_, span, url] = response
        return response

    def _page(self, name: str, scope: str, slice_: Slice, span: Span, url: URL | None, faults: list[Fault]) -> Response:
        stream = self._contract.streams[name]
        by_kind = {fault.kind: fault for fault in faults}
        keys = self._keys(name, stream, scope)
        if span != Span():
            rows, zone = self._shown[name], ZoneInfo(self._contract.stream_timezone(name))
            keys = [key for key in keys if in_span(rows[key], stream, span, zone)]
        places: list[str | None] = list(keys)
        if self._quirks.hidden_rows:
            # The account may not see these rows; they are left out after the page was cut.
            places[_HIDDEN_FROM:_HIDDEN_FROM] = [None] * _HIDDEN if len(keys) > _HIDDEN_FROM else []
        start, size = slice_.start, slice_.size if slice_.size is not None else len(places) or 1
        if start and start >= len(places) and stream.paging.style in ("page", "offset"):
            start = self._beyond_the_end(start, size, len(places))
        number = start // size + 1
        following = start + size if start + size < len(places) or self._quirks.endless else None

        cut = by_kind.get("list_cut")
        if cut and number >= cut.page:
            page, following = [], None
        elif "page_twice" in by_kind:
            page = places[max(0, start - size) : max(0, start - size) + size]
        elif "foreign_page" in by_kind and start:
            page = self._of_another_list(name, stream, scope)[start : start + size]
        else:
            page = places[start : start + size]
        if "repeat_cursor" in by_kind:
            following = start
        shown = [key for key in page if key is not None]

        extras: dict[str, Json] = {}
        headers: dict[str, str] = {}
        wrong = by_kind.get("wrong_total")
        if start == 0 or self._quirks.total != "first page":
            self._add_total(stream, len(keys) + (wrong.off_by if wrong else 0), extras, headers)
        self._add_next(stream, "?" if "unknown_cursor" in by_kind else scope, following, url, extras, headers)
        if not keys:
            return self._empty(stream, extras, headers)
        return Response(200, _body(stream, self._list(name, shown, faults), extras), headers)

    def _beyond_the_end(self, start: int, size: int, count: int) -> int:
        """Where a page beyond the last row begins instead. Raises RequestRefused if the API refuses it."""
        match self._quirks.beyond_end:
            case "empty":
                return start
            case "last page":
                return (count - 1) // size * size if count else 0
            case status:
                raise RequestRefused(int(status), "no such page")

    def _empty(self, stream: Stream, extras: dict[str, Json], headers: dict[str, str]) -> Response:
        """The response for a list without rows. Raises RequestRefused (404) if the API has none for it."""
        match self._quirks.empty_list:
            case "list":
                empty = b"{}" if self._quirks.keyed_lists and not self._quirks.empty_as_list else b"[]"
                return Response(200, _body(stream, orjson.Fragment(empty), extras), headers)
            case "null":
                return Response(200, _body(stream, orjson.Fragment(b"null"), extras), headers)
            case "left out":
                body: dict[str, Any] = {}
                for path, value in extras.items():
                    put(body, path, value)
                return Response(200, json_bytes(body), headers)
            case "204":
                return Response(204, b"", headers)
            case "404":
                raise RequestRefused(404, "nothing was found")

    def _keys(self, name: str, stream: Stream, scope: str) -> list[str]:
        if not stream.each:
            return self._ordered(name, list(self._shown.get(name, {})))
        known = any(scope in self._index.keys(*source.split(".", 1)) for source in stream.each.of)
        if not known:
            raise RequestRefused(404, f"no {stream.each.placeholder} {scope}")
        of_parents = self._index.keys(name, stream.each.placeholder)
        keys = list(self._shown.get(name, {}) if self._quirks.ignored_parents else of_parents.get(scope, []))
        if self._quirks.shared_records and scope in of_parents:
            parents = list(of_parents)
            keys += of_parents[parents[parents.index(scope) - 1]][::3] if len(parents) > 1 else []
        return self._ordered(name, self._outer(name, stream, keys))

    def _of_another_list(self, name: str, stream: Stream, scope: str) -> list[str | None]:
        """The keys of the longest list beside this one; none if the stream is one list."""
        lists = self._index.keys(name, stream.each.placeholder) if stream.each else {}
        others = [keys for of, keys in lists.items() if of != scope]
        return [*max(others, key=len, default=[])]

    def _outer(self, name: str, stream: Stream, keys: list[str]) -> list[str]:
        """The keys of the records that do not stand inside another one of the list."""
        if not (self._quirks.nested and stream.nested):
            return keys
        rows = self._shown[name]
        inner = {reply for key in keys for reply in replies_to(self._index, name, rows[key])}
        return [key for key in keys if key not in inner]

    def _ordered(self, name: str, keys: list[str]) -> list[str]:
        if not self._quirks.newest_first:
            return keys
        rows = self._shown[name]
        return sorted(keys, key=lambda key: str(rows[key].get("updated_at") or ""), reverse=True)

    def _list(self, name: str, keys: list[str], faults: list[Fault]) -> orjson.Fragment:
        rendered = {key: self._record(name, key) for key in keys}
        for fault in faults:
            if fault.kind.startswith("poison") and keys:
                key = fault.record or keys[0]
                if key in rendered and (poisoned := self._tampered(name, key, faults)):
                    rendered[key] = poisoned
        if self._quirks.keyed_lists:
            members = (json_bytes(key) + b":" + record for key, record in rendered.items())
            return orjson.Fragment(b"{" + b",".join(members) + b"}" if rendered else b"[]")
        return orjson.Fragment(b"[" + b",".join(rendered.values()) + b"]")

    def _record(self, name: str, key: str) -> bytes:
        record = self._records.get((name, key))
        if record is None:
            record = json_bytes(self._shape.record(name, key, self._index))
            if self._quirks.broken_texts:
                record = record.replace("\ufffd".encode(), _BROKEN[self._quirks.broken_texts])
            if not self._quirks.signed_urls:
                self._records[name, key] = record
        return record

    def _tampered(self, name: str, key: str, faults: list[Fault]) -> bytes | None:
        """Render the record with a value that cannot be typed or a text that cannot be stored; None without a fault."""
        kinds = {f.kind for f in faults if f.record in (None, key)}
        fields = self._contract.streams[name].fields
        record = self._shape.record(name, key, self._index)
        if "poison_value" in kinds:
            column = next(c for c in fields if c.endswith(("_at", "_count", "value")))
            put(record, fields[column].paths[0], "not what it should be")
        if "poison_text" in kinds:
            column = next((c for c in _TEXTS if c in fields), None) or next(c for c in fields if c not in ("id",))
            put(record, fields[column].paths[0], "before\x00between\ud800after")
        return json_bytes(record) if kinds & {"poison_value", "poison_text"} else None

    def _add_total(self, stream: Stream, count: int, extras: dict[str, Json], headers: dict[str, str]) -> None:
        total, habit = stream.paging.total, self._quirks.total
        if total is None and habit in _WRONG and stream.records[0] != "@body":
            total = _UNNAMED_TOTAL
        if total is None or habit == "absent":
            return
        stated = _stated(habit, count)
        if total.header:
            headers[total.header] = str(stated)
        else:
            extras[total.body[0]] = str(stated) if habit == "text" else stated

    def _add_next(
        self,
        stream: Stream,
        scope: str,
        following: int | None,
        url: URL | None,
        extras: dict[str, Json],
        headers: dict[str, str],
    ) -> None:
        if stream.paging.style == "cursor":
            extras[stream.paging.cursor[0]] = None if following is None else cursor(scope, following)
        elif stream.paging.style == "next_link" and url is not None:
            link = None
            if following is not None:
                link = self._link(url.update_query({POSITION_PARAMETER: cursor(scope, following)}))
            if stream.paging.next:
                extras[stream.paging.next[0]] = link
            elif link:
                headers["Link"] = f'<{link}>; rel="next"'

    def _link(self, target: URL) -> str:
        match self._quirks.next_links:
            case "relative":
                return str(target.relative())
            case "http":
                return str(target.with_scheme("http"))
            case "another host":
                return str(target.with_host("elsewhere.example"))
            case "absolute":
                return str(target)


def _stated(habit: Total, count: int) -> int:
    """The total that an API of this habit states for a list of ``count`` rows."""
    match habit:
        case "capped":
            return min(count, TOTAL_CAP)
        case "rounded":
            return round(count, -1)
        case "too small":
            return count // 2
        case "too large":
            return count + 3
        case _:
            return count


def _body(stream: Stream, records: orjson.Fragment, extras: dict[str, Json]) -> bytes:
    if stream.records[0] == "@body":
        return orjson.dumps(records)
    body: dict[str, Any] = {}
    put(body, stream.records[0], records)
    for path, value in extras.items():
        put(body, path, value)
    return orjson.dumps(body)


def _check_body_has_room(name: str, stream: Stream) -> None:
    """Refuse a contract whose body is a bare array and yet has a total, cursor or link: no API can be like that."""
    paging = stream.paging
    in_body = [paging.total.body if paging.total else (), getattr(paging, "cursor", ()), getattr(paging, "next", ())]
    if stream.records[0] == "@body" and any(in_body):
        raise ValueError(
            f"streams.{name}: the records are the whole body, which therefore cannot have a total, cursor or next link"
        )
