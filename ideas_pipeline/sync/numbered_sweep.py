"""One pass over numbered pages or offsets, whose windows of the list can be chosen (see ``windows``)."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import NamedTuple

from ideas_pipeline.contract.paging import OffsetPaging, PagePaging
from ideas_pipeline.id_set import IdList
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.composite_ids import is_anonymous
from ideas_pipeline.ideas_api.pagination import Page, Position
from ideas_pipeline.sync.sweep import BARREN_PAGES, STALE_PAGES, Expected, Sweep, came_twice
from ideas_pipeline.sync.windows import Chain, Order

# How many pages are requested side by side at most, whatever total the API claims.
_AHEAD = 64
# A sweep may have so many bridges, and one more for each so many of its pages.
_BRIDGES, _PAGES_PER_BRIDGE = 3, 10
# Search indexes count and serve this many records at least, before they stop doing both.
_SMALLEST_CAP = 1000
# Statuses that say that a page does not exist. Others may have another reason, such as a depth that is not served.
_SURELY_BEYOND = (404, 410, 416)
# How many records neighbours have in common if offsets can be chosen, so that a single deletion does not part them.
# Pages of fewer records than ``_SMALL`` have one in common.
_OVERLAP, _SMALL = 2, 50
# A list that was read before, and is as long as it was, has probably not changed. It is read without overlap, unless it
# has more pages than these, and therefore time to change while it is read.
_FEW_PAGES = 20


class _LastWindow(NamedTuple):
    """The window that came last: where it begins, its number of records, and whether the API refused it."""

    start: int = 0
    length: int = 0
    refused: bool = False


class NumberedSweep(Sweep):
    """One pass over numbered pages or offsets: windows of the list, which can be chosen.

    An index is a record's place in the list, from 0.

    Args:
        paging: how the API pages it.
        expected: what is known of the scope.
        earlier: the sweep before this one; its windows may link those of this one.
        size: the page size to ask for; None for the contract's.
    """

    def __init__(
        self,
        paging: PagePaging | OffsetPaging,
        expected: Expected,
        earlier: NumberedSweep | None = None,
        size: int | None = None,
    ) -> None:
        super().__init__(paging, expected, earlier)
        self.size = size
        self._held_before = earlier.held if earlier else 0
        self.chain: Chain = Chain(earlier.chain.all() if earlier else ())
        self._step = 0  # how many records further on the next page begins; less than held if pages overlap
        self._next = 0  # the index at which the next page begins
        self._ended = False
        self._starts: dict[Position, int] = {}
        self._order: list[int] = []
        self._bridges: dict[Position, tuple[int, int]] = {}
        self._looks_at_head = False
        self._has_pinned = False
        self._last = _LastWindow()
        self._ends: dict[int, int | None] = {}
        self._orders = {name: Order() for name in (expected.edited, "created_at", "id") if name and expected.edited}

    def start(self) -> list[Position]:
        """The position to request first."""
        return self._windows([0])

    def _follow(self, page: Page, ids: list[str], news: set[str]) -> list[Position]:
        if self._looks_at_head:
            if any(id_ in self.expected.ids() for id_ in news):
                self.doubts.add("a record moved to the head of the list while it was read")
            self.chain.add_helper(ids)
            return []
        ids, padding = self._own(ids, news)
        if page.position in self._bridges:
            before, after = self._bridges[page.position]
            self.chain.add_helper(ids)
            return self._bridge(before, after) or self._next_windows()
        index = self._starts[page.position]
        if self.pages == 1:
            self._measure(page)
        is_window = bool(page.records) and not (ids and not news and self._repeats_a_page(index, ids))
        self._note_contradictions(page, ids, news, is_window=is_window)
        self._barren = 0 if is_window else self._barren + 1
        length = len(page.records) - padding if is_window else 0
        self._last = _LastWindow(index, length, page.refused is not None)
        follow: list[Position] = []
        if is_window:
            self._add_window(index, ids, page)
            if padding and (not self._orders or self._is_in_order_of_edits()):
                self.moved.add("a record came twice")  # an edit of the first one may have moved it to the end
            follow = self._bridge_gaps(index)
        return follow + self._next_windows()

    def proves(self, seen: int) -> bool:
        """Whether the pages prove the list by overlap.

        Args:
            seen: how many records all sweeps have seen.
        """
        return (
            not self.doubts
            and self._reaches_both_ends()
            and self._has_enough(seen)
            and not self._is_in_order_of_edits()
            and self.chain.complete()
        )

    @property
    def may_be_capped(self) -> bool:
        """Whether the one page with records may be shorter than asked for because of the API's own limit."""
        if len(self.chain.windows) != 1 or self.held >= self._asked:
            return False
        is_only_list = self.expected.is_only_list
        return pagination.is_usual_limit(self.held) or is_only_list or self.expected.undeclared(self.count) > 0

    def look_at_head(self) -> list[Position]:
        """See ``Sweep.look_at_head``.

        A single pass over offsets does not see a record that moves from a part that is still to be read to one that was
        read, as a list in the order of the last edit moves records to its head.
        """
        if isinstance(self.paging, PagePaging) or self.pages == 1 or self._looks_at_head:
            return []
        self._looks_at_head = True
        self.pending += 1
        return [pagination.first(self.paging)]

    def _windows(self, indexes: list[int]) -> list[Position]:
        positions: list[Position] = []
        for index in indexes:
            position: Position = index
            if isinstance(self.paging, PagePaging):
                position = pagination.page_at(self.paging, index, self.held or 1, self.size)
            self._starts[position] = index
            self._order.append(index)
            positions.append(position)
        return self._request(positions)

    def _measure(self, page: Page) -> None:
        """Decide, from the first page, where the next ones begin."""
        self.held = self.held or self._asked
        self._step = self.held
        if isinstance(self.paging, OffsetPaging) and self.held > 1 and not (self.is_first and self._is_settled(page)):
            self._step -= _OVERLAP if self.held >= _SMALL else 1
        self._next = self._step

    def _is_settled(self, page: Page) -> bool:
        """Whether the first page is probably the whole list, or the list as it was."""
        if page.total is None:
            return len(page.records) < self._asked
        if page.total <= self.held * _FEW_PAGES:
            return page.total <= self.held or page.total == len(self.expected.ids())
        return False

    @property
    def _asked(self) -> int:
        return self.size or int(getattr(self.paging, "size", 1))

    def _own(self, ids: list[str], news: set[str]) -> tuple[list[str], int]:
        """The ids of a page without what the API adds to it, and how many records fill it up at its end.

        Some APIs show a pinned record, the first one of the list, on top of every page. Some fill the last page up with
        the first records of the list. Both count only if all other records are new.
        """
        head = self.chain.windows.get(0)
        if not head or not news or len(news) == len(ids) or any(map(is_anonymous, set(ids) - news)):
            return ids, 0
        own = ids[1:] if ids[0] == head[0] else ids
        self._has_pinned |= len(own) < len(ids)
        padding = len(own) - next((n for n, key in enumerate(own) if key not in news), len(own))
        if padding and own[-padding:] == list(head)[:padding]:
            own = own[:-padding]
        return (own, padding) if news.issuperset(own) else (ids, 0)

    def _repeats_a_page(self, index: int, ids: list[str]) -> bool:
        """Whether a page is the one before it or the first one again, as some APIs send beyond the end of a list.

        Or it is a pinned record alone.
        """
        earlier = sorted(start for start in self.chain.windows if start < index)
        if (self.total is not None and not self.probed) or not earlier:
            return False
        head, before = list(self.chain.windows[earlier[0]]), list(self.chain.windows[earlier[-1]])
        if ids not in (before, head, head[:1] if self._has_pinned else head):
            return False
        if ids == head and head != before:
            self._ended = True  # the pages that follow come a second time, too
            # An API may also send it instead of pages beyond a certain depth.
            if self._last_is_full() and self.held > 1 and not self.probed:
                self.doubts.add(f"the API sent the first page again after {self.count} records")
        if len(self.chain.windows) == 1 and len(ids) > 1 and not self.probed:
            self.doubts.add("the second page is the same as the first: the API may not know the parameter for it")
        return True

    def _note_contradictions(self, page: Page, ids: list[str], news: set[str], *, is_window: bool) -> None:
        if is_window and len(news) < len(ids) and self._step == self.held and not self.probed:
            self.moved.add(came_twice(ids, news))
        self._stale = self._stale + 1 if is_window and not news and not self.probed else 0
        if self._stale > STALE_PAGES:
            self.doubts.add("pages brought nothing new and did not end")
            self._ended = True
        is_all = self.total == self.count < _SMALLEST_CAP
        if page.refused not in (None, *_SURELY_BEYOND) and self._last_is_full() and not is_all:
            # The end of the list, or the depth from which on the API refuses to serve it.
            self.doubts.add(f"the API refused the page after {self.count} records (HTTP {page.refused})")

    def _add_window(self, index: int, ids: list[str], page: Page) -> None:
        self.chain.windows[index] = IdList(ids)
        self._ends[index] = page.total
        for name, order in self._orders.items():
            order.add([record.columns.get(name) for record in page.records])

    def _last_is_full(self) -> bool:
        windows = self.chain.windows
        full = self.held if len(windows) > 1 else max(self.held, self._asked)
        return bool(windows) and len(windows[max(windows)]) >= full

    def _may_count_a_page(self) -> bool:
        """Whether the total may be the number of records on the page, as some APIs send it, and not of the list.

        The parent declares more. Of a list without a parent, the warehouse has more, or nothing yet.
        """
        if self.pages > 1 or not 0 < self.held < self._asked:
            return False
        if self.expected.declared is not None:
            return self.expected.declared > self.count
        return self.expected.is_only_list and not (0 < len(self.expected.ids()) <= self.count)

    def _next_windows(self) -> list[Position]:
        total = self.total
        if total is not None and self._barren < BARREN_PAGES and not self._ended:
            overlap = self.held - self._step
            indexes: list[int] = []
            while self._next + overlap < total and self.pending + len(indexes) < _AHEAD:
                indexes.append(self._next)
                self._next += self._step
            if indexes:
                return self._windows(indexes)
        if self.pending or self._ended:
            return []
        start, length, refused = self._last
        if total is not None:
            if self.count < total:
                # Rows that the account may not see can be cut out after the pages were made, so that there are more.
                if refused or self._barren >= min(BARREN_PAGES, -(-(total - self.count) // self.held)):
                    self._ended = True
                    return []
            elif not (self._last_is_full() or self._may_count_a_page()) or (self.probed and not length):
                self._ended = True
                return []
            else:
                self.probed = True  # the API may have more than its total says: one more page shows it
        elif self._barren and self._barren > self._looks():
            self._ended = True
            return []
        elif 0 < length < self.held and isinstance(self.paging, OffsetPaging):
            self._next = start + length
        following = self._next
        self._next += self._step if length else self.held
        return self._windows([following])

    def _looks(self) -> int:
        """How many more pages to look at after one without records, before that is the end of the list.

        Rows that the account may not see can be cut out after a page was made, so a page in the middle can be empty. A
        page that was refused is beyond the end, but for rows that are known to be there.
        """
        unseen = self.expected.unseen(self.ids | self.nested)
        if not self._last.refused:
            unseen = max(unseen, self.expected.undeclared(self.count + len(self.nested)))
        looks = min(BARREN_PAGES, -(-unseen // self.held))
        return max(looks, 1) if self.is_first and self.pages > 1 and not self._last.refused else looks

    def _bridge_gaps(self, index: int) -> list[Position]:
        """Pages that may link this one to its neighbours, if they show no common record."""
        if self._step == self.held and self._held_before in (0, self.held):
            return []  # the pages of both sweeps begin at the same places
        place = bisect_left(self._order, index)
        found: list[Position] = []
        for before, after in pairwise(self._order[max(0, place - 1) : place + 2]):
            if before in self.chain.windows and after in self.chain.windows:
                found += self._bridge(before, after)
        return found

    def _bridge(self, before: int, after: int) -> list[Position]:
        allowed = _BRIDGES + len(self._order) // _PAGES_PER_BRIDGE
        if self.chain.linked(before, after) or len(self._bridges) >= allowed:
            return []
        around = self.chain.where_to_bridge(before, after, self.held)
        position = None if around is None else self._page_around(around)
        if position is None or position in self._requested:
            return []
        self._bridges[position] = before, after
        return self._request([position])

    def _page_around(self, index: int) -> Position | None:
        """A page with the record at ``index`` in its middle, or near it; None if no page size gives one."""
        if not isinstance(self.paging, PagePaging):
            return max(0, index - self.held // 2)
        sizes = range(max(2, self.held // 2), self.held - 1)
        size = max(sizes, key=lambda s: min(index % s, s - index % s), default=None)
        return size and pagination.page_at(self.paging, index, size, size)

    def _reaches_both_ends(self) -> bool:
        windows = self.chain.windows
        if 0 not in windows or not self._ended:
            return False
        last = max(windows)
        length, total = len(windows[last]), self._ends[last]
        by_total = self.capped is None and total is not None and last + length >= total
        return by_total or length < self.held

    def _has_enough(self, seen: int) -> bool:
        """Whether ``seen`` records can be all, given the totals and how much they moved."""
        totals = [total for total in self.totals if total is not None] if self.capped is None else []
        return not totals or seen + sum(abs(b - a) for a, b in pairwise(totals)) >= min(totals)

    def _is_in_order_of_edits(self) -> bool:
        """Whether the list is in the order of the last edit, in which an edit moves a record.

        Each window shows the order of one instant; all windows together do not, if records have moved meanwhile.
        """
        edited, *fixed = [order.shown for order in self._orders.values()] or [False]
        return edited and not any(fixed)
