"""Read a response as a page of records, as the contract describes it. Live and archived responses are read alike."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from http import HTTPStatus

from ideas_pipeline.contract.model import Contract, Stream
from ideas_pipeline.contract.paging import NextLinkPaging
from ideas_pipeline.contract.types import Json
from ideas_pipeline.errors import NOT_FOUND, NotFound, UnexpectedResponse
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.composite_ids import shown_scope
from ideas_pipeline.ideas_api.error_bodies import says_error, stated_error
from ideas_pipeline.ideas_api.field_map import (
    MISSING,
    Mapper,
    Outline,
    Record,
    field_map,
    no_list,
    outline,
    present,
    records_in,
)
from ideas_pipeline.ideas_api.nesting import Unnest, list_cut_short, unnest
from ideas_pipeline.ideas_api.pagination import Page, Position
from ideas_pipeline.ideas_api.partial import says_partial
from ideas_pipeline.ideas_api.references import NO_ROWS, REFERS, KnownRows, Settle, plain_references
from ideas_pipeline.ideas_api.repeated_ids import tell_apart
from ideas_pipeline.ideas_api.responses import Response

Found = list[tuple[str | None, Json]]


def headers_read(spec: Stream) -> list[str]:
    """The headers of a response that are needed to read it."""
    paging = spec.paging
    names = [paging.total.header] if paging.total and paging.total.header else []
    return [*names, "Content-Range", *(["Link"] if isinstance(paging, NextLinkPaging) and not paging.next else [])]


class PageReader:
    """Reads responses as ``contract`` describes them. Safe to use from many threads."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    @cached_property
    def _mappers(self) -> dict[str, Mapper]:
        return {name: field_map(self._contract, name) for name in self._contract.streams}

    @cached_property
    def _settles(self) -> dict[str, list[tuple[str, Settle]]]:
        """By stream, the functions that replace links to rows in the embedded tables that name any."""
        return {
            name: [
                (table, plain_references(self._contract, table, each.fields))
                for table, each in spec.embedded.items()
                if not REFERS.keys().isdisjoint(each.fields)
            ]
            for name, spec in self._contract.streams.items()
        }

    @cached_property
    def _unnests(self) -> dict[str, Unnest | None]:
        return {name: unnest(self._contract, name, mapper) for name, mapper in self._mappers.items()}

    @cached_property
    def _outlines(self) -> dict[str, Outline | None]:
        return {name: outline(self._contract, name) for name in self._contract.streams}

    def page(
        self,
        stream: str,
        scope: str,
        position: Position,
        response: Response,
        known: KnownRows = NO_ROWS,
        seen: Collection[str] = (),
    ) -> Page:
        """The page at ``position``, mapped to columns.

        Args:
            stream: the stream that was requested.
            scope: its scope.
            position: where the page begins.
            response: the API's response, live or archived.
            known: the rows that records can name: a record that names a known parent belongs to it.
            seen: the ids of records that need not be mapped again: their id and times are enough.

        Raises:
            NotFound: the API answered 404 or 410 to the first page, and the contract does not call that an empty list.
            UnexpectedResponse: the response is not as the contract describes it. Both errors name stream and scope.
        """
        spec = self._contract.streams[stream]
        paging = spec.paging
        is_first = position == pagination.first(paging)
        is_empty = spec.not_found_is_empty and is_first and response.status in NOT_FOUND
        if is_empty or pagination.is_beyond(paging, position, response.status):
            return Page([], None, None, response.requests, response.received_at, position, refused=response.status)
        try:
            response.found()
            found = self._found(stream, response)
        except (NotFound, UnexpectedResponse) as error:
            raise error.at(stream, shown_scope(self._contract, stream, scope)) from None
        mapper = self._mappers[stream]
        outlines = self._outlines_of(stream, found) if seen else []
        records = [
            outlines[index]
            if outlines and outlines[index].columns["id"] in seen
            else mapper(record, key, index, scope, known)
            for index, (key, record) in enumerate(found)
        ]
        tell_apart(records, spec)
        nested: list[Record] = []
        if inside := self._unnests[stream]:
            for (_, record), mapped in zip(found, records, strict=True):
                nested += inside(record, mapped, scope, known)
        total = pagination.total_of(paging.total, response.body, response.headers)
        try:
            following, broken = self._next(stream, position, len(found), response), None
        except UnexpectedResponse as error:  # the records of this page did come
            following, broken = None, error.reason
        partial = self._partial(stream, position, found, following, response)
        for table, settle in self._settles[stream]:
            for record in (*records, *nested):
                for row in record.embedded.get(table, ()):
                    settle(row.columns, known)
        requests, at = response.requests, response.received_at
        return Page(records, total, following, requests, at, position, broken=broken, partial=partial, nested=nested)

    def outline(self, stream: str, position: Position, response: Response) -> tuple[int, int | None, Position | None]:
        """The number of records in the response, the list's total, and the next position.

        Args:
            stream: the stream that was requested.
            position: where the page begins.
            response: the API's response, live or archived.

        Raises:
            UnexpectedResponse: the response is not as the contract describes it, or says that it is partial.
        """
        found = self._found(stream, response)
        total = pagination.total_of(self._contract.streams[stream].paging.total, response.body, response.headers)
        following = self._next(stream, position, len(found), response)
        if partial := self._partial(stream, position, found, following, response):
            raise UnexpectedResponse(partial)
        return len(found), total, following

    def _partial(
        self, stream: str, position: Position, found: Found, following: Position | None, response: Response
    ) -> str | None:
        spec = self._contract.streams[stream]
        if path := list_cut_short((record for _, record in found), spec.nested):
            return f"the API says that {path} in a record is not the whole list"
        is_last = following is None or pagination.is_short(spec.paging, position, len(found))
        return says_partial(self._contract, spec, response, is_last=is_last)

    def _outlines_of(self, stream: str, found: Found) -> list[Record]:
        """The outlines of records; empty if they are not enough to tell the records apart."""
        outline_of = self._outlines[stream]
        if outline_of is None:
            return []
        outlines = [outline_of(record, key, index) for index, (key, record) in enumerate(found)]
        ids = [each.columns.get("id") for each in outlines]
        return outlines if all(type(id_) is str for id_ in ids) and len(set(ids)) == len(ids) else []

    def _found(self, stream: str, response: Response) -> Found:
        spec = self._contract.streams[stream]
        self._refuse_error_body(spec, response)
        if says_none(spec, response):
            return []
        found = records_in(response.body, spec.records)
        if len(found) > (most := self._contract.limits.page_records):
            raise UnexpectedResponse(
                f"the page has {len(found):,} records, and {most:,} are the most",
                hint="Lower the page size in the stream's paging, or raise limits.page_records in the contract.",
            )
        lone = present(response.body, spec.records) if [key for key, _ in found] == [None] else None
        if spec.reads == "list" and _is_no_record(spec, lone):
            raise no_list(spec.records, lone)
        if spec.reads == "one" and len(found) > 1:
            raise UnexpectedResponse(
                f"the response has {len(found)} records instead of one", hint="Check reads and records in the contract."
            )
        return found

    def _next(self, stream: str, position: Position, count: int, response: Response) -> Position | None:
        paging = self._contract.streams[stream].paging
        return pagination.following(paging, position, count, response.body, response.headers, response.url)

    def _refuse_error_body(self, spec: Stream, response: Response) -> None:
        """Raise UnexpectedResponse for an error in a 2xx response, as some APIs send it. It is not an empty list."""
        if is_error_body(self._contract, spec, response.body, response.status):
            raise UnexpectedResponse(
                "the response is an error message instead of records",
                status=response.status,
                hint="Its text is not shown because it may contain personal data. The next run tries again.",
            )


def is_error_body(contract: Contract, spec: Stream, body: Json, status: int) -> bool:
    """Whether a response of a stream is an error message instead of records."""
    if not isinstance(body, dict) or present(body, spec.records) not in (MISSING, None, "", [], {}, False):
        return False
    error = present(body, contract.error_paths)
    stated = stated_error(body, status)
    return ((error is not MISSING and says_error(error)) or stated.marked) and not stated.about_no_records


def says_none(spec: Stream, response: Response) -> bool:
    """Whether the response says "no records" without a list: by its status, by a total of 0, or in words.

    Spring and ASP.NET answer 204 without a body; Go leaves out an empty list (``omitempty``) and sends the total alone.
    Others call it an error: ``{"status": "error", "message": "No records found"}``.
    """
    if response.status == HTTPStatus.NO_CONTENT:
        return True
    if present(response.body, spec.records) is not MISSING:
        return False
    if pagination.total_of(spec.paging.total, response.body, response.headers) == 0:
        return True
    return isinstance(response.body, dict) and stated_error(response.body, response.status).about_no_records


def _is_no_record(spec: Stream, value: Json) -> bool:
    """Whether a value is a map without anything that could identify a record, but with lists or maps in it."""
    names = [name for name in ("id", *spec.key) if name in spec.fields]
    paths = tuple(path for name in names for path in spec.fields[name].paths)
    if not isinstance(value, dict) or any(path.startswith("@") for path in paths):
        return False
    return present(value, paths) is MISSING and any(isinstance(below, dict | list) for below in value.values())
