"""When a scope that was read page by page is complete: the rules, without the network.

A scope that comes in one response was read at one instant: it is complete. A scope of several pages may change while
it is swept, and every count can be deceived: if one row before our position is deleted and another one is added, the
total stays the same and a living row is skipped. Therefore:

* A sweep is *clean* if it saw no contradiction: every page gave the same total, the number of distinct records is that
  total, no record came twice, and no page or cursor repeated. A total is checked if the API could have more: a next
  cursor or a full last page is followed once more, and must bring nothing new.
* A clean sweep completes the scope if an earlier sweep had seen all of its records. Suppose that a clean sweep of n
  records skipped a row that was there all along. Then one of those n was not in the list when the sweep began, and if
  an earlier sweep had seen it, it must have left and come back. No reader of pages can detect rows that come back with
  the same id in step with its requests.
* If the API gives no total, two sweeps must be clean and hold the same records: the pages are then read one after the
  other up to an empty one, and the same argument holds.
* By the same argument, one clean sweep with totals is enough if it holds exactly the records that the warehouse has: a
  quiet night costs one sweep. Anything new or absent takes a second one.

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

# After so many pages in a row without a new record, the server is repeating itself.
_STALE_PAGES = 2


@dataclass(slots=True)
class _Sweep:
    """One pass over the pages of a scope.

    Attributes:
        ids: the ids of the records that came.
        keyless: how many records without an id came.
        pages: how many pages came.
        stale: how many pages in a row brought nothing new.
        page_size: how many records the first page had.
        planned: whether all pages were requested from the total on the first one.
        probed: whether all records of the total came, and a page beyond them was requested to see that it is empty.
        totals: the total on each page.
        requested: the positions that were requested.
        pending: how many of them have not come yet.
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
    """A scope that is swept until it is complete or given up.

    Feed it pages: it tells which positions to request next and, in the end, its verdict.

    Args:
        scope: the scope.
        paging: how the API pages it.
        sweeps: the limit of sweeps.
        known: called at most once, for a scope of several pages: the ids of its live rows in the warehouse.
        declared: the number of records that its parent declares, kept for ``_sync_scopes``.
        single: whether the scope is one record, which may not exist.

    Attributes:
        retryable: whether a later run may find it complete.
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
        """Whether the last sweep lacked a record that an earlier one had seen."""
        return len(self._seen) > len(self._sweep.ids)

    def start(self) -> list[Position]:
        """Start a sweep. Returns the positions to request."""
        self.started_at = self.started_at or datetime.now(UTC)
        self.sweeps += 1
        self._sweep = _Sweep()
        return self._request([pagination.first(self._paging)])

    def take(self, page: Page) -> tuple[list[Record], list[Position]]:
        """Take a page that came. Returns the records that no page brought before, and the positions to request next."""
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
        """Take the error of a page that did not come. The scope is incomplete; the records that came are kept."""
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
            self.reason = f"{'; '.join(sorted(sweep.doubts)) or 'the list kept changing'} (after {times})"
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
