"""The list of a live API that a check reads, and its pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ideas_pipeline.contract.model import Contract, Stream
from ideas_pipeline.contract.types import Json
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.field_map import records_in
from ideas_pipeline.ideas_api.page_reader import says_none
from ideas_pipeline.ideas_api.pagination import Position
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline.probe.step import Step, fixed


@dataclass(frozen=True)
class Page:
    """A page as received: its records, the list's total if it is known, and the position of the next page."""

    response: Response
    records: list[Json]
    total: int | None
    next: Position | None


@dataclass(frozen=True)
class Target:
    """One scope of a stream, and the client whose contract is compared."""

    api: IdeasApi
    stream: str
    scope: str

    @property
    def contract(self) -> Contract:
        return self.api.contract

    @property
    def spec(self) -> Stream:
        return self.contract.streams[self.stream]

    @property
    def first(self) -> Position:
        return pagination.first(self.spec.paging)

    def place(self, name: str) -> str:
        """The dotted place of ``name`` in the stream's part of the contract."""
        return f"streams.{self.stream}.{name}"

    def request(self, step: Step, position: Position) -> Response:
        """Request one page, and count the requests.

        A refusal of a page that may be beyond the end is returned as a response. Raises IdeasApiError, also for 404.
        """
        response = self.api.request(self.stream, self.scope, position)
        if not pagination.may_be_beyond(self.spec.paging, position):
            response.found()
        step.count(requests=response.requests)
        return response

    def records(self, response: Response) -> list[tuple[str | None, Json]]:
        """The records of a page, each with its key if they are a map by id, else None. Raises UnexpectedResponse."""
        return [] if says_none(self.spec, response) else records_in(response.body, self.spec.records)

    def page(self, position: Position, response: Response) -> Page:
        """The page at ``position``; without records if the API refused it. Raises UnexpectedResponse."""
        if pagination.is_beyond(self.spec.paging, position, response.status):
            return Page(response, [], None, None)
        records = [record for _, record in self.records(response)]
        paging = self.spec.paging
        total = pagination.total_of(paging.total, response.body, response.headers)
        following = pagination.following(paging, position, len(records), response.body, response.headers, response.url)
        return Page(response, records, total, following)

    def fixed(self, fix: Mapping[str, Any]) -> Target:
        """The same scope, read with ``fix`` merged into the contract."""
        return replace(self, api=self.api.with_contract(fixed(self.contract, fix)))

    def with_paging(self, **changes: Any) -> Target:
        """The same scope, read with these values of the stream's paging."""
        spec = self.spec.model_copy(update={"paging": self.spec.paging.model_copy(update=changes)})
        streams = self.contract.streams | {self.stream: spec}
        return replace(self, api=self.api.with_contract(self.contract.model_copy(update={"streams": streams})))
