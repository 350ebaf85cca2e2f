"""A list that changes while it is read: what a server of pages shows of it, at the instant of each request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ideas_pipeline.contract.paging import (
    CursorPaging,
    NextLinkPaging,
    NoPaging,
    OffsetPaging,
    PagePaging,
    Total,
)
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.ideas_api.pagination import AnyPaging, Page, Position, number_and_size
from ideas_pipeline.sync.completeness import SweptScope

SIZE = 3
TOTAL = Total(body=("total",))


def styles(total: Total | None) -> dict[str, AnyPaging]:
    return {
        "page from 1": PagePaging(style="page", size_parameter="per_page", first=1, size=SIZE, total=total),
        "page from 0": PagePaging(style="page", size_parameter="per_page", first=0, size=SIZE, total=total),
        "offset": OffsetPaging(style="offset", size_parameter="limit", size=SIZE, total=total),
        "cursor": CursorPaging(style="cursor", cursor=("next",), size=SIZE, total=total),
        "next link": NextLinkPaging(style="next_link", next=("next",), size=SIZE, total=total),
        "none": NoPaging(style="none", total=total),
    }


@dataclass
class MovingList:
    """Ids in order. ``lived``: those that have been in the list at every instant since ``watch`` was called."""

    ids: list[str]
    paging: AnyPaging
    totals: bool = True
    lived: set[str] = field(default_factory=set)
    created: int = 0
    truncate_after: int | None = None  # pages from here on are empty, though the total says otherwise
    claimed_total: int | None = None
    ignores_size: bool = False
    repeats_last_page: bool = False  # instead of empty pages beyond the end
    wraps_around: bool = False  # the first page follows the last one
    pads_last_page: bool = False  # with the first records
    inclusive: bool = False  # cursors name the last record of a page, with which the next one begins
    refuses_beyond: int | None = None  # the status of pages beyond the end, and beyond ``deepest``
    deepest: int | None = None
    hidden: set[str] = field(default_factory=set)  # left out of pages after they were cut
    cursor_at_the_end: str | None = None  # "same": the page's own cursor; "new": one that was never sent before
    edited: dict[str, str] = field(default_factory=dict)
    nested: dict[str, str] = field(default_factory=dict)  # the record inside a record
    pinned: str | None = None  # a record at the head of every page, besides the page's own
    replay: dict[int, int] = field(default_factory=dict)  # start → start that is served in its place

    def watch(self) -> None:
        self.lived = set(self.ids)

    def insert(self, at: int) -> None:
        self.created += 1
        self.ids.insert(at % (len(self.ids) + 1), f"new{self.created}")

    def delete(self, at: int) -> None:
        if self.ids:
            self.lived.discard(self.ids.pop(at % len(self.ids)))

    def move(self, start: int, end: int) -> None:
        if self.ids:
            item = self.ids.pop(start % len(self.ids))
            self.ids.insert(end % (len(self.ids) + 1), item)

    def page(self, position: Position) -> Page:
        size = self._size(position)
        start = self._start(position, size)
        start = self.replay.get(start, start)
        if self.wraps_around and self.ids:
            start %= -(-len(self.ids) // size) * size
        end = len(self.ids) if self.paging.style == "none" else start + size
        if self.repeats_last_page and start >= len(self.ids):
            start = (len(self.ids) - 1) // size * size if isinstance(self.paging, PagePaging) else len(self.ids) - 1
            end = start + size
        too_deep = self.deepest is not None and end > self.deepest
        if self.refuses_beyond and start and (start >= len(self.ids) or too_deep):
            return Page([], None, None, requests=1, received_at=0.0, position=position, refused=self.refuses_beyond)
        shown = [key for key in self.ids[start:end] if key not in self.hidden]
        if self.truncate_after is not None and start >= self.truncate_after:
            shown = []
        if self.pinned and shown:
            shown = [self.pinned, *(key for key in shown if key != self.pinned)]
        if self.pads_last_page and shown and start:
            shown += self.ids[: size - len(shown)]
        total = (len(self.ids) if self.claimed_total is None else self.claimed_total) if self.totals else None
        return Page(
            records=[
                Record({"id": i} | ({"updated_at": self.edited[i]} if self.edited else {}), {}, {}) for i in shown
            ],
            total=total,
            next=self._next(position, start, len(shown)),
            requests=1,
            received_at=0.0,
            position=position,
            nested=[Record({"id": self.nested[i]}, {}, {}) for i in shown if i in self.nested],
        )

    def _size(self, position: Position) -> int:
        size = number_and_size(position)[1] if isinstance(self.paging, PagePaging) else None
        return size if size and not self.ignores_size else getattr(self.paging, "size", SIZE)

    def _start(self, position: Position, size: int) -> int:
        match self.paging:
            case PagePaging():
                return (number_and_size(position)[0] - self.paging.first) * size
            case NoPaging():
                return 0
            case _:
                return int(position or 0)

    def _next(self, position: Position, start: int, count: int) -> Position | None:
        match self.paging:
            case PagePaging():
                return number_and_size(position)[0] + 1 if count else None
            case OffsetPaging():
                return int(position) + count if count else None
            case NoPaging():
                return None
            case _:
                following = start + self.paging.size - self.inclusive
                if self.inclusive and self.cursor_at_the_end == "same" and count:
                    return str(start + count - 1)
                if following < len(self.ids) - self.inclusive:
                    return str(following)
                ends = {None: None, "same": str(start) if start else None, "new": str(following)}
                return ends[self.cursor_at_the_end]


def read(
    moving: MovingList,
    reading: SweptScope,
    *,
    between: Callable[[MovingList], None] = lambda _: None,
    pick: Callable[[int], int] = lambda _: 0,
    on_sweep: Callable[[], None] = lambda: None,
) -> Sequence[Record]:
    """Read ``moving`` to a verdict. ``between`` runs before each page; ``pick`` chooses which open page comes next."""
    brought: list[Record] = []
    on_sweep()
    open_pages = reading.start()
    sweep = reading.sweeps
    while not reading.finished:
        between(moving)
        position = open_pages.pop(pick(len(open_pages)) % len(open_pages))
        fresh, follow = reading.take(moving.page(position))
        brought += fresh
        open_pages += follow
        if reading.sweeps != sweep:
            sweep = reading.sweeps
            on_sweep()
    return brought


WITH_TOTAL = styles(TOTAL)
WITHOUT_TOTAL = styles(None)
PAGED = [name for name in WITH_TOTAL if name != "none"]
NUMBERED = ["page from 1", "page from 0", "offset"]


def ids(count: int) -> list[str]:
    return [f"r{n}" for n in range(count)]


def read_whole(moving: MovingList, **options: Any) -> SweptScope:
    reading = SweptScope("s", moving.paging, sweeps=5, **options)
    read(moving, reading)
    return reading
