"""Records that moved from lists that nothing says to read: their old lists decide, however many there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.sync import homes as sync_homes
from ideas_pipeline.sync.run import Incremental
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream
from ideas_pipeline_tests.end_to_end.small_api import Record, column, read, small_api
from ideas_pipeline_tests.end_to_end.test_contradictions import moves, warnings
from ideas_pipeline_tests.engines import on_sqlite
from ideas_pipeline_tests.ideas_api.scripted_server import Answer

# More than fit into any limit of lists, and than a night verifies.
MANY = 45
MERGED = MANY + 1
# A challenge shows when it changed, but not which ideas left it.
CONTRACT = contract_with({"streams": {"ideas": {"each": {"changed_when": ["updated_at"], "declared": None}}}})
UNREAD = "may have moved from lists that this run did not read"


class Merging:
    """A community with one idea in each challenge. Then all ideas move to one challenge."""

    def __init__(self) -> None:
        self.challenges: list[Record] = [
            {"id": n, "title": f"C{n}", "updated_at": "2025-01-01T00:00:00Z"} for n in range(1, MERGED + 1)
        ]
        self.home = {n: n for n in range(1, MERGED)}
        self.refused: set[int] = set()
        self.lists: dict[str, Any] = {"challenges": self.challenges, r"challenges/(\d+)/ideas": self.ideas}

    def ideas(self, challenge: str) -> list[Record] | Answer:
        if int(challenge) in self.refused:
            return Answer(status=404)
        return [{"id": n, "title": f"I{n}"} for n, home in self.home.items() if home == int(challenge)]

    def merge(self) -> None:
        self.home = dict.fromkeys(self.home, MERGED)
        self.challenges[-1]["updated_at"] = "2025-06-01T00:00:00Z"

    @property
    def homes(self) -> dict[str, str]:
        return {str(idea): str(home) for idea, home in self.home.items()}


def test_ideas_that_moved_from_many_lists_are_moved(warehouse: Warehouse, tmp_path: Path) -> None:
    community = Merging()
    with small_api(community.lists) as server:
        read(server, warehouse, tmp_path, CONTRACT)
        community.merge()
        result = read(server, warehouse, tmp_path, CONTRACT, mode=Incremental())
    assert (result.verdict, stream(result, "ideas").counts.absent) == ("complete", 0)
    assert column(warehouse, "ideas.challenge_id") == community.homes
    assert moves(warehouse) == MANY
    assert "contradictions" not in warnings(warehouse, "ideas")


@on_sqlite
def test_a_record_whose_old_list_cannot_be_read_moves_in_the_run_that_can_read_it(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    community = Merging()
    with small_api(community.lists) as server:
        read(server, warehouse, tmp_path, CONTRACT)
        community.merge()
        community.refused = {43, 44, 45}
        result = stream(read(server, warehouse, tmp_path, CONTRACT, mode=Incremental()), "ideas")
        assert (result.verdict, result.retryable) == ("incomplete", True)
        assert UNREAD in str(result.reason)
        assert (
            "3 of its records may have moved from lists that were not read"
            in warnings(warehouse, "ideas")["contradictions"]
        )
        assert moves(warehouse) == MANY - 3, "what could be decided is"

        community.refused = set()
        assert read(server, warehouse, tmp_path, CONTRACT, mode=Incremental()).verdict == "complete"
        assert column(warehouse, "ideas.challenge_id") == community.homes
        assert moves(warehouse) == MANY
        assert "contradictions" not in warnings(warehouse, "ideas")


@on_sqlite
def test_records_that_do_not_fit_into_memory_move_in_the_following_runs(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_homes, "_MOST_WAITING", MANY // 2 + 1)
    community = Merging()
    with small_api(community.lists) as server:
        read(server, warehouse, tmp_path, CONTRACT)
        community.merge()
        assert UNREAD in str(stream(read(server, warehouse, tmp_path, CONTRACT, mode=Incremental()), "ideas").reason)
        assert read(server, warehouse, tmp_path, CONTRACT, mode=Incremental()).verdict == "complete"
    assert column(warehouse, "ideas.challenge_id") == community.homes
    assert moves(warehouse) == MANY


@on_sqlite
def test_comments_that_moved_from_many_ideas_are_moved_over_several_runs(warehouse: Warehouse, tmp_path: Path) -> None:
    ideas: list[Record] = [{"id": n, "title": f"I{n}", "comment_count": 1} for n in range(1, MERGED + 1)]
    posts = [{"id": n, "idea_id": n, "body": f"B{n}"} for n in range(1, MERGED)]
    lists = {
        "challenges": [{"id": 1, "title": "C1"}],
        "challenges/1/ideas": ideas,
        r"ideas/(\d+)/comments": lambda idea: [post for post in posts if post["idea_id"] == int(idea)],
    }
    with small_api(lists) as server:
        read(server, warehouse, tmp_path)
        for post in posts:
            post["idea_id"] = MERGED
        ideas[-1]["comment_count"] = MANY
        results = [stream(read(server, warehouse, tmp_path, mode=Incremental()), "comments") for _ in range(4)]
    assert (results[0].verdict, results[-1].verdict) == ("incomplete", "complete")
    assert UNREAD in str(results[0].reason)
    assert sum(result.counts.absent for result in results) == 0
    assert column(warehouse, "comments.idea_id") == {str(n): str(MERGED) for n in range(1, MERGED)}
