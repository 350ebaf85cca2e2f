"""An operator's backfill, from the UI's GraphQL and from the command line, in Dagster's own processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.tables.bookkeeping import SCOPES
from ideas_pipeline.tables.community import COMMENTS
from ideas_pipeline_tests import processes
from ideas_pipeline_tests.cli.command import ideas_pipeline, lead_to
from ideas_pipeline_tests.dagster_processes import DAGSTER, ask, dagster_dev, environment, loaded, until
from ideas_pipeline_tests.end_to_end.pipeline import small_village

LISTS = ["comments", "ideas", "votes"]
FIRST, LAST = date(2025, 3, 1), date(2025, 3, 31)
DAYS = [(FIRST + timedelta(days=n)).isoformat() for n in range((LAST - FIRST).days + 1)]

LAUNCH = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
BACKFILL = """query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill {
    status runs(limit: 100) { id status } error { message } } } }"""
MARKED = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
    assetPartitionStatuses { ... on TimePartitionStatuses { ranges { status startKey endKey } } }
    assetMaterializations { partition metadataEntries { label ... on IntMetadataEntry { intValue } } } } } }"""


@pytest.fixture
def folder(no_settings: None, tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def simulator(folder: Path) -> Iterator[Simulator]:
    """A community that was synced; then a comment of March was edited, of which its idea says nothing."""
    with Simulator(load_contract(None), small_village(1)) as running:
        lead_to(running, folder, IDEAS_COMMUNITY="acme")
        assert ideas_pipeline("sync", folder=folder).returncode == 0
        with running.changing() as tables:
            next(c for c in tables["comments"].values() if c["created_at"][:10] in DAYS)["body"] = "edited in place"
        yield running


def held(folder: Path, query: sa.Select[Any]) -> list[str]:
    with sa.create_engine(f"sqlite:///{folder}/.ideas/warehouse.db").connect() as connection:
        return sorted(str(row) for row in connection.execute(query))


def rows_a_day(simulator: Simulator, stream: str) -> Counter[str]:
    return Counter(row["created_at"][:10] for row in simulator.tables[stream].values())


EDITED = sa.select(COMMENTS.c.id).where(COMMENTS.c.body == "edited in place")


@pytest.mark.slow
def test_a_backfill_launched_in_the_ui_is_one_run_for_all_its_days_and_marks_them(
    folder: Path, simulator: Simulator
) -> None:
    state = held(folder, sa.select(SCOPES))
    with dagster_dev(folder) as ui:
        assert loaded(ui) == [{"name": "ideas_pipeline"}]
        params = {"assetSelection": [{"path": ["acme", s]} for s in LISTS], "partitionNames": DAYS}
        backfill = ask(ui, LAUNCH, params=params)["launchPartitionBackfill"]["backfillId"]

        def ended() -> Any:
            found = ask(ui, BACKFILL, id=backfill)["partitionBackfillOrError"]
            return found if found["status"] not in ("REQUESTED", "CANCELING", "FAILING") else None

        done = until(ended)
        assert done["status"] == "COMPLETED_SUCCESS", (done["error"], (folder / "dev.log").read_text())
        assert [run["status"] for run in done["runs"]] == ["SUCCESS"]
        for stream in LISTS:
            node = ask(ui, MARKED, key={"path": ["acme", stream]})["assetNodeOrError"]
            (marked,) = node["assetPartitionStatuses"]["ranges"]
            assert marked == {"status": "MATERIALIZED", "startKey": DAYS[0], "endKey": DAYS[-1]}
            there = {
                event["partition"]: entry["intValue"]
                for event in node["assetMaterializations"]
                for entry in event["metadataEntries"]
                if entry["label"] == "dagster/partition_row_count"
            }
            assert there == {day: rows_a_day(simulator, stream)[day] for day in DAYS}
    assert len(held(folder, EDITED)) == 1
    assert held(folder, sa.select(SCOPES)) == state


@pytest.mark.slow
def test_a_backfill_from_dagster_s_command_line_marks_its_days(folder: Path, simulator: Simulator) -> None:
    state = held(folder, sa.select(SCOPES))

    streams = ",".join(f"acme/{stream}" for stream in LISTS)
    command = ["asset", "materialize", "-m", "ideas_pipeline.definitions", "--select", streams]

    command += ["--partition-range", f"{FIRST}...{LAST}"]
    done = processes.run([*DAGSTER, *command], cwd=folder, env=environment(folder))

    assert done.returncode == 0, done.stderr
    with dg.DagsterInstance.from_config(str(folder / "dagster")) as instance:
        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.SUCCESS
        for stream in LISTS:
            assert instance.get_materialized_partitions(dg.AssetKey(["acme", stream])) == set(DAYS)
    assert len(held(folder, EDITED)) == 1
    assert held(folder, sa.select(SCOPES)) == state
