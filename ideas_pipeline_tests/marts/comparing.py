"""Compare the marts of a warehouse with their expected rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.tables.columns import kind
from ideas_pipeline.times import utc
from ideas_pipeline_tests.marts import expected_ideas, expected_moderation, expected_people
from ideas_pipeline_tests.marts.facts import Facts
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

Row = dict[str, Any]
Table = dict[tuple[Any, ...], Row]

EXPECTED: dict[str, Callable[[Facts], list[Row]]] = {
    f"mart_{made.__name__}": made
    for made in (
        expected_people.daily_activity,
        expected_ideas.challenges,
        expected_ideas.challenge_votes,
        expected_ideas.funnel,
        expected_ideas.stage_times,
        expected_ideas.idea_lifecycle,
        expected_ideas.response_times,
        expected_ideas.adoption,
        expected_people.contributors,
        expected_people.engagement,
        expected_people.concentration,
        expected_people.cohorts,
        expected_moderation.moderation,
        expected_people.people,
    )
}


def expected(facts: Facts) -> dict[str, list[Row]]:
    """The expected rows of every mart, by name."""
    return {name: made(facts) for name, made in EXPECTED.items()}


def assert_marts_are(engine: sa.Engine, expected: dict[str, list[Row]], community: str = COMMUNITY) -> None:
    """Assert that every mart of the community has exactly the expected rows and values."""
    assert expected.keys() == MARTS.keys()
    for name, rows in expected.items():
        _assert_same(name, found(engine, name, community), _by_key(name, rows))


def found(engine: sa.Engine, name: str, community: str = COMMUNITY) -> Table:
    """The rows of a mart by their key."""
    table = MARTS[name].table
    query = sa.select(*_own(table)).where(table.c.community == community)
    with engine.connect() as connection:
        return _by_key(name, [dict(row) for row in connection.execute(query).mappings()])


def _assert_same(name: str, actual: Table, expected: Table) -> None:
    assert actual.keys() == expected.keys(), name
    kinds = {c.name: kind(c) for c in _own(MARTS[name].table)}
    for key, row in expected.items():
        different = {c: (actual[key][c], row[c]) for c, of in kinds.items() if not _equal(of, actual[key][c], row[c])}
        assert not different, f"{name} {key}, actual and expected: {different}"


def _equal(of: str, one: Any, other: Any) -> bool:
    if of == "number" and one is not None and other is not None:
        return bool(one == pytest.approx(other, rel=1e-12))  # sums of fractions depend on their order
    return type(one) is type(other) and bool(one == other)


def _own(table: sa.Table) -> list[sa.Column[Any]]:
    return [c for c in table.columns if c.name != "community"]


def _by_key(name: str, rows: list[Row]) -> Table:
    table = MARTS[name].table
    keys = [c.name for c in _own(table) if c.primary_key]
    by_key = {}
    for row in rows:
        assert row.keys() == {c.name for c in _own(table)}, name
        by_key[tuple(row[k] for k in keys)] = {c.name: _plain(kind(c), row[c.name]) for c in _own(table)}
    assert len(by_key) == len(rows), f"{name}: a key twice"
    return by_key


def _plain(of: str, value: Any) -> Any:
    if value is None or value is pd.NaT:
        return None
    match of:
        case "timestamp":
            return utc(value.to_pydatetime() if isinstance(value, pd.Timestamp) else value)
        case "integer":
            assert int(value) == value
            return int(value)
        case "number":
            return float(value)
    assert not isinstance(value, datetime)
    return value
