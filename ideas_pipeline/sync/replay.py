"""The tables anew from the archive, without the API: what was received is read again, as the contract says today.

For each list the archive serves its newest whole walk, and over it what later, partial walks brought. Of a record that
came more than once, the newest state is served, and that of the list in which it was seen last: nothing older than
what the warehouse has is ever loaded. A list of which a later reading is not in the archive is not served at all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from requests.structures import CaseInsensitiveDict

from ideas_pipeline.archive.blocks import block_at, record_in
from ideas_pipeline.archive.index import Kept, Walk, index
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.errors import IdeasApiError, NotArchived, NotFound, UnexpectedResponse, WarehouseError
from ideas_pipeline.ideas_api import pagination, responses
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.ideas_api.page_reader import PageReader
from ideas_pipeline.ideas_api.pagination import ALL, Bounds, Page, Position
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.sync.engine import new_run_id, sync_community
from ideas_pipeline.sync.run import Progress, Replay, RunResult
from ideas_pipeline.warehouse.runs import RunStart, failure_recorded
from ideas_pipeline.warehouse.scopes import LastSweep, last_sweeps
from ideas_pipeline.warehouse.warehouse import Warehouse

_BLOCKS_AT_HAND = 16


def replay(
    contract: Contract,
    warehouse: Warehouse,
    community: str,
    folder: Path,
    *,
    since: datetime | None = None,
    streams: Sequence[str] | None = None,
    progress: Progress | None = None,
    privacy: Privacy | None = None,
) -> RunResult:
    """Load what is archived in ``folder`` (the community's) since ``since`` (knows its zone), as ``contract`` says.

    Concludes nothing from what is missing and moves no state of the nightly runs. A list that is not archived whole is
    incomplete. ``privacy``: what may be stored of people. Raises as ``sync_community`` does, and NotArchived where the
    archive cannot be read; that is noted as why the run failed.
    """
    began, mode = datetime.now(UTC), Replay()
    start = RunStart(new_run_id(began), ArchivedApi.base_url, began, mode=mode.name)
    with failure_recorded(warehouse, start, IdeasApiError, WarehouseError):
        return sync_community(
            _archived(contract, warehouse, community, folder, since, privacy),
            warehouse,
            community,
            streams=streams,
            mode=mode,
            progress=progress,
            run_id=start.run_id,
            privacy=privacy,
        )


def _archived(
    contract: Contract,
    warehouse: Warehouse,
    community: str,
    folder: Path,
    since: datetime | None,
    privacy: Privacy | None,
) -> ArchivedApi:
    def readings(stream: str) -> Mapping[str, LastSweep]:
        with warehouse.reading() as tx:
            return last_sweeps(tx, stream)

    try:
        return ArchivedApi(contract, folder, readings, privacy or Privacy(contract, community), since=since)
    except OSError as error:
        raise NotArchived(
            f"the archive's {error.filename} cannot be read: {error.strerror}",
            hint="Have its rights corrected, or move it elsewhere.",
        ) from None


class _Held(NamedTuple):
    """What is served of a list: pages, newest first; ``wrong``: why that is not all of it."""

    pages: list[tuple[Position, Kept]]
    wrong: IdeasApiError | None


class ArchivedApi:
    """An archive in the place of the API (a ``PageSource``). A list of several pages is served one after the other.

    ``readings``: a function (stream) -> the last reading of each of its lists that the warehouse has loaded, by scope.
    """

    base_url = "archive"
    retries = 0

    def __init__(
        self,
        contract: Contract,
        folder: Path,
        readings: Callable[[str], Mapping[str, LastSweep]],
        privacy: Privacy,
        *,
        since: datetime | None = None,
    ) -> None:
        self.contract = contract
        self._reader = PageReader(contract)
        self._walks = index(folder, since.timestamp() if since else 0.0)
        self._block = lru_cache(_BLOCKS_AT_HAND)(block_at)
        self._readings = readings
        self._privacy = privacy
        self._lock = threading.Lock()
        self._last: dict[str, Mapping[str, LastSweep]] = {}
        self._homes: dict[str, dict[str, tuple[float, str]]] = {}
        self._served: dict[tuple[str, str], Iterator[Page]] = {}

    def account_role(self) -> str | None:
        return None

    def page(self, stream: str, scope: str, position: Position, bounds: Bounds = ALL) -> Page:
        """The next part of a list. Raises NotArchived at its end where it is not archived whole, NotFound where it was
        not there, UnexpectedResponse where the contract does not describe what came."""
        key = stream, scope
        if position == pagination.first(self.contract.streams[stream].paging):
            with self._lock:  # what is known of a stream is looked up once
                self._prepare(stream)
            self._served[key] = self._pages(stream, scope)
        try:
            return self._privacy.prepared(stream, next(self._served[key]))
        except IdeasApiError as error:
            raise error.at(stream, scope) from None
        except (OSError, ValueError, KeyError):
            pass
        raise NotArchived("the archive was changed while it was read", hint="Start the replay again.").at(stream, scope)

    def _prepare(self, stream: str) -> None:
        if stream in self._last:
            return
        self._last[stream] = self._readings(stream)
        each = self.contract.streams[stream].each
        homes: dict[str, tuple[float, str]] = {}
        for of_stream, scope in self._walks:
            if of_stream != stream or not (each and each.moves):
                continue
            for position, kept in self._held(stream, scope).pages:
                for record in self._records(stream, scope, position, kept):
                    seen = kept.received_at, scope
                    name = str(record.columns["id"])
                    homes[name] = max(homes.get(name, seen), seen)
        self._homes[stream] = homes

    def _pages(self, stream: str, scope: str) -> Iterator[Page]:
        """The list's records, each once, as pages that name the next one."""
        held = self._held(stream, scope)
        homes = self._homes[stream]
        served: set[str] = set()
        waiting: list[Record] | None = None
        at, number = 0.0, 0
        for position, kept in held.pages:
            records = []
            for record in self._records(stream, scope, position, kept):
                name = record.columns.get("id")
                if name is not None:
                    if str(name) in served or homes.get(str(name), (0.0, scope))[1] != scope:
                        continue
                    served.add(str(name))
                records.append(record)
            if not records:
                continue
            if waiting is not None:
                number += 1
                yield Page(waiting, None, f"archived {number}", 0, at)
            waiting, at = records, kept.received_at
        if held.wrong:
            if waiting is not None:
                yield Page(waiting, None, "not archived", 0, at)
            raise held.wrong
        yield Page(waiting or [], None, None, 0, at)

    def _held(self, stream: str, scope: str) -> _Held:
        """What is served of a list: its newest whole walk, and all that came after it."""
        walks = self._walks.get((stream, scope), [])
        if not walks:
            return _Held([], NotArchived("the archive does not hold this list; a sync reads it"))
        if self._is_outdated(stream, scope, walks):
            return _Held([], NotArchived("the archive lacks the latest reading of this list; a sync reads it"))
        newest = list(walks[-1].pages.values())[-1]
        if self.contract.streams[stream].reads == "one" and newest.status >= 400:
            return _Held([], NotFound("it was not there when it was last asked for", status=newest.status))
        wrong: IdeasApiError | None = None
        pages: list[tuple[Position, Kept]] = []
        for walk in reversed(walks):
            pages += [(position, kept) for position, kept in walk.pages.items() if kept.status < 400]
            try:
                if self._is_whole(stream, walk):
                    wrong = None
                    break
            except UnexpectedResponse as error:
                wrong = wrong or error
        else:
            wrong = wrong or NotArchived("the archive does not hold this list whole; a sync reads it")
        pages.sort(key=lambda page: page[1].received_at, reverse=True)
        return _Held(pages, wrong)

    def _is_outdated(self, stream: str, scope: str, walks: list[Walk]) -> bool:
        last = self._last[stream].get(scope)
        if last is None or not last.pages:
            return False
        return not any(walk.run_id == last.run_id and len(walk.pages) >= last.pages for walk in walks)

    def _is_whole(self, stream: str, walk: Walk) -> bool:
        """Whether nothing of the list is missing, as its pages tell. Raises UnexpectedResponse."""
        paging = self.contract.streams[stream].paging
        position: Position | None = pagination.first(paging)
        if walk.bounded or position not in walk.pages:
            return False
        totals = set()
        asked: set[Position] = set()
        count = 0
        planned: list[Position] | None = None
        while position is not None and position not in asked:
            if position not in walk.pages:
                return False
            asked.add(position)
            here, total, following = self._reader.outline(stream, position, self._response(walk.pages[position]))
            count += here
            totals.add(total)
            if len(asked) == 1:
                planned = pagination.rest(paging, here, total)
            if planned is not None:
                position = planned.pop(0) if planned else None
            else:
                position = None if total is not None and count >= total else following
        return totals == {None} or totals == {count}

    def _records(self, stream: str, scope: str, position: Position, kept: Kept) -> list[Record]:
        try:
            return self._reader.page(stream, scope, position, self._response(kept)).records
        except UnexpectedResponse:  # of a walk that is not whole: such a page says nothing
            return []

    def _response(self, kept: Kept) -> Response:
        """The archived answer, as if it had just come. Raises OSError, ValueError, KeyError for a changed archive."""
        header, body = record_in(self._block(kept.place.file, kept.place.block), kept.place.offset)
        if header["received_at"] != kept.received_at:
            raise ValueError
        return Response(
            status=kept.status,
            headers=CaseInsensitiveDict(header["headers"]),
            body=responses.parse_json(body) if body else None,
            text="",
            url=header["address"],
            requests=0,
            received_at=kept.received_at,
        )
