"""What made other tools call living rows dead: lists that change, end or repeat while they are read.

Each story is a full run, a full run during which it happens, and a quiet full run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.sync.run import Full
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.living import deleted
from ideas_pipeline_tests.end_to_end.pipeline import paged, stream, sync
from ideas_pipeline_tests.end_to_end.test_absence import remove_idea
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.engines import each_on_sqlite
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

CONTRACT = paged({"style": "page", "size_parameter": "per_page", "size": 10, "total": {"body": ["total"]}})
IDEAS = 100


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """One challenge with ten pages of ideas."""
    with Simulator(CONTRACT, generate(Size(1, IDEAS, 20, 20, 20), seed=2)) as running:
        yield running


def new_idea(tables: Tables, first: bool = False) -> None:
    ideas = list(tables["ideas"].values())
    new = {**ideas[0], "id": f"new{len(ideas)}", "comment_count": 0, "vote_count": 0, "score": None}
    tables["ideas"].clear()
    tables["ideas"].update((row["id"], row) for row in ([new, *ideas] if first else [*ideas, new]))


def delete_seven_that_were_read(tables: Tables) -> None:
    for idea in list(tables["ideas"])[3:10]:
        remove_idea(tables, idea)


def delete_one_that_was_read_and_add_one(tables: Tables) -> None:
    remove_idea(tables, list(tables["ideas"])[4])
    new_idea(tables)


def insert_five_at_the_top(tables: Tables) -> None:
    for _ in range(5):
        new_idea(tables, first=True)


DRIFTS = [delete_seven_that_were_read, delete_one_that_was_read_and_add_one, insert_five_at_the_top]
FAULTS = {
    "every list ends after half its pages": Fault(kind="list_cut", stream="ideas", page=6, times=None),
    "every sixth page is served in place of the next": Fault(kind="page_twice", stream="ideas", every=6, times=None),
}


def false_ends(engine: sa.Engine, living: set[str]) -> list[Any]:
    """Intervals of living ideas that ended, though nothing about these ideas ever changed."""
    h = IDEA_HISTORY.c
    query = sa.select(h.idea_id, h.attribute).where(h.idea_id.in_(living), h.observed_to.is_not(None))
    with engine.connect() as connection:
        return list(connection.execute(query).all())


@each_on_sqlite("drift", {drift.__name__: drift for drift in DRIFTS})
def test_ideas_that_live_through_a_drift_are_never_retired(
    drift: Callable[[Tables], None], simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path, mode=Full())
    before = set(simulator.tables["ideas"])
    pages = iter(range(10_000))

    def happen(name: str, _scope: str, tables: Tables) -> None:
        if name == "ideas" and next(pages) == 3:
            drift(tables)

    simulator.before_page = happen
    sync(simulator, warehouse, tmp_path, mode=Full())
    simulator.before_page = None
    living = set(simulator.tables["ideas"])
    assert deleted(warehouse.engine, "ideas") <= before - living
    quiet = sync(simulator, warehouse, tmp_path, mode=Full())
    assert quiet.verdict == "complete"
    assert deleted(warehouse.engine, "ideas") == before - living
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)
    assert false_ends(warehouse.engine, living) == []


@each_on_sqlite("fault", FAULTS)
def test_a_list_that_is_cut_short_or_repeats_retires_nothing(
    fault: Fault, simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path, mode=Full())
    before = simulator.tables["ideas"]
    simulator.faults.add(fault)
    broken = sync(simulator, warehouse, tmp_path, mode=Full())
    ideas = stream(broken, "ideas")
    assert ideas.counts.absent == 0
    # Requests of several lists run side by side: the sixth ones can spare a sweep of each list, which then proves it.
    assert ideas.verdict == "incomplete" or (fault.kind == "page_twice" and ideas.counts.seen == len(before))
    assert deleted(warehouse.engine, "ideas") == set()
    simulator.faults.clear()
    assert sync(simulator, warehouse, tmp_path, mode=Full()).verdict == "complete"
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)
    assert false_ends(warehouse.engine, set(simulator.tables["ideas"])) == []
