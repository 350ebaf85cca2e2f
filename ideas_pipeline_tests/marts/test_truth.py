"""Every mart equals the rows that pandas computes from the source's tables, on every engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from ideas_pipeline.marts.build import build_marts
from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.marts.comparing import assert_marts_are, expected
from ideas_pipeline_tests.marts.facts import facts
from ideas_pipeline_tests.marts.following import following
from ideas_pipeline_tests.marts.odd import odd_community
from ideas_pipeline_tests.marts.proof import CLASSES, assert_true_on_both, classify
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_writing


def test_marts_of_a_small_community_are_true_as_each_engine_stores_it(warehouse: Warehouse, tmp_path: Path) -> None:
    with following(odd_community("small"), warehouse, tmp_path) as follower:
        classify(follower.engine, CLASSES)
        as_of = follower.looks[-1].ended
        call_writing(Warehouse(follower.engine, COMMUNITY), build_marts, "Europe/Madrid", as_of)
        assert_marts_are(follower.engine, expected(facts(follower.witness(), "Europe/Madrid", as_of, CLASSES)))


@pytest.mark.slow
def test_marts_of_a_medium_community_are_true(sqlite: Warehouse, postgresql: Warehouse, tmp_path: Path) -> None:
    with following(odd_community(Size(12, 600, 3_000, 9_000, 900)), sqlite, tmp_path) as follower:
        classify(follower.engine, CLASSES)
        assert_true_on_both(follower, postgresql, CLASSES)


def test_marts_without_label_classes_and_without_visits_have_nulls(
    sqlite: Warehouse, postgresql: Warehouse, tmp_path: Path
) -> None:
    tables = generate("small", seed=2)
    for row in tables["users"].values():
        row["last_seen_at"] = None
    with following(tables, sqlite, tmp_path) as follower:
        assert_true_on_both(follower, postgresql, {})


@pytest.mark.parametrize("challenges", [0, 3])
def test_marts_of_a_community_without_activity_are_true(
    challenges: int, sqlite: Warehouse, postgresql: Warehouse, tmp_path: Path
) -> None:
    tables = generate(Size(challenges=3, ideas=3, comments=0, votes=0, users=9))
    for name in [*tables] if not challenges else [n for n in tables if n not in ("challenges", "challenge_stages")]:
        tables[name].clear()
    with following(tables, sqlite, tmp_path) as follower:
        assert_true_on_both(follower, postgresql, CLASSES)
