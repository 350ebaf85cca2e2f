"""Days of a community in Dagster: one run for any range of them, each marked with what it holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import sqlalchemy as sa

from ideas_pipeline.definitions import build_defs
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.tables.bookkeeping import ABSENCES, SCOPES, SYNC_RUNS
from ideas_pipeline.tables.community import COMMENTS
from ideas_pipeline.warehouse.runs import RunStart, start_run
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.defs.running import days, failures, metadata, nightly_sync
from ideas_pipeline_tests.warehouse.calls import call_writing

LISTS = ["comments", "ideas", "votes"]
FIRST, LAST = date(2025, 2, 25), date(2025, 3, 31)
SHORT = date(2025, 3, 30)  # the clock was put forward
ALL = [(FIRST + timedelta(days=n)).isoformat() for n in range((LAST - FIRST).days + 1)]


@pytest.fixture(autouse=True)
def _in_madrid(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDEAS_TIMEZONE", "Europe/Madrid")


@pytest.fixture
def database(unconfigured: Path) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{unconfigured}/.ideas/warehouse.db")


def day_of(row: dict[str, Any]) -> str:
    return datetime.fromisoformat(row["created_at"]).astimezone(ZoneInfo("Europe/Madrid")).date().isoformat()


def marked(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, object]]:
    """By stream, the days that were marked and how many rows each holds."""
    found: dict[str, dict[str, object]] = {}
    for event in result.get_asset_materialization_events():
        recorded = event.materialization
        if recorded.partition:
            count = recorded.metadata["dagster/partition_row_count"].value
            found.setdefault(recorded.asset_key.path[-1], {})[recorded.partition] = count
    return found


def rows(database: sa.Engine, query: sa.Select[Any]) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        return list(connection.execute(query))


def nightly_state(database: sa.Engine) -> list[list[str]]:
    return [sorted(str(row) for row in rows(database, sa.select(table))) for table in (SCOPES, ABSENCES)]


def test_one_run_reads_any_range_of_days_and_marks_each_with_its_rows(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    nightly_sync(instance)

    result = days(instance, FIRST, LAST, *LISTS)

    assert result.success
    shown = marked(result)
    assert sorted(shown) == LISTS
    for stream, held in shown.items():
        there = Counter(day_of(row) for row in simulator.tables[stream].values())
        assert held == {day: there[day] for day in ALL}
        assert sum(there[day] for day in ALL) > 0
    assert instance.get_materialized_partitions(dg.AssetKey(["acme", "votes"])) >= set(ALL)


def test_days_are_read_again_whatever_their_list_says_and_nothing_else_is_touched(
    simulator: Simulator, instance: dg.DagsterInstance, database: sa.Engine
) -> None:
    nightly_sync(instance)
    before = nightly_state(database)
    with simulator.changing() as tables:
        inside = next(c for c in tables["comments"].values() if day_of(c) in ALL)
        outside = next(c for c in tables["comments"].values() if day_of(c) not in ALL)
        gone = next(c for c in tables["comments"].values() if day_of(c) in ALL and c is not inside)
        inside["body"] = outside["body"] = "edited in place"
        del tables["comments"][gone["id"]]

    result = days(instance, FIRST, LAST, "comments")

    assert result.success
    recorded = metadata(result)["comments"]
    assert (recorded["updated"], recorded["inserted"], recorded["absent"]) == (1, 0, 0)
    edited = sa.select(COMMENTS.c.id).where(COMMENTS.c.body == "edited in place")
    assert rows(database, edited) == [(inside["id"],)]
    assert nightly_state(database) == before


def test_days_that_could_not_be_read_whole_are_not_marked_and_the_run_says_so(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    nightly_sync(instance)
    simulator.faults.add(Fault(kind="wrong_total", stream="votes", times=None))

    result = days(instance, FIRST, LAST, *LISTS)

    assert not result.success
    assert sorted(marked(result)) == ["comments", "ideas"]
    sentence, recorded = failures(result)["acme__votes.sync"]
    assert "none of the days is marked" in sentence
    assert "Launch the same days again." in sentence
    assert recorded["verdict"] == "incomplete"
    assert not instance.get_materialized_partitions(dg.AssetKey(["acme", "votes"])) & set(ALL)


def test_streams_without_days_are_synced_beside_and_the_days_are_a_run_of_their_own(
    simulator: Simulator, instance: dg.DagsterInstance, database: sa.Engine
) -> None:
    nightly_sync(instance)

    result = days(instance, SHORT, SHORT, "challenges", "ideas")

    assert result.success
    assert marked(result) == {"ideas": {SHORT.isoformat(): 0}}
    runs = {row.run_id: row for row in rows(database, sa.select(SYNC_RUNS))}
    assert runs[result.run_id].mode == "incremental"
    window = runs[f"{result.run_id}-days"]
    assert window.mode == "window"
    assert (window.window_to - window.window_from) == timedelta(hours=23)


def nights(instance: dg.DagsterInstance, stream: str) -> list[str]:
    return sorted(instance.get_materialized_partitions(dg.AssetKey(["acme", stream])))


def until_yesterday(days_back: int) -> list[str]:
    today = datetime.now(ZoneInfo("Europe/Madrid")).date()
    return [(today - timedelta(days=n)).isoformat() for n in range(days_back, 0, -1)]


def test_a_complete_night_marks_the_days_up_to_yesterday_a_month_at_a_time(
    simulator: Simulator, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    with simulator.changing() as tables:
        idea = next(iter(tables["ideas"].values()))
        idea["created_at"] = f"{until_yesterday(3)[0]}T12:00:00Z"
    monkeypatch.setenv("IDEAS_START_DATE", until_yesterday(40)[0])

    first = marked(nightly_sync(instance))
    assert {stream: sorted(found) for stream, found in first.items()} == dict.fromkeys(LISTS, until_yesterday(31))
    assert {day: rows for day, rows in first["ideas"].items() if rows} == {until_yesterday(3)[0]: 1}

    second = marked(nightly_sync(instance))
    assert sorted(second["ideas"]) == [*until_yesterday(40)[:9], *until_yesterday(1)]
    assert nights(instance, "ideas") == until_yesterday(40)
    assert sorted(marked(nightly_sync(instance, job="weekly_full"))["votes"]) == until_yesterday(1)


def test_a_night_that_is_not_proven_complete_marks_nothing(simulator: Simulator, instance: dg.DagsterInstance) -> None:
    simulator.faults.add(
        Fault(kind="wrong_total", stream="votes", scope=next(iter(simulator.tables["ideas"])), times=None)
    )

    result = nightly_sync(instance)

    assert metadata(result)["votes"]["verdict"] == "incomplete"
    assert nights(instance, "votes") == []
    assert len(nights(instance, "comments")) == 31


def test_a_full_run_that_goes_on_marks_what_had_passed_when_its_lists_were_read(
    simulator: Simulator, instance: dg.DagsterInstance, unconfigured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDEAS_START_DATE", until_yesterday(10)[0])
    broke_off = RunStart("broken", "https://api.example.com/v2/", datetime.now(UTC) - timedelta(days=2), mode="full")
    with Warehouse.open(f"sqlite:///{unconfigured}/.ideas/warehouse.db", "acme") as warehouse:
        call_writing(warehouse, start_run, replace(broke_off, goal_since=broke_off.at))

    marks = marked(nightly_sync(instance, job="weekly_full"))

    assert sorted(marks["ideas"]) == until_yesterday(10)[:-2]


def test_days_go_from_the_configured_first_one_to_yesterday(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDEAS_START_DATE", "2025-06-15")
    ideas = build_defs().resolve_asset_graph().get(dg.AssetKey(["acme", "ideas"]))

    keys = ideas.partitions_def.get_partition_keys(current_time=datetime(2025, 6, 17, 23, tzinfo=ZoneInfo("UTC")))

    assert keys == ["2025-06-15", "2025-06-16", "2025-06-17"]  # in Madrid it is the 18th
    assert ideas.backfill_policy == dg.BackfillPolicy.single_run()
    assert build_defs().resolve_asset_graph().get(dg.AssetKey(["acme", "users"])).partitions_def is None
