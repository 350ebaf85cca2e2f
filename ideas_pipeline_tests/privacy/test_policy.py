from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import PrivacyError
from ideas_pipeline.privacy.key import Key
from ideas_pipeline.privacy.policy import apply
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.privacy.unmapped import Cleaner, Place
from ideas_pipeline.setting_types import Policy
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.privacy.people import KEY, record
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held, idea, load, night

ANN = {"id": "ann", "_scope": "", "display_name": "Ann Lee", "avatar_url": "https://x/ann.png", "points": 3}
FILE = {"idea_id": "1", "attachment_id": "Ann.pdf", "filename": "Ann.pdf", "kind": "file", "_scope": "c1"}


def test_by_default_an_address_is_dropped_and_everything_else_is_kept():
    user = record(id="1", display_name="Ann", email="ann@people.example", last_seen_at="2026-01-01")
    apply(Cleaner(Policy(), KEY), "users", [user])
    assert user.columns == {"id": "1", "display_name": "Ann", "email": None, "last_seen_at": "2026-01-01"}


def test_a_hash_is_the_same_for_the_same_address_however_it_is_written():
    users = [record(id=str(n), email=email) for n, email in enumerate(["Ann@People.example ", "ann@people.example"])]
    apply(Cleaner(Policy(email="hash"), KEY), "users", users)
    first, second = (user.columns["email"] for user in users)
    assert first == second
    assert len(first) == 32
    assert set(first) <= set("0123456789abcdef")


def test_another_key_gives_another_hash():
    assert Key("one key of somebody", None).word("ann") != Key("one key of another", None).word("ann")


def test_what_is_not_a_text_cannot_be_hashed_and_is_dropped():
    user = record(id="1", last_seen_at="2026-01-01", url="https://c.example/ann")
    apply(Cleaner(Policy(profile="hash"), KEY), "users", [user])
    assert user.columns["last_seen_at"] is None
    assert user.columns["url"] == KEY.word("https://c.example/ann")


@pytest.mark.parametrize("choice", ["drop", "hash"])
def test_unmapped_fields_of_people_are_a_profile(choice):
    user, idea = record({"bio": "I live in Rome"}, id="1"), record({"karma": 3}, id="5", title="T")
    apply(Cleaner(Policy(profile=choice), KEY), "users", [user])
    apply(Cleaner(Policy(profile=choice), KEY), "ideas", [idea])
    assert user.extra == {}
    assert idea.extra == {"karma": 3}


def test_a_dropped_text_does_not_stay_behind_as_an_id_that_was_made_of_it():
    file = record(idea_id="5", attachment_id="letter of Ann.pdf", filename="letter of Ann.pdf")
    apply(Cleaner(Policy(free_text="drop"), KEY), "idea_attachments", [file])
    assert file.columns == {"idea_id": "5", "attachment_id": KEY.word("letter of Ann.pdf"), "filename": None}


@pytest.mark.parametrize(
    ("policy", "fields", "left"),
    [
        (Policy(name="drop"), {"address": {"name": "Anna", "city": "Rome"}}, {"address": {"city": "Rome"}}),
        (Policy(name="drop"), {"phones": [{"label": "Anna", "cell": "12"}, "34"]}, {"phones": [{"cell": "12"}, "34"]}),
        (Policy(name="drop"), {"addresses": ["Rome", {"name": "Anna", "zip": 1}]}, {"addresses": ["Rome", {"zip": 1}]}),
        (Policy(name="drop"), {"comment": {"text": "Hi", "name": "Anna"}}, {"comment": {"text": "Hi"}}),
        (Policy(profile="drop"), {"name": {"first": "Anna", "last": "Lee"}}, None),
        (Policy("keep", profile="drop"), {"email": {"value": "ann@people.example", "kind": "work"}}, None),
        (
            Policy(profile="drop"),
            {"comment": {"display_name": "Anna", "team": "A"}},
            {"comment": {"display_name": "Anna"}},
        ),
    ],
    ids=["map", "list", "list of texts", "text", "name", "email", "another person"],
)
def test_in_a_field_of_a_kept_class_a_person_is_still_the_person(policy, fields, left):
    kept = Cleaner(policy, KEY).fields({"author": {"id": 7, **fields}}, Place())
    assert kept == {"author": {"id": 7, **(left or fields)}}


def test_a_persons_id_is_always_kept():
    vote = record(id="1", user_id="7", value=1)
    apply(Cleaner(Policy("drop", "drop", "drop", "drop"), KEY), "votes", [vote])
    assert vote.columns == {"id": "1", "user_id": "7", "value": 1}


def test_hashing_without_a_key_is_an_error():
    with pytest.raises(PrivacyError, match="IDEAS_PII_KEY"):
        apply(Cleaner(Policy(email="hash"), Key(None, None)), "users", [record(id="1", email="a@b.example")])


@pytest.mark.parametrize("choice", ["drop", "hash"])
def test_what_is_equal_to_an_id_by_chance_leaves_the_id_alone(choice):
    policy = Policy(choice, choice, choice, choice)
    user, idea = record(id="ann", display_name="ann", email="ann"), record(id="5", title="5")
    answer, of_form = record(user_id="1", question_id="3", value="3"), record(idea_id="5", question_id="3", value="5")
    for table, row in (("users", user), ("user_answers", answer), ("ideas", idea), ("idea_answers", of_form)):
        apply(Cleaner(policy, KEY), table, [row])
    assert (user.columns["id"], idea.columns["id"]) == ("ann", "5")
    assert (answer.columns["user_id"], answer.columns["question_id"]) == ("1", "3")
    assert (of_form.columns["idea_id"], of_form.columns["question_id"]) == ("5", "3")


@pytest.mark.parametrize("choice", ["drop", "hash"])
def test_a_text_that_is_not_kept_is_not_kept_in_unmapped_fields_either(choice):
    idea, vote = (
        record({"body_html": "<p>by Ann</p>", "karma": 3}, id="5", body="by Ann"),
        record({"client": "web"}, id="1"),
    )
    answer = record({"shown": {"text": "by Ann"}, "required": True}, idea_id="5", question_id="3", value="by Ann")
    for table, row in (("ideas", idea), ("votes", vote), ("idea_answers", answer)):
        apply(Cleaner(Policy(free_text=choice), KEY), table, [row])
    assert idea.extra == {"karma": 3}
    assert vote.extra == {"client": "web"}
    assert answer.extra == {"required": True}


def test_an_answer_that_is_stored_as_json_loses_what_is_personal_in_it_and_keeps_the_rest():
    answer = '["ann@people.example","Berlin"]'
    row = record(
        {"shown_as": answer, "x": '{"a":"ann@people.example","n":3}'}, idea_id="5", question_id="3", value=answer
    )
    apply(Cleaner(Policy(), KEY), "idea_answers", [row])
    assert row.columns["value"] == '["Berlin"]'
    assert row.extra == {"shown_as": '["Berlin"]', "x": '{"n":3}'}
    for other in ('["ann@people.example', '{"a":"ann@people.example","a":3}'):
        assert Cleaner(Policy(), KEY).column(other) is None, "an address by its shape, whatever else it may be"


@pytest.fixture
def stored(warehouse: Warehouse) -> Warehouse:
    """A person, an idea and a file that are stored as they came, and are gone since."""
    load(warehouse, "users", [ANN], on=1)
    idea_and_file: dict[str, Any] = {"embedded": {"idea_attachments": [FILE]}, "stated": {"idea_attachments": ["1"]}}
    load(warehouse, "ideas", [idea("1", title="By Ann")], on=1, **idea_and_file)
    with warehouse.engine.begin() as connection:
        for table in ("users", "ideas", "idea_attachments"):
            connection.execute(sa.update(TABLES[table]).values(_deleted_at=datetime(2026, 2, 1, tzinfo=UTC)))
    return warehouse


def begin(warehouse: Warehouse, folder: Path, policy: Policy) -> None:
    key = "a key for tests alone"
    Privacy(contract_with({}), COMMUNITY, policy, folder=folder, key=key).begin(warehouse)


def test_what_a_policy_drops_goes_from_rows_that_nobody_reads_any_more(stored, tmp_path):
    begin(stored, tmp_path, Policy("drop", "drop", "drop", "drop"))
    (user,), (posted,), (file,) = (held(stored, table) for table in ("users", "ideas", "idea_attachments"))
    assert (user["id"], user["display_name"], user["avatar_url"], user["points"]) == ("ann", None, None, 3)
    assert (posted["id"], posted["title"]) == ("1", None)
    assert (file["attachment_id"], file["filename"], file["kind"]) == (KEY.word("Ann.pdf"), None, "file")


@pytest.mark.parametrize("together", [2_000, 1], ids=["in one statement", "one after the other"])
def test_two_texts_that_have_one_hash_become_one_row(warehouse, tmp_path, monkeypatch, together):
    monkeypatch.setattr("ideas_pipeline.privacy.stored_policy.ROWS_AT_ONCE", together)
    tags = [{"idea_id": "1", "tag": tag, "_scope": "c1"} for tag in ("Anna@x.example", "anna@x.example", "trees")]
    files = [FILE | {"attachment_id": name, "filename": name} for name in ("Photo.jpg", "photo.jpg")]
    embedded = {"idea_tags": tags, "idea_attachments": files}
    load(warehouse, "ideas", [idea("1")], on=1, embedded=embedded, stated={name: ["1"] for name in embedded})
    begin(warehouse, tmp_path, Policy())
    assert {row["tag"] for row in held(warehouse, "idea_tags")} == {KEY.word("anna@x.example"), "trees"}
    assert len(held(warehouse, "idea_attachments")) == 2
    begin(warehouse, tmp_path, Policy(free_text="hash"))
    assert [row["attachment_id"] for row in held(warehouse, "idea_attachments")] == [KEY.word("photo.jpg")]


@pytest.mark.parametrize("ends", [(None, 3), (3, None), (3, 5), (5, 3)])
def test_two_past_values_that_have_one_hash_become_one_which_lasts_as_long_as_the_longer(warehouse, tmp_path, ends):
    days = [None if day is None else datetime(2026, 1, day, tzinfo=UTC) for day in ends]
    interval = {"community": COMMUNITY, "idea_id": "1", "attribute": "label", "observed_from": night(1)}
    with warehouse.engine.begin() as connection:
        for value, observed_to in zip(("Anna@x.example", "anna@x.example"), days, strict=True):
            connection.execute(
                sa.insert(IDEA_HISTORY).values(
                    **interval, value=value, observed_to=observed_to, is_left_censored=False, _run_id="r"
                )
            )
    begin(warehouse, tmp_path, Policy())
    (row,) = held(warehouse, IDEA_HISTORY)
    assert row["value"] == KEY.word("anna@x.example")
    assert row["observed_to"] == (None if None in days else max(filter(None, days)))


def test_what_a_policy_hashes_is_hashed_once_in_rows_that_nobody_reads_any_more(stored, tmp_path):
    for _ in range(2):
        begin(stored, tmp_path, Policy(name="hash", free_text="hash"))
    (user,), (posted,), (file,) = (held(stored, table) for table in ("users", "ideas", "idea_attachments"))
    assert (user["display_name"], user["avatar_url"]) == (KEY.word("Ann Lee"), "https://x/ann.png")
    assert posted["title"] == KEY.word("By Ann")
    assert file["attachment_id"] == file["filename"] == KEY.word("Ann.pdf")


def test_a_name_in_a_column_without_a_class_is_removed_from_stored_rows(warehouse, tmp_path):
    load(warehouse, "ideas", [idea("1", status='{"changed_by":{"id":3,"name":"Anna Lee"},"key":"open"}')], on=1)
    begin(warehouse, tmp_path, Policy(name="drop"))
    assert [row["status"] for row in held(warehouse, "ideas")] == ['{"changed_by":{"id":3},"key":"open"}']


def test_another_communitys_rows_follow_its_own_policy(stored, tmp_path):
    with stored.engine.begin() as connection:
        connection.execute(sa.update(TABLES["users"]).values(community="other"))
    begin(stored, tmp_path, Policy(name="drop"))
    assert [row["display_name"] for row in held(stored, "users")] == ["Ann Lee"]


def test_what_was_dropped_and_is_to_be_kept_again_comes_back_when_it_is_read(stored, tmp_path):
    begin(stored, tmp_path, Policy(name="drop"))
    with stored.engine.begin() as connection:
        connection.execute(sa.update(TABLES["users"]).values(_deleted_at=None))
    begin(stored, tmp_path, Policy(name="keep"))
    load(stored, "users", [ANN], on=2)
    assert [row["display_name"] for row in held(stored, "users")] == ["Ann Lee"]
