"""Marts and report as Dagster sees them: made in the night after the tables, and again when a table changed alone."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from ideas_pipeline.definitions import build_defs
from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.defs.running import metadata, nightly_sync

pytestmark = pytest.mark.filterwarnings("ignore:Parameter `include_sources`")  # the tester's own


def test_a_night_ends_with_the_marts_and_the_report(
    simulator: Simulator, instance: dg.DagsterInstance, unconfigured: Path
) -> None:
    night = nightly_sync(instance, what_follows=True)
    assert night.success
    told = metadata(night)
    assert told.keys() >= {*MARTS, "report"}
    assert told["mart_challenges"]["dagster/row_count"] == len(simulator.tables["challenges"])
    assert "How might we waste less?" in str(told["mart_challenges"]["preview"])
    report = Path(str(told["report"]["report"]))
    assert report == unconfigured / ".ideas/report-acme.html"
    assert report.stat().st_size == told["report"]["size_bytes"]


def test_dagster_is_shown_nobody(simulator: Simulator, instance: dg.DagsterInstance) -> None:
    told = metadata(nightly_sync(instance, what_follows=True))
    assert "preview" not in told["mart_contributors"]
    shown = str([told[name] for name in (*MARTS, "report")])
    assert not [key for key in simulator.tables["users"] if f"| {key} |" in shown]


def test_after_a_night_nothing_is_left_to_build_and_a_table_that_changes_alone_is_followed(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    nightly_sync(instance, what_follows=True)
    defs = build_defs()
    seen = dg.evaluate_automation_conditions(defs, instance)
    assert seen.total_requested == 0
    backfilled = dg.AssetMaterialization(dg.AssetKey(["acme", "comments"]), partition="2025-03-01")
    instance.report_runless_asset_event(backfilled)
    then = dg.evaluate_automation_conditions(defs, instance, cursor=seen.cursor)
    asked_for = {found.key.path[-1] for found in then.results if found.true_subset.size}
    assert {"mart_challenges", "mart_daily_activity", "report"} <= asked_for
