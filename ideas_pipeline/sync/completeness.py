"""One list, read until it is proven complete or given up: the rules, without the network.

A list that comes in one response was read at one instant: it is complete. A list of several pages may change while it
is read, and every count can be deceived: one row deleted before our place in the list and one added elsewhere leave
the total as it was and hide a living row. So

* a sweep is *clean* when it could not see a contradiction: every page gave the same total, the distinct records are as
  many as that total, none came twice, no page or cursor repeated. A total is not taken at its word where the API
  could go on: a next cursor or a full last page is followed once more, and must bring nothing new;
* a clean sweep proves the list when everything in it had been seen by an earlier sweep of this reading. A row that was
  alive all along and is hidden from a clean sweep of n records means that one of those n was not in the list when the
  sweep began; had it been seen before that, it must have left and come back. Rows that come back with the same id in
  step with our reading are the one thing that no reader of pages can tell;
* where the API gives no total, the two sweeps must be clean and hold the same records: the pages are then read one
  after the other up to an empty one, and the same argument holds;
* by the same argument a clean sweep with totals proves the list on its own when it holds exactly the records that the
  warehouse knows: the quiet night costs one sweep. Anything new or missing takes a second one.

Any doubt means another sweep, up to a limit. What was seen in any sweep is handed on once, at first sight.
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

# Pages in a row that bring nothing new: by then a server is repeating itself.
_STALE_PAGES = 2


@dataclass(slots=True)
class _Sweep:
    """One walk through the list. ``planned``: all its pages were told from the total on the first one.

    ``probed``: all records of the total have come, and a page beyond them was asked for to see that it is empty.
    """

    ids: set[str] = field(default_factory=set)
    keyless: int = 0
    pages: int = 0
    stale: int = 0
    page_size: int = 0
    planned: bool = False
    probed: bool = False
    totals: list[int | None] = field(default_factory=list)
    asked: set[Position] = field(default_factory=set)
    open: int = 0
    doubts: set[str] = field(default_factory=set)

    @property
    def count(self) -> int:
        return len(self.ids) + self.keyless

    def add_up(self) -> None:
        """Compare what came with the totals that came along."""
        totals = sorted({t for t in self.totals if t is not None})
        if len(totals) > 1:
            self.doubts.add(f"the API's total moved between {totals[0]} and {totals[-1]}")
        elif totals and totals[0] != self.count:
            self.doubts.add(f"the API says {totals[0]} records, {self.count} came")
        elif totals and None in self.totals:
            self.doubts.add("some pages came without a total")


class Reading:
    """The state of reading one scope. Feed it pages; it says what to ask for next and, in the end, what is proven.

    ``known``: called at most once, for a list of several pages: the ids that are live in the warehouse.
    ``declared``: the count that the parent declares, kept for the record.
    ``single``: the scope is one record, which may not be there.
    ``retryable``: whether another sweep, later, can be complete.
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

    # -- what the reading has come to

    @property
    def finished(self) -> bool:
        """Whether there is a verdict and no page is under way."""
        return self.verdict is not None and self._sweep.open == 0

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
        """The ids that the last sweep saw: the list itself, where the verdict is complete."""
        return self._sweep.ids

    @property
    def some_left(self) -> bool:
        """Whether something that an earlier sweep saw was gone in the last one."""
        return len(self._seen) > len(self._sweep.ids)

    # -- the walk

    def start(self) -> list[Position]:
        """Begin a sweep: the pages to ask for."""
        self.started_at = self.started_at or datetime.now(UTC)
        self.sweeps += 1
        self._sweep = _Sweep()
        return self._ask([pagination.first(self._paging)])

    def take(self, page: Page) -> tuple[list[Record], list[Position]]:
        """A page has come: the records that no page brought before, and the pages to ask for next."""
        sweep = self._sweep
        self.requests += page.requests
        self.received += len(page.records)
        sweep.open -= 1
        sweep.pages += 1
        sweep.totals.append(page.total)
        before = sweep.count
        fresh = self._note(page)
        if self.verdict:
            return fresh, []
        follow = self._follow(page, news=sweep.count - before)
        if not follow and not sweep.open:
            follow = self._end_of_sweep(page)
        return fresh, follow

    def fail(self, error: IdeasApiError) -> None:
        """A page could not be had: what was seen stays seen, and nothing is concluded from the rest."""
        self.requests += error.requests
        self._sweep.open -= 1
        if self.verdict:
            return
        if self._single and isinstance(error, NotFound):
            self.verdict, self.reason = "not_found", error.message
        else:
            status = f" (HTTP {error.status})" if error.status else ""
            self.verdict, self.reason = "incomplete", f"{error.message}{status}"
            self.retryable = is_retryable(error)

    # -- details

    def _ask(self, positions: list[Position]) -> list[Position]:
        sweep = self._sweep
        fresh = [p for p in positions if p not in sweep.asked]
        if len(fresh) < len(positions):
            sweep.doubts.add("a page or cursor repeated")
        sweep.asked.update(fresh)
        sweep.open += len(fresh)
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
                if not sweep.probed:  # beyond its end, a server may repeat itself
                    sweep.doubts.add("a record came twice")
                continue
            if text not in self._seen:
                self._seen[text] = text
                fresh.append(record)
            sweep.ids.add(self._seen[text])  # one text object an id, however many sweeps hold it
        return fresh

    def _follow(self, page: Page, *, news: int) -> list[Position]:
        sweep = self._sweep
        if sweep.pages == 1:
            sweep.page_size = len(page.records)
            rest = pagination.rest(self._paging, sweep.page_size, page.total)
            if rest:
                sweep.planned = True
                return self._ask(rest)
        if sweep.open or sweep.probed:
            return []
        if page.total is not None and sweep.count >= page.total:
            sweep.probed = True
            return self._ask(self._beyond(page))
        if sweep.planned or page.next is None:
            return []
        sweep.stale = 0 if news else sweep.stale + 1
        if sweep.stale >= _STALE_PAGES:
            sweep.doubts.add("pages brought nothing new and did not end")
            return []
        return self._ask([page.next])

    def _beyond(self, page: Page) -> list[Position]:
        """The page after all records of the total have come, where the API may have more: it must bring nothing new."""
        sweep = self._sweep
        if self._paging.style in ("cursor", "next_link"):
            return [page.next] if page.next is not None and page.next not in sweep.asked else []
        size = getattr(self._paging, "size", 0)
        full = sweep.count % sweep.page_size == 0 if sweep.pages > 1 else sweep.page_size >= size
        return pagination.after(self._paging, sweep.count, sweep.page_size) if sweep.count and full else []

    def _end_of_sweep(self, page: Page) -> list[Position]:
        sweep = self._sweep
        sweep.add_up()
        if not sweep.doubts and (self._at_one_instant(page) or self._proven()):
            self.verdict = "complete"
            return []
        same_again = bool(sweep.doubts) and any(e.ids == sweep.ids and e.doubts == sweep.doubts for e in self._earlier)
        if same_again or self.sweeps >= self._limit:
            times = f"{self.sweeps} readings" if self.sweeps > 1 else "one reading"
            self.verdict = "incomplete"
            self.reason = f"{'; '.join(sorted(sweep.doubts)) or 'the list kept changing'} (after {times})"
            return []
        self._earlier.append(sweep)
        return self.start()

    def _at_one_instant(self, page: Page) -> bool:
        """One response that says that it is all: by its style, by its total, or by being empty."""
        sweep = self._sweep
        if sweep.probed:
            return sweep.pages == 1 or (sweep.pages == 2 and sweep.page_size == sweep.count)
        return sweep.pages == 1 and page.next is None

    def _proven(self) -> bool:
        sweep = self._sweep
        if sweep.totals[0] is None:
            return any(not e.doubts and e.ids == sweep.ids for e in self._earlier)
        if self._earlier:
            return sweep.ids <= set().union(*(e.ids for e in self._earlier))
        return sweep.ids == set(self._known())
