"""Lists that contradict each other: a parent that is ignored, one record in two lists, a move that never was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.probe.probe import check
from ideas_pipeline.probe.step import Step
from ideas_pipeline.sync.findings import Expectations, stream_findings
from ideas_pipeline.sync.run import Incremental, now
from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream
from ideas_pipeline_tests.end_to_end.small_api import Record, api_of, column, read, small_api

CHALLENGES = [{"id": 1, "title": "C1", "idea_count": 3}, {"id": 2, "title": "C2", "idea_count": 3}]


def ideas(**named: Any) -> list[Record]:
    """Six ideas, three in each challenge. ``named``: the field that says so, and the form of its value."""
    rows = [{"id": n, "title": f"I{n}", "comment_count": 0, "vote_count": 0} for n in range(1, 7)]
    for row in rows:
        row |= {name: form(1 if row["id"] < 4 else 2) for name, form in named.items()}
    return rows


def moves(warehouse: Warehouse) -> int:
    """How many intervals in a challenge have ended."""
    h = IDEA_HISTORY.c
    ended = sa.select(sa.func.count()).where(h.attribute == "challenge", h.observed_to.is_not(None))
    with warehouse.engine.connect() as connection:
        return int(connection.scalar(ended) or 0)


def warnings(warehouse: Warehouse, name: str) -> dict[str, str]:
    with warehouse.reading() as tx:
        found = stream_findings(tx, contract_with({}), name, Expectations("UTC", 14, 36), now())
    return {f.code: f.text for f in found if f.severity != "note"}


@pytest.mark.parametrize(
    "named",
    [{"challenge_id": int}, {"challenge_id": str}, {"challenge": lambda c: {"id": c}}],
    ids=["number", "text", "nested"],
)
def test_records_that_name_their_parent_belong_to_it_though_the_api_ignores_the_path(
    named: dict[str, Any], warehouse: Warehouse, tmp_path: Path
) -> None:
    with small_api({"challenges": CHALLENGES, r"challenges/(\d+)/ideas": ideas(**named)}) as server:
        for night in range(3):
            result = read(server, warehouse, tmp_path, mode=Incremental())
            assert (result.verdict, result.changed) == ("complete", night == 0)
            assert column(warehouse, "ideas.challenge_id") == {str(n): "1" if n < 4 else "2" for n in range(1, 7)}
        assert moves(warehouse) == 0
        assert "{ideas: {path: ideas, each: null}}" in warnings(warehouse, "ideas")["contradictions"]


def test_what_is_absent_from_the_list_of_all_is_deleted(warehouse: Warehouse, tmp_path: Path) -> None:
    rows = ideas(challenge_id=int)
    with small_api({"challenges": CHALLENGES, r"challenges/(\d+)/ideas": lambda _: rows}) as server:
        read(server, warehouse, tmp_path)
        gone = [rows.pop(1), rows.pop()]
        first = read(server, warehouse, tmp_path)
        assert (first.verdict, stream(first, "ideas").counts.absent) == ("complete", 0), "the counts did not fall"
        result = read(server, warehouse, tmp_path)
        assert (result.verdict, stream(result, "ideas").counts.absent) == ("complete", 2)
        assert column(warehouse, "ideas.id").keys().isdisjoint(str(row["id"]) for row in gone)
        assert len(column(warehouse, "ideas.id")) == 4


def test_records_that_name_no_parent_are_reported_and_stay_where_they_are(warehouse: Warehouse, tmp_path: Path) -> None:
    rows = ideas()
    with small_api({"challenges": CHALLENGES, r"challenges/(\d+)/ideas": lambda _: rows}) as server:
        first = None
        for night in range(3):
            rows[0]["title"] = f"Title of night {night}"
            result = read(server, warehouse, tmp_path)
            assert stream(result, "ideas").verdict == "incomplete"
            reason = str(stream(result, "ideas").reason)
            assert "the API ignores challenge_id in the path" in reason
            assert "{ideas: {path: ideas, each: null}}" in reason
            homes = column(warehouse, "ideas.challenge_id")
            assert homes == (first := first or homes)
            assert column(warehouse, "ideas.title")["1"] == f"Title of night {night}"
        assert moves(warehouse) == 0


def test_an_api_that_repeats_the_ignored_parent_in_its_records_does_not_decide(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    lists = {"challenges": CHALLENGES, r"challenges/(\d+)/ideas": lambda c: [i | {"challenge_id": c} for i in ideas()]}
    with small_api(lists) as server:
        seen = []
        for _ in range(3):
            assert stream(read(server, warehouse, tmp_path), "ideas").verdict == "incomplete"
            seen.append(column(warehouse, "ideas.challenge_id"))
        assert seen[0] == seen[1] == seen[2]
        assert moves(warehouse) == 0


def test_a_list_that_is_the_same_for_every_parent_is_not_read_for_every_parent(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    many = [{"id": c, "title": f"C{c}"} for c in range(1, 201)]
    rows = [{"id": n, "title": f"I{n}", "challenge_id": 1 + n % 200} for n in range(450)]
    with small_api({"challenges": many, r"challenges/(\d+)/ideas": rows}) as server:
        assert read(server, warehouse, tmp_path, streams=["challenges", "ideas"]).verdict == "complete"
        sent = sum("/ideas" in path for path in server.paths())
        assert sent < 100
        with warehouse.engine.connect() as connection:
            of_ideas = sa.select(sa.func.sum(SYNC_SCOPES.c.requests)).where(SYNC_SCOPES.c.stream == "ideas")
            assert connection.scalar(of_ideas) == sent, "every request is in the books, also those that were in vain"
        assert column(warehouse, "ideas.challenge_id") == {str(n): str(1 + n % 200) for n in range(450)}
    with warehouse.reading() as tx:
        found = stream_findings(tx, contract_with({}), "ideas", Expectations("UTC", 14, 36), now())
    [finding] = [finding for finding in found if finding.code == "contradictions"]
    assert "the API ignores challenge_id in the path" in finding.what
    assert finding.do == "Read one list of all: streams: {ideas: {path: ideas, each: null}}"


@pytest.mark.parametrize("name", ["comments", "votes"])
def test_comments_and_votes_belong_to_the_idea_that_they_name(name: str, warehouse: Warehouse, tmp_path: Path) -> None:
    posts = [{"id": n, "idea_id": 1 + n % 3, "body": f"B{n}", "value": 1} for n in range(1, 10)]
    rows = [i | {"comment_count": 3, "vote_count": 3} for i in ideas() if i["id"] < 4]
    lists = {"challenges": CHALLENGES[:1], "challenges/1/ideas": rows, rf"ideas/(\d+)/{name}": posts}
    with small_api(lists) as server:
        for night in range(3):
            result = read(server, warehouse, tmp_path)
            assert (stream(result, name).verdict, stream(result, name).counts.absent) == ("complete", 0)
            assert result.changed == (night == 0)
            assert column(warehouse, f"{name}.idea_id") == {str(p["id"]): str(p["idea_id"]) for p in posts}


def test_a_field_that_names_no_known_parent_decides_nothing_and_is_reported(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    def of(challenge: str) -> list[Record]:
        return [i | {"challenge_id": f"uuid-{challenge}"} for i in ideas() if (i["id"] < 4) == (challenge == "1")]

    with small_api({"challenges": CHALLENGES, r"challenges/(\d+)/ideas": of}) as server:
        assert read(server, warehouse, tmp_path).verdict == "complete"
        assert column(warehouse, "ideas.challenge_id") == {str(n): "1" if n < 4 else "2" for n in range(1, 7)}
        assert "set it to null" in warnings(warehouse, "ideas")["contradictions"]


def test_an_idea_in_two_lists_stays_at_home_until_the_home_lacks_it(warehouse: Warehouse, tmp_path: Path) -> None:
    lists = {"1": [1, 2, 3], "2": [4, 5, 6]}

    def of(challenge: str) -> list[Record]:
        return [idea for idea in ideas() if idea["id"] in lists[challenge]]

    with small_api({"challenges": CHALLENGES, r"challenges/(\d+)/ideas": of}) as server:
        read(server, warehouse, tmp_path)
        for twice in ([3, 4, 5, 6], [6, 5, 4, 3]):
            lists["2"] = twice
            result = read(server, warehouse, tmp_path)
            assert (result.verdict, result.changed) == ("complete", False)
            assert column(warehouse, "ideas.challenge_id")["3"] == "1"
            assert moves(warehouse) == 0
            assert "also in another list" in warnings(warehouse, "ideas")["contradictions"]
        lists["1"] = [1, 2]
        result = read(server, warehouse, tmp_path)
        assert (result.verdict, stream(result, "ideas").counts.absent) == ("complete", 0)
        assert column(warehouse, "ideas.challenge_id")["3"] == "2"
        assert moves(warehouse) == 1
        assert "contradictions" not in warnings(warehouse, "ideas")


def test_rows_that_an_ignored_parent_put_in_the_wrong_place_are_put_right(warehouse: Warehouse, tmp_path: Path) -> None:
    rows = ideas()
    with small_api({"challenges": CHALLENGES, r"challenges/(\d+)/ideas": lambda _: rows}) as server:
        read(server, warehouse, tmp_path)
        assert len(set(column(warehouse, "ideas.challenge_id").values())) == 1
        rows[:] = ideas(challenge_id=int)
        assert read(server, warehouse, tmp_path).verdict == "complete"
        assert column(warehouse, "ideas.challenge_id") == {str(n): "1" if n < 4 else "2" for n in range(1, 7)}
        assert not read(server, warehouse, tmp_path).changed


def test_an_idea_moves_although_its_old_list_is_not_read_if_one_list_stands_for_all(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    # One request at a time, so that the list that a night verifies is that of the first challenge.
    contract = contract_with(
        {"limits": {"concurrency": 1}, "streams": {"ideas": {"each": {"changed_when": ["idea_count"]}}}}
    )
    challenges = [{"id": c, "title": f"C{c}", "idea_count": 2} for c in range(1, 6)]
    rows = [{"id": n, "title": f"I{n}", "challenge_id": 1 + n % 5} for n in range(10)]
    with small_api({"challenges": challenges, r"challenges/(\d+)/ideas": rows}) as server:
        read(server, warehouse, tmp_path, contract)
        rows[2]["challenge_id"] = 4
        for challenge in challenges[3:]:
            challenge["idea_count"] = 3  # the old home shows no change
        sent = len(server.paths())
        result = stream(read(server, warehouse, tmp_path, contract, mode=Incremental()), "ideas")
        assert "challenges/3/ideas" not in server.paths()[sent:]
    assert (result.verdict, result.counts.skipped, result.counts.absent) == ("complete", 2, 0)
    assert column(warehouse, "ideas.challenge_id") == {str(row["id"]): str(row["challenge_id"]) for row in rows}
    assert moves(warehouse) == 1


def test_rows_that_their_parent_still_counts_wait_for_a_second_run(warehouse: Warehouse, tmp_path: Path) -> None:
    posts = [{"id": n, "body": f"B{n}"} for n in range(1, 6)]
    idea = ideas()[0] | {"comment_count": 5}
    with small_api({"challenges": CHALLENGES[:1], "challenges/1/ideas": [idea], "ideas/1/comments": posts}) as server:
        read(server, warehouse, tmp_path)
        posts.pop()
        first = read(server, warehouse, tmp_path)
        assert (first.verdict, stream(first, "comments").counts.absent) == ("complete", 0)
        assert "the parent declares 5 comments, and 4 came" in warnings(warehouse, "comments")["contradictions"]
        second = read(server, warehouse, tmp_path, mode=Incremental())
        assert (second.verdict, stream(second, "comments").counts.absent) == ("complete", 1)
        assert "contradictions" not in warnings(warehouse, "comments")
        quiet = read(server, warehouse, tmp_path, mode=Incremental())
        assert (quiet.changed, stream(quiet, "comments").counts.scopes) == (False, 1), "only the nightly share"

        posts.pop()
        idea["comment_count"] = 4
        assert stream(read(server, warehouse, tmp_path), "comments").counts.absent == 1, "it always counted one more"


def test_check_sees_from_two_lists_that_the_parent_is_ignored(tmp_path: Path) -> None:
    def found(rows: list[Record]) -> Step:
        with small_api({"challenges": CHALLENGES, r"challenges/(\d+)/ideas": rows}) as server:
            steps = check(contract_with({}), lambda contract: api_of(server, tmp_path, contract))
            return next(step for step in steps if step.name == "ideas")

    named = found(ideas(challenge_id=int)).fix["streams"]["ideas"]
    assert (named["path"], named["each"]) == ("ideas", None)
    nameless = found(ideas())
    assert any("the API ignores challenge_id in the path" in sentence for sentence in nameless.differs)
    assert "each" not in nameless.fix.get("streams", {}).get("ideas", {})


def test_ids_that_are_unique_only_in_their_list_overwrite_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    posts = {"1": ["one", "two"], "2": ["three", "four"]}

    def of(idea: str) -> list[Record]:
        return [{"id": n, "body": body} for n, body in enumerate(posts[idea])]

    rows = [i for i in ideas() if i["id"] < 3]
    lists = {"challenges": CHALLENGES[:1], "challenges/1/ideas": rows, r"ideas/(\d+)/comments": of}
    with small_api(lists) as server:
        seen = []
        for _ in range(3):
            result = read(server, warehouse, tmp_path)
            assert "ids are not unique" in str(stream(result, "comments").reason)
            seen.append(column(warehouse, "comments.body"))
        assert seen[0] == seen[1] == seen[2]
