"""Rules that decide whether a scope read in pages is complete. They need no network.

A scope that comes in one response was read at one instant: it is complete. A scope of several pages may change while
it is swept, and a matching total proves nothing: if a row before the current position is deleted and another row is
added, the total stays the same and a live row is skipped. Therefore:

* A sweep is *clean* if it found no contradiction: all pages give the same total, the number of distinct records equals
  it, no record, page or cursor was returned twice, and no response calls itself partial. If there may be records beyond
  the total (a next cursor, or a full last page), one more page is requested; if it brings records, the total is a cap
  or an estimate, and the list is read as one without a total.
* A clean sweep completes the scope if earlier sweeps had already seen all of its records. Proof: suppose that a clean
  sweep of n records skipped a row that existed throughout. Then one of the n records was added after the sweep began.
  If an earlier sweep had seen that record, it was removed in between and came back under the same id. Paging cannot
  detect records that leave and return in step with the requests.
* If the API gives no total, pages are read one after the other until the API names no further page, or sends or refuses
  pages beyond the end, and two clean sweeps must hold the same records. The same argument applies.
* If it gives totals, one clean sweep is enough when it holds exactly the live rows of the warehouse: a night without
  changes costs one sweep. Any new or absent record requires a second one.
* A list that moves can still be complete by overlap (see ``windows.py``): offsets advance by a little less than a page,
  and a second sweep of numbered pages asks for another page size.

Any doubt means another sweep, up to a limit. Each record is handed on once, when a sweep sees it for the first time.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Collection, Set
from datetime import UTC, datetime
from functools import cache, reduce
from typing import Literal

from ideas_pipeline.contract.paging import OffsetPaging, PagePaging
from ideas_pipeline.errors import IdeasApiError, NotFound, is_retryable
from ideas_pipeline.id_set import IdSet
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.ideas_api.pagination import AnyPaging, Page, Position
from ideas_pipeline.sync.numbered_sweep import NumberedSweep
from ideas_pipeline.sync.sweep import Expected, Sweep
from ideas_pipeline.tables.bookkeeping import ReasonCode
from ideas_pipeline.text import counted
from ideas_pipeline.times import LATEST_PLAN

Verdict = Literal["complete", "incomplete", "not_found"]


class SweptScope:
    """A scope being swept, up to a limit, until it is complete.

    Feed it pages; it returns the positions to request next and ends with a verdict.

    Args:
        scope: the scope.
        paging: how the API pages it.
        sweeps: the limit of sweeps.
        pages: the limit of pages of a sweep.
        known: called at most once, when a sweep needs them: the ids of its live rows in the warehouse. None if only a
            part of the scope is requested.
        declared: the number of records that its parent declares.
        declared_before: called when needed: what it declared at the last complete sweep.
        single: whether the scope is a single record, which may not exist.
        edited: the column with the time of a record's last edit, if there is one: a list in its order proves nothing by
            overlap.

    Attributes:
        verdict: None until the scope is finished.
        reason: why it is not complete; of a complete scope, which claim of the API was not believed, or which lists
            inside its records the API says are not whole.
        reason_code: the reason as a word, if it comes with advice.
        retryable: whether a later run may complete it.
        started_at: when the first sweep started, in UTC.
        requests: number of requests sent, retries included.
        received: number of records received, repeated ones included.
        sweeps: number of sweeps started.
        ids: the ids of the scope if it is complete.
        not_found: whether the API does not find the list, which stands for an empty one, and its parent does not say
            that it is empty.
    """

    def __init__(
        self,
        scope: str,
        paging: AnyPaging,
        *,
        sweeps: int,
        pages: int = 100_000,
        known: Callable[[], Set[str]] | None = frozenset,
        declared: int | None = None,
        declared_before: Callable[[], int | None] = lambda: None,
        single: bool = False,
        edited: str | None = None,
    ) -> None:
        self.scope = scope
        self.declared = declared
        self.verdict: Verdict | None = None
        self.reason: str | None = None
        self.reason_code: ReasonCode | None = None
        self.retryable = True
        self.started_at: datetime | None = None
        self.requests = 0
        self.received = 0
        self.sweeps = 0
        self.ids = IdSet()
        self.not_found = False
        self._is_missing = False
        self._paging = paging
        self._declared_before = declared_before
        self._single = single
        self._limit = sweeps
        self._most_pages = pages
        ids: Callable[[], Set[str]] = cache(known or frozenset)
        self._expected = Expected(ids, declared if known else None, edited, is_only_list=bool(known) and not scope)
        self._seen = IdSet()
        self._states: dict[str, str] = {}
        self._nested: set[str] = set()
        self._cut: Counter[str] = Counter()
        self._earlier: list[Sweep] = []
        self._sweep = self._next_sweep()

    @property
    def finished(self) -> bool:
        """Whether there is a verdict, and no page is pending."""
        return self.verdict is not None and self._sweep.pending == 0

    @property
    def came_empty(self) -> bool:
        """Whether its last sweep showed no record, or it was not found."""
        return self._sweep.count == 0 and (self._sweep.pages > 0 or self._is_missing)

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
    def vanished(self) -> set[str]:
        """The ids that an earlier sweep had seen, and that are not in ``ids``."""
        return {*(self._seen - self.ids), *self.ids.lacks(self._nested)}

    @property
    def seen(self) -> Collection[str]:
        """During a second or later sweep, the ids of all records so far: only others are handed on. Else empty.

        Threads may search it while pages are taken.
        """
        return self._seen if self._earlier else ()

    def start(self) -> list[Position]:
        """Start a sweep and return the positions to request."""
        self.started_at = self.started_at or datetime.now(UTC)
        self.sweeps += 1
        self._states = {}
        self._sweep = self._next_sweep()
        self.ids = self._sweep.ids
        return self._sweep.start()

    def start_over(self) -> None:
        """Forget the verdict. Sweeps that showed records still count."""
        self.verdict, self.reason, self.reason_code, self.retryable = None, None, None, True
        self.not_found = self._is_missing = False
        self._limit += self.sweeps
        if not self.received:
            self._earlier = []

    def give_up(self, reason: str) -> None:
        """End as incomplete; a later run may complete it."""
        self.verdict, self.reason, self.reason_code, self.retryable = "incomplete", reason, None, True

    def take(self, page: Page) -> tuple[list[Record], list[Position]]:
        """Add a received page. Return the records not seen before, and the positions to request next."""
        sweep = self._sweep
        self.requests += page.requests
        self.received += len(page.every)
        fresh, ids = self._note(page)
        fresh += self._note_nested(page)
        self._cut.update(table for record in fresh for table in record.cut)
        if page.refused is not None and page.position == pagination.first(self._paging):
            self.not_found = not self._is_declared_empty()
        follow = sweep.take(page, ids)
        if page.partial:
            sweep.doubts.add(page.partial)
        if self.verdict:
            return fresh, []
        if page.broken:
            self.verdict, self.reason = "incomplete", page.broken
            return fresh, []
        if follow and sweep.pages >= self._most_pages:
            sweep.pending -= len(follow)
            self.verdict, self.retryable = "incomplete", False
            self.reason = (
                f"the list did not end within {sweep.pages:,} pages. Report it to the vendor, or raise limits.pages in "
                "the contract."
            )
            return fresh, []
        if not follow and not sweep.pending:
            follow = self._end_of_sweep(page)
        return fresh, follow

    def fail(self, error: IdeasApiError) -> None:
        """Record that a page failed. The scope becomes incomplete, or not found; records received so far are kept."""
        self.requests += error.requests
        self._sweep.pending -= 1
        if self.verdict:
            return
        self._is_missing = isinstance(error, NotFound)
        if self._single and isinstance(error, NotFound):
            self.verdict, self.reason = "not_found", error.message
        elif isinstance(error, NotFound) and self._is_declared_empty():
            self.verdict = "complete"
        else:
            status = f" (HTTP {error.status})" if error.status else ""
            self.verdict, self.reason = "incomplete", f"{error.message}{status}{self._may_be_beyond(error)}"
            self.retryable = is_retryable(error)

    def _may_be_beyond(self, error: IdeasApiError) -> str:
        """What to do if the page that failed was beyond the end of the list; empty if it was not."""
        total, count = self._sweep.total, self._sweep.count
        if not isinstance(self._sweep, NumberedSweep) or error.status not in (403, 500) or not self._sweep.pages:
            return ""
        if self._sweep.pending or (total is not None and count < total):
            return ""
        return f", after {counted(count, 'record')}. If the list ends there, add beyond: {error.status} to its paging"

    def _is_declared_empty(self) -> bool:
        """Whether the parent, too, says that the list is empty. A count that was always 0 proves nothing."""
        if self.declared != 0 or self._seen:
            return False
        return not self._expected.ids() or bool(self._declared_before())

    def _note(self, page: Page) -> tuple[list[Record], list[str]]:
        """The records of a page that no sweep has seen before, and the ids of all its records."""
        fresh: list[Record] = []
        ids: list[str] = []
        here: set[str] = set()
        for record in page.records:
            key = record.columns.get("id")
            if key is None:
                if not self._earlier:
                    fresh.append(record)
                continue
            text = str(key)
            if record.state is not None:
                is_repeated = text in here  # no edit explains two in one response
                here.add(text)
                if self._states.setdefault(text, record.state) != record.state:
                    record.repeats = LATEST_PLAN if is_repeated else self.started_at
                    text = f"{text}\n{record.state}"  # another record with the same id: it counts, but gets no row
            if text not in self._seen:
                self._seen.add(text)
                fresh.append(record)
            ids.append(self._seen.shared(text))
        return fresh, ids

    def _note_nested(self, page: Page) -> list[Record]:
        """The records inside the page's records that no sweep has seen before. They have no place in the list."""
        fresh = []
        for record in page.nested:
            key = str(record.columns["id"])
            if key not in self._nested and key not in self._seen:
                fresh.append(record)
            self._nested.add(key)
            self._sweep.nested.add(key)
        return fresh

    def _next_sweep(self) -> Sweep:
        paging = self._paging
        last = self._earlier[-1] if self._earlier else None
        if not isinstance(paging, PagePaging | OffsetPaging):
            return Sweep(paging, self._expected, last)
        if not isinstance(last, NumberedSweep):
            return NumberedSweep(paging, self._expected)
        return NumberedSweep(paging, self._expected, last, self._other_size(last))

    def _other_size(self, last: NumberedSweep) -> int | None:
        """The page size of the next sweep: another one than that of the last, unless the list stood still.

        A size that leaves a last page with fewer records shows where the list ends. If a list is one page, shorter than
        asked for and as long as the limit of an API could be, the same size shows whether the API counts pages by the
        size that was asked for: then the second page begins beyond the records that the limit cut off the first one.
        """
        if not isinstance(self._paging, PagePaging) or self._paging.size_parameter is None:
            return None
        if last.clean and last.may_be_capped and last.total is None:
            return last.held
        if last.clean and (last.size is not None or last.total is not None or len(last.chain.windows) < 2):
            return last.size
        if last.held < 2:
            return None
        sizes = range(last.held - 1, max(1, last.held // 2), -1)
        return None if last.size else next((s for s in sizes if last.count % s), last.held - 1)

    def _end_of_sweep(self, page: Page) -> list[Position]:
        sweep = self._sweep
        sweep.check_totals()
        if sweep.clean and (self._is_one_instant(page) or self._agrees()):
            return self._complete(sweep.ids, sweep.nested)
        if sweep.proves(len(self._seen)):
            return sweep.look_at_head() or self._complete(IdSet(self._seen), self._nested)
        if self.sweeps >= self._limit or (not sweep.clean and any(sweep.same_as(e) for e in self._earlier)):
            times = f"{self.sweeps} sweeps" if self.sweeps > 1 else "one sweep"
            doubts = "; ".join(sorted(sweep.doubts | sweep.moved)) or "no earlier sweep confirmed these records"
            self.verdict, self.reason = "incomplete", f"{doubts} (after {times})"
            self.reason_code = "total_differs" if sweep.total_differs else None
            return []
        self._earlier.append(sweep)
        return self.start()

    def _complete(self, ids: IdSet, nested: set[str]) -> list[Position]:
        self.verdict, self.ids = "complete", ids | nested if nested else ids  # no copy of a large set
        if self._sweep.capped is not None:
            self.reason = f"the API's total, {self._sweep.capped}, is a cap or an estimate, and was not used"
            self.reason_code = "total_unused"
        elif self._cut:
            table, count = self._cut.most_common(1)[0]
            self.reason = f"the API sends only a part of {table} in {counted(count, 'record')}"
            self.reason_code = "cut_lists"
        return []

    def _is_one_instant(self, page: Page) -> bool:
        """Whether one response was the whole scope: by its paging style, by its total, or because it is empty.

        Most scopes are that small, so this does not query the warehouse: that would be one query per scope.
        """
        sweep = self._sweep
        if sweep.probed:
            return sweep.capped is None and (sweep.pages == 1 or (sweep.pages == 2 and sweep.held == sweep.count))
        if sweep.pages > 1:
            return False
        return page.next is None or (not self._earlier and sweep.proves(len(self._seen)))

    def _agrees(self) -> bool:
        sweep = self._sweep
        if sweep.total is None:
            return any(e.clean and e.ids == sweep.ids for e in self._earlier)
        if self._earlier:
            return not reduce(operator.sub, (e.ids for e in self._earlier), sweep.ids)
        return (sweep.ids | sweep.nested if sweep.nested else sweep.ids) == self._expected.ids()
