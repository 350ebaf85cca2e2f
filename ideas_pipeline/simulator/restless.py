"""Lists that never stand still: while people or comments are read, rows are added and removed."""

from __future__ import annotations

import itertools
import random
from collections import deque

from ideas_pipeline.simulator.server import BeforePage
from ideas_pipeline.simulator.truth import Tables

_LISTS = ("users", "comments")
_EVERY = 3  # pages: one change each
_COPIES = 2  # at most, in one list


def restless(seed: int = 1) -> BeforePage:
    """A function that changes the requested list before a page of it is rendered.

    Before every third page, a copy of some row is added at a random place; if there are two already, the oldest is
    removed first. All other rows stay.

    Args:
        seed: the same seed makes the same changes.

    Returns:
        The function, for ``before_page`` of a simulator.
    """
    rng = random.Random(seed)
    numbers = itertools.count(99_000_001)
    pages = itertools.count(1)
    copies_in: dict[tuple[str, str], deque[str]] = {}

    def stir(stream: str, scope: str, tables: Tables) -> None:
        if stream not in _LISTS or next(pages) % _EVERY:
            return
        rows = tables[stream]
        copies = copies_in.setdefault((stream, scope), deque())
        if len(copies) >= _COPIES:
            rows.pop(copies.popleft(), None)
        here = [key for key, row in rows.items() if not scope or row["idea_id"] == scope]
        if not here:
            return
        new = str(next(numbers))
        copies.append(new)
        beside = rng.choice(here)
        before = dict(rows)
        rows.clear()  # the dict stays the same: others hold it
        for key, row in before.items():
            rows[key] = row
            if key == beside:
                rows[new] = row | {"id": new}

    return stir
