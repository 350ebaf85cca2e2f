"""One request that shows whether a long list has to be read (``Stream.probe`` of the contract)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from ideas_pipeline.errors import IdeasApiError
from ideas_pipeline.ideas_api.pagination import Page
from ideas_pipeline.sync.run import Run
from ideas_pipeline.warehouse.absences import undecided
from ideas_pipeline.warehouse.scopes import LastSweep, last_sweeps, live_ids, scope_states


@dataclass(frozen=True, slots=True)
class Probed:
    """Whether the list can be skipped, and the number of requests that it took to find out."""

    unchanged: bool
    requests: int = 0


def probe(run: Run, stream: str) -> Probed:
    """Find out with one request whether a list is unchanged since it was last complete.

    Nothing is requested if the list must be read anyway: if its last sweep was not complete, if it was last complete
    more than ``verify_days`` ago, or if it has an absent row that no run has decided yet.

    Args:
        run: an incremental run.
        stream: a stream that is one list.
    """
    if run.source.contract.streams[stream].probe is None:
        return Probed(unchanged=False)
    with run.warehouse.reading() as tx:
        last, state = last_sweeps(tx, stream).get(""), scope_states(tx, stream).get("")
        has_undecided = bool(undecided(tx, stream))
    long_ago = run.options.clock() - timedelta(days=run.options.verify_days)
    is_recent = state is not None and state.completed_at is not None and state.completed_at > long_ago
    if has_undecided or not is_recent or last is None or last.verdict != "complete":
        return Probed(unchanged=False)
    try:
        page = run.source.probe(stream)
    except IdeasApiError as error:
        return Probed(unchanged=False, requests=error.requests)
    return Probed(_shows_nothing_new(run, stream, page, last), page.requests)


def _shows_nothing_new(run: Run, stream: str, page: Page, last: LastSweep) -> bool:
    """Whether the page has the total of the last sweep, if it has one, and only records that are known."""
    if page.broken or page.refused:
        return False
    by_total = run.source.contract.streams[stream].probe == "total"
    if by_total and (page.total is None or last.total != last.rows):
        return False  # a total that did not count the records proves nothing
    if page.total is not None and page.total != last.total:
        return False
    with run.warehouse.reading() as tx:
        known = live_ids(tx, stream)
    return bool(page.records) and all(str(record.columns.get("id")) in known for record in page.records)
