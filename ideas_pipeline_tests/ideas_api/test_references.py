"""How APIs name other rows in a record: by an id, by a link to the row, or by an id that is written another way."""

from __future__ import annotations

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.ideas_api.field_map import field_map
from ideas_pipeline.ideas_api.references import REFERS, KnownRows, own_id, words_for
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline_tests.end_to_end.pipeline import contract_with

CONTRACT = load_contract(None)
PEOPLE = words_for(CONTRACT, "users")


def test_the_columns_that_name_rows_are_those_of_the_tables() -> None:
    named = {
        c.name: c.info["parent"] or c.info["references"]
        for name, table in TABLES.items()
        if name in CONTRACT.streams or name == "idea_coauthors"
        for c in table.columns
        if c.info["parent"] or c.info["references"]
    }
    assert named.items() <= REFERS.items()


@pytest.mark.parametrize(
    "link",
    [
        "/v2/users/8",
        "/api/users/8/",
        "https://ideas.example/v2/users/8",
        "users/8",
        "https://ideas.example/people#/member/8",
        "gid://app/User/8",
        "users:8",
        "urn:account:8",
        "https://ideas.example/odata/Users(8)",
        "Users('8')",
        " 8 ",
    ],
)
def test_a_link_to_a_person_is_read_as_the_id(link: str) -> None:
    assert own_id(link, PEOPLE) == "8"


@pytest.mark.parametrize(
    "text",
    ["8", "/v2/groups/8", "groups:8", "users", "/users/", "2026/8", "a:b", "/v2/users/8?page=2", "/v2/users/8/ideas"],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert own_id(text, PEOPLE) == text


def test_the_path_of_the_stream_says_what_the_api_calls_its_rows() -> None:
    contract = contract_with({"streams": {"users": {"path": "v1/contributors"}}})
    assert own_id("/v1/contributors/8", words_for(contract, "users")) == "8"


def test_a_link_is_kept_if_the_ids_themselves_are_links() -> None:
    record = {"id": 1, "author": "/v2/users/8"}
    for known, author in (
        (KnownRows(plain=["users"]), "8"),
        (KnownRows(), "/v2/users/8"),
    ):
        assert field_map(CONTRACT, "ideas")(record, None, 0, "7", known).columns["author_id"] == author


def test_of_its_own_table_a_record_itself_shows_what_ids_look_like() -> None:
    for id_, parent in (("2", "1"), ("/comments/2", "/comments/1")):
        record = {"id": id_, "parent_id": "/comments/1"}
        assert field_map(CONTRACT, "comments")(record, None, 0, "7").columns["parent_comment_id"] == parent


def test_the_id_of_a_vote_is_made_of_ids_and_not_of_links() -> None:
    vote = field_map(CONTRACT, "votes")({"user": "/v2/users/8", "value": 1}, None, 0, "7", KnownRows(plain=["users"]))
    assert vote.columns["id"] == '["7","8",null]'


@pytest.mark.parametrize("named", ["/v2/ideas/AB7", "ab7", " AB7 ", "00AB7", "/ideas/ab7"])
def test_a_parent_is_known_by_other_spellings_of_its_id(named: str) -> None:
    record = {"id": 1, "idea_id": named}
    mapped = field_map(CONTRACT, "comments")(record, None, 0, "9", KnownRows({"AB7", "9"}))
    assert (mapped.columns["idea_id"], mapped.named) == ("AB7", "AB7")


def test_ids_that_differ_in_nothing_but_case_are_told_apart() -> None:
    known = KnownRows({"AB7", "ab7", "9"})
    for named, home in (("AB7", "AB7"), ("ab7", "ab7"), ("Ab7", "9")):
        assert (
            field_map(CONTRACT, "comments")({"id": 1, "idea_id": named}, None, 0, "9", known).columns["idea_id"] == home
        )
