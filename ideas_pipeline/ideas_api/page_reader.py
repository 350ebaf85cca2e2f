"""Read a response as a page of records, as the contract describes it. Live and archived responses are read alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from ideas_pipeline.contract.model import Contract, Stream
from ideas_pipeline.contract.paging import NextLinkPaging
from ideas_pipeline.contract.types import Json
from ideas_pipeline.errors import NotFound, UnexpectedResponse
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.error_bodies import stated_error
from ideas_pipeline.ideas_api.field_map import MISSING, Record, field_map, present, records_in
from ideas_pipeline.ideas_api.pagination import Page, Position
from ideas_pipeline.ideas_api.responses import Response

Found = list[tuple[str | None, Json]]


def headers_read(spec: Stream) -> list[str]:
    """The headers of a response that are needed to read it."""
    paging = spec.paging
    names = [paging.total.header] if paging.total and paging.total.header else []
    return names + (["Link"] if isinstance(paging, NextLinkPaging) and not paging.next else [])


class PageReader:
    """Reads responses as ``contract`` describes them. Safe to use from many threads."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    @cached_property
    def _mappers(self) -> dict[str, Callable[..., Record]]:
        return {name: field_map(self._contract, name) for name in self._contract.streams}

    def page(self, stream: str, scope: str, position: Position, response: Response) -> Page:
        """The page at ``position``, mapped to columns.

        Args:
            stream: the stream that was requested.
            scope: its scope.
            position: where the page begins.
            response: the API's response, live or archived.

        Raises:
            NotFound: the API answered 404 or 410.
            UnexpectedResponse: the response is not as the contract describes it. Both errors name stream and scope.
        """
        try:
            response.found()
            found = self._found(stream, response)
            mapper = self._mappers[stream]
            records = [mapper(record, key, index, scope) for index, (key, record) in enumerate(found)]
            total, following = self._total_and_next(stream, position, len(found), response)
            return Page(records, total, following, response.requests, response.received_at)
        except (NotFound, UnexpectedResponse) as error:
            raise error.at(stream, scope) from None

    def outline(self, stream: str, position: Position, response: Response) -> tuple[int, int | None, Position | None]:
        """The number of records in the response, the list's total, and the next position.

        Args:
            stream: the stream that was requested.
            position: where the page begins.
            response: the API's response, live or archived.

        Raises:
            UnexpectedResponse: the response is not as the contract describes it.
        """
        found = self._found(stream, response)
        return len(found), *self._total_and_next(stream, position, len(found), response)

    def _found(self, stream: str, response: Response) -> Found:
        spec = self._contract.streams[stream]
        self._refuse_error_body(spec, response)
        found = records_in(response.body, spec.records)
        if spec.reads == "one" and len(found) > 1:
            raise UnexpectedResponse(
                f"the response has {len(found)} records instead of one", hint="Check reads and records in the contract."
            )
        return found

    def _total_and_next(
        self, stream: str, position: Position, count: int, response: Response
    ) -> tuple[int | None, Position | None]:
        paging = self._contract.streams[stream].paging
        total = pagination.total_of(paging.total, response.body, response.headers)
        following = pagination.following(paging, position, count, response.body, response.headers, response.url)
        return total, following

    def _refuse_error_body(self, spec: Stream, response: Response) -> None:
        """Raise UnexpectedResponse for an error in a 2xx response, as some APIs send it. It is not an empty list."""
        body = response.body
        if not isinstance(body, dict) or present(body, spec.records) not in (MISSING, None, [], {}):
            return
        error = present(body, self._contract.error_paths)
        is_named = error is not MISSING and error not in (None, "", [], {}, False, 0)
        if is_named or stated_error(body, response.status).marked:
            raise UnexpectedResponse(
                "the response is an error message instead of records",
                status=response.status,
                hint="Its text is not shown because it may contain personal data. The next run tries again.",
            )
