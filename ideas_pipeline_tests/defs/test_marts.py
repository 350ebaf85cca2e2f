"""Marts and report as Dagster sees them: made in the night after the tables, and again when a table changed alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from ideas_pipeline.definitions import build_defs
from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.defs.running import configured, days, failures, metadata, nightly_sync

pytestmark = pytest.mark.filterwarnings("ignore:Parameter `include_sources`")  # the tester's own


@dataclass(frozen=True)
class Night:
    """A night that made the marts, the report and its copy."""

    folder: Path
    simulator: Simulator
    instance: dg.DagsterInstance
    result: dg.ExecuteInProcessResult


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("night")
    (folder / "shared").mkdir()
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        for name in [name for name in os.environ if name.startswith("IDEAS_")]:
            patch.delenv(name)
        patch.chdir(folder)
        patch.setenv("IDEAS_REPORT_URL", f"file://{folder}/shared")
        with configured(folder, patch) as simulator:
            yield Night(folder, simulator, instance, nightly_sync(instance, what_follows=True))


def test_a_night_ends_with_the_marts_the_report_and_its_copy(night: Night) -> None:
    assert night.result.success
    recorded = metadata(night.result)
    assert recorded.keys() >= {*MARTS, "report"}
    assert recorded["mart_challenges"]["dagster/row_count"] == len(night.simulator.tables["challenges"])
    assert "How might we waste less?" in str(recorded["mart_challenges"]["preview"])
    report = Path(str(recorded["report"]["report"]))
    assert report == night.folder / ".ideas/report-acme.html"
    assert report.stat().st_size == recorded["report"]["size_bytes"]
    copy = night.folder / "shared/report-acme.html"
    assert recorded["report"]["copy"] == f"file://{copy}"
    assert copy.read_bytes() == report.read_bytes()


def test_dagster_is_shown_nobody(night: Night) -> None:
    recorded = metadata(night.result)
    assert "preview" not in recorded["mart_contributors"]
    shown = str([recorded[name] for name in (*MARTS, "report")])
    assert not [key for key in night.simulator.tables["users"] if f"| {key} |" in shown]


def test_after_a_night_nothing_is_left_to_build_and_a_table_that_changes_alone_is_followed(night: Night) -> None:
    defs = build_defs()
    seen = dg.evaluate_automation_conditions(defs, night.instance)
    assert seen.total_requested == 0
    backfilled = dg.AssetMaterialization(dg.AssetKey(["acme", "comments"]), partition="2025-03-01")
    night.instance.report_runless_asset_event(backfilled)
    then = dg.evaluate_automation_conditions(defs, night.instance, cursor=seen.cursor)
    asked_for = {found.key.path[-1] for found in then.results if found.true_subset.size}
    assert {"mart_challenges", "mart_daily_activity", "report"} <= asked_for


def comments_reported() -> int:
    with (
        Warehouse.open("sqlite:///.ideas/warehouse.db", "acme") as warehouse,
        warehouse.engine.connect() as connection,
    ):
        return int(connection.scalar(sa.text("SELECT sum(comments) FROM mart_challenges")) or 0)


def test_what_a_backfill_that_is_not_whole_has_read_is_in_the_marts_and_the_report_follows(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    nightly_sync(instance, what_follows=True)
    before = comments_reported()
    defs = build_defs()
    seen = dg.evaluate_automation_conditions(defs, instance)
    with simulator.changing() as tables:
        comment = next(comment for comment in tables["comments"].values() if comment["status"] == "visible")
        tables["comments"]["99999"] = {**comment, "id": "99999", "created_at": "2025-03-01T12:00:00Z"}
        refused = next(idea for idea in tables["ideas"] if idea != comment["idea_id"])
    simulator.faults.add(Fault(kind="status", status=403, stream="comments", scope=refused, times=None))

    done = days(instance, date(2025, 3, 1), date(2025, 3, 1), "comments")

    assert "none of the days is marked" in failures(done)["acme__comments.sync"][0]
    assert comments_reported() == before + 1
    then = dg.evaluate_automation_conditions(defs, instance, cursor=seen.cursor)
    assert {found.key.path[-1] for found in then.results if found.true_subset.size} == {"report"}
