"""Pages of records for a sync: requested, archived, read by the contract, and held to the privacy policy."""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass
from http import HTTPStatus

from ideas_pipeline.archive.files import ArchivedPage
from ideas_pipeline.archive.writer import Writer
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.errors import AccessDenied, NotFound, UnexpectedResponse
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.json_body import charset_of
from ideas_pipeline.ideas_api.page_reader import PageReader, headers_read
from ideas_pipeline.ideas_api.pagination import ALL, Bounds, Page, Position
from ideas_pipeline.ideas_api.references import NO_ROWS, KnownRows
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline.privacy.privacy import Privacy


class RunArchive:
    """The archive of one run: every response as received, except for the pages of erased people.

    Args:
        writer: where the pages go.
        contract: which headers of a response are needed to read it again.
        privacy: keeps erased people out; None archives every page.
    """

    def __init__(self, writer: Writer, contract: Contract, privacy: Privacy | None) -> None:
        self._writer = writer
        self._contract = contract
        self._privacy = privacy

    def add(self, stream: str, scope: str, position: Position, bounded: bool, answer: Response) -> None:
        """Archive the response for one page. Called from many threads.

        Args:
            stream: the stream that was requested.
            scope: its scope.
            position: where the page begins.
            bounded: whether only the records of a time range were requested.
            answer: the response. Of its headers only those are kept that are needed to read it: no token is among them.
        """
        names = headers_read(self._contract.streams[stream])
        if charset_of(answer.headers.get("Content-Type", "")):
            names = [*names, "Content-Type"]
        page: ArchivedPage | None = ArchivedPage(
            stream,
            scope,
            position,
            bounded,
            status=answer.status,
            received_at=answer.received_at,
            address=answer.url.partition("?")[0],
            headers={name: answer.headers[name] for name in names if name in answer.headers},
            body=answer.content,
        )
        if page and self._privacy:
            page = self._privacy.redacted(page)
        if page:
            self._writer.add(page)


@dataclass(frozen=True, slots=True)
class Shown:
    """Whether a list shows records, and how many requests it took to find out.

    ``records``: None if no list is known to have records.
    """

    records: bool | None
    requests: int = 0


class Source:
    """The pages of a community. Safe to use from many threads.

    Args:
        client: sends the requests.
        privacy: what may be stored of people.
        archive: keeps the responses; None keeps none.
    """

    def __init__(self, client: IdeasApi, privacy: Privacy, archive: RunArchive | None = None) -> None:
        self.client = client
        self.contract = client.contract
        self.privacy = privacy
        self._archive = archive
        self._reader = PageReader(client.contract)
        # The list that showed records last, and the statuses of lists that showed none.
        self._with_records: tuple[str, str, Bounds] | None = None
        self._empty_statuses: set[int] = set()

    def page(
        self,
        stream: str,
        scope: str,
        position: Position,
        bounds: Bounds = ALL,
        known: KnownRows = NO_ROWS,
        seen: Collection[str] = (),
    ) -> Page:
        """One page of a scope, as it may be stored.

        Args:
            stream: the stream to read.
            scope: its scope.
            position: where the page begins (see ``pagination``).
            bounds: request only the records of this time range, if the contract knows how to ask for one.
            known: the rows that records can name: a record that names a known parent belongs to it.
            seen: the ids of records that came before, which need only their id and times.

        Raises:
            IdeasApiError: with the stream and the scope; NotFound if the API answers 404 or 410.
        """
        answer = self.client.request(stream, scope, position, bounds)
        if self._archive:
            self._archive.add(stream, scope, position, not bounds.open, answer)
        # Accounts are mapped whole each time: somebody who was erased meanwhile is recognised by names and addresses.
        page = self._reader.page(stream, scope, position, answer, known, () if stream == "users" else seen)
        if not page.records:
            self._empty_statuses.add(answer.status)
        elif position == pagination.first(self.contract.streams[stream].paging):
            self._with_records = stream, scope, bounds
        return self.privacy.apply(stream, page)

    def shows_records(self) -> Shown:
        """Whether the API still shows records in the list that showed some last: an expired token may show none.

        Raises:
            IdeasApiError: the API does not say.
        """
        if self._with_records is None:
            return Shown(None)
        stream, scope, bounds = self._with_records
        first = pagination.first(self.contract.streams[stream].paging)
        try:
            answer = self.client.request(stream, scope, first, bounds)
            return Shown(bool(self._reader.page(stream, scope, first, answer).records), answer.requests)
        except (AccessDenied, NotFound, UnexpectedResponse) as error:
            return Shown(False, error.requests)

    def forget_records(self) -> None:
        """Forget which list showed records: it does not any more."""
        self._with_records = None

    def advice_on_expiry(self) -> str:
        """The line of the contract that would recognize an expired token, if there is one, as a sentence to add."""
        if HTTPStatus.NO_CONTENT not in self._empty_statuses:
            return ""
        return " If it never answers 204 for an empty list, add to the contract: auth: {expired: {statuses: 204}}"

    def look(self, stream: str, scope: str, position: Position) -> Page:
        """A page that is only compared with others: requested once, whatever comes, and not archived.

        Raises:
            IdeasApiError: with the stream and the scope.
        """
        answer = self.client.trying_once().request(stream, scope, position)
        return self.privacy.apply(stream, self._reader.page(stream, scope, position, answer))

    def probe(self, stream: str, position: Position, known: Container[str]) -> Page:
        """A page that shows whether the one list of a stream has changed (see ``Stream.probe``).

        It is archived if it has a record whose id is not ``known``, and as a part of the list: a replay would take it
        for a sweep otherwise.

        Raises:
            IdeasApiError: with the stream.
        """
        spec = self.contract.streams[stream]
        also = spec.probe if isinstance(spec.probe, dict) else {}
        answer = self.client.request(stream, "", position, also=also)
        page = self.privacy.apply(stream, self._reader.page(stream, "", position, answer))
        if self._archive and any(str(record.columns.get("id")) not in known for record in page.records):
            self._archive.add(stream, "", position, True, answer)
        return page
