from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.archive.reader import ArchiveReader
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.field_map import field_map
from ideas_pipeline.privacy.key import Key, is_surrogate
from ideas_pipeline.privacy.privacy import KEY_FILE, Privacy
from ideas_pipeline.setting_types import Policy
from ideas_pipeline.sync.batching import About, Rows, batch
from ideas_pipeline.sync.replay import ArchiveRun
from ideas_pipeline.sync.retry import Retried, RetryPlan, finish_retry, retry_archived
from ideas_pipeline.sync.run import Silence
from ideas_pipeline.tables.bookkeeping import REJECTED_RECORDS, SCOPES, SYNC_RUNS, SYNC_STREAMS
from ideas_pipeline.warehouse.rejects import stored_rejects
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.archive.pages import page, write
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held, idea, load, load_batch, night, read
from ideas_pipeline_tests.warehouse.calls import call_reading

DEFAULT = contract_with({})


PARENTS = {"ideas": ("challenges", {"id": "p1", "_scope": ""}), "comments": ("ideas", idea("p1"))}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The folder of the community's archive."""
    return tmp_path / "archive"


def came(
    warehouse: Warehouse,
    archive: Path,
    stream: str,
    *records: Mapping[str, Any],
    contract: Contract = DEFAULT,
    body: bytes | None = None,
) -> None:
    """``records`` came from the API in night 1 as one page, in the scope ``p1`` of ideas and comments.

    ``body``: the page, if the standard library cannot encode it.
    """
    scope = "p1" if stream in PARENTS else ""
    if scope:
        table, parent = PARENTS[stream]
        load(warehouse, table, [parent], on=1)
    rows = Rows()
    record_of = field_map(contract, stream)
    rows.add([record_of(dict(record), None, 0, scope) for record in records], scope)
    load_batch(warehouse, batch(About(contract, stream, "night-1", night(1)), rows))
    body = body or json.dumps({"data": records, "total": len(records)}).encode()
    write(archive, "night-1", page(body, stream=stream, scope=scope))


def retry(
    warehouse: Warehouse, archive: Path, changes: Mapping[str, Any], privacy: Privacy | None = None
) -> list[Retried]:
    """A retry in night 2, with ``changes`` to the contract."""
    contract = contract_with(changes)
    run = ArchiveRun(contract, warehouse, "retry-2", privacy or Privacy(contract, COMMUNITY), Silence())
    plan = RetryPlan.of(contract, call_reading(warehouse, stored_rejects))
    with ArchiveReader(archive) as reader:
        assert retry_archived(run, reader, plan) == {}
    return finish_retry(warehouse, contract, "retry-2", plan)


def fields(stream: str, **mapped: Any) -> dict[str, Any]:
    return {"streams": {stream: {"fields": {column: {"!": source} for column, source in mapped.items()}}}}


def test_a_reject_leaves_once_the_contract_says_what_means_none(warehouse: Warehouse, archive: Path) -> None:
    came(warehouse, archive, "ideas", {"id": 1, "score": "n/a", "title": "Trees", "karma": 5}, {"id": 2, "score": 3})
    assert retry(warehouse, archive, fields("ideas", score={"paths": "score", "none": ["n/a"]})) == [
        Retried("ideas", 1, 0)
    ]
    row = held(warehouse, "ideas")[0]
    assert (row["id"], row["challenge_id"], row["title"], row["score"]) == ("1", "p1", "Trees", None)
    assert (row["_extra"], row["_run_id"]) == ({"karma": 5}, "night-1")
    assert held(warehouse, REJECTED_RECORDS) == []


def test_a_value_loads_once_the_contract_reads_it_elsewhere(warehouse: Warehouse, archive: Path) -> None:
    came(warehouse, archive, "ideas", {"id": 1, "score": {"sum": 9}, "points": 9, "author": {"id": 7}})
    assert retry(warehouse, archive, fields("ideas", score="points")) == [Retried("ideas", 1, 0)]
    [row] = held(warehouse, "ideas")
    assert (row["score"], row["author_id"], row["_extra"]) == (9.0, "7", {"score": {"sum": 9}})
    assert row["_run_id"] == "retry-2"
    assert held(warehouse, REJECTED_RECORDS) == []


def test_a_record_whose_key_was_not_found_gets_its_key(warehouse: Warehouse, archive: Path) -> None:
    came(warehouse, archive, "ideas", {"idea_no": 8, "title": "Trees"})
    assert call_reading(warehouse, stored_rejects)[0].key.startswith("sha256:")
    assert retry(warehouse, archive, fields("ideas", id="idea_no")) == [Retried("ideas", 1, 0)]
    assert [row["id"] for row in held(warehouse, "ideas")] == ["8"]
    assert held(warehouse, REJECTED_RECORDS) == []


def test_a_value_that_still_cannot_be_read_stays_with_the_new_reason_and_its_age(
    warehouse: Warehouse, archive: Path
) -> None:
    came(warehouse, archive, "ideas", {"id": 1, "score": "high", "vote_count": "many"}, {"id": 2, "score": "low"})
    changes = fields("ideas", score={"paths": "score", "none": ["low"]}, vote_count="score")
    assert retry(warehouse, archive, changes) == [Retried("ideas", 1, 3)]
    left = {(r.key, r.column): r for r in call_reading(warehouse, stored_rejects)}
    assert left.keys() == {('["1"]', "score"), ('["1"]', "vote_count"), ('["2"]', "vote_count")}
    mine = left['["1"]', "vote_count"]
    assert (mine.value, mine.reason) == ("high", "is not a whole number")
    assert (mine.first_seen_at, mine.run_id) == (night(1), "retry-2")
    assert [row["id"] for row in held(warehouse, "ideas")] == ["1", "2"]


def test_a_part_of_a_record_is_retried_by_itself(warehouse: Warehouse, archive: Path) -> None:
    labels = [{"id": 1, "name": "Won", "position": "first"}, {"id": 2, "name": "Blue", "position": 2}]
    came(warehouse, archive, "ideas", {"id": 1, "labels": labels})
    position = {"position": {"!": {"paths": ["position", "@index"], "none": ["first"]}}}
    mended = {"streams": {"ideas": {"embedded": {"idea_labels": {"fields": position}}}}}
    assert retry(warehouse, archive, mended) == [Retried("idea_labels", 1, 0)]
    found = [(r["idea_id"], r["label_id"], r["name"], r["_deleted_at"]) for r in held(warehouse, "idea_labels")]
    assert found == [("1", "1", "Won", None), ("1", "2", "Blue", None)]
    assert [row["_run_id"] for row in held(warehouse, "ideas")] == ["night-1"]


def test_what_came_inside_a_record_loads_with_it_and_no_state_moves(warehouse: Warehouse, archive: Path) -> None:
    came(warehouse, archive, "ideas", {"id": 1, "score": "n/a", "labels": [{"id": 3}]})
    load(warehouse, "ideas", [], on=1, scopes=[read("p1", remembered=True, fingerprint="f")])
    state = held(warehouse, SCOPES)
    assert [(row["scope"], row["fingerprint"]) for row in state] == [("p1", "f")]
    retry(warehouse, archive, fields("ideas", score={"paths": "score", "none": ["n/a"]}))
    assert [(row["idea_id"], row["label_id"]) for row in held(warehouse, "idea_labels")] == [("1", "3")]
    assert held(warehouse, SCOPES) == state


def test_a_retry_is_a_run_that_says_nothing_of_how_the_streams_stand(warehouse: Warehouse, archive: Path) -> None:
    came(warehouse, archive, "ideas", {"id": 1, "score": "n/a"})
    retry(warehouse, archive, {})
    [run] = held(warehouse, SYNC_RUNS)
    assert (run["run_id"], run["mode"], run["verdict"]) == ("retry-2", "retry", "incomplete")
    assert held(warehouse, SYNC_STREAMS) == []


def test_what_no_database_can_hold_is_not_made_up(warehouse: Warehouse, archive: Path) -> None:
    deep: list[Any] = []
    for _ in range(990):
        deep = [deep]
    first = f'{{"id": 1, "title": {"[" * 990}{"]" * 990}, "score": "n/a"}}'
    second = {"id": 2, "title": ["x"] * 2, "score": "n/a"}
    body = f'{{"data": [{first}, {json.dumps(second)}], "total": 2}}'.encode()
    came(warehouse, archive, "ideas", {"id": 1, "title": deep, "score": "n/a"}, second, body=body)
    results = retry(warehouse, archive, fields("ideas", score={"paths": "score", "none": ["n/a"]}))
    assert results == [Retried("ideas", 2, 1)]
    assert [row["title"] for row in held(warehouse, "ideas")] == [None, '["x","x"]']
    [left] = call_reading(warehouse, stored_rejects)
    assert (left.key, left.column, left.value) == ('["1"]', "title", "(not stored: a list of 1 values)")


def test_an_id_that_was_made_is_made_once(warehouse: Warehouse, archive: Path) -> None:
    numbered = {"key": ["idea_id", "id"]}
    contract = contract_with({"streams": {"comments": numbered}})
    record = {"id": 2, "parent_id": 1, "like_count": "n/a"}
    came(warehouse, archive, "comments", record, contract=contract)
    likes = {"fields": {"like_count": {"!": {"paths": "like_count", "none": ["n/a"]}}}}
    assert retry(warehouse, archive, {"streams": {"comments": numbered | likes}}) == [Retried("comments", 1, 0)]
    [row] = held(warehouse, "comments")
    assert (row["id"], row["parent_comment_id"]) == ('["p1","2"]', '["p1","1"]')
    assert held(warehouse, REJECTED_RECORDS) == []


def test_an_id_gets_made_once_the_contract_says_so(warehouse: Warehouse, archive: Path) -> None:
    came(warehouse, archive, "comments", {"id": 2, "parent_id": 1, "like_count": "n/a"})
    likes = {"like_count": {"!": {"paths": "like_count", "none": ["n/a"]}}}
    assert retry(warehouse, archive, {"streams": {"comments": {"key": ["idea_id", "id"], "fields": likes}}}) == [
        Retried("comments", 1, 0)
    ]
    # The row under the old id is absent from the next sync.
    rows = {(r["id"], r["parent_comment_id"]) for r in held(warehouse, "comments")}
    assert rows == {("2", "1"), ('["p1","2"]', '["p1","1"]')}


def test_an_erased_person_whom_the_contract_now_finds_stays_erased(
    warehouse: Warehouse, archive: Path, tmp_path: Path
) -> None:
    changes = fields("ideas", author_id="writer", score={"paths": "score", "none": ["n/a"]})
    privacy = Privacy(contract_with(changes), COMMUNITY, folder=tmp_path)
    privacy.begin(warehouse)
    privacy.erase(warehouse, "7")
    came(warehouse, archive, "ideas", {"id": 1, "score": "n/a", "writer": 7})
    assert retry(warehouse, archive, changes, privacy) == [Retried("ideas", 1, 0)]
    [row] = held(warehouse, "ideas")
    assert is_surrogate(row["author_id"])


NEVER = {"paths": "seen", "none": ["never"]}


def test_what_the_contract_now_finds_is_hashed_as_what_it_found_before_is(
    warehouse: Warehouse, archive: Path, tmp_path: Path
) -> None:
    key = Key(None, tmp_path / KEY_FILE)
    ann, bob = key.word("Ann"), key.word("Bob")
    people = [{"id": 1, "seen": "never", "nick": "Ann"}, {"id": 2, "seen": "never", "display_name": "Bob"}]
    came(warehouse, archive, "users", *people, contract=contract_with(fields("users", last_seen_at="seen")))
    changes = fields("users", last_seen_at=NEVER, display_name=["display_name", "nick"])
    privacy = Privacy(contract_with(changes), COMMUNITY, Policy(name="hash"), folder=tmp_path)
    assert retry(warehouse, archive, changes, privacy) == [Retried("users", 2, 0)]
    assert {row["id"]: row["display_name"] for row in held(warehouse, "users")} == {"1": ann, "2": bob}


def test_what_the_contract_now_finds_is_not_stored_if_the_policy_says_so(
    warehouse: Warehouse, archive: Path, tmp_path: Path
) -> None:
    came(
        warehouse,
        archive,
        "users",
        {"id": 1, "seen": "never", "nick": "Ann"},
        contract=contract_with(fields("users", last_seen_at="seen")),
    )
    changes = fields("users", last_seen_at=NEVER, display_name="nick")
    privacy = Privacy(contract_with(changes), COMMUNITY, Policy(name="drop"), folder=tmp_path)
    assert retry(warehouse, archive, changes, privacy) == [Retried("users", 1, 0)]
    assert [row["display_name"] for row in held(warehouse, "users")] == [None]
