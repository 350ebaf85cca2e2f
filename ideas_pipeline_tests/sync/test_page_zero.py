"""APIs that number pages from 0 although the contract says 1: without a total, only page 0 itself shows it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.sync.run import Full, Incremental, Mode, RunResult
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream, sync_with
from ideas_pipeline_tests.end_to_end.small_api import column
from ideas_pipeline_tests.end_to_end.test_list_ends import Lists, api, live, numbered, people, synced
from ideas_pipeline_tests.ideas_api.scripted_server import Answer

LINE = "streams: {users: {paging: {first: 0}}}"


def from_0(path: str, query: Mapping[str, str], rows: list[dict[str, Any]]) -> Answer:
    """A page of ``rows``, the first of which is page 0."""
    size = int(query.get("per_page", 3))
    start = int(query.get("page", 0)) * size
    return Answer(body={"data": rows[start : start + size]})


@pytest.mark.parametrize("last", [2, 7], ids=["one page", "three pages"])
def test_a_list_whose_first_page_is_missing_is_never_complete(last: int, warehouse: Warehouse, tmp_path: Path) -> None:
    def lists(path: str, query: Mapping[str, str]) -> Answer:
        return from_0(path, query, people(*range(1, last + 1)))

    for _ in "first night", "second night":
        result = synced(lists, warehouse, tmp_path)
        assert result.verdict in ("failed", "incomplete")
        assert LINE in str(stream(result, "users").reason)
    result = synced(lists, warehouse, tmp_path, {"first": 0})
    assert (result.verdict, live(warehouse)) == ("complete", set(range(1, last + 1)))


@pytest.mark.parametrize("page_0", ["is page 1", "is the last page", "is empty", "is refused", "fails"])
def test_an_api_without_page_0_is_asked_for_it_once(page_0: str, warehouse: Warehouse, tmp_path: Path) -> None:
    looks = 0

    def lists(path: str, query: Mapping[str, str]) -> Answer:
        nonlocal looks
        if query.get("page") != "0":
            return Answer(body={"data": people(*numbered(query, list(range(1, 8))))})
        looks += 1
        if page_0 in ("is refused", "fails"):
            return Answer(400 if page_0 == "is refused" else 500)
        return Answer(body={"data": {"is page 1": people(1, 2, 3), "is the last page": people(7)}.get(page_0, [])})

    for _ in "first night", "second night":
        assert synced(lists, warehouse, tmp_path).verdict == "complete"
    assert (live(warehouse), looks) == (set(range(1, 8)), 1)


def test_a_total_needs_no_look_at_page_0(warehouse: Warehouse, tmp_path: Path) -> None:
    def lists(path: str, query: Mapping[str, str]) -> Answer:
        assert query.get("page") != "0"
        return Answer(body={"data": people(*numbered(query, list(range(1, 8)))), "total": 7})

    assert synced(lists, warehouse, tmp_path).verdict == "complete"


class Board:
    """An idea with five comments and one without any, in lists without a total that are numbered from 0."""

    comments: Mapping[str, list[int]] = {"1": [1, 2, 3, 4, 5], "2": []}

    def lists(self, path: str, query: Mapping[str, str]) -> Answer:
        if path == "challenges":
            return Answer(body={"data": [{"id": 1, "title": "C"}] if query["page"] == "1" else []})
        if path == "challenges/1/ideas":
            ideas = [{"id": n, "title": "I", "comment_count": len(ids)} for n, ids in self.comments.items()]
            return Answer(body={"data": ideas if query["page"] == "1" else []})
        if path.endswith("/comments"):
            return from_0(path, query, [{"id": n, "body": "c"} for n in self.comments[path.split("/")[1]]])
        return Answer(404)

    def read(self, warehouse: Warehouse, folder: Path, first: int, mode: Mode) -> RunResult:
        streams = ("challenges", "ideas", "comments")
        paging = {"style": "page", "size_parameter": "per_page", "size": 3}
        changes = {name: {"paging": {"!": paging}} for name in streams}
        changes["comments"]["paging"]["!"] = paging | {"first": first}
        lists: Lists = self.lists
        with api(lists, contract_with({"streams": changes}), folder) as client:
            return sync_with(client, warehouse, streams=streams, mode=mode)


def test_with_the_corrected_contract_a_nightly_sync_reads_every_list_again(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    board = Board()
    result = board.read(warehouse, tmp_path, 1, Incremental())
    assert "comments: {paging: {first: 0}}" in str(stream(result, "comments").reason)
    assert not {"1", "2"} & column(warehouse, "comments.id").keys()
    assert board.read(warehouse, tmp_path, 0, Incremental()).verdict == "complete"
    assert column(warehouse, "comments.id").keys() == {"1", "2", "3", "4", "5"}


def test_a_full_sync_looks_again_and_deletes_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    board = Board()
    assert board.read(warehouse, tmp_path, 0, Full()).verdict == "complete"
    result = board.read(warehouse, tmp_path, 1, Full())
    assert "comments: {paging: {first: 0}}" in str(stream(result, "comments").reason)
    assert column(warehouse, "comments.id").keys() == {"1", "2", "3", "4", "5"}
