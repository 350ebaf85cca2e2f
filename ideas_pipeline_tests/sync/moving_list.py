"""A list that changes while it is read: what a server of pages shows of it, at the instant of each request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ideas_pipeline.contract.paging import (
    CursorPaging,
    NextLinkPaging,
    NoPaging,
    OffsetPaging,
    PagePaging,
    Total,
)
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.ideas_api.pagination import AnyPaging, Page, Position
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
        start = self._start(position)
        start = self.replay.get(start, start)
        end = len(self.ids) if self.paging.style == "none" else start + SIZE
        shown = self.ids[start:end]
        if self.truncate_after is not None and start >= self.truncate_after:
            shown = []
        total = (len(self.ids) if self.claimed_total is None else self.claimed_total) if self.totals else None
        return Page(
            records=[Record({"id": i}, {}, {}) for i in shown],
            total=total,
            next=self._next(position, start, len(shown)),
            requests=1,
            received_at=0.0,
        )

    def _start(self, position: Position) -> int:
        match self.paging:
            case PagePaging():
                return (int(position) - self.paging.first) * SIZE
            case NoPaging():
                return 0
            case _:
                return int(position or 0)

    def _next(self, position: Position, start: int, count: int) -> Position | None:
        match self.paging:
            case PagePaging():
                return int(position) + 1 if count else None
            case OffsetPaging():
                return int(position) + count if count else None
            case NoPaging():
                return None
            case _:
                return str(start + count) if start + count < len(self.ids) else None


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
