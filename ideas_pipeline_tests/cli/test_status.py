from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.cli.output import came_to
from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES, SYNC_STREAMS
from ideas_pipeline.times import ago
from ideas_pipeline.warehouse.runs import RunStart
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.cli.command import ideas_pipeline

COUNTERS = {c.name: 0 for c in SYNC_STREAMS.columns if c.info["kind"] == "integer"}
NOW = datetime.now(UTC)


def a_run(warehouse: Warehouse, run_id: str, at: datetime, verdict: str, reason: str | None) -> None:
    warehouse.start_run(RunStart(run_id, "community", "https://api.example.com/v2/", at))
    warehouse.start_stream(run_id, "community", "ideas", at)
    warehouse.finish_stream(run_id, "community", "ideas", at, verdict, reason, **COUNTERS)
    warehouse.finish_run(run_id, "community", verdict, reason, at)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ideas were complete two days ago, and incomplete an hour ago."""
    (tmp_path / ".ideas").mkdir()
    with Warehouse.open(f"sqlite:///{tmp_path}/.ideas/warehouse.db") as warehouse:
        a_run(warehouse, "1", NOW - timedelta(days=2, hours=1), "complete", None)
        a_run(warehouse, "2", NOW - timedelta(hours=1), "incomplete", "the total moved [again]")
    return tmp_path


def test_it_says_when_a_stream_was_last_proven_complete_and_what_is_wrong_since(folder):
    done = ideas_pipeline("status", folder=folder)
    assert done.returncode == 0, done.stderr
    proven = NOW - timedelta(days=2, hours=1)
    line = next(line for line in done.stdout.splitlines() if line.lstrip().startswith("ideas "))
    assert line.split()[1] == "incomplete"
    assert f"{proven:%Y-%m-%d %H:%M}, 2 days ago" in line
    assert "ideas is incomplete: the total moved [again]" in done.stdout


def test_machines_get_the_same_as_json(folder):
    done = ideas_pipeline("status", "--json", folder=folder)
    (ideas,) = json.loads(done.stdout)["streams"]
    assert (ideas["stream"], ideas["verdict"], ideas["rows"]) == ("ideas", "incomplete", 0)
    assert datetime.fromisoformat(ideas["last_complete_at"]) == NOW - timedelta(days=2, hours=1)


def test_another_community_in_the_same_warehouse_is_another_matter(folder):
    done = ideas_pipeline("status", folder=folder, IDEAS_COMMUNITY="other")
    assert "Nothing was synced yet. Run: ideas-pipeline sync" in done.stdout


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=119), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=400), "400 days ago"),
        (timedelta(minutes=-5), "just now"),
    ],
)
def test_how_long_ago_is_told_in_the_largest_unit_that_fits(passed, said):
    assert ago(NOW - passed, NOW) == said


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("ideas: the API refuses", "ideas failed: the API refuses"),
        ("ideas 12: no answer: none", "ideas 12 failed: no answer: none"),
        ("the total moved: 3, then 4", "ideas failed: the total moved: 3, then 4"),
        ("ideas", "ideas failed: ideas"),
    ],
)
def test_what_a_stream_came_to_names_it_once(reason, said):
    assert came_to("ideas", "failed", reason) == said


def test_a_run_that_did_not_end_is_named_with_what_it_has_read(folder):
    window = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    with Warehouse.open(f"sqlite:///{folder}/.ideas/warehouse.db") as warehouse:
        start = RunStart("3", "community", "https://api.example.com/v2/", NOW, mode="window", window=window)
        warehouse.start_run(start)
        warehouse.start_stream("3", "community", "comments", NOW)
        with warehouse.engine.begin() as connection:
            counters = {c.name: 0 for c in SYNC_SCOPES.columns if c.info["kind"] == "integer"}
            connection.execute(
                sa.insert(SYNC_SCOPES),
                [
                    {"community": "community", "stream": "comments", "scope": scope, "run_id": "3"}
                    | counters
                    | {"swept_at": NOW, "verdict": "complete"}
                    for scope in ("1", "2")
                ],
            )

    done = ideas_pipeline("status", folder=folder, IDEAS_TIMEZONE="Europe/Madrid")

    said = f"The backfill from 2026-03-01 01:00 to before 2026-04-01 02:00 that began {NOW:%Y-%m-%d %H:%M} UTC"
    assert f"{said} still runs, or was killed. Lists that it has read: comments 2." in done.stdout
    assert "The same backfill goes on from there." in done.stdout
    unfinished = json.loads(ideas_pipeline("status", "--json", folder=folder).stdout)["unfinished"]
    assert (unfinished["run_id"], unfinished["lists"]) == ("3", {"comments": 2})


def test_where_the_last_run_came_to_its_end_nothing_is_unfinished(folder):
    assert json.loads(ideas_pipeline("status", "--json", folder=folder).stdout)["unfinished"] is None
