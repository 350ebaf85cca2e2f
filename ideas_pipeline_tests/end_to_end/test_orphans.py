"""Comments in the list of a challenge whose idea the API does not show: they are rows, and leave as others do."""

from __future__ import annotations

from pathlib import Path

from ideas_pipeline.sync.run import Full, Incremental
from ideas_pipeline.warehouse.quality import broken_references
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream
from ideas_pipeline_tests.end_to_end.small_api import Record, column, read, small_api
from ideas_pipeline_tests.end_to_end.test_lists_of_other_parents import OF_CHALLENGES
from ideas_pipeline_tests.engines import on_sqlite
from ideas_pipeline_tests.warehouse.calls import call_reading

IDEA = {"id": 1, "title": "I1"}
HIDDEN = {"id": 2, "title": "I2"}


OF_CHALLENGES_SINCE = {
    "path": "challenges/{challenge_id}/comments",
    "each": {"!": {"of": ["challenges.id"], "placeholder": "challenge_id"}},
    "since": {"parameter": "updated_since", "column": "updated_at"},
}


class Forum:
    """Two challenges, the first of which lists the comments of an idea that can be hidden."""

    def __init__(self) -> None:
        self.ideas: list[Record] = [IDEA]
        self.comments = [{"id": n, "idea_id": 1 + n % 2, "body": f"B{n}"} for n in range(1, 7)]
        self.lists = {
            "challenges": [{"id": 1}, {"id": 2}],
            "challenges/1/ideas": self.ideas,
            "challenges/1/comments": self.comments,
        }


def test_the_deletion_of_a_comment_is_noticed_though_its_idea_is_not_known(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    forum = Forum()
    with small_api(forum.lists) as server:
        read(server, warehouse, tmp_path, OF_CHALLENGES)
        assert len(column(warehouse, "comments.body")) == 6
        assert [(b.table, b.column) for b in call_reading(warehouse, broken_references, ["comments"])] != []
        del forum.comments[0]
        nights = [stream(read(server, warehouse, tmp_path, OF_CHALLENGES), "comments") for _ in range(3)]
        assert [(night.verdict, night.counts.absent) for night in nights] == [
            ("complete", 0),
            ("complete", 1),
            ("complete", 0),
        ]
        assert column(warehouse, "comments.body").keys() == {"2", "3", "4", "5", "6"}
        assert not read(server, warehouse, tmp_path, OF_CHALLENGES, mode=Incremental()).changed


def test_the_comments_of_an_idea_that_gets_hidden_change_once(warehouse: Warehouse, tmp_path: Path) -> None:
    forum = Forum()
    forum.ideas.append(HIDDEN)
    with small_api(forum.lists) as server:
        read(server, warehouse, tmp_path, OF_CHALLENGES)
        forum.ideas.remove(HIDDEN)
        for _ in range(3):
            read(server, warehouse, tmp_path, OF_CHALLENGES)
        before = column(warehouse, "comments.body")
        for mode in (Full(), Incremental()):
            assert not read(server, warehouse, tmp_path, OF_CHALLENGES, mode=mode).changed
        assert column(warehouse, "comments.body") == before
        forum.ideas.append(HIDDEN)
        forum.comments[0]["body"] = "edited meanwhile"
        read(server, warehouse, tmp_path, OF_CHALLENGES)
        assert column(warehouse, "comments.body") == {str(c["id"]): c["body"] for c in forum.comments}


@on_sqlite
def test_a_comment_of_a_deleted_idea_that_comes_under_another_idea_is_back(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    forum = Forum()
    forum.ideas.append(HIDDEN)
    with small_api(forum.lists) as server:
        read(server, warehouse, tmp_path, OF_CHALLENGES)
        forum.ideas.remove(HIDDEN)
        for _ in range(2):
            read(server, warehouse, tmp_path, OF_CHALLENGES)
        assert len(column(warehouse, "comments.body")) == 3
        for comment in forum.comments:
            comment["idea_id"] = 1
        read(server, warehouse, tmp_path, OF_CHALLENGES)
        assert column(warehouse, "comments.idea_id") == {str(n): "1" for n in range(1, 7)}


@on_sqlite
def test_lists_that_are_read_since_a_moment_do_not_show_which_rows_are_absent(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    forum = Forum()
    for comment in forum.comments:
        comment["updated_at"] = f"2025-01-0{comment['id']}T00:00:00Z"
    contract = contract_with({"streams": {"comments": OF_CHALLENGES_SINCE}})
    with small_api(forum.lists) as server:
        read(server, warehouse, tmp_path, contract)
        del forum.comments[:-1]  # nothing has changed since the last one
        for _ in range(3):
            result = stream(read(server, warehouse, tmp_path, contract, mode=Incremental()), "comments")
            assert (result.verdict, result.counts.absent) == ("complete", 0)
        assert len(column(warehouse, "comments.body")) == 6


@on_sqlite
def test_a_comment_that_comes_again_before_the_second_run_stays(warehouse: Warehouse, tmp_path: Path) -> None:
    forum = Forum()
    with small_api(forum.lists) as server:
        read(server, warehouse, tmp_path, OF_CHALLENGES)
        comment = forum.comments.pop(0)
        read(server, warehouse, tmp_path, OF_CHALLENGES)
        forum.comments.append(comment)
        for _ in range(2):
            read(server, warehouse, tmp_path, OF_CHALLENGES)
        assert len(column(warehouse, "comments.body")) == 6
