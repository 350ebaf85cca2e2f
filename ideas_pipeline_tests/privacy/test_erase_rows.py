from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.marts.build import MARTS, build_marts
from ideas_pipeline.privacy.erase_rows import erase_rows
from ideas_pipeline.privacy.readmit_rows import readmit_rows
from ideas_pipeline.privacy.redact import People
from ideas_pipeline.tables.bookkeeping import ABSENCES, FIELDS, REJECTED_RECORDS, SCOPES, SYNC_SCOPES
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.batch import Reject
from ideas_pipeline.warehouse.database import Transaction, writing
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.privacy.people import KEY, list_in, redactor
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held, idea, load, night, read
from ideas_pipeline_tests.warehouse.calls import call_writing

ANN, WORDS = "person-4711", ("Ann Lee", "ann@people.example")
AT = datetime(2026, 2, 1, tzinfo=UTC)
ANONYMOUS = KEY.surrogate(COMMUNITY, ANN)


def people_one_by_one() -> Contract:
    each = {"of": ["ideas.author_id"], "placeholder": "user_id"}
    one = {"path": "users/{user_id}", "reads": "one", "each": each, "paging": {"!": {"style": "none"}}}
    return contract_with({"streams": {"users": one}})


def erase(
    warehouse: Warehouse, folder: Path, *, texts: bool = False, contract: Contract | None = None
) -> dict[str, int]:
    people = list_in(folder, community=COMMUNITY)
    people.add(ANN, {KEY.word(word) for word in WORDS}, texts=texts)
    contract = contract or contract_with({})
    with writing(warehouse.engine) as connection:
        return erase_rows(Transaction(connection, COMMUNITY), contract, redactor(people, contract), AT)


def only(warehouse: Warehouse, table: sa.Table | str, **where: str) -> dict[str, object]:
    (row,) = (r for r in held(warehouse, table) if where.items() <= r.items())
    return row


def test_history_of_what_is_deleted_is_blanked_as_well(warehouse, tmp_path):
    load(warehouse, "users", [{"id": ANN, "_scope": "", "display_name": "Ann Lee"}], on=1, scopes=[read("")])
    with warehouse.engine.begin() as connection:
        connection.execute(sa.update(TABLES["users"]).values(_deleted_at=AT))
    assert erase(warehouse, tmp_path) == {"users": 1}
    user = only(warehouse, "users")
    assert (user["id"], user["display_name"], user["status"]) == (ANONYMOUS, None, "erased")
    assert user["_deleted_at"] == AT
    assert user["_changed_at"] == AT, "whoever copies what changed hears of it"


def test_a_row_that_came_back_takes_the_place_of_the_one_that_was_blanked(warehouse, tmp_path):
    load(warehouse, "users", [{"id": ANN, "_scope": "", "display_name": "Ann Lee"}], on=1, scopes=[read("")])
    erase(warehouse, tmp_path)
    load(
        warehouse, "users", [{"id": ANN, "_scope": "", "display_name": "Ann L."}], on=2, scopes=[read("", judged=False)]
    )
    assert len(held(warehouse, "users")) == 2
    erase(warehouse, tmp_path)
    assert [row["id"] for row in held(warehouse, "users")] == [ANONYMOUS]


def test_the_history_of_an_idea_goes_with_an_id_that_holds_its_author(warehouse, tmp_path):
    contract = contract_with({"streams": {"ideas": {"key": ["challenge_id", "author_id"]}}})
    mine, other = f'["c1","{ANN}"]', '["c1","person-1"]'
    ideas = [idea(mine, author_id=ANN, status="open"), idea(other, author_id="person-1", status="open")]
    load(warehouse, "ideas", ideas, on=1)
    before = held(warehouse, IDEA_HISTORY)
    assert {row["idea_id"] for row in before} == {mine, other}
    assert erase(warehouse, tmp_path, contract=contract) == {"ideas": 1, "idea_history": len(before) // 2}
    erased = f'["c1","{ANONYMOUS}"]'
    left = held(warehouse, IDEA_HISTORY)
    assert {row["idea_id"] for row in left} == {erased, other}
    assert erase(warehouse, tmp_path, contract=contract) == {}
    assert held(warehouse, IDEA_HISTORY) == left
    assert {row["id"] for row in held(warehouse, "ideas")} == {erased, other}
    with writing(warehouse.engine) as connection:
        readmit_rows(Transaction(connection, COMMUNITY), People.of(contract), {ANONYMOUS: ANN}, AT)
    assert held(warehouse, IDEA_HISTORY) == before


@pytest.mark.parametrize("ends", [(None, 3), (3, None), (3, 5), (5, 3)])
def test_of_two_intervals_that_get_the_same_idea_the_longer_remains(warehouse, tmp_path, ends):
    contract = contract_with({"streams": {"ideas": {"key": ["challenge_id", "author_id"]}}})
    days = [None if day is None else datetime(2026, 1, day, tzinfo=UTC) for day in ends]
    interval = {"community": COMMUNITY, "attribute": "status", "value": "open", "observed_from": night(1)}
    with warehouse.engine.begin() as connection:
        for person, observed_to in zip((ANN, ANONYMOUS), days, strict=True):
            row = interval | {"idea_id": f'["c1","{person}"]', "observed_to": observed_to}
            connection.execute(sa.insert(IDEA_HISTORY).values(**row, is_left_censored=False, _run_id="r"))
    erase(warehouse, tmp_path, contract=contract)
    (row,) = held(warehouse, IDEA_HISTORY)
    assert row["idea_id"] == f'["c1","{ANONYMOUS}"]'
    assert row["observed_to"] == (None if None in days else max(filter(None, days)))


def test_another_communitys_rows_are_another_persons(warehouse, tmp_path):
    load(warehouse, "ideas", [idea("1", author_id=ANN)], on=1)
    with warehouse.engine.begin() as connection:
        connection.execute(sa.update(TABLES["ideas"]).values(community="other"))
    assert erase(warehouse, tmp_path) == {}
    assert only(warehouse, "ideas")["author_id"] == ANN


def test_texts_are_removed_only_if_that_was_asked_for_with_what_depends_on_them(warehouse, tmp_path):
    answer = {"idea_id": "1", "question_id": "q", "value": "Because", "_scope": "c1"}
    ideas = [idea("1", author_id=ANN, title="Trees"), idea("2", author_id="person-1", title="Bees")]
    load(warehouse, "ideas", ideas, on=1, embedded={"idea_answers": [answer]}, stated={"idea_answers": ["1"]})
    erase(warehouse, tmp_path)
    assert [row["title"] for row in held(warehouse, "ideas")] == ["Trees", "Bees"]
    assert only(warehouse, "idea_answers")["value"] == "Because"
    comments = [
        {"id": who, "idea_id": "1", "author_id": who, "body": "Yes", "_scope": "1"} for who in (ANN, "person-1")
    ]
    load(warehouse, "comments", comments, on=1)
    erase(warehouse, tmp_path, texts=True)
    assert {row["id"]: row["body"] for row in held(warehouse, "comments")} == {ANN: None, "person-1": "Yes"}
    assert [row["title"] for row in held(warehouse, "ideas")] == [None, "Bees"]
    assert only(warehouse, "idea_answers")["value"] is None


def test_an_id_that_is_not_the_name_of_the_file_stays(warehouse, tmp_path):
    file = {"idea_id": "1", "attachment_id": "7", "filename": "plan.pdf", "_scope": "c1"}
    ideas = [idea("1", author_id=ANN)]
    load(warehouse, "ideas", ideas, on=1, embedded={"idea_attachments": [file]}, stated={"idea_attachments": ["1"]})
    erase(warehouse, tmp_path, texts=True)
    left = only(warehouse, "idea_attachments")
    assert (left["attachment_id"], left["filename"]) == ("7", None)


def test_two_files_whose_names_have_one_hash_become_one_row(warehouse, tmp_path):
    files = [
        {"idea_id": "1", "attachment_id": name, "filename": name, "_scope": "c1"} for name in ("Photo.jpg", "photo.jpg")
    ]
    ideas = [idea("1", author_id=ANN)]
    load(warehouse, "ideas", ideas, on=1, embedded={"idea_attachments": files}, stated={"idea_attachments": ["1"]})
    erase(warehouse, tmp_path, texts=True)
    file = only(warehouse, "idea_attachments")
    assert (file["attachment_id"], file["filename"]) == (KEY.word("photo.jpg"), None)


def test_rejected_records_are_blanked_by_column_and_key(warehouse, tmp_path):
    user = {"id": ANN, "display_name": "Ann Lee", "points": "Ann's", "_extra": {"bio": "x"}}
    tag = {"idea_id": "1", "user_id": ANN, "position": "first", "_extra": None}
    other = {"id": "9", "author_id": "person-1", "score": "high", "_extra": {"seen_by": {"id": ANN, "n": "Ann"}}}
    rejects = [
        Reject("users", "", f"sha256:{0:064}", None, "id is missing", user),
        Reject("idea_coauthors", "c1", json.dumps(["1", ANN]), None, "position is not a whole number", tag),
        Reject("ideas", "c1", json.dumps(["9"]), "9", "score is not a number", other),
    ]
    load(warehouse, "ideas", [], on=1, scopes=[read("c1")], rejects=rejects)
    assert erase(warehouse, tmp_path) == {"_rejected_records": 3}
    kept = {row["table_name"]: row for row in held(warehouse, REJECTED_RECORDS)}
    assert kept["users"]["payload"]["id"] == ANONYMOUS
    assert kept["users"]["record_key"] != f"sha256:{0:064}"
    assert json.loads(kept["idea_coauthors"]["record_key"]) == ["1", ANONYMOUS]
    assert kept["ideas"]["payload"] == other | {"_extra": {"seen_by": {"id": ANONYMOUS}}}
    shown = repr(list(kept.values()))
    assert "Ann" not in shown
    assert ANN not in shown


def test_rejected_values_are_blanked_by_whose_they_are(warehouse, tmp_path):
    mine = {"id": ANN}
    about_me = {"id": "9", "challenge_id": "c1", "author_id": "person-1"}
    by_me = {"id": "8", "challenge_id": "c1", "author_id": ANN}
    twice = Reject("votes", "9", f'["v"] sha256:{0:064}', "v", "is older", {"id": "v", "user_id": ANN, "value": 1})
    rejects = [
        Reject("users", "", json.dumps([ANN]), ANN, "is not a whole number", mine, "points", "Ann's"),
        Reject(
            "ideas", "c1", '["9"]', "9", "is not a number", about_me, "score", {"by": {"id": ANN, "n": "Ann"}, "x": 1}
        ),
        Reject("ideas", "c1", '["8"]', "8", "is not a number", by_me, "score", "high"),
        twice,
    ]
    load(warehouse, "ideas", [], on=1, scopes=[read("c1")], rejects=rejects)
    assert erase(warehouse, tmp_path) == {"_rejected_records": 4}
    kept = {(row["table_name"], row["record_key"]): row for row in held(warehouse, REJECTED_RECORDS)}
    assert kept["users", f'["{ANONYMOUS}"].points']["value"] is None
    assert kept["ideas", '["9"].score']["value"] == {"by": {"id": ANONYMOUS}, "x": 1}
    assert kept["ideas", '["8"].score']["value"] == "high"
    assert kept["ideas", '["8"].score']["payload"]["author_id"] == ANONYMOUS
    [vote] = [key for table, key in kept if table == "votes"]
    assert vote.startswith('["v"] sha256:')
    shown = repr(list(kept.values()))
    assert "Ann" not in shown
    assert ANN not in shown
    erase(warehouse, tmp_path, texts=True)
    assert {row["record_key"]: row["value"] for row in held(warehouse, REJECTED_RECORDS)}['["8"].score'] is None


def test_absences_and_the_accounts_of_lists_name_the_surrogate(warehouse, tmp_path):
    with warehouse.engine.begin() as connection:
        at = {"community": COMMUNITY, "stream": "users", "run_id": "r"}
        connection.execute(sa.insert(ABSENCES).values(**at, id=ANN, scope=ANN, noticed_at=AT))
        connection.execute(sa.insert(SCOPES).values(**at, scope=ANN))
        row = {c.name: 0 for c in SYNC_SCOPES.columns if c.info["kind"] == "integer"}
        reason = f"users {ANN}: it is not there; list {ANN}: gone"
        connection.execute(
            sa.insert(SYNC_SCOPES).values(**row, **at, scope=ANN, swept_at=AT, verdict="not_found", reason=reason)
        )
    blanked = erase(warehouse, tmp_path, contract=people_one_by_one())
    assert blanked == {"_absences": 1, "_scopes": 1, "_sync_scopes": 2}
    absence = only(warehouse, ABSENCES)
    assert (absence["id"], absence["scope"]) == (ANONYMOUS, ANONYMOUS)
    assert only(warehouse, SCOPES)["scope"] == ANONYMOUS
    account = only(warehouse, SYNC_SCOPES)
    assert account["scope"] == ANONYMOUS
    assert account["reason"] == f"users {ANONYMOUS}: it is not there; list {ANONYMOUS}: gone"


def test_held_parts_name_the_surrogate_and_no_text(warehouse, tmp_path):
    load(warehouse, "ideas", [idea("1", author_id=ANN)], on=1)
    parts = [("idea_coauthors", f'["2","{ANN}"]', "2"), ("user_answers", f'["{ANN}","q"]', ANN)]
    parts += [("idea_attachments", '["1","Ann Lee.pdf"]', "1"), ("idea_attachments", '["2","plan.pdf"]', "2")]
    with warehouse.engine.begin() as connection:
        at = {"community": COMMUNITY, "run_id": "r", "noticed_at": AT}
        rows = [{**at, "stream": name, "id": id_, "scope": scope} for name, id_, scope in parts]
        connection.execute(sa.insert(ABSENCES), rows)
    assert erase(warehouse, tmp_path, texts=True)["_absences"] == 2
    assert {(row["stream"], row["id"], row["scope"]) for row in held(warehouse, ABSENCES)} == {
        ("idea_coauthors", f'["2","{ANONYMOUS}"]', "2"),
        ("user_answers", f'["{ANONYMOUS}","q"]', ANONYMOUS),
        ("idea_attachments", '["2","plan.pdf"]', "2"),
    }


def test_a_second_time_changes_nothing(warehouse, tmp_path):
    load(warehouse, "ideas", [idea("1", author_id=ANN), idea("2", author_id="person-1")], on=1)
    assert erase(warehouse, tmp_path) == {"ideas": 1}
    assert erase(warehouse, tmp_path) == {}


def test_whoever_was_banned_stays_out_of_the_marts_when_erased(warehouse, tmp_path):
    load(warehouse, "users", [{"id": ANN, "_scope": "", "display_name": "Ann Lee", "status": "banned"}], on=1)
    load(warehouse, "ideas", [idea("1", author_id=ANN), idea("2", author_id="person-1")], on=1)
    for _ in range(2):
        assert call_writing(warehouse, build_marts, "UTC")["mart_idea_lifecycle"] == 1
        erase(warehouse, tmp_path)
    assert (only(warehouse, "users")["id"], only(warehouse, "users")["status"]) == (ANONYMOUS, "banned")


def test_no_mart_names_the_person_until_it_is_built_again(warehouse, tmp_path):
    load(warehouse, "ideas", [idea("1", author_id=ANN), idea("2", author_id="person-1")], on=1)
    call_writing(warehouse, build_marts, "UTC")
    contributors = MARTS["mart_contributors"].table
    assert {row["user_id"] for row in held(warehouse, contributors)} == {ANN, "person-1"}
    assert erase(warehouse, tmp_path) == {"ideas": 1, "mart_contributors": 1}
    assert {row["user_id"] for row in held(warehouse, contributors)} == {"person-1"}


def test_names_of_unmapped_fields_that_name_the_person_are_deleted_and_counted(warehouse, tmp_path):
    with warehouse.engine.begin() as connection:
        for field in ("_extra.Ann Lee", f"_extra.{ANN}", "_extra.mood", "title"):
            row = {"community": COMMUNITY, "table_name": "ideas", "run_id": "r", "field": field, "is_mapped": False}
            seen = {"records": 1, "of_records": 1, "first_seen_at": AT, "last_seen_at": AT}
            connection.execute(sa.insert(FIELDS).values(**row, **seen))
    assert erase(warehouse, tmp_path) == {"_fields": 2}
    assert {row["field"] for row in held(warehouse, FIELDS)} == {"_extra.mood", "title"}


def test_what_is_overwritten_is_gone_from_the_pages_of_sqlite(sqlite_url, tmp_path):
    people = list_in(tmp_path, community=COMMUNITY)
    people.add(ANN, {KEY.word(word) for word in WORDS})
    contract = contract_with({})
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        load(warehouse, "users", [{"id": ANN, "_scope": "", "display_name": "Ann Lee " * 9}], on=1, scopes=[read("")])
        with writing(warehouse.engine) as connection:
            connection.exec_driver_sql("PRAGMA secure_delete = OFF")  # some systems have it on by default
            erase_rows(Transaction(connection, COMMUNITY), contract, redactor(people, contract), AT)
        with warehouse.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"Ann Lee" not in Path(str(warehouse.engine.url.database)).read_bytes()
