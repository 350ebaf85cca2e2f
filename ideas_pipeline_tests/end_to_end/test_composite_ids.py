"""A source that counts from 1 in each list: no record takes another's place, and each names the one that it means."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.probe.probe import check
from ideas_pipeline.simulator.shape import Quirks
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.sync.replay import replay
from ideas_pipeline.sync.run import Full, Incremental
from ideas_pipeline.tables.bookkeeping import ABSENCES
from ideas_pipeline.tables.community import COMMENTS, TABLES
from ideas_pipeline.warehouse.quality import broken_references
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, small_village, stream, sync, sync_with
from ideas_pipeline_tests.end_to_end.test_absence import deleted, remove_comment
from ideas_pipeline_tests.end_to_end.test_replay import archive
from ideas_pipeline_tests.end_to_end.test_replay import rows as rows_of
from ideas_pipeline_tests.end_to_end.test_replay import sync as archived_sync
from ideas_pipeline_tests.end_to_end.test_truth import last_written
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.ideas_api.scripted_auth import CLIENT_ID, CLIENT_SECRET, ScriptedAuth
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received, serving
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_reading

_PAGES = {"paging": {"size": 10}}
UNKEYED = contract_with({"streams": {"comments": _PAGES, "votes": _PAGES | {"key": ["idea_id", "user_id"]}}})
KEYED = contract_with(
    {"streams": {name: _PAGES | {"key": ["idea_id", "id"]} for name in ("comments", "votes")}},
)


def made(idea: str, own: str) -> str:
    return orjson.dumps([idea, own]).decode()


def numbered() -> Tables:
    """A community whose comments and votes are numbered from 1 under each idea."""
    tables = small_village(seed=3)
    for name in ("comments", "votes"):
        counts: dict[str, int] = defaultdict(int)
        own: dict[str, str] = {}
        for key, row in tables[name].items():
            counts[row["idea_id"]] += 1
            own[key] = row["id"] = str(counts[row["idea_id"]])
        for row in tables[name].values():
            if row.get("parent_comment_id"):
                row["parent_comment_id"] = own[row["parent_comment_id"]]
        names = {key: made(row["idea_id"], row["id"]) for key, row in tables[name].items()}
        tables[name] = {names[key]: row for key, row in tables[name].items()}
        if name == "votes":
            for row in tables["vote_ratings"].values():
                row["vote_id"] = names[row["vote_id"]]
    return tables


def meant(tables: Tables) -> Tables:
    """What the warehouse must hold of such a community."""
    return tables | {
        name: {
            key: row
            | {"id": key}
            | (
                {"parent_comment_id": made(row["idea_id"], row["parent_comment_id"])}
                if row.get("parent_comment_id")
                else {}
            )
            for key, row in tables[name].items()
        }
        for name in ("comments", "votes")
    }


def assert_whole(warehouse: Warehouse, tables: Tables) -> None:
    assert_true_to(warehouse.engine, COMMUNITY, KEYED, meant(tables))
    assert call_reading(warehouse, broken_references, list(TABLES)) == []


def test_without_the_key_the_lists_are_not_called_complete_and_with_it_they_are(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with Simulator(UNKEYED, numbered()) as simulator:
        assert "ids are not unique" in str(stream(sync(simulator, warehouse, tmp_path), "comments").reason)
        result = sync(simulator, warehouse, tmp_path, contract=KEYED, mass_absence_percent=100)
        assert result.verdict == "complete", [s.reason for s in result.streams]
        assert_whole(warehouse, simulator.tables)


@pytest.mark.parametrize("quirks", [Quirks(), Quirks(ids_as_numbers=True)], ids=["ids as text", "ids as numbers"])
def test_the_warehouse_equals_the_source_and_a_second_sync_changes_nothing(
    quirks: Quirks, warehouse: Warehouse, tmp_path: Path
) -> None:
    with Simulator(KEYED, numbered(), quirks=quirks) as simulator:
        first = sync(simulator, warehouse, tmp_path)
        assert first.verdict == "complete", [s.reason for s in first.streams]
        assert_whole(warehouse, simulator.tables)
        written = last_written(warehouse.engine)
        for mode in (Full(), Incremental()):
            assert sync(simulator, warehouse, tmp_path, mode=mode).verdict == "complete"
        assert last_written(warehouse.engine) == written


def test_a_comment_that_goes_takes_none_of_the_same_number_with_it(warehouse: Warehouse, tmp_path: Path) -> None:
    with Simulator(KEYED, numbered()) as simulator:
        sync(simulator, warehouse, tmp_path)
        with simulator.changing() as tables:
            answered = {made(r["idea_id"], str(r.get("parent_comment_id"))) for r in tables["comments"].values()}
            gone = next(key for key in tables["comments"] if key not in answered)
            remove_comment(tables, gone)
        assert sync(simulator, warehouse, tmp_path).verdict == "complete"
        assert deleted(warehouse, COMMENTS) == {gone}
        assert rows_of(warehouse, ABSENCES) == []
        assert_whole(warehouse, simulator.tables)


def test_a_replay_makes_the_same_ids_without_the_api(warehouse: Warehouse, tmp_path: Path) -> None:
    with Simulator(UNKEYED, numbered()) as simulator:
        archived_sync(simulator, warehouse, tmp_path, mode=Full())
    replayed = replay(KEYED, warehouse, archive(tmp_path))
    assert replayed.verdict == "complete", [s.reason for s in replayed.streams]
    with Simulator(KEYED, simulator.tables) as again:
        sync(again, warehouse, tmp_path, mass_absence_percent=100)  # marks what is there under its old id
        assert stream(replayed, "comments").counts.inserted == len(again.tables["comments"])
        assert_whole(warehouse, again.tables)


def test_check_finds_nothing_to_mend(tmp_path: Path) -> None:
    with Simulator(KEYED, numbered()) as simulator:
        credentials = Credentials(simulator.client_id, simulator.client_secret)
        steps = check(KEYED, lambda contract: connected(contract, simulator.base_url, credentials, tmp_path))
        verdicts = {step.name: step.verdict for step in steps}
    assert (verdicts["comments"], verdicts["votes"]) == ("agrees", "agrees")


def connected(contract: Contract, base_url: str, credentials: Credentials, folder: Path) -> IdeasApi:
    return IdeasApi.connect(contract, base_url, credentials, FileHome(folder / "tokens.json", folder))


# -- ideas that each challenge numbers: what hangs on them is found by both ids

NESTED = contract_with(
    {
        "account": {"!": None},
        "streams": {
            "ideas": {"key": ["challenge_id", "id"], "each": {"moves": False}},
            "comments": {"path": "challenges/{challenge_id}/ideas/{idea_id}/comments", "key": ["idea_id", "id"]},
            "votes": {"path": "challenges/{challenge_id}/ideas/{idea_id}/votes"},
        },
    }
)
LISTS: dict[str, list[dict[str, Any]]] = {
    "challenges": [{"id": 1}, {"id": 2}],
    "users": [{"id": 9}],
    "challenges/1/ideas": [{"id": 1, "title": "a", "tags": ["x"]}, {"id": 2, "title": "b"}],
    "challenges/2/ideas": [{"id": 1, "title": "c", "tags": ["y"]}],
    "challenges/1/ideas/1/comments": [{"id": 1, "body": "first"}, {"id": 2, "parent_id": 1, "body": "second"}],
    "challenges/2/ideas/1/comments": [{"id": 1, "body": "third"}],
    "challenges/2/ideas/1/votes": [{"user_id": 9, "value": 1}],
}


def test_lists_of_an_idea_are_asked_for_by_the_sources_own_ids(warehouse: Warehouse, tmp_path: Path) -> None:
    auth = ScriptedAuth()

    def answer(request: Received) -> Answer:
        answered = auth(request)
        path = request.path.removeprefix("/v2/")
        if answered.status != 200 or path.startswith("auth"):
            return answered
        records = LISTS.get(path, [])
        return Answer(body={"data": records, "total": len(records)})

    with serving(answer) as server:
        api = connected(NESTED, server.base_url, Credentials(CLIENT_ID, CLIENT_SECRET), tmp_path)
        for _ in range(2):
            result = sync_with(api, warehouse, mode=Full())
            assert result.verdict == "complete", [s.reason for s in result.streams]
        lists = {path for path in server.paths() if not path.startswith("auth")}
    assert lists == LISTS.keys() | {f"challenges/1/ideas/{n}/{what}" for n in (1, 2) for what in ("comments", "votes")}
    assert not result.changed
    assert call_reading(warehouse, broken_references, list(TABLES)) == []
    ideas = {(row.id, row.challenge_id, row.title) for row in rows_of(warehouse, TABLES["ideas"])}
    assert ideas == {(made("1", "1"), "1", "a"), (made("1", "2"), "1", "b"), (made("2", "1"), "2", "c")}
    tags = {(row.idea_id, row.tag) for row in rows_of(warehouse, TABLES["idea_tags"])}
    assert tags == {(made("1", "1"), "x"), (made("2", "1"), "y")}
    first, second, third = sorted(rows_of(warehouse, COMMENTS), key=lambda row: str(row.body))
    assert (first.id, first.idea_id) == (made(made("1", "1"), "1"), made("1", "1"))
    assert (second.idea_id, second.parent_comment_id) == (made("1", "1"), first.id)
    assert (third.id, third.idea_id) == (made(made("2", "1"), "1"), made("2", "1"))
