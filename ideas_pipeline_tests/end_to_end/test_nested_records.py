"""Comments inside the comments that they answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.probe.probe import check
from ideas_pipeline.probe.step import all_fixes
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, paged, stream
from ideas_pipeline_tests.end_to_end.small_api import api_of, column, read, small_api
from ideas_pipeline_tests.end_to_end.test_contradictions import warnings

CHALLENGE = {"id": 1, "title": "C", "idea_count": 1}
ONE_BY_ONE = paged({"style": "page", "size_parameter": "per_page", "size": 1, "total": {"body": ["total"]}})
TREE = {"1": None, "2": "1", "3": "2", "4": None, "5": "1"}


def thread(name: str) -> list[dict[str, Any]]:
    """Five comments, three of them inside others."""
    third = {"id": 3, "body": "re re", "parent_id": 2} | holding(name)
    second = {"id": 2, "body": "re"} | holding(name, third)
    first = {"id": 1, "body": "top"} | holding(name, second, {"id": 5, "body": "re"})
    return [first, {"id": 4, "body": "top"} | holding(name)]


def holding(path: str, *replies: dict[str, Any]) -> dict[str, Any]:
    """A part of a comment that has these replies at a path."""
    name, _, below = path.partition(".")
    return {name: holding(below, *replies) if below else list(replies)}


def lists(comments: list[dict[str, Any]]) -> dict[str, Any]:
    idea = {"id": 10, "title": "I", "comment_count": 5, "vote_count": 0}
    return {"challenges": [CHALLENGE], "challenges/1/ideas": [idea], "ideas/10/comments": comments}


@pytest.mark.parametrize(
    "contract",
    [
        contract_with({}),
        paged({"style": "page", "size_parameter": "per_page", "size": 1, "total": {"body": ["total"]}}),
    ],
    ids=["one page", "pages of one"],
)
def test_replies_are_rows_that_name_what_they_answer(contract: Contract, warehouse: Warehouse, tmp_path: Path) -> None:
    with small_api(lists(comments := thread("replies"))) as server:
        for night in range(2):
            result = read(server, warehouse, tmp_path, contract)
            assert (result.verdict, result.changed) == ("complete", night == 0)
            assert column(warehouse, "comments.parent_comment_id") == TREE
            assert set(column(warehouse, "comments._extra").values()) == {None}
        assert "declared_counts" not in warnings(warehouse, "comments")
        comments[0]["replies"].pop()
        read(server, warehouse, tmp_path, contract)
        assert "5" in column(warehouse, "comments.id"), "the idea still counts it"
        read(server, warehouse, tmp_path, contract)
        assert column(warehouse, "comments.parent_comment_id").keys() == TREE.keys() - {"5"}


def test_a_number_of_replies_or_their_ids_are_not_records(sqlite_url: str, tmp_path: Path) -> None:
    comments = [{"id": 1, "body": "top", "replies": 3, "children": [2, 3]}]
    with small_api(lists(comments)) as server, Warehouse.open(sqlite_url, "acme") as warehouse:
        assert stream(read(server, warehouse, tmp_path), "comments").verdict == "complete"
        assert column(warehouse, "comments._extra") == {"1": {"replies": 3, "children": [2, 3]}}


def test_a_reply_that_is_also_in_the_list_itself_is_one_row(sqlite_url: str, tmp_path: Path) -> None:
    comments = [{"id": 1, "body": "a", "replies": [{"id": 2, "body": "b"}]}, {"id": 2, "body": "b", "parent_id": 1}]
    with small_api(lists(comments)) as server, Warehouse.open(sqlite_url, "acme") as warehouse:
        assert stream(read(server, warehouse, tmp_path), "comments").verdict == "complete"
        assert column(warehouse, "comments.parent_comment_id") == {"1": None, "2": "1"}


@pytest.mark.parametrize("path", ["responses", "thread.responses"])
def test_check_and_status_name_the_line_for_lists_of_another_name(path: str, sqlite_url: str, tmp_path: Path) -> None:
    with small_api(lists(thread(path))) as server, Warehouse.open(sqlite_url, "acme") as warehouse:
        read(server, warehouse, tmp_path)
        assert f"{{comments: {{nested: [{path}]}}}}" in warnings(warehouse, "comments")["declared_counts"]
        steps = list(check(contract_with({}), lambda contract: api_of(server, tmp_path, contract)))
        nested = all_fixes(steps)["streams"]["comments"]["nested"]
        assert nested == ["replies", "children", path]
        fitting = contract_with({"streams": {"comments": {"nested": nested}}})
        read(server, warehouse, tmp_path, fitting)
        assert column(warehouse, "comments.parent_comment_id") == TREE
