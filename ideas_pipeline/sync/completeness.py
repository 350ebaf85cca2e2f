"""Rules that decide whether a scope read in pages is complete. They need no network.

A scope that comes in one response was read at one instant: it is complete. A scope of several pages may change while
it is swept, and a matching total proves nothing: if a row before the current position is deleted and another row is
added, the total stays the same and a live row is skipped. Therefore:

* A sweep is *clean* if it found no contradiction: all pages give the same total, the number of distinct records equals
  it, and no record, page or cursor was returned twice. If there may be records beyond the total (a next cursor, or a
  full last page), one more page is requested; it must bring nothing new.
* A clean sweep completes the scope if earlier sweeps had already seen all of its records. Proof: suppose that a clean
  sweep of n records skipped a row that existed throughout. Then one of the n records was added after the sweep began.
  If an earlier sweep had seen that record, it was removed in between and came back under the same id. Paging cannot
  detect records that leave and return in step with the requests.
* If the API gives no total, pages are read one after the other until the API names no further page or sends an empty
  one, and two clean sweeps must hold the same records. The same argument applies.
* If it gives totals, one clean sweep is enough when it holds exactly the live rows of the warehouse: a night without
  changes costs one sweep. Any new or absent record requires a second one.

Any doubt means another sweep, up to a limit. Each record is handed on once, when a sweep sees it for the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from ideas_pipeline.errors import IdeasApiError, NotFound, is_retryable
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.ideas_api.pagination import AnyPaging, Page, Position

Verdict = Literal["complete", "incomplete", "not_found"]

# Stop after this many consecutive pages without a new record: the server is repeating itself.
_STALE_PAGES = 2


@dataclass(slots=True)
class _Sweep:
    """One pass over the pages of a scope.

    Attributes:
        ids: the ids of the records received.
        keyless: number of records without an id.
        pages: number of pages received.
        stale: number of consecutive pages without a new record.
        page_size: how many records the first page had.
        planned: whether the total on the first page was used to request all remaining pages at once.
        probed: whether all records of the total have arrived. At most one page beyond them is then requested, to check
            that it brings nothing new.
        totals: the total on each page.
        requested: the positions that were requested.
        pending: number of requested pages not received yet.
        doubts: the contradictions that were seen.
    """

    ids: set[str] = field(default_factory=set)
    keyless: int = 0
    pages: int = 0
    stale: int = 0
    page_size: int = 0
    planned: bool = False
    probed: bool = False
    totals: list[int | None] = field(default_factory=list)
    requested: set[Position] = field(default_factory=set)
    pending: int = 0
    doubts: set[str] = field(default_factory=set)

    @property
    def count(self) -> int:
        return len(self.ids) + self.keyless

    def check_totals(self) -> None:
        """Compare the number of records with the totals on the pages."""
        totals = sorted({t for t in self.totals if t is not None})
        if len(totals) > 1:
            self.doubts.add(f"the API's total changed between {totals[0]} and {totals[-1]}")
        elif totals and totals[0] != self.count:
            self.doubts.add(f"the API's total is {totals[0]}, but {self.count} records came")
        elif totals and None in self.totals:
            self.doubts.add("some pages came without a total")


class SweptScope:
    """A scope being swept, up to a limit, until it is complete.

    Feed it pages; it returns the positions to request next and ends with a verdict.

    Args:
        scope: the scope.
        paging: how the API pages it.
        sweeps: the limit of sweeps.
        known: called at most once, for a scope of several pages: the ids of its live rows in the warehouse.
        declared: the number of records that its parent declares, kept for ``_sync_scopes``.
        single: whether the scope is a single record, which may not exist.

    Attributes:
        verdict: None until the scope is finished.
        reason: why it is not complete.
        retryable: whether a later run may complete it.
        started_at: when the first sweep started, in UTC.
        requests: number of requests sent, retries included.
        received: number of records received, repeated ones included.
        sweeps: number of sweeps started.
    """

    def __init__(
        self,
        scope: str,
        paging: AnyPaging,
        *,
        sweeps: int,
        known: Callable[[], Collection[str]] = frozenset,
        declared: int | None = None,
        single: bool = False,
    ) -> None:
        self.scope = scope
        self.declared = declared
        self.verdict: Verdict | None = None
        self.reason: str | None = None
        self.retryable = True
        self.started_at: datetime | None = None
        self.requests = 0
        self.received = 0
        self.sweeps = 0
        self._paging = paging
        self._single = single
        self._limit = sweeps
        self._known = known
        self._seen: dict[str, str] = {}
        self._earlier: list[_Sweep] = []
        self._sweep = _Sweep()

    @property
    def finished(self) -> bool:
        """Whether there is a verdict, and no page is pending."""
        return self.verdict is not None and self._sweep.pending == 0

    @property
    def pages(self) -> int:
        return self._sweep.pages

    @property
    def total_first(self) -> int | None:
        return self._sweep.totals[0] if self._sweep.totals else None

    @property
    def total_last(self) -> int | None:
        return self._sweep.totals[-1] if self._sweep.totals else None

    @property
    def ids(self) -> set[str]:
        """The ids that the last sweep saw: those of the scope if it is complete."""
        return self._sweep.ids

    @property
    def some_vanished(self) -> bool:
        """Whether the last sweep did not bring a record that an earlier one had seen."""
        return len(self._seen) > len(self._sweep.ids)

    def start(self) -> list[Position]:
        """Start a sweep and return the positions to request."""
        self.started_at = self.started_at or datetime.now(UTC)
        self.sweeps += 1
        self._sweep = _Sweep()
        return self._request([pagination.first(self._paging)])

    def take(self, page: Page) -> tuple[list[Record], list[Position]]:
        """Add a received page. Return the records not seen before, and the positions to request next."""
        sweep = self._sweep
        self.requests += page.requests
        self.received += len(page.records)
        sweep.pending -= 1
        sweep.pages += 1
        sweep.totals.append(page.total)
        before = sweep.count
        fresh = self._note(page)
        if self.verdict:
            return fresh, []
        follow = self._follow(page, news=sweep.count - before)
        if not follow and not sweep.pending:
            follow = self._end_of_sweep(page)
        return fresh, follow

    def fail(self, error: IdeasApiError) -> None:
        """Record that a page failed. The scope becomes incomplete, or not found; records received so far are kept."""
        self.requests += error.requests
        self._sweep.pending -= 1
        if self.verdict:
            return
        if self._single and isinstance(error, NotFound):
            self.verdict, self.reason = "not_found", error.message
        else:
            status = f" (HTTP {error.status})" if error.status else ""
            self.verdict, self.reason = "incomplete", f"{error.message}{status}"
            self.retryable = is_retryable(error)

    def _request(self, positions: list[Position]) -> list[Position]:
        sweep = self._sweep
        fresh = [p for p in positions if p not in sweep.requested]
        if len(fresh) < len(positions):
            sweep.doubts.add("a page or cursor repeated")
        sweep.requested.update(fresh)
        sweep.pending += len(fresh)
        return fresh

    def _note(self, page: Page) -> list[Record]:
        sweep = self._sweep
        fresh: list[Record] = []
        for record in page.records:
            key = record.columns.get("id")
            if key is None:
                sweep.keyless += 1
                if not self._earlier:
                    fresh.append(record)
                continue
            text = str(key)
            if text in sweep.ids:
                if not sweep.probed:  # beyond the end, a server may repeat its last page
                    sweep.doubts.add("a record came twice")
                continue
            if text not in self._seen:
                self._seen[text] = text
                fresh.append(record)
            sweep.ids.add(self._seen[text])  # one string object per id, shared by all sweeps
        return fresh

    def _follow(self, page: Page, *, news: int) -> list[Position]:
        sweep = self._sweep
        if sweep.pages == 1:
            sweep.page_size = len(page.records)
            rest = pagination.rest(self._paging, sweep.page_size, page.total)
            if rest:
                sweep.planned = True
                return self._request(rest)
        if sweep.pending or sweep.probed:
            return []
        if page.total is not None and sweep.count >= page.total:
            sweep.probed = True
            return self._request(self._beyond(page))
        if sweep.planned or page.next is None:
            return []
        sweep.stale = 0 if news else sweep.stale + 1
        if sweep.stale >= _STALE_PAGES:
            sweep.doubts.add("pages brought nothing new and did not end")
            return []
        return self._request([page.next])

    def _beyond(self, page: Page) -> list[Position]:
        """The page after the last record of the total, if the API may have more: it must bring nothing new."""
        sweep = self._sweep
        if self._paging.style in ("cursor", "next_link"):
            return [page.next] if page.next is not None and page.next not in sweep.requested else []
        size = getattr(self._paging, "size", 0)
        full = sweep.count % sweep.page_size == 0 if sweep.pages > 1 else sweep.page_size >= size
        return pagination.after(self._paging, sweep.count, sweep.page_size) if sweep.count and full else []

    def _end_of_sweep(self, page: Page) -> list[Position]:
        sweep = self._sweep
        sweep.check_totals()
        if not sweep.doubts and (self._is_one_instant(page) or self._agrees()):
            self.verdict = "complete"
            return []
        same_again = bool(sweep.doubts) and any(e.ids == sweep.ids and e.doubts == sweep.doubts for e in self._earlier)
        if same_again or self.sweeps >= self._limit:
            times = f"{self.sweeps} sweeps" if self.sweeps > 1 else "one sweep"
            self.verdict = "incomplete"
            self.reason = (
                f"{'; '.join(sorted(sweep.doubts)) or 'no earlier sweep confirmed these records'} (after {times})"
            )
            return []
        self._earlier.append(sweep)
        return self.start()

    def _is_one_instant(self, page: Page) -> bool:
        """Whether one response was the whole scope: by its paging style, by its total, or because it is empty."""
        sweep = self._sweep
        if sweep.probed:
            return sweep.pages == 1 or (sweep.pages == 2 and sweep.page_size == sweep.count)
        return sweep.pages == 1 and page.next is None

    def _agrees(self) -> bool:
        sweep = self._sweep
        if sweep.totals[0] is None:
            return any(not e.doubts and e.ids == sweep.ids for e in self._earlier)
        if self._earlier:
            return sweep.ids <= set().union(*(e.ids for e in self._earlier))
        return sweep.ids == set(self._known())
