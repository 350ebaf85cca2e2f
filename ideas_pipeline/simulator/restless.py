"""Lists that never stand still: while people or comments are read, rows come and others go."""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable

from ideas_pipeline.simulator.truth import Tables

_LISTS = ("users", "comments")
_EVERY = 3  # pages: one change each
_STAY = 2  # changes until a row goes again


def restless(seed: int = 1) -> Callable[[str, str, Tables], None]:
    """A function that changes the requested list before a page of it is rendered.

    Before every third page, a copy of some row comes at a random place, and the oldest copy goes when there are two.
    All other rows are there throughout.

    Args:
        seed: the same seed makes the same changes.

    Returns:
        The function, for ``before_page`` of a simulator: its arguments are the stream, the scope and the tables.
    """
    rng = random.Random(seed)
    numbers = itertools.count(99_000_001)
    pages = itertools.count(1)
    passing: dict[tuple[str, str], deque[str]] = {}

    def stir(stream: str, scope: str, tables: Tables) -> None:
        if stream not in _LISTS or next(pages) % _EVERY:
            return
        come = passing.setdefault((stream, scope), deque())
        if len(come) >= _STAY:
            tables[stream].pop(come.popleft(), None)
        rows = tables[stream]
        here = [key for key, row in rows.items() if not scope or row["idea_id"] == scope]
        if not here:
            return
        new = str(next(numbers))
        come.append(new)
        beside = rng.choice(here)
        before = dict(rows)
        rows.clear()  # the dict stays the same: others hold it
        for key, row in before.items():
            rows[key] = row
            if key == beside:
                rows[new] = row | {"id": new}

    return stir
