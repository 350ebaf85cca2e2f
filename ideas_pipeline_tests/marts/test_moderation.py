"""Moderation values that the source does not report are null, because 0 would mean that there are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.marts.build import build_marts
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.tables.community import IDEAS, USERS
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.marts import acme
from ideas_pipeline_tests.marts.comparing import found
from ideas_pipeline_tests.marts.following import following
from ideas_pipeline_tests.marts.proof import assert_true_on_both
from ideas_pipeline_tests.warehouse.calls import call_writing

COUNTED = {"removed", "closed", "by_banned_people", "pending", "rejected", "published", "removed_comments"}


@pytest.mark.parametrize(
    ("table", "silent", "null"),
    [
        ("ideas", "moderation_status", {"removed", "removed_rate", "closed"}),
        ("ideas", "approval_status", {"pending", "rejected"}),
        ("ideas", "published_at", {"published", "published_later", "median_delay_seconds", "p90_delay_seconds"}),
        ("comments", "status", {"removed_comments"}),
        ("users", "status", {"by_banned_people"}),
    ],
)
def test_values_that_the_source_does_not_report_are_null_and_not_0(
    table: str, silent: str, null: set[str], sqlite: Warehouse, postgresql: Warehouse, tmp_path: Path
) -> None:
    tables = generate("small", seed=2)
    for row in tables[table].values():
        row[silent] = None
    with following(tables, sqlite, tmp_path) as follower:
        assert_true_on_both(follower, postgresql, {})
        for row in found(follower.engine, "mart_moderation").values():
            assert {column for column, value in row.items() if value is None} >= null
            assert None not in {row[column] for column in COUNTED - null}


def test_the_status_erased_does_not_mean_that_the_source_reports_statuses(warehouse: Warehouse) -> None:
    acme.fill(warehouse.engine)
    with warehouse.engine.begin() as connection:
        connection.execute(sa.update(USERS).values(status=None))
        connection.execute(sa.update(USERS).values(status="erased").where(USERS.c.id == "ann"))
    call_writing(warehouse, build_marts, "UTC", acme.AS_OF)
    rows = found(warehouse.engine, "mart_moderation", acme.COMMUNITY).values()
    assert [row["by_banned_people"] for row in rows] == [None, None]
    assert sum(row["counted"] for row in rows) == 4


def test_a_value_reported_in_one_challenge_is_reported_for_all(warehouse: Warehouse) -> None:
    acme.fill(warehouse.engine)
    call_writing(warehouse, build_marts, "UTC", acme.AS_OF)
    rows = found(warehouse.engine, "mart_moderation", acme.COMMUNITY)
    assert {key: row["removed"] for (key,), row in rows.items()} == {"start": 1, "waste": 0}


def test_values_of_another_community_do_not_count(warehouse: Warehouse) -> None:
    acme.fill(warehouse.engine, "another")
    acme.fill(warehouse.engine)
    with warehouse.engine.begin() as connection:
        connection.execute(sa.update(IDEAS).values(moderation_status=None).where(IDEAS.c.community == acme.COMMUNITY))
    call_writing(warehouse, build_marts, "UTC", acme.AS_OF)
    rows = found(warehouse.engine, "mart_moderation", acme.COMMUNITY).values()
    assert [row["removed"] for row in rows] == [None, None]
