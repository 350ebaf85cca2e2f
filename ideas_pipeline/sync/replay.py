"""Rebuild the tables from the archive, without the API: archived pages are read again with today's contract.

Of each scope the records of the newest complete sweep are loaded, and over them what later, incomplete sweeps brought.
Records are read newest first, and the first of each id is kept: nothing older than what the warehouse has is loaded. A
record that can move is loaded in the scope that showed it last; a scope whose latest sweep is not archived, not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from requests.structures import CaseInsensitiveDict

from ideas_pipeline.archive.reader import ArchiveReader, PageRef, Sweep
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.paging import OffsetPaging, PagePaging
from ideas_pipeline.errors import NOT_FOUND, IdeasApiError, NotArchived, UnexpectedResponse, WarehouseError
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.json_body import Parsed, parse
from ideas_pipeline.ideas_api.page_reader import PageReader
from ideas_pipeline.ideas_api.pagination import Page, Position
from ideas_pipeline.ideas_api.references import NO_ROWS, KnownRows
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.sync.batching import About, Rows
from ideas_pipeline.sync.completeness import Verdict
from ideas_pipeline.sync.contract_fit import check_fit
from ideas_pipeline.sync.drift import Drift
from ideas_pipeline.sync.engine import finish_run, new_run_id, noting_stop
from ideas_pipeline.sync.loading import Tally, load_rows
from ideas_pipeline.sync.planning import Plan, ScopePlan, known_rows, scopes_of
from ideas_pipeline.sync.run import Progress, RunResult, Silence, StreamResult, worst
from ideas_pipeline.sync.stream import BATCH_RECORDS, BATCH_SCOPES, UNFINISHED_RECORDS, record_stream, stream_result
from ideas_pipeline.warehouse.batch import Counts, ScopeRead
from ideas_pipeline.warehouse.runs import RunStart, failure_recorded, start_run, start_stream
from ideas_pipeline.warehouse.scopes import LastSweep, last_sweeps
from ideas_pipeline.warehouse.warehouse import Warehouse

_SOURCE = "archive"
# If more embedded rows than this share are absent at once, they are held.
_MASS_ABSENCE_PERCENT = 10


def replay(
    contract: Contract,
    warehouse: Warehouse,
    folder: Path,
    *,
    since: datetime | None = None,
    streams: Sequence[str] | None = None,
    progress: Progress | None = None,
    privacy: Privacy | None = None,
) -> RunResult:
    """Load what is archived of a community, as ``contract`` says.

    Nothing is concluded from absent records, and no state of the nightly runs moves. A scope that is not archived
    completely is incomplete.

    Args:
        contract: how the pages are read.
        warehouse: where the records go.
        folder: the archive of the community.
        since: leave out pages that were received before; timezone-aware.
        streams: load only these streams.
        progress: hears what is done.
        privacy: what may be stored of people; None stores what was archived.

    Raises:
        ContractError: the contract does not fit the tables.
        NotArchived: the archive cannot be read.
        PrivacyError, WarehouseError: these and NotArchived are recorded as why the run failed.
    """
    began = datetime.now(UTC)
    run = ArchiveRun(
        contract,
        warehouse,
        new_run_id(began),
        privacy or Privacy(contract, warehouse.community),
        progress or Silence(),
    )
    start = RunStart(run.run_id, _SOURCE, began, mode="replay")
    after = since.timestamp() if since else 0.0
    with failure_recorded(warehouse, start, IdeasApiError, WarehouseError), ArchiveReader(folder, after) as archive:
        check_fit(contract)
        with warehouse.writing() as tx:
            start_run(tx, start)
        with noting_stop(warehouse, run.run_id):
            for sentence in run.privacy.begin(warehouse):
                run.progress.noted(sentence)
            results = [
                _replay_stream(run, archive, stream)
                for stream in contract.order()
                if streams is None or stream in streams
            ]
        with warehouse.writing() as tx:
            finish_run(tx, run.run_id, datetime.now(UTC))
        run.privacy.finish(warehouse)
    return RunResult(run.run_id, worst([result.verdict for result in results]), results)


@dataclass(frozen=True, slots=True)
class ArchiveRun:
    """What the streams of a run that loads archived pages share."""

    contract: Contract
    warehouse: Warehouse
    run_id: str
    privacy: Privacy
    progress: Progress


def _replay_stream(run: ArchiveRun, archive: ArchiveReader, stream: str) -> StreamResult:
    with run.warehouse.writing() as tx:
        start_stream(tx, run.run_id, stream, datetime.now(UTC))
    scopes = scopes_of(run.warehouse, run.contract.streams[stream])
    tally = Tally(Drift(run.warehouse, run.contract, stream), Plan({scope: ScopePlan(scope) for scope in scopes}))
    run.progress.stream_started(stream, len(scopes))
    with run.warehouse.reading() as tx:
        latest = last_sweeps(tx, stream)
    known = known_rows(run.warehouse, run.contract, stream, scopes)
    load_archived(run, ArchivedStream(archive, run.contract, stream, latest, known), scopes, tally)
    result = stream_result(stream, tally)
    record_stream(run.warehouse, run.run_id, result, datetime.now(UTC))
    run.progress.stream_finished(result)
    return result


def load_archived(
    run: ArchiveRun, archived: ArchivedStream, scopes: Collection[str], tally: Tally, *, recorded: bool = True
) -> dict[str, Verdict]:
    """Load archived records, as far as they are archived. Raises WarehouseError if they cannot be written.

    Args:
        run: where they go, and how.
        archived: the stream.
        scopes: the scopes to load.
        tally: what the stream has read and written so far; the records are added to it.
        recorded: whether each scope becomes a row of ``_sync_scopes``.

    Returns:
        The verdict of each scope.
    """
    stream = archived.stream
    verdicts: dict[str, Verdict] = {}
    rows, finished = Rows(), list[ScopeRead]()
    for scope in scopes:
        if not run.privacy.reads(stream, scope):
            continue
        received = 0
        try:
            held = archived.held(scope)
            for page in archived.pages(scope, held):
                rows.add(run.privacy.apply(stream, page).records, scope)
                received += len(page.records)
                if len(rows.records) >= UNFINISHED_RECORDS:
                    _load(run, stream, rows, [], tally)
                    rows = Rows()
        except NotArchived as error:
            held = ArchivedScope("incomplete", error.message)
        verdicts[scope] = held.verdict
        if recorded:
            finished.append(_scope_read(scope, held, received))
        run.progress.scope_done(stream, received, 0)
        if len(rows.records) >= BATCH_RECORDS or len(finished) >= BATCH_SCOPES:
            _load(run, stream, rows, finished, tally)
            rows, finished = Rows(), []
    _load(run, stream, rows, finished, tally)
    return verdicts


def _load(run: ArchiveRun, stream: str, rows: Rows, finished: Sequence[ScopeRead], tally: Tally) -> None:
    about = About(run.contract, stream, run.run_id, datetime.now(UTC), _MASS_ABSENCE_PERCENT)
    if rows.records or finished:
        load_rows(
            run.warehouse,
            about,
            rows,
            tally,
            lambda: [replace(read, counts=tally.partly.pop(read.scope, Counts())) for read in finished],
        )


def _scope_read(scope: str, held: ArchivedScope, received: int) -> ScopeRead:
    """The row of a scope in `_sync_scopes`. No absence is judged, and the state of the next sync does not move."""
    return ScopeRead(
        scope=scope,
        verdict=held.verdict,
        reason=held.reason,
        swept_at=datetime.now(UTC),
        total_first=None,
        total_last=None,
        declared=None,
        sweeps=0,
        pages=len(held.pages),
        received=received,
        judged=False,
    )


@dataclass(frozen=True, slots=True)
class ArchivedScope:
    """What the archive holds of a scope.

    Attributes:
        verdict: whether that is all of it.
        reason: why it is not.
        pages: newest first, each with its position.
        sweep_of: by page, the number of the sweep that it belongs to.
    """

    verdict: Verdict
    reason: str | None = None
    pages: Sequence[tuple[Position, PageRef]] = ()
    sweep_of: Mapping[PageRef, int] = field(default_factory=dict)


class ArchivedStream:
    """The archived records of one stream.

    Args:
        archive: where the pages are.
        contract: how they are read.
        stream: the stream.
        latest: by scope, the latest sweep that the warehouse has loaded.
        known: the rows that records can name.

    Raises:
        NotArchived: the archive cannot be read.
    """

    def __init__(
        self,
        archive: ArchiveReader,
        contract: Contract,
        stream: str,
        latest: Mapping[str, LastSweep],
        known: KnownRows = NO_ROWS,
    ) -> None:
        self._archive = archive
        self.stream = stream
        self._spec = contract.streams[stream]
        self._reader = PageReader(contract)
        self._latest = latest
        self._known = known
        self._sweeps = archive.sweeps(stream)
        self._homes = self._find_homes() if self._spec.each and self._spec.each.moves else {}

    def held(self, scope: str) -> ArchivedScope:
        """What can be loaded of a scope: its newest complete sweep, and all pages that are newer.

        Raises NotArchived if a page was erased meanwhile.
        """
        sweeps = self._sweeps.get(scope, [])
        if not sweeps:
            return ArchivedScope("incomplete", "the archive does not hold this list; a sync reads it")
        if self._is_outdated(scope, sweeps):
            return ArchivedScope("incomplete", "the archive lacks the latest sweep of this list; a sync reads it")
        newest = next(reversed(sweeps[-1].pages.values()))
        if self._spec.reads == "one" and newest.status >= 400:
            return ArchivedScope("not_found", "it did not exist when it was last requested")
        if self._spec.not_found_is_empty and {ref.status for ref in sweeps[-1].pages.values()} <= NOT_FOUND:
            return ArchivedScope("complete")
        reason: str | None = None
        pages: list[tuple[Position, PageRef]] = []
        for sweep in reversed(sweeps):
            pages += [(position, ref) for position, ref in sweep.pages.items() if ref.status < 400]
            try:
                if self._is_complete(sweep):
                    reason = None
                    break
            except UnexpectedResponse as error:
                reason = reason or error.message + (f" (HTTP {error.status})" if error.status else "")
        else:
            reason = reason or "the archive holds only a part of this list; a sync reads it"
        pages.sort(key=lambda page: page[1].received_at, reverse=True)
        sweep_of = {ref: number for number, sweep in enumerate(sweeps) for ref in sweep.pages.values()}
        return ArchivedScope("incomplete" if reason else "complete", reason, pages, sweep_of)

    def pages(self, scope: str, held: ArchivedScope) -> Iterator[Page]:
        """The records of a scope, newest first, and of each id those of its newest sweep that differ.

        Raises NotArchived if a page was erased meanwhile.
        """
        seen: dict[str, tuple[int, set[str | None]]] = {}
        for position, ref in held.pages:
            page = self._page(scope, position, ref)
            records = []
            for record in page.every if page else ():
                id_ = record.columns.get("id")
                if id_ is not None:
                    if self._homes.get(str(id_), (0.0, scope))[1] != scope:
                        continue
                    sweep, states = seen.setdefault(str(id_), (held.sweep_of[ref], set()))
                    if states and (record.state is None or record.state in states or sweep != held.sweep_of[ref]):
                        continue
                    record.repeats = datetime.fromtimestamp(ref.received_at, UTC) if states else None
                    states.add(record.state)
                records.append(record)
            if page and records:
                yield replace(page, records=records, nested=[])

    def _find_homes(self) -> dict[str, tuple[float, str]]:
        """By id, when and in which scope a record was seen last."""
        homes: dict[str, tuple[float, str]] = {}
        for scope in self._sweeps:
            with suppress(NotArchived):  # whoever loads the scope says so
                for position, ref in self.held(scope).pages:
                    page = self._page(scope, position, ref)
                    for record in page.every if page else ():
                        seen = ref.received_at, scope
                        id_ = str(record.columns.get("id"))
                        homes[id_] = max(homes.get(id_, seen), seen)
        return homes

    def _is_outdated(self, scope: str, sweeps: list[Sweep]) -> bool:
        latest = self._latest.get(scope)
        if latest is None or not latest.pages:
            return False
        return sum(len(sweep.pages) for sweep in sweeps if sweep.run_id == latest.run_id) < latest.pages

    def _is_complete(self, sweep: Sweep) -> bool:
        """Whether no page is missing, by what the pages say themselves. Raises UnexpectedResponse."""
        if sweep.bounded:
            return False
        paging = self._spec.paging
        if not isinstance(paging, PagePaging | OffsetPaging):
            return self._is_linked_to_its_end(sweep)
        if not all(map(pagination.is_number, sweep.pages)):
            return False  # it was archived under an earlier contract
        by_size: dict[int | None, list[Position]] = {}
        for position in sweep.pages:
            size = pagination.number_and_size(position)[1] if isinstance(paging, PagePaging) else None
            by_size.setdefault(size, []).append(position)
        return any(self._covers(sweep, positions) for positions in by_size.values())

    def _is_linked_to_its_end(self, sweep: Sweep) -> bool:
        position: Position | None = pagination.first(self._spec.paging)
        totals: set[int | None] = set()
        asked: set[Position] = set()
        count = 0
        while position is not None and position not in asked:
            if position not in sweep.pages or sweep.pages[position].status >= 400:
                return False
            asked.add(position)
            here, total, following = self._outline(sweep, position)
            count += here
            totals.add(total)
            position = None if total is not None and count >= total else following
        return totals == {None} or totals == {count}

    def _covers(self, sweep: Sweep, positions: list[Position]) -> bool:
        """Whether numbered pages of one size cover the list from its head to its end."""
        paging = self._spec.paging
        held, end, total = 0, 0, None
        for position in sorted(positions, key=lambda p: pagination.number_and_size(p)[0]):
            number = pagination.number_and_size(position)[0]
            start = (number - paging.first) * max(held, 1) if isinstance(paging, PagePaging) else number
            if start > end:  # a page is missing
                return False
            if sweep.pages[position].status >= 400:
                return end > 0 and total is None
            here, total, _ = self._outline(sweep, position)
            if not here:
                return total is None or total <= end
            held = held or here
            end = max(end, start + here)
        return total is not None and end == total

    def _outline(self, sweep: Sweep, position: Position) -> tuple[int, int | None, Position | None]:
        return self._reader.outline(self.stream, position, self._response(sweep.pages[position]))

    def _page(self, scope: str, position: Position, ref: PageRef) -> Page | None:
        """The page as the contract reads it; None if the contract does not describe it."""
        paging = self._spec.paging
        if isinstance(paging, PagePaging | OffsetPaging) and not pagination.is_number(position):
            position = pagination.first(paging)  # only its records count
        try:
            return self._reader.page(self.stream, scope, position, self._response(ref), self._known)
        except UnexpectedResponse:  # the scope is incomplete, and says why
            return None

    def _response(self, ref: PageRef) -> Response:
        page = self._archive.page(ref)
        headers = CaseInsensitiveDict(page.headers)
        parsed = parse(page.body, headers.get("Content-Type", "")) if page.body else Parsed(None)
        return Response(
            status=page.status,
            headers=headers,
            body=parsed.value,
            text="",
            url=page.address,
            requests=0,
            received_at=page.received_at,
            replaced=parsed.replaced,
        )
