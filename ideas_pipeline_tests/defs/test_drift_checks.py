from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.defs.drift_checks import drift_results
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.warehouse.fields import Field, note
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.defs.running import checks, failed_checks, nightly_sync
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, idea, label, load, reject
from ideas_pipeline_tests.warehouse.calls import call_writing

CONTRACT = load_contract(None)
START = datetime.now(UTC) - timedelta(days=100)
TITLE = Field("ideas", "title", True, frozenset({"text"}), 40, 40, START, START, None)
KARMA = Field("ideas", "_extra.karma", False, frozenset({"number"}), 40, 40, START, START, None)


@pytest.fixture
def warehouse(sqlite_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(sqlite_url, COMMUNITY) as opened:
        yield opened


def results(warehouse: Warehouse, *fields: Field, stream: str = "ideas") -> dict[str, dg.AssetCheckResult]:
    call_writing(warehouse, note, "night-1", fields)
    with warehouse.reading() as tx:
        return {str(r.check_name): r for r in drift_results(tx, CONTRACT, stream)}


def days_ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def test_nothing_is_said_of_a_community_as_it_always_was(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", approval_status="approved")], on=1)
    found = results(warehouse, TITLE, KARMA)
    assert [r.check_name for r in found.values() if not r.passed] == []
    assert "ideas: karma (number)" in str(found["unmapped_fields"].description)


def test_a_new_field_is_a_warning_with_the_line_that_would_map_it(warehouse: Warehouse) -> None:
    views = replace(KARMA, field="_extra.views_total", first_seen_at=days_ago(1), last_seen_at=days_ago(1))
    check = results(warehouse, TITLE, KARMA, views)["unmapped_fields"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "ideas: views_total (number)" in str(check.description)
    assert "karma" not in str(check.description)
    assert "streams: {ideas: {fields: {view_count: views_total}}}" in str(check.description)


def test_a_new_field_is_news_for_two_weeks(warehouse: Warehouse) -> None:
    views = replace(KARMA, field="_extra.views_total", first_seen_at=days_ago(15), last_seen_at=days_ago(1))
    assert results(warehouse, TITLE, views)["unmapped_fields"].passed


def test_a_vanished_field_is_a_warning_that_says_what_becomes_of_the_values(warehouse: Warehouse) -> None:
    gone = replace(TITLE, missing_since=days_ago(2))
    renamed = replace(KARMA, field="_extra.headline", kinds=frozenset({"text"}))
    check = results(warehouse, gone, renamed)["vanished_fields"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert f"ideas.title (since {days_ago(2):%Y-%m-%d})" in str(check.description)
    assert "rows keep what they had" in str(check.description)
    assert "streams: {ideas: {fields: {title: headline}}}" in str(check.description)


@pytest.mark.parametrize("column", ["comment_count", "updated_at", "created_at"])
def test_a_vanished_field_by_which_changes_are_found_is_an_error(warehouse: Warehouse, column: str) -> None:
    check = results(warehouse, replace(TITLE, field=column, missing_since=days_ago(2)))["vanished_fields"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert f"The sync itself relies on ideas.{column}" in str(check.description)


def test_values_that_nobody_knew_are_a_warning_that_names_them(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1", approval_status="parked"), idea("2", approval_status="parked")], on=1)
    check = results(warehouse)["unknown_values"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "ideas.approval_status: parked (2)" in str(check.description)


@pytest.mark.parametrize(
    ("rejected", "rows", "severity"),
    [
        (9, 0, dg.AssetCheckSeverity.WARN),
        (10, 1000, dg.AssetCheckSeverity.WARN),
        (10, 900, dg.AssetCheckSeverity.ERROR),
    ],
)
def test_rejects_are_an_error_beyond_ten_and_one_percent(
    warehouse: Warehouse, rejected: int, rows: int, severity: dg.AssetCheckSeverity
) -> None:
    bad = [reject(f"bad{number}") for number in range(rejected)]
    load(warehouse, "ideas", [idea(str(number)) for number in range(rows)], on=1, rejects=bad)
    check = results(warehouse)["rejects"]
    assert (check.passed, check.severity) == (False, severity)
    assert ("a field's type has changed" in str(check.description)) == (severity == dg.AssetCheckSeverity.ERROR)
    assert "ideas-pipeline rejects retry" in str(check.description)


def test_rejects_of_an_embedded_table_are_set_against_its_own_rows(warehouse: Warehouse) -> None:
    bad = [replace(reject(f"bad{n}", table="idea_labels"), record_key=f'["1","bad{n}"]') for n in range(12)]
    ideas = [idea(str(number)) for number in range(2000)]
    load(warehouse, "ideas", ideas, on=1, embedded={"idea_labels": [label("1", "l")]}, rejects=bad)
    check = results(warehouse)["rejects"]
    assert check.severity == dg.AssetCheckSeverity.ERROR
    assert "12 of 13 in idea_labels" in str(check.description)


def test_a_field_that_changed_its_type_turns_the_nightly_run_red(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    with simulator.changing() as tables:
        for row in tables["comments"].values():
            row["like_count"] = "several"
    result = nightly_sync(instance)
    assert not result.success
    assert failed_checks(result) >= {"comments rejects ERROR"}
    assert "like_count is not a whole number" in str(checks(result)["comments rejects"].description)
    assert "several" not in str(checks(result)["comments rejects"].description)
    assert checks(result)["users rejects"].passed
    assert {name.split()[1] for name in checks(result)} >= {"unmapped_fields", "unknown_values", "vanished_fields"}
