"""An API that answers 404 for a list without rows, while nothing declares how long the list is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.errors import NOT_FOUND
from ideas_pipeline.probe.probe import check
from ideas_pipeline.probe.step import Step
from ideas_pipeline.simulator.shape import Quirks
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.sync.replay import replay
from ideas_pipeline.sync.run import Full, Incremental, StreamResult
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, small_village, stream
from ideas_pipeline_tests.end_to_end.small_api import Record, api_of, column, read, small_api
from ideas_pipeline_tests.end_to_end.test_contradictions import warnings
from ideas_pipeline_tests.end_to_end.test_replay import archive
from ideas_pipeline_tests.end_to_end.test_replay import sync as archived_sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.engines import on_sqlite
from ideas_pipeline_tests.ideas_api.scripted_server import Answer
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

WORD = {"not_found_is_empty": True}
PAGINGS: dict[str, dict[str, Any]] = {
    "pages": {},
    "offsets": {"paging": {"!": {"style": "offset", "total": {"body": ["total"]}}}},
    "cursors": {"paging": {"!": {"style": "cursor", "cursor": "next"}}},
    "one response": {"paging": {"!": {"style": "none"}}},
}


class Talk:
    """A community of ideas that do not say how many comments they have."""

    def __init__(self, status: int = 404) -> None:
        self.comments: dict[str, list[str]] = {"1": ["a", "b"], "2": [], "3": ["c"], "4": []}
        self.ideas: list[Record] = [{"id": n, "title": f"I{n}"} for n in range(1, 5)]
        self.lists: dict[str, Any] = {
            "challenges": [{"id": 1, "title": "C1"}],
            "challenges/1/ideas": self.ideas,
            r"ideas/(\d+)/comments": self.below,
        }
        self.status = status

    def below(self, idea: str) -> list[Record] | Answer:
        rows = [{"id": f"{idea}{text}", "body": text} for text in self.comments[idea]]
        return rows or Answer(status=self.status, body={"message": "nothing here"})

    def read(self, warehouse: Warehouse, folder: Path, **options: Any) -> StreamResult:
        contract = contract_with({"streams": {"comments": WORD | options.pop("contract", {})}})
        with small_api(self.lists) as server:
            return stream(read(server, warehouse, folder, contract, **options), "comments")


@pytest.mark.parametrize("style", PAGINGS)
@pytest.mark.parametrize("status", sorted(NOT_FOUND))
def test_a_list_that_is_not_found_is_an_empty_one_if_the_contract_says_so(
    style: str, status: int, sqlite_url: str, tmp_path: Path
) -> None:
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        for night in range(2):
            result = Talk(status).read(warehouse, tmp_path, contract=PAGINGS[style])
            assert (result.verdict, result.counts.inserted) == ("complete", 0 if night else 3), result.reason
        assert column(warehouse, "comments.body") == {"1a": "a", "1b": "b", "3c": "c"}


@on_sqlite
def test_without_the_word_the_list_is_incomplete(warehouse: Warehouse, tmp_path: Path) -> None:
    result = Talk().read(warehouse, tmp_path, contract={"not_found_is_empty": False})
    assert (result.verdict, "(HTTP 404)" in str(result.reason)) == ("incomplete", True)


def test_rows_that_are_known_are_deleted_only_when_a_second_run_does_not_find_their_list_either(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    talk = Talk()
    talk.read(warehouse, tmp_path)
    talk.comments["1"] = []
    first = talk.read(warehouse, tmp_path)
    assert (first.verdict, first.counts.absent) == ("complete", 0)
    assert "404 or 410 for a list that had rows" in warnings(warehouse, "comments")["contradictions"]
    second = talk.read(warehouse, tmp_path, mode=Incremental())
    assert (second.verdict, second.counts.absent) == ("complete", 2)
    assert column(warehouse, "comments.body") == {"3c": "c"}
    assert "contradictions" not in warnings(warehouse, "comments")


@on_sqlite
def test_rows_whose_list_is_found_again_stay(warehouse: Warehouse, tmp_path: Path) -> None:
    talk = Talk()
    talk.read(warehouse, tmp_path)
    hidden, talk.comments["1"] = talk.comments["1"], []
    talk.read(warehouse, tmp_path)
    talk.comments["1"] = hidden
    for mode in (Incremental(), Full()):
        result = talk.read(warehouse, tmp_path, mode=mode)
        assert (result.verdict, result.counts.absent, result.counts.inserted) == ("complete", 0, 0)
    assert column(warehouse, "comments.body") == {"1a": "a", "1b": "b", "3c": "c"}


@on_sqlite
def test_a_count_that_fell_to_zero_is_the_second_witness(warehouse: Warehouse, tmp_path: Path) -> None:
    talk = Talk()
    talk.ideas[0]["comment_count"] = 2
    talk.read(warehouse, tmp_path)
    talk.comments["1"], talk.ideas[0]["comment_count"] = [], 0
    assert talk.read(warehouse, tmp_path).counts.absent == 2


@on_sqlite
def test_if_no_list_was_ever_found_the_path_is_doubted(warehouse: Warehouse, tmp_path: Path) -> None:
    talk = Talk()
    talk.comments = {idea: [] for idea in talk.comments}
    result = talk.read(warehouse, tmp_path)
    assert (result.verdict, result.retryable) == ("incomplete", False)
    assert "check streams.comments.path" in str(result.reason)
    talk.comments["2"] = ["d"]
    assert talk.read(warehouse, tmp_path).verdict == "complete"


@on_sqlite
def test_the_warehouse_is_true_to_such_an_api_and_so_is_a_replay(warehouse: Warehouse, tmp_path: Path) -> None:
    contract = contract_with({"streams": {"comments": WORD | {"each": {"declared": None}}}})
    with Simulator(contract, small_village(), quirks=Quirks(empty_list="404")) as simulator:
        assert archived_sync(simulator, warehouse, tmp_path).verdict == "complete"
        with simulator.changing() as tables:
            idea = next(row["idea_id"] for row in tables["comments"].values())
            tables["comments"] = {key: row for key, row in tables["comments"].items() if row["idea_id"] != idea}
        for _ in range(2):
            assert archived_sync(simulator, warehouse, tmp_path, mode=Full()).verdict == "complete"
        assert_true_to(warehouse.engine, COMMUNITY, contract, simulator.tables)
        assert stream(replay(contract, warehouse, archive(tmp_path)), "comments").verdict == "complete"
        assert_true_to(warehouse.engine, COMMUNITY, contract, simulator.tables)


def checked(talk: Talk, folder: Path, changes: dict[str, Any] | None = None) -> Step:
    with small_api(talk.lists) as server:
        steps = check(contract_with(changes or {}), lambda contract: api_of(server, folder, contract))
        return next(step for step in steps if step.name == "comments")


def test_check_proposes_the_word_if_other_lists_are_found(tmp_path: Path) -> None:
    step = checked(Talk(), tmp_path)
    assert step.fix["streams"]["comments"]["not_found_is_empty"] is True
    assert any("404" in sentence for sentence in step.differs)
    again = checked(Talk(), tmp_path, {"streams": {"comments": WORD}})
    assert "not_found_is_empty" not in again.fix.get("streams", {}).get("comments", {})


def test_check_does_not_propose_the_word_if_lists_without_rows_are_found(tmp_path: Path) -> None:
    talk = Talk()
    talk.lists[r"ideas/(\d+)/comments"] = lambda idea: [{"id": f"{idea}{t}", "body": t} for t in talk.comments[idea]]
    assert "not_found_is_empty" not in checked(talk, tmp_path).fix.get("streams", {}).get("comments", {})


def test_check_does_not_propose_the_word_for_a_list_that_its_parent_counts(tmp_path: Path) -> None:
    talk = Talk()
    for idea, count in zip(talk.ideas, (2, 3, 1, 3), strict=True):
        idea["comment_count"] = count
    assert "not_found_is_empty" not in checked(talk, tmp_path).fix.get("streams", {}).get("comments", {})
