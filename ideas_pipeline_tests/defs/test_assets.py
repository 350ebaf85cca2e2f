from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from ideas_pipeline.definitions import build_defs
from ideas_pipeline.errors import SettingsError
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.scopes import live_counts
from ideas_pipeline.warehouse.status import status, unfinished_run
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.defs.running import checks, days, failed_checks, failures, metadata, nightly_sync
from ideas_pipeline_tests.warehouse.calls import call_reading

STREAMS = {"challenges", "users", "ideas", "comments", "votes"}
# The checks of every stream; two of streams whose parents say what changed; and two of streams whose parents say how
# many there are, or that have parents whose lists can contradict each other.
CHECKS = 10 * len(STREAMS) + 2 * len({"comments", "votes"}) + 2 * len({"ideas", "comments", "votes"})


def _rows(stream: str, folder: Path) -> int:
    with Warehouse.open(f"sqlite:///{folder}/.ideas/warehouse.db", "acme") as warehouse:
        return sum(call_reading(warehouse, live_counts, stream).values())


def _streams(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, object]]:
    return {name: recorded for name, recorded in metadata(result).items() if name in STREAMS}


def test_a_run_materializes_every_stream_says_what_was_done_and_passes_its_checks(
    simulator: Simulator, instance: dg.DagsterInstance, unconfigured: Path
) -> None:
    result = nightly_sync(instance)

    assert result.success
    shown = _streams(result)
    history = metadata(result)["idea_history"]
    assert shown.keys() == STREAMS
    for stream, recorded in shown.items():
        there = len(simulator.tables[stream])
        assert (
            recorded["dagster/row_count"]
            == recorded["seen"]
            == recorded["inserted"]
            == there
            == _rows(stream, unconfigured)
        )
        assert recorded["verdict"] == "complete"
        assert recorded["scopes"] == recorded["scopes_complete"]
        assert (
            recorded["updated"]
            == recorded["unchanged"]
            == recorded["rejected"]
            == recorded["absent"]
            == recorded["held"]
            == 0
        )
        assert recorded["retries"] == 0
        assert recorded["run_id"] == result.run_id
    assert sum(recorded["requests"] for recorded in shown.values()) == len(
        [r for r in simulator.log if r.stream in STREAMS]
    )
    assert history["dagster/row_count"] == history["current intervals"] > len(simulator.tables["ideas"])
    assert len([name for name in checks(result) if name.split()[0] in STREAMS]) == CHECKS
    assert failed_checks(result) == set()


def test_a_second_run_changes_nothing_and_does_not_log_in_again(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    first = nightly_sync(instance)
    again = nightly_sync(instance)

    assert again.success
    assert metadata(again)["idea_history"] == metadata(first)["idea_history"]
    for recorded in _streams(again).values():
        assert recorded["unchanged"] == recorded["seen"] > 0
        assert recorded["inserted"] == recorded["updated"] == recorded["absent"] == 0
    assert simulator.counters.logins == 1


def test_a_stream_that_fails_says_why_and_leaves_the_others_work_in_place(
    simulator: Simulator, instance: dg.DagsterInstance, unconfigured: Path
) -> None:
    simulator.faults.add(Fault(kind="status", status=403, stream="comments", times=None))

    result = nightly_sync(instance)

    assert not result.success
    failed = failures(result)
    assert failed.keys() == {"acme__comments.sync"}
    sentence, numbers = failed["acme__comments.sync"]
    assert sentence.startswith("comments: none of its 14 scopes is complete: this account may not read ")
    assert "(HTTP 403)" in sentence
    assert numbers["verdict"] == "failed"
    assert _streams(result).keys() == STREAMS - {"comments"}
    assert _rows("ideas", unconfigured) == len(simulator.tables["ideas"])
    assert _rows("votes", unconfigured) == len(simulator.tables["votes"])


def test_a_warehouse_that_cannot_be_opened_is_a_sentence_without_its_password(
    simulator: Simulator, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDEAS_WAREHOUSE_URL", "postgresql+psycopg://ann:canary-password@127.0.0.1:1/ideas")

    result = nightly_sync(instance)

    failed = failures(result)
    assert "acme__challenges.sync" in failed
    for sentence, _ in failed.values():
        assert sentence.startswith("The warehouse postgresql+psycopg://ann:***@127.0.0.1:1/ideas cannot be ")


def test_assets_follow_the_contract_and_are_described_by_the_tables(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDEAS_OWNER", "team:data")
    monkeypatch.setenv("IDEAS_SCHEDULE_HOUR", "20")
    graph = build_defs().resolve_asset_graph()

    groups = {key: graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert {key.path[-1] for key, group in groups.items() if group == "community"} == STREAMS
    assert {key.path[0] for key in groups} == {"acme"}
    comments = graph.get(dg.AssetKey(["acme", "comments"]))
    assert comments.parent_keys == {dg.AssetKey(["acme", "ideas"]), dg.AssetKey(["acme", "api", "comments"])}
    ideas = graph.get(dg.AssetKey(["acme", "ideas"]))
    assert ideas.description.startswith(TABLES["ideas"].comment)
    assert "idea_labels" in ideas.description
    assert ideas.kinds == {"api", "sqlite"}
    assert ideas.owners == ["team:data"]
    assert ideas.metadata["dagster/table_name"] == "ideas"
    columns = {column.name: column for column in ideas.metadata["dagster/column_schema"].columns}
    assert list(columns) == [column.name for column in TABLES["ideas"].columns]
    assert columns["title"].description == "The idea's title. From api/ideas: title."
    assert columns["title"].tags == {"personal_data": "free_text"}
    assert columns["created_at"].type == "timestamp"
    assert columns["id"].constraints == dg.TableColumnConstraints(nullable=False, other=["part of the key"])
    assert ideas.pools == {"ideas_api_acme"}
    assert "Fresh at 02:00 (UTC) if it was synced since 20:00, on" in ideas.description


def test_the_history_of_ideas_is_an_asset_that_comes_with_them(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    key = dg.AssetKey(["acme", "idea_history"])
    history = build_defs().resolve_asset_graph().get(key)
    assert (history.group_name, history.is_executable) == ("history", False)
    assert dg.AssetKey(["acme", "ideas"]) in history.parent_keys
    columns = [column.name for column in history.metadata["dagster/column_schema"].columns]
    assert columns == [column.name for column in IDEA_HISTORY.columns]

    days(instance, date(2025, 3, 1), date(2025, 3, 2), "challenges", "ideas")
    assert instance.get_latest_materialization_event(key) is not None


def test_a_community_s_name_may_have_a_dash(
    simulator: Simulator, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDEAS_COMMUNITY", "acme-west")
    night = nightly_sync(instance, what_follows=True)
    assert night.success
    assert dg.AssetKey(["acme-west", "ideas"]) in {
        event.asset_key for event in night.get_asset_materialization_events()
    }


def test_an_owner_that_is_nobody_is_reported(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDEAS_OWNER", "ann at example.com")

    with pytest.raises(SettingsError, match="IDEAS_OWNER must be team:NAME or an e-mail address") as caught:
        build_defs()

    assert "example.com" not in str(caught.value)


def test_a_preview_shows_rows_and_nothing_about_a_person(
    simulator: Simulator, instance: dg.DagsterInstance, unconfigured: Path
) -> None:
    result = nightly_sync(instance)

    shown = _streams(result)
    assert "preview" not in shown["users"]
    assert "| 501 | standard | How might we waste less? (1) |" in shown["challenges"]["preview"]
    previews = {stream: recorded["preview"] for stream, recorded in shown.items() if "preview" in recorded}
    with sa.create_engine(f"sqlite:///{unconfigured}/.ideas/warehouse.db").connect() as connection:
        for stream, preview in previews.items():
            lines = preview.splitlines()
            named = {cell.strip() for cell in lines[0].strip("|").split("|")}
            assert len(lines) > 3
            assert not [c.name for c in TABLES[stream].columns if pii(c) and c.name in named]
            for person in connection.scalars(sa.select(TABLES["users"].c.id)):
                assert f" {person} " not in preview


def test_without_configuration_a_simulated_community_stands_in_and_is_marked_as_simulated(
    unconfigured: Path, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    defs = build_defs()
    result = nightly_sync(instance)

    assert result.success
    assert defs.metadata["simulated"].value is True
    assert "Simulated: made-up people and ideas" in caplog.text
    for spec in defs.resolve_all_asset_specs():
        assert spec.key.path[0] == "demo"
        assert "Simulated" in str(spec.description)
        assert spec.tags["ideas_pipeline/simulated"] == "true"
    with Warehouse.open(f"sqlite:///{unconfigured}/.demo/warehouse.db", "demo") as warehouse:
        assert {s.stream: s.verdict for s in call_reading(warehouse, status)} == dict.fromkeys(STREAMS, "complete")


def test_a_night_that_could_not_log_in_is_noted_in_the_warehouse(
    simulator: Simulator, instance: dg.DagsterInstance, unconfigured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDEAS_CLIENT_SECRET", "canary-wrong")

    assert not nightly_sync(instance).success

    with Warehouse.open(f"sqlite:///{unconfigured}/.ideas/warehouse.db", "acme") as warehouse:
        run = call_reading(warehouse, unfinished_run)
    assert run is not None
    assert (run.mode, run.lists) == ("incremental", {})
    assert "refuses the client id and secret" in str(run.reason)
    assert "canary-wrong" not in str(run.reason)
