"""People whom the source had deleted and has again get their ids back: in every table, and nobody else does."""

from __future__ import annotations

import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.privacy.readmit_rows import erased_among, readmit_rows
from ideas_pipeline.privacy.redact import People
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.privacy.people import surrogate
from ideas_pipeline_tests.warehouse.batches import held, idea, load, night
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing

ANN, BOB = "person-4711", "person-4712"
ERASED_ANN, ERASED_BOB = surrogate(ANN), surrogate(BOB)
AT = night(9)


def readmit(warehouse: Warehouse, contract: Contract | None = None) -> None:
    call_writing(warehouse, readmit_rows, People.of(contract or contract_with({})), {ERASED_ANN: ANN}, AT)


def values(warehouse: Warehouse, table: str, *names: str) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in ("community", *names)) for row in held(warehouse, table)]


def fill(warehouse: Warehouse) -> None:
    """Ann and Bob are erased, and named wherever a table names people."""
    people = [{"id": who, "_scope": "", "points": n} for n, who in enumerate((ERASED_ANN, ERASED_BOB))]
    answers = [{"user_id": ERASED_ANN, "question_id": "q", "_scope": ""}]
    load(warehouse, "users", people, on=1, embedded={"user_answers": answers})
    joint = [{"idea_id": "1", "user_id": who, "_scope": "c1"} for who in (ERASED_ANN, ERASED_BOB)]
    ideas = [idea("1", author_id=ERASED_BOB), idea("2", author_id=ERASED_ANN)]
    load(warehouse, "ideas", ideas, on=1, embedded={"idea_coauthors": joint})
    load(warehouse, "comments", [{"id": "k", "idea_id": "1", "author_id": ERASED_ANN, "_scope": "1"}], on=1)
    load(warehouse, "votes", [{"id": "v", "idea_id": "1", "user_id": ERASED_ANN, "_scope": "1"}], on=1)


def test_the_id_is_back_in_every_table_and_others_stay_erased(warehouse: Warehouse) -> None:
    fill(warehouse)
    readmit(warehouse)
    assert values(warehouse, "users", "id", "points") == [("acme", ERASED_BOB, 1), ("acme", ANN, 0)]
    assert values(warehouse, "user_answers", "user_id") == [("acme", ANN)]
    assert values(warehouse, "ideas", "id", "author_id") == [("acme", "1", ERASED_BOB), ("acme", "2", ANN)]
    assert {row[-1] for row in values(warehouse, "idea_coauthors", "user_id")} == {ANN, ERASED_BOB}
    assert values(warehouse, "comments", "author_id") == [("acme", ANN)]
    assert values(warehouse, "votes", "user_id") == [("acme", ANN)]
    changed = {row["id"]: row["_changed_at"] for row in held(warehouse, "ideas")}
    assert changed == {"1": night(1), "2": AT}, "readers that copy what changed see these rows, and no other"


def test_another_community_s_person_with_the_same_surrogate_stays_erased(
    warehouse: Warehouse, other_warehouse: Warehouse
) -> None:
    for one in (warehouse, other_warehouse):
        fill(one)
    before = rows_of_acme(warehouse)
    readmit(other_warehouse)
    assert rows_of_acme(warehouse) == before
    assert ("other", ANN) in values(warehouse, "users", "id")


def rows_of_acme(warehouse: Warehouse) -> list[dict[str, object]]:
    return [row for table in TABLES for row in held(warehouse, table) if row["community"] == "acme"]


def test_a_row_that_came_back_already_stays_and_the_blanked_one_goes(warehouse: Warehouse) -> None:
    fill(warehouse)
    load(warehouse, "users", [{"id": ANN, "_scope": "", "points": 7}], on=2, scopes=[])
    joint = [{"idea_id": "1", "user_id": ANN, "is_lead": True, "_scope": "c1"}]
    load(warehouse, "ideas", [idea("1", author_id=ERASED_BOB)], on=2, scopes=[], embedded={"idea_coauthors": joint})
    readmit(warehouse)
    assert values(warehouse, "users", "id", "points") == [("acme", ERASED_BOB, 1), ("acme", ANN, 7)]
    assert sorted(values(warehouse, "idea_coauthors", "idea_id", "user_id", "is_lead"), key=str) == [
        ("acme", "1", ERASED_BOB, None),
        ("acme", "1", ANN, True),
    ]


def test_ids_that_are_made_of_a_persons_id_are_made_of_it_again(
    warehouse: Warehouse, other_warehouse: Warehouse
) -> None:
    contract = contract_with({"streams": {"comments": {"key": ["idea_id", "author_id"]}}})
    mine, reply = (f'["1","{who}"]' for who in (ERASED_ANN, ERASED_BOB))
    for one in (warehouse, other_warehouse):
        comments = [
            {"id": mine, "idea_id": "1", "author_id": ERASED_ANN, "_scope": "1"},
            {"id": reply, "idea_id": "1", "author_id": ERASED_BOB, "parent_comment_id": mine, "_scope": "1"},
            {"id": '["2","x"]', "idea_id": "2", "author_id": "x", "parent_comment_id": None, "_scope": "2"},
            {"id": "plain", "idea_id": "2", "author_id": "x", "_scope": "2"},
        ]
        load(one, "comments", comments, on=1)
    readmit(warehouse, contract)
    back = f'["1","{ANN}"]'
    found = {
        row["id"]: (row["parent_comment_id"], row["_changed_at"])
        for row in held(warehouse, "comments")
        if row["community"] == "acme"
    }
    assert found == {
        back: (None, AT),
        reply: (back, AT),
        '["2","x"]': (None, night(1)),
        "plain": (None, night(1)),
    }
    others = [row["id"] for row in held(warehouse, "comments") if row["community"] == "other"]
    assert set(others) == {mine, reply, '["2","x"]', "plain"}


def test_only_people_whose_row_is_blanked_are_to_be_readmitted(
    warehouse: Warehouse, other_warehouse: Warehouse
) -> None:
    fill(warehouse)
    with warehouse.engine.begin() as connection:
        connection.execute(sa.delete(TABLES["users"]).where(TABLES["users"].c.id == ERASED_BOB))
    back = {ERASED_ANN: ANN, ERASED_BOB: BOB}
    assert call_reading(warehouse, erased_among, back) == {ERASED_ANN: ANN}
    assert call_reading(other_warehouse, erased_among, back) == {}
