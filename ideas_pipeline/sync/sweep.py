"""One pass over the pages of a scope: which pages to request next, where the list ends, and what contradicts it.

Here are lists whose pages name the next one, or that have a single page; ``numbered_sweep`` has the others.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

from ideas_pipeline.id_set import IdSet
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.composite_ids import is_anonymous
from ideas_pipeline.ideas_api.pagination import AnyPaging, Page, Position

# Stop after this many consecutive pages whose records had all come before: the server is repeating itself.
STALE_PAGES = 2
# Stop after this many consecutive pages without records, although the API names a next page or a larger total. Filters
# that are applied after the page was cut leave a few such pages within a list.
BARREN_PAGES = 25


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a scope before a sweep.

    Attributes:
        ids: called when needed: the ids of its live rows in the warehouse.
        declared: the number of records that its parent declares; None if it declares none.
        edited: the column with the time of a record's last edit, if there is one.
        is_only_list: whether it is the stream's only list, so that no parent declares its records.
    """

    ids: Callable[[], Set[str]]
    declared: int | None = None
    edited: str | None = None
    is_only_list: bool = False

    def unseen(self, seen: IdSet) -> int:
        """How many live rows of the warehouse were not seen."""
        return len(seen.lacks(self.ids()))

    def undeclared(self, seen: int) -> int:
        """How many records the parent declares beyond the ``seen`` ones."""
        return max(0, (self.declared or 0) - seen)


class Sweep:
    """One pass over the pages of a scope whose pages name the next one, or that has a single page.

    Args:
        paging: how the API pages it.
        expected: what is known of the scope.
        earlier: the sweep before this one.

    Attributes:
        ids: the ids of the records received.
        keyless: number of records without an id.
        nested: the ids of the records inside these records. Some APIs count them in the total, others do not.
        pages: number of pages received.
        pending: number of requested pages not received yet.
        totals: the total on each page.
        capped: a total beyond which records came: a cap or an estimate, which proves nothing.
        held: how many records a full page holds: as many as the first one did.
        probed: whether all records of the total have arrived. One page beyond them is then requested, to check that it
            brings nothing new.
        moved: contradictions that a list shows that changes while it is read.
        doubts: other contradictions.
    """

    def __init__(self, paging: AnyPaging, expected: Expected, earlier: Sweep | None = None) -> None:
        self.paging = paging
        self.expected = expected
        self.is_first = earlier is None
        self.ids = IdSet()
        self.keyless = 0
        self.nested: set[str] = set()
        self.pages = 0
        self.pending = 0
        self.totals: list[int | None] = []
        self.capped: int | None = earlier.capped if earlier else None
        self.held = 0
        self.probed = False
        self.total_differs = False
        self.moved: set[str] = set()
        self.doubts: set[str] = set()
        self._last_total: int | None = None
        self._requested: set[Position] = set()
        self._stale = 0
        self._barren = 0
        self._last_id: str | None = None
        self._is_inclusive: bool | None = None  # not known before the second page

    @property
    def count(self) -> int:
        return len(self.ids) + self.keyless

    @property
    def clean(self) -> bool:
        return not (self.doubts or self.moved)

    @property
    def total(self) -> int | None:
        """The latest total; None if there is none, or it is only a cap."""
        return None if self.capped is not None else self._last_total

    def same_as(self, other: Sweep) -> bool:
        return (self.ids, self.doubts, self.moved) == (other.ids, other.doubts, other.moved)

    def start(self) -> list[Position]:
        """The positions to request first."""
        return self._request([pagination.first(self.paging)])

    def take(self, page: Page, ids: list[str]) -> list[Position]:
        """Add a page and return the positions to request next.

        Args:
            page: the page.
            ids: the ids of its records, without those that have none.
        """
        self.pending -= 1
        self.pages += 1
        if page.refused is None:
            self.totals.append(page.total)
        if page.total is not None:
            self._last_total = page.total
        if self.pages == 1:
            self.held = len(page.records)
        self.keyless += len(page.records) - len(ids)
        news = self.ids.lacks(ids)
        self.ids.update(news)
        # Beyond all records of the total, or already in the first response, which is read at one instant.
        exceeds = self.total is not None and self.total < self.count and (self.probed or self.pages == 1)
        if exceeds and news and self._total_stood_still():
            self.capped = self.total
        return self._follow(page, ids, news)

    def _follow(self, page: Page, ids: list[str], news: set[str]) -> list[Position]:
        """``news``: the ids that this sweep had not seen before."""
        is_known = self._begins_with_the_last_one(ids)
        self._last_id = ids[-1] if ids else self._last_id
        if len(news) < len(ids) - is_known and not self.probed:  # beyond the end, a server may repeat its last page
            self.moved.add(came_twice(ids, news))
        if page.next is None or self._names_itself(page, is_alone=is_known and len(page.records) == 1):
            return []
        if self.total is not None and self.count >= self.total:
            if self.probed or page.next in self._requested:
                return []
            self.probed = True
            return self._request([page.next])
        self._stale = self._stale + 1 if page.records and not news else 0
        self._barren = 0 if page.records else self._barren + 1
        if self._stale >= STALE_PAGES or self._barren >= BARREN_PAGES:
            self.doubts.add("pages brought nothing new and did not end")
            return []
        return self._request([page.next])

    def _total_stood_still(self) -> bool:
        return len({total for total in self.totals if total is not None}) == 1

    def check_totals(self) -> None:
        """Compare the number of records with the totals on the pages."""
        totals = sorted({t for t in self.totals if t is not None}) if self.capped is None else []
        if len(totals) > 1:
            self.moved.add(f"the API's total changed between {totals[0]} and {totals[-1]}")
        elif totals and totals[0] not in (self.count, self.count + len(self.nested)):
            self.total_differs = True
            self.moved.add(f"the API's total is {totals[0]}, but {self.count} records came")

    def proves(self, seen: int) -> bool:
        """Whether the pages prove the list by overlap, with ``seen`` records in all. Only numbered pages can."""
        return False

    def look_at_head(self) -> list[Position]:
        """The position of the first page, to look at it again; empty if that teaches nothing."""
        return []

    def _begins_with_the_last_one(self, ids: list[str]) -> bool:
        """Whether the page begins with the last record of the one before it, as each does if cursors are inclusive."""
        if self.pages == 1 or not ids:
            return False
        if self._is_inclusive is not False and ids[0] == self._last_id and not is_anonymous(ids[0]):
            self._is_inclusive = True
            return True
        if self._is_inclusive:
            self.moved.add("a record came twice")  # on the pages before
        self._is_inclusive = False
        return False

    def _names_itself(self, page: Page, *, is_alone: bool) -> bool:
        """Whether the API names the same cursor again, as some do at the end of every list.

        ``is_alone``: whether the page is the last record of the page before, and no other.
        """
        return page.next == page.position and self.pages > 1 and (is_alone or len(page.records) < self.held)

    def _request(self, positions: list[Position]) -> list[Position]:
        fresh = [p for p in positions if p not in self._requested]
        if len(fresh) < len(positions):
            self.doubts.add("a page or cursor repeated")
        self._requested.update(fresh)
        self.pending += len(fresh)
        return fresh


def came_twice(ids: list[str], news: set[str]) -> str:
    """The doubt about a page some of whose records had come before.

    Args:
        ids: the ids of its records.
        news: those that had not come before.
    """
    repeated = [id_ for id_ in ids if id_ not in news]
    if repeated and all(map(is_anonymous, repeated)):
        return "records without an id and a person have the same content on several pages, and cannot be distinguished"
    return "a record came twice"
