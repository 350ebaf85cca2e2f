"""The law of reading (see sync/test_reading_law.py) over real sockets: client, paging and engine together."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Row, Tables
from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline.sync.fetching import fetch
from ideas_pipeline.sync.source import Source
from ideas_pipeline_tests.end_to_end.pipeline import api_of, paged
from ideas_pipeline_tests.end_to_end.test_truth import PAGING
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

_PLACE = st.integers(0, 20)
_CHANGE = st.one_of(
    st.tuples(st.just("swap"), _PLACE, _PLACE),
    st.tuples(st.just("insert"), _PLACE, _PLACE),
    st.tuples(st.just("delete"), _PLACE, _PLACE),
    st.tuples(st.just("move"), _PLACE, _PLACE),  # not in lists that are proven by overlap, whose rows keep their order
)
_STORY = st.lists(st.lists(_CHANGE, max_size=2), min_size=10, max_size=25)


@pytest.fixture(scope="module", params=PAGING)
def api(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Simulator, IdeasApi]]:
    paging: dict[str, Any] = {**PAGING[request.param]}
    if "size" in paging:
        paging["size"] = 3
    folder: Path = tmp_path_factory.mktemp("law")
    with Simulator(paged(paging), {"users": {}}) as simulator, api_of(simulator, folder) as client:
        yield simulator, client


class Story:
    """Changes the list before each page that is served, and remembers who lived through it all."""

    def __init__(self, size: int, changes: Iterable[list[tuple[str, int, int]]], *, moves: bool = True) -> None:
        self.created = 0
        self._moves = moves
        self.first = {row["id"]: row for row in (self._new() for _ in range(size))}
        self.lived = set(self.first)
        self.ever = set(self.first)
        self.now = list(self.first)
        self._changes = iter(changes)

    def __call__(self, stream: str, scope: str, tables: Tables) -> None:
        rows = list(tables["users"].values())
        for kind, a, b in next(self._changes, []):
            if kind == "move" and not self._moves:
                continue
            if kind in ("delete", "swap", "move") and rows:
                taken = rows.pop(a % len(rows))
                if kind == "move":
                    rows.insert(b % (len(rows) + 1), taken)
                else:
                    self.lived.discard(taken["id"])
            if kind in ("insert", "swap"):
                rows.insert(b % (len(rows) + 1), self._new())
        self.now = [row["id"] for row in rows]
        self.ever.update(self.now)
        tables["users"].clear()
        tables["users"].update((row["id"], row) for row in rows)

    def _new(self) -> Row:
        self.created += 1
        return {"id": f"u{self.created}", "display_name": f"Person {self.created}"}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(0, 12), changes=_STORY)
def test_a_complete_reading_holds_every_row_that_lived_through_it(
    api: tuple[Simulator, IdeasApi], size: int, changes: list[list[tuple[str, int, int]]]
) -> None:
    simulator, client = api
    numbered = client.contract.streams["users"].paging.style in ("page", "offset")
    story = Story(size, changes, moves=not numbered)
    reading = read(simulator, client, story)
    if reading.verdict == "complete":
        assert story.lived <= reading.ids
    else:
        assert reading.reason


@pytest.mark.parametrize(
    ("style", "totals", "most"), [("page", True, 2.05), ("offset", True, 1.05), ("page", False, 2.05)]
)
def test_a_list_that_never_stands_still_is_proven(style: str, totals: bool, most: float, tmp_path: Path) -> None:
    """200 pages, and for every twenty that are served five rows come and one goes, at random places."""
    paging = {"style": style, "size_parameter": "per_page"} | ({"total": {"body": ["total"]}} if totals else {})
    chance = random.Random(style)

    def churn() -> Iterator[list[tuple[str, int, int]]]:
        for number in count(1):
            place = chance.randrange(40_000)
            yield [("insert", 0, place)] * (number % 4 == 0) + [("delete", place, 0)] * (number % 20 == 0)

    story = Story(20_000, churn())
    with Simulator(paged(paging), {"users": {}}) as simulator, api_of(simulator, tmp_path) as client:
        reading = read(simulator, client, story)
    assert reading.verdict == "complete"
    assert story.lived <= reading.ids
    assert reading.requests <= most * len(story.now) / 100


def read(simulator: Simulator, client: IdeasApi, story: Story) -> SweptScope:
    """Read the story's list while it goes on. Records come once, and none is made up."""
    with simulator.changing() as tables:
        tables["users"] = dict(story.first)
    simulator.before_page = story
    source = Source(client, Privacy(client.contract, COMMUNITY))
    reading = SweptScope("", client.contract.streams["users"].paging, sweeps=5)
    brought = [
        record.columns["id"]
        for got in fetch([reading], lambda swept, position: source.page("users", swept.scope, position), concurrency=4)
        for record in got.records
    ]
    assert len(brought) == len(set(brought))
    assert set(brought) <= story.ever
    return reading
