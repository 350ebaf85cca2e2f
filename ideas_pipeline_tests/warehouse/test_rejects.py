from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from ideas_pipeline.tables.bookkeeping import REJECTED_RECORDS
from ideas_pipeline.warehouse.rejects import delete_retried, stored_rejects
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import held, idea, label, load, night, read, reject
from ideas_pipeline_tests.warehouse.calls import call_writing


def test_a_reject_waits_with_its_reason_and_payload(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [idea("1")], on=1, rejects=[reject("2")])
    [row] = held(warehouse, REJECTED_RECORDS)
    assert (row["table_name"], row["record_key"], row["scope"], row["run_id"]) == ("ideas", '["2"]', "c1", "night-1")
    assert row["reason"] == "score is text that is not a number"
    assert row["payload"] == {"id": "2", "score": "high"}


def test_a_reject_that_comes_again_is_kept_once_and_keeps_when_it_first_came(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [], on=1, scopes=[read("c1")], rejects=[reject("2")])
    again = replace(reject("2", "c2"), reason="score is a list")
    load(warehouse, "ideas", [], on=2, scopes=[read("c1"), read("c2")], rejects=[again])
    [row] = held(warehouse, REJECTED_RECORDS)
    assert (row["first_seen_at"], row["run_id"], row["scope"]) == (night(1), "night-2", "c2")
    assert row["reason"] == "score is a list"


def test_a_reject_leaves_when_its_record_loads_even_in_an_unproven_list(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [], on=1, scopes=[read("c1")], rejects=[reject("2"), reject("3")])
    load(warehouse, "ideas", [idea("2")], on=2, scopes=[read("c1", judged=False)])
    assert [row["record_key"] for row in held(warehouse, REJECTED_RECORDS)] == ['["3"]']


def test_a_reject_of_an_embedded_table_leaves_when_its_record_loads(warehouse: Warehouse) -> None:
    poor = replace(reject("l", table="idea_labels"), record_key='["1","l"]', id=None)
    load(warehouse, "ideas", [idea("1")], on=1, rejects=[poor])
    assert len(held(warehouse, REJECTED_RECORDS)) == 1
    unproven = [read("c1", judged=False)]
    load(warehouse, "ideas", [idea("1")], on=2, scopes=unproven, embedded={"idea_labels": [label("1", "l")]})
    assert held(warehouse, REJECTED_RECORDS) == []


def test_a_reject_leaves_when_its_list_is_proven_not_to_hold_it_any_more(warehouse: Warehouse) -> None:
    keyless = replace(reject("x"), record_key="sha256:1f2e", id=None)
    load(warehouse, "ideas", [], on=1, scopes=[read("c1", judged=False)], rejects=[keyless])
    load(warehouse, "ideas", [], on=2, scopes=[read("c1", judged=False), read("c2")])
    assert len(held(warehouse, REJECTED_RECORDS)) == 1
    load(warehouse, "ideas", [], on=3, scopes=[read("c1")])
    assert held(warehouse, REJECTED_RECORDS) == []


def test_a_reject_of_an_earlier_part_of_the_list_stays(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [], on=1, scopes=[], rejects=[reject("2")])
    load(warehouse, "ideas", [idea("1")], on=1, scopes=[read("c1", present=("1", "2"))])
    assert [row["record_key"] for row in held(warehouse, REJECTED_RECORDS)] == ['["2"]']


def test_values_are_kept_one_by_one_and_leave_when_they_load(warehouse: Warehouse) -> None:
    score = replace(reject("2"), column="score", reason="is not a number", value={"n": 10**25}, payload={"id": "2"})
    votes = replace(score, column="vote_count", value="many")
    load(warehouse, "ideas", [idea("2")], on=1, rejects=[score, votes])
    rows = {row["column_name"]: row for row in held(warehouse, REJECTED_RECORDS)}
    assert (rows["score"]["record_key"], rows["score"]["reason"]) == ('["2"].score', "is not a number")
    assert (rows["score"]["value"], rows["vote_count"]["value"]) == ({"n": 10**25}, "many")
    load(warehouse, "ideas", [idea("2", score=1)], on=2, scopes=[read("c1", judged=False)], rejects=[votes])
    [left] = held(warehouse, REJECTED_RECORDS)
    assert (left["column_name"], left["first_seen_at"], left["run_id"]) == ("vote_count", night(1), "night-2")


def test_rejects_of_more_scopes_than_a_statement_takes_parameters_are_settled_after_a_retry(
    warehouse: Warehouse,
) -> None:
    load(warehouse, "ideas", [], on=1, scopes=[], rejects=[reject("1"), reject("2", "c2"), reject("3", "c3")])
    load(warehouse, "ideas", [], on=2, scopes=[], rejects=[reject("3", "c3")])
    scopes = [f"c{n}" for n in range(2, 70_000)]
    call_writing(warehouse, delete_retried, "night-2", {"ideas"}, scopes)
    assert [row["record_key"] for row in held(warehouse, REJECTED_RECORDS)] == ['["1"]', '["3"]']


def test_a_reason_is_stored_as_codes_and_is_a_sentence_for_its_reader(warehouse: Warehouse) -> None:
    score = replace(reject("2"), column="score", reason="stored words", value="high", code="not_a_number")
    keyless = replace(reject("x"), record_key="sha256:1f2e", id=None, code="no_key", key_codes={"id": "missing"})
    load(warehouse, "ideas", [], on=1, scopes=[read("c1")], rejects=[score, keyless])
    with warehouse.reading() as tx:
        found = {stored.code: stored.reason for stored in stored_rejects(tx)}
    assert found == {"not_a_number": "is not a number", "no_key": "id is missing, and is part of the key"}


def test_a_reject_of_an_earlier_version_is_read_with_its_own_words_until_it_comes_again(warehouse: Warehouse) -> None:
    load(warehouse, "ideas", [], on=1, scopes=[read("c1")], rejects=[reject("2")])
    url = warehouse.engine.url.render_as_string(hide_password=False)
    with warehouse.engine.begin() as connection:
        for column in ("reason_code", "key_reasons"):
            connection.execute(sa.text(f"ALTER TABLE {REJECTED_RECORDS.name} DROP COLUMN {column}"))
    with Warehouse.open(url, warehouse.community) as opened:
        with opened.reading() as tx:
            [stored] = stored_rejects(tx)
        assert (stored.code, stored.reason) == (None, "score is text that is not a number")
        load(opened, "ideas", [], on=2, scopes=[read("c1")], rejects=[replace(reject("2"), code="older")])
        with opened.reading() as tx:
            [stored] = stored_rejects(tx)
        assert (stored.code, stored.reason.split()[0]) == ("older", "another")
