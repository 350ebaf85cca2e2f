"""A few requests that show whether a long list has to be read (``Stream.probe`` of the contract)."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from ideas_pipeline.contract.paging import OffsetPaging, PagePaging
from ideas_pipeline.errors import IdeasApiError
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.ideas_api.pagination import AnyPaging, Page, Position
from ideas_pipeline.sync.run import Run
from ideas_pipeline.warehouse.absences import undecided
from ideas_pipeline.warehouse.scopes import changed_since, deleted_ids, last_sweeps, live_ids, scope_states

# If more pages than this have new records, the list is read.
_MOST_PAGES = 10


@dataclass(frozen=True, slots=True)
class Probed:
    """What the requests showed.

    Attributes:
        is_explained: whether the list need not be read: since it was last complete, it only gained records that the
            warehouse has by now, or that are in ``gained``.
        requests: how many requests it took to find out.
        gained: records that are not in the warehouse.
    """

    is_explained: bool
    requests: int = 0
    gained: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """The ids of the rows that are live, and of those that are not: deleted records bring no news of these."""

    live: Set[str]
    deleted: set[str]


def probe(run: Run, stream: str) -> Probed:
    """Find out with a few requests what a list gained since it was last complete, and whether that is all.

    Nothing is requested if the list must be read anyway: if its last sweep was not complete, if it was last complete
    more than ``verify_days`` ago, if it has an absent row that no run has decided yet, or if its total proves nothing
    because it did not count the records.

    Args:
        run: an incremental run.
        stream: a stream that is one list.
    """
    spec = run.source.contract.streams[stream]
    if spec.probe is None:
        return Probed(is_explained=False)
    with run.warehouse.reading() as tx:
        last, state = last_sweeps(tx, stream).get(""), scope_states(tx, stream).get("")
        has_undecided = bool(undecided(tx, stream))
        known = _Known(live_ids(tx, stream), deleted_ids(tx, stream) if spec.deleted else set())
        loaded_since = changed_since(tx, stream, state.completed_at) if state and state.completed_at else 0
    long_ago = run.options.clock() - timedelta(days=run.options.verify_days)
    is_recent = state is not None and state.completed_at is not None and state.completed_at > long_ago
    if has_undecided or not is_recent or last is None or last.verdict != "complete":
        return Probed(is_explained=False)
    if spec.probe == "total" and (last.total is None or last.total != last.rows):
        return Probed(is_explained=False)
    requests = 0
    gained: dict[str, Record] = {}
    try:
        for page in islice(_ends(run, stream, known), _MOST_PAGES):
            requests += page.requests
            news = _unknown(page, known)
            gained |= news
            if page.broken or page.partial or page.refused or not page.records or "None" in news:
                break
            if page.total is None:
                is_explained = spec.probe != "total" and not news
            else:
                is_explained = last.total is not None and page.total == last.total + loaded_since + len(gained)
            if is_explained:
                return Probed(is_explained=True, requests=requests, gained=tuple(gained.values()))
    except IdeasApiError as error:
        requests += error.requests
    return Probed(is_explained=False, requests=requests)


def _ends(run: Run, stream: str, known: _Known) -> Iterator[Page]:
    """The pages from the head of the list up to one without new records; then likewise from its end.

    Those at its end are left out if the head has new records, or if the contract's parameters put the newest there.
    """
    spec = run.source.contract.streams[stream]
    head = page = run.source.probe(stream, pagination.first(spec.paging), known.live)
    yield page
    while page.next is not None and _unknown(page, known):
        page = run.source.probe(stream, page.next, known.live)
        yield page
    if page is head and spec.probe == "total":
        for position in _from_the_end(spec.paging, head):
            page = run.source.probe(stream, position, known.live)
            yield page
            if not _unknown(page, known):
                return


def _from_the_end(paging: AnyPaging, head: Page) -> Iterator[Position]:
    """The positions of the pages after the first one, the last one first; none if pages have no numbers."""
    held = len(head.records)
    if head.total is None or not held:
        return
    for index in range(head.total - 1, held - 1, -held):
        if isinstance(paging, PagePaging):
            yield pagination.page_at(paging, index, held)
        elif isinstance(paging, OffsetPaging):
            yield max(index - held + 1, 0)


def _unknown(page: Page, known: _Known) -> dict[str, Record]:
    ids = [(str(record.columns.get("id")), record) for record in page.records]
    return {i: r for i, r in ids if i not in known.live and not (r.deleted and i in known.deleted)}
