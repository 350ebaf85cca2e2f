"""Values, ids and bytes as real APIs send them, and what a sync loads of them: a small server, over real sockets."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.app import run_archive
from ideas_pipeline.sync.engine import new_run_id
from ideas_pipeline.sync.replay import replay
from ideas_pipeline.sync.run import Full, RunResult
from ideas_pipeline.tables.bookkeeping import REJECTED_RECORDS, SYNC_STREAMS
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream, sync_with
from ideas_pipeline_tests.end_to_end.test_list_ends import api
from ideas_pipeline_tests.ideas_api.scripted_server import Answer
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held

CONTRACT = contract_with({"account": {"!": None}})
CHALLENGE = {"id": 1, "title": "C", "idea_count": 1}
IDEA = {"id": 10, "title": "I", "comment_count": 0, "vote_count": 0}


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        yield warehouse


def community(**lists: Any) -> Callable[[str, Mapping[str, str]], Answer]:
    """A community with these lists by path, ``__`` for ``/``; all others are empty. An answer is that for page 1."""
    held_lists = {name.replace("__", "/"): records for name, records in lists.items()}

    def answer(path: str, query: Mapping[str, str]) -> Answer:
        records = held_lists.get(path, [])
        if isinstance(records, Answer):
            return records if query.get("page", "1") == "1" else Answer(body={"data": [], "total": 0})
        size = int(query.get("per_page", 100))
        start = (int(query.get("page", 1)) - 1) * size
        return Answer(body={"data": records[start : start + size], "total": len(records)})

    return answer


def synced(lists: Callable[..., Answer], warehouse: Warehouse, folder: Path, **options: Any) -> RunResult:
    contract = options.pop("contract", CONTRACT)
    with (
        api(lists, contract, folder) as client,
        run_archive(folder / "archive", run_id := new_run_id(datetime.now(UTC)), 30, contract) as kept,
    ):
        return sync_with(client, warehouse, mode=Full(), run_id=run_id, archive=kept, **options)


def by_id(warehouse: Warehouse, table: str) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in held(warehouse, table) if row["_deleted_at"] is None}


def rejects(warehouse: Warehouse) -> list[dict[str, Any]]:
    return list(held(warehouse, REJECTED_RECORDS))


def raw(body: bytes, content_type: str = "application/json") -> Answer:
    return Answer(body=body, headers={"Content-Type": content_type})


def test_a_byte_that_is_not_text_costs_a_character_and_is_counted(warehouse: Warehouse, tmp_path: Path) -> None:
    people = [b'{"id":%d,"name":"U%d"}' % (n, n) for n in range(1, 50)] + [b'{"id":50,"name":"Ren\xc3"}']
    users = raw(b'{"data":[' + b",".join(people) + b'],"total":50}')
    result = synced(community(users=users), warehouse, tmp_path)
    assert (result.verdict, stream(result, "users").counts.replaced) == ("complete", 1)
    names = {id_: row["display_name"] for id_, row in by_id(warehouse, "users").items()}
    assert (len(names), names["50"]) == (50, "Ren\ufffd")
    assert stream(result, "users").counts.retries == 0
    assert [row["replaced"] for row in held(warehouse, SYNC_STREAMS) if row["stream"] == "users"] == [1]
    assert not synced(community(users=users), warehouse, tmp_path).changed


def test_what_is_read_in_a_charset_is_replayed_in_it(sqlite: Warehouse, tmp_path: Path) -> None:
    users = raw(
        '{"data":[{"id":1,"name":"日本"}],"total":1}'.encode("shift_jis"), "application/json; charset=Shift_JIS"
    )
    assert synced(community(users=users), sqlite, tmp_path).verdict == "complete"
    assert by_id(sqlite, "users")["1"]["display_name"] == "日本"
    with sqlite.engine.begin() as connection:
        connection.execute(sa.text("UPDATE users SET display_name = 'lost', _row_hash = ''"))
    replay(CONTRACT, sqlite, tmp_path / "archive", streams=["users"])
    assert by_id(sqlite, "users")["1"]["display_name"] == "日本"


def test_a_body_that_was_cut_short_is_asked_for_again_and_never_loaded_in_part(
    sqlite: Warehouse, tmp_path: Path
) -> None:
    whole = '{"data":[{"id":1,"name":"é"},{"id":2,"name":"é"}],"total":2}'.encode()
    for cut in (len(whole) - 1, whole.index(b"\xc3") + 1, len(whole) - 20):
        result = synced(community(users=raw(whole[:cut])), sqlite, tmp_path)
        assert (result.verdict, by_id(sqlite, "users")) == ("failed", {})
        assert stream(result, "users").counts.retries == 1


PEOPLE = [
    {"id": 1, "joined_at": "20240105"},
    {"id": 2, "joined_at": "20240105T101500Z"},
    {"id": 3, "joined_at": "2024-01-05T10:15:00+0000"},
    {"id": 4, "joined_at": "Fri, 05 Jan 2024 10:15:00 GMT"},
    {"id": 5, "joined_at": "2024-02-30"},
    {"id": 6, "joined_at": 1704449700000},
    {"id": 7, "joined_at": "-0001-11-30T00:00:00+0000"},
    {"id": 8, "joined_at": "2024-01-05 10:15:00 UTC"},
    {"id": 9, "joined_at": "1970-01-01T00:00:00+00:00"},
    {"id": "Ab"},
    {"id": "aB"},
    {"id": "012"},
    {"id": 12.0},
    {"id": "7 "},
    {"id": 12345678901234567890},
    {"id": 123456789012345678901},
    {"id": 123456789012345678902},
]


def test_values_that_can_be_read_in_two_ways_are_read_right_or_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    challenge = CHALLENGE | {"visible": "Y", "starts_at": "soon"}
    lists = community(users=PEOPLE, challenges=[challenge], challenges__1__ideas=[IDEA | {"anonymous": "N"}])
    result = synced(lists, warehouse, tmp_path)
    assert result.verdict == "complete"
    users = by_id(warehouse, "users")
    assert users.keys() == {str(int(p["id"]) if isinstance(p["id"], float) else p["id"]) for p in PEOPLE}
    day, moment = datetime(2024, 1, 5, tzinfo=UTC), datetime(2024, 1, 5, 10, 15, tzinfo=UTC)
    joined = [users[str(n)]["joined_at"] for n in range(1, 10)]
    assert joined == [day, moment, moment, moment, None, moment, None, moment, None]
    assert by_id(warehouse, "challenges")["1"]["is_visible"] is True
    assert by_id(warehouse, "ideas")["10"]["is_anonymous"] is False
    assert {(r["record_key"], r["column_name"], r["value"], r["reason"]) for r in rejects(warehouse)} == {
        ('["5"].joined_at', "joined_at", "2024-02-30", "is not a time: that day or hour does not exist"),
        (
            '["1"].starts_at',
            "starts_at",
            "soon",
            "is not a time: its format is unknown, or can be read in more than one way",
        ),
    }
    assert not synced(lists, warehouse, tmp_path).changed


def test_a_column_can_have_its_own_times_that_mean_none(sqlite: Warehouse, tmp_path: Path) -> None:
    contract = contract_with(
        {
            "account": {"!": None},
            "streams": {"users": {"fields": {"joined_at": {"!": {"paths": "j", "no_times": ["2000-01-01"]}}}}},
        }
    )
    people = [{"id": 1, "j": "2000-01-01T08:00:00Z"}, {"id": 2, "j": "1970-01-01T00:00:00Z"}]
    synced(community(users=people), sqlite, tmp_path, contract=contract)
    joined = {id_: row["joined_at"] for id_, row in by_id(sqlite, "users").items()}
    assert joined == {"1": None, "2": datetime(1970, 1, 1, tzinfo=UTC)}


def test_a_name_that_comes_twice_in_one_record_is_not_guessed(sqlite: Warehouse, tmp_path: Path) -> None:
    users = raw(b'{"data":[{"id":1,"name":"Ann","name":"Bob","x":1,"x":1},{"id":2,"id":3}],"total":2}')
    result = synced(community(users=users), sqlite, tmp_path)
    assert by_id(sqlite, "users")["1"]["display_name"] is None
    assert {(r["column_name"], r["reason"].partition(", with")[0]) for r in rejects(sqlite)} == {
        ("display_name", "came more than once in its record"),
        (None, "id came more than once in its record"),
    }
    assert stream(result, "users").counts.rejected == 1


VOTES = [
    {"user": {"id": 1}, "stage_id": 5, "value": 1},
    {"user": None, "stage_id": 5, "value": 1},
    {"user": None, "stage_id": 5, "value": -1},
    {"user": None, "stage_id": 5, "value": -1},
    {"user": None, "value": 1},
    {"user": {"id": 1}, "stage_id": 6, "value": 1, "created_at": "2026-01-01T00:00:00Z"},
    {"user": {"id": 1}, "stage_id": 6, "value": -1, "created_at": "2026-01-02T00:00:00Z"},
]


def voted(votes: list[dict[str, Any]]) -> Callable[..., Answer]:
    idea = IDEA | {"vote_count": len(votes)}
    return community(users=[{"id": 1}], challenges=[CHALLENGE], challenges__1__ideas=[idea], ideas__10__votes=votes)


def test_votes_without_an_id_are_distinguished_and_the_newest_state_of_each_wins(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    result = synced(voted(VOTES), warehouse, tmp_path)
    votes = stream(result, "votes")
    assert (votes.verdict, votes.reason) == ("complete", None)
    assert (votes.counts.seen, votes.counts.inserted, votes.counts.rejected) == (7, 6, 1)
    rows = by_id(warehouse, "votes")
    values = sorted((row["user_id"] or "", row["stage_id"] or "", row["value"]) for row in rows.values())
    assert values == [("", "", 1), ("", "5", -1), ("", "5", -1), ("", "5", 1), ("1", "5", 1), ("1", "6", -1)]
    [older] = rejects(warehouse)
    assert (older["column_name"], older["payload"]["value"]) == (None, 1)
    assert older["reason"] == "another record of this list has the same key, and is newer"

    for seed in range(3):
        shuffled = random.Random(seed).sample(VOTES, len(VOTES))
        again = synced(voted(shuffled), warehouse, tmp_path)
        assert (again.verdict, again.changed) == ("complete", False)
        assert by_id(warehouse, "votes") == rows
    [same] = rejects(warehouse)
    assert same["record_key"] == older["record_key"]


def test_states_of_a_vote_on_several_pages_are_states_and_a_replay_knows_it(sqlite: Warehouse, tmp_path: Path) -> None:
    votes = [{"user": {"id": n}, "stage_id": 5, "value": 1, "created_at": "2026-01-02T00:00:00Z"} for n in range(1, 9)]
    votes.append({"user": {"id": 1}, "stage_id": 5, "value": -1, "created_at": "2026-01-01T00:00:00Z"})
    paging = {"paging": {"!": {"style": "page", "size_parameter": "per_page", "size": 4, "total": {"body": ["total"]}}}}
    contract = contract_with({"account": {"!": None}, "streams": {"votes": paging}})
    result = synced(voted(votes), sqlite, tmp_path, contract=contract)
    assert (result.verdict, stream(result, "votes").counts.rejected) == ("complete", 1)
    before = by_id(sqlite, "votes")
    assert {row["value"] for row in before.values()} == {1}
    replay(contract, sqlite, tmp_path / "archive", streams=["votes"])
    assert by_id(sqlite, "votes") == before
    assert len(rejects(sqlite)) == 1


def test_equal_votes_without_a_person_on_several_pages_are_not_a_repetition(sqlite: Warehouse, tmp_path: Path) -> None:
    votes = [{"user": None, "stage_id": 5, "value": 1}, *({"user": {"id": n}, "value": 1} for n in range(1, 5))]
    paging = {"paging": {"!": {"style": "page", "size_parameter": "per_page", "size": 3, "total": {"body": ["total"]}}}}
    contract = contract_with({"account": {"!": None}, "streams": {"votes": paging}})
    result = synced(voted([*votes, votes[0]]), sqlite, tmp_path, contract=contract)
    reason = str(stream(result, "votes").reason)
    assert "cannot be distinguished" in reason
    assert "came twice" not in reason


def test_two_records_of_one_page_with_one_id_are_a_row_and_a_reject(sqlite: Warehouse, tmp_path: Path) -> None:
    people = [{"id": 7, "name": "Ann"}, {"id": "7", "name": "Bob"}, {"id": 8, "name": "Eve"}]
    for order in (people, people[::-1]):
        result = synced(community(users=order), sqlite, tmp_path)
        users = stream(result, "users")
        assert (users.verdict, users.counts.seen, users.counts.rejected) == ("complete", 3, 1)
    [reject] = rejects(sqlite)
    assert {by_id(sqlite, "users")["7"]["display_name"], reject["payload"]["display_name"]} == {"Ann", "Bob"}
    assert stream(result, "users").counts.unchanged == 2


def test_rows_with_one_key_inside_a_record_are_a_row_and_a_reject(warehouse: Warehouse, tmp_path: Path) -> None:
    answers = [{"question_id": 1, "value": "a"}, {"question_id": 1, "value": "b"}, {"question_id": 2, "value": "c"}]
    ideas = [IDEA | {"answers": answers, "labels": [{"id": 2, "name": "Blue"}] * 2, "tags": ["red", "red", "blue"]}]
    lists = community(challenges=[CHALLENGE], challenges__1__ideas=ideas)
    result = synced(lists, warehouse, tmp_path)
    counts = stream(result, "ideas").counts
    assert (result.verdict, counts.rejected, counts.rejected_embedded) == ("complete", 0, 1)
    values = {row["question_id"]: row["value"] for row in held(warehouse, "idea_answers")}
    [reject] = rejects(warehouse)
    assert {values["1"], reject["payload"]["value"]} == {"a", "b"}
    assert (values["2"], reject["table_name"]) == ("c", "idea_answers")
    assert [row["name"] for row in held(warehouse, "idea_labels")] == ["Blue"]
    assert sorted(row["tag"] for row in held(warehouse, "idea_tags")) == ["blue", "red"]
    ideas[0]["answers"] = answers[::-1]
    assert not synced(lists, warehouse, tmp_path).changed
    assert len(rejects(warehouse)) == 1


def test_a_value_that_was_refused_holds_nothing_that_may_not_be_stored(sqlite: Warehouse, tmp_path: Path) -> None:
    idea = IDEA | {"score": {"by": {"email": "ann@example.com", "n": 1}}, "view_count": "ann@example.com"}
    synced(community(challenges=[CHALLENGE], challenges__1__ideas=[idea]), sqlite, tmp_path)
    assert {r["column_name"]: r["value"] for r in rejects(sqlite)} == {"score": {"by": {"n": 1}}}
    assert "ann@example.com" not in json.dumps([str(r) for r in rejects(sqlite)])
