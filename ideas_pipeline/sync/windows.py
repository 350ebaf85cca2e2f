"""The proof by overlap: windows of a list that never stands still have shown every row that was there throughout.

A window is a contiguous piece of the list, read in one response. Suppose that rows keep their relative order. Take a
chain of windows in the order of the list: the first at its head, the last at its end, and between any two neighbours
either a shared row, or a third window that shares a row with each. Then every row that was in the list all the time is
in one of them. Proof: such a row is not before the first window, which was at the head. If it is after a window, and
before the next one, it lies between two rows of the window that links them, and was in the list when that window was
read, so that window contains it. And it is not after the last window, which was at the end.
(`Overlapping windows` in docs/architecture.md.)

The order is checked: if two windows show two rows in a different order, the list is sorted by something that changes,
and nothing is proven here. Neither is it if every page shows the same row, because these pages are not contiguous.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from ideas_pipeline.id_set import IdList

# How many bridges are requested at most to link two neighbours.
_TRIES = 3


class Chain:
    """The windows of one sweep in the order of the list, and the windows that may link them.

    Args:
        helpers: the windows of an earlier sweep.

    Attributes:
        windows: the ids of each window, by the index in the list at which it was requested.
        helpers: windows that may link others: those of an earlier sweep, and bridges.
    """

    def __init__(self, helpers: Iterable[IdList] = ()) -> None:
        self.windows: dict[int, IdList] = {}
        self.helpers: list[IdList] = list(helpers)
        self._bridges: dict[int, int] = {}  # by the index of the later neighbour
        self._of: dict[str, list[int]] = {}  # the helpers that have a row: only lists that move need it
        self._indexed = 0

    def add_helper(self, ids: list[str]) -> None:
        """Add a window that may link others."""
        self.helpers.append(IdList(ids))

    def linked(self, before: int, after: int) -> bool:
        """Whether two neighbours share a row, or one window shares a row with each."""
        one, other = self.windows[before], self.windows[after]
        if not set(one).isdisjoint(other):
            return True
        return not self._touching(one).isdisjoint(self._touching(other))

    def where_to_bridge(self, before: int, after: int, size: int) -> int | None:
        """The index around which a window may link two neighbours; None if enough were tried."""
        tries = self._bridges.get(after, 0)
        if tries >= _TRIES:
            return None
        self._bridges[after] = tries + 1
        if tries == 0:
            return after
        # The list has moved since they were read: go on from the side that the last bridge has reached.
        reached = not set(self.helpers[-1]).isdisjoint(self.windows[before])
        return max(0, after + (size // 2 if reached else -(size // 2)) * tries)

    def complete(self) -> bool:
        """Whether all neighbours are linked, all windows show their rows in one order, and none of these is pinned."""
        links = pairwise(sorted(self.windows))
        linked = bool(self.windows) and all(self.linked(*pair) for pair in links)
        return linked and not self._has_pinned_rows() and in_one_order(self.all())

    def _has_pinned_rows(self) -> bool:
        """Whether a row is in all of at least three windows. It then links pages that may have gaps between them."""
        return len(self.windows) > 2 and bool(set.intersection(*map(set, self.windows.values())))

    def all(self) -> list[IdList]:
        """All windows, whatever they are for."""
        return [*self.windows.values(), *self.helpers]

    def _touching(self, ids: Iterable[str]) -> set[int]:
        while self._indexed < len(self.helpers):
            for key in self.helpers[self._indexed]:
                self._of.setdefault(key, []).append(self._indexed)
            self._indexed += 1
        return {number for key in ids for number in self._of.get(key, ())}


def in_one_order(windows: Iterable[Iterable[str]]) -> bool:
    """Whether there is an order of all rows that agrees with every window."""
    following: dict[str, list[str]] = {}
    before: dict[str, int] = {}
    ids: dict[str, str] = {}  # one object for each
    for window in windows:
        for one, other in pairwise(ids.setdefault(id_, id_) for id_ in window):
            following.setdefault(one, []).append(other)
            before[other] = before.get(other, 0) + 1
    rows = following.keys() | before.keys()
    free = [row for row in rows if row not in before]
    placed = 0
    while free:
        placed += 1
        for other in following.get(free.pop(), ()):
            before[other] -= 1
            if not before[other]:
                free.append(other)
    return placed == len(rows)


class Order:
    """Whether values come in one order: all windows so far in ascending, or all in descending order.

    It keeps no values, so that a long list takes no memory.
    """

    def __init__(self) -> None:
        self._kinds: set[type] = set()
        self._some: set[Any] = set()
        self._ascending = self._descending = True

    def add(self, window: list[Any]) -> None:
        """Add the values of one window, in its order."""
        if not (self._ascending or self._descending):
            return
        self._kinds.update(map(type, window))
        if len(self._kinds) > 1 or not self._kinds <= {int, float, str}:  # they cannot be compared
            self._ascending = self._descending = False
            return
        ordered = sorted(window)
        self._ascending = self._ascending and window == ordered
        self._descending = self._descending and window == ordered[::-1]
        if len(self._some) < 2:
            self._some.update(window)

    @property
    def shown(self) -> bool:
        """Whether the windows show an order. Values that are all equal show none."""
        return len(self._some) > 1 and (self._ascending or self._descending)
