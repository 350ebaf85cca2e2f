"""Whatever happens to ideas, and whenever it is seen: the history says exactly what was observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count, pairwise
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ideas_pipeline.tables.history import ATTRIBUTES, IDEA_HISTORY
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import idea, night
from ideas_pipeline_tests.warehouse.test_history import miss, see

Fact = tuple[str, str, str, str | None]  # the idea, the attribute, its value and, of a stage, the challenge
STATES = st.fixed_dictionaries(
    {
        "challenge_id": st.sampled_from(["c1", "c2"]),
        "stage_id": st.sampled_from([None, "s1", "s2"]),
        "status": st.sampled_from([None, "new", "done"]),
        "labels": st.none() | st.frozensets(st.sampled_from(["l1", "l2"])),  # None: they were not sent
    }
)
SEEN = st.fixed_dictionaries({"1": st.none() | STATES, "2": st.none() | STATES})  # None: the idea is not there
COMMUNITIES = (f"community {n}" for n in count())  # one for each example: that is quicker than a warehouse for each
LAW = settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])


@LAW
@given(st.lists(SEEN, min_size=1, max_size=6))
def test_whatever_was_observed_can_be_replayed_from_the_fewest_intervals(
    warehouse: Warehouse, nights: Sequence[Mapping[str, Any]]
) -> None:
    warehouse = Warehouse(warehouse.engine, next(COMMUNITIES))
    observed = observe(warehouse, enumerate(nights, 1))
    for on, facts in enumerate(observed, 1):
        assert as_of(warehouse, night(on)) == facts
        assert as_of(warehouse, night(on + 1) - timedelta(microseconds=1)) == facts
    assert as_of(warehouse, night(1) - timedelta(microseconds=1)) == set()

    intervals: dict[Any, list[Any]] = {}
    for row in rows_of(warehouse):
        intervals.setdefault((row.idea_id, row.attribute, row.value, row.challenge_id), []).append(row)
        first = next(on for on, seen in enumerate(nights, 1) if seen[row.idea_id])
        assert row.is_left_censored == (utc(row.observed_from) == night(first))
        assert row.source_at == row.observed_from  # the ideas here say that they were updated when they were seen
    for rows in intervals.values():
        assert all(one.observed_to < next_.observed_from for one, next_ in pairwise(rows))  # or they would be one


@LAW
@given(st.lists(st.tuples(st.integers(1, 3), SEEN), max_size=6))
def test_whatever_the_clock_says_intervals_do_not_overlap_and_end_with_the_present(
    warehouse: Warehouse, nights: Sequence[tuple[int, Mapping[str, Any]]]
) -> None:
    warehouse = Warehouse(warehouse.engine, next(COMMUNITIES))
    observed = observe(warehouse, nights)
    assert as_of(warehouse, night(31)) == (observed[-1] if observed else set())
    intervals: dict[Any, list[Any]] = {}
    for row in rows_of(warehouse):
        assert row.observed_to is None or row.observed_from < row.observed_to
        one_at_a_time = row.value if row.attribute == "label" else ""
        intervals.setdefault((row.idea_id, row.attribute, one_at_a_time), []).append(row)
    for rows in intervals.values():
        assert all(one.observed_to and one.observed_to <= next_.observed_from for one, next_ in pairwise(rows))


def observe(warehouse: Warehouse, nights: Iterable[tuple[int, Mapping[str, Any]]]) -> list[set[Fact]]:
    """Loads what each night saw, and returns what was then known of the ideas."""
    labels: dict[str, frozenset[str]] = {}
    observed = []
    for on, seen in nights:
        there = {id_: state for id_, state in seen.items() if state}
        said = {id_: state["labels"] for id_, state in there.items() if state["labels"] is not None}
        labels = {id_: said.get(id_, labels.get(id_, frozenset())) for id_ in there}
        rows = [
            idea(id_, **{k: v for k, v in state.items() if k != "labels"}, updated_at=night(on))
            for id_, state in there.items()
        ]
        see(warehouse, on, *rows, labels={id_: dict.fromkeys(ones, "") for id_, ones in said.items()})
        if gone := seen.keys() - there.keys():
            miss(warehouse, on, *gone)
        facts = set[Fact]()
        for id_, state in there.items():
            for attribute, column in ATTRIBUTES.items():
                if value := state.get(column):
                    facts.add((id_, attribute, value, state["challenge_id"] if attribute == "stage" else None))
            facts |= {(id_, "label", one, None) for one in labels[id_]}
        observed.append(facts)
    return observed


def as_of(warehouse: Warehouse, moment: datetime) -> set[Fact]:
    """What the history says of a moment."""
    h = IDEA_HISTORY.c
    then = sa.select(h.idea_id, h.attribute, h.value, h.challenge_id).where(
        h.community == warehouse.community,
        h.observed_from <= moment,
        sa.or_(h.observed_to > moment, h.observed_to.is_(None)),
    )
    with warehouse.engine.begin() as connection:
        return {tuple(row) for row in connection.execute(then)}


def rows_of(warehouse: Warehouse) -> Sequence[sa.Row[Any]]:
    h = IDEA_HISTORY.c
    with warehouse.engine.begin() as connection:
        return connection.execute(
            sa.select(IDEA_HISTORY).where(h.community == warehouse.community).order_by(h.observed_from, h.value)
        ).all()
