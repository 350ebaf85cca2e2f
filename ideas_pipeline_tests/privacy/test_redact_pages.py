from __future__ import annotations

from typing import Any

import orjson
import pytest

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.privacy.redact_pages import ArchivedPages
from ideas_pipeline_tests.archive.pages import page
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.privacy.people import KEY, erased, redactor, surrogate
from ideas_pipeline_tests.privacy.test_erase_rows import people_one_by_one

ANN = "person-4711"


@pytest.fixture
def cleaned(tmp_path):
    """A function (stream, page as the API sends it) -> the same without Ann."""

    def clean(stream: str, document: Any, contract: Contract | None = None, *, texts: bool = False) -> Any:
        contract = contract or contract_with({})
        people = erased(tmp_path, ANN, "Ann Lee", "ann@people.example", texts=texts)
        pages = ArchivedPages(contract, redactor(people, contract))
        kept = pages.page(page(orjson.dumps(document), stream=stream, scope="5"))
        return None if kept is None else orjson.loads(kept.body)

    return clean


def test_a_persons_record_keeps_what_counts_need(cleaned):
    ann = {"id": ANN, "name": "Ann Lee", "email": "ann@people.example", "idea_count": 3, "answers": {"q": "Blue"}}
    bob = {"id": "person-1", "name": "Bob", "email": "bob@people.example"}
    found = cleaned("users", {"data": [ann, bob], "total": 2})
    assert found == {"data": [{"id": surrogate(ANN), "idea_count": 3}, bob], "total": 2}


def test_a_person_in_a_mapped_field_becomes_the_surrogate_and_copies_are_removed(cleaned):
    idea = {"id": "5", "author": {"id": ANN, "name": "Ann L.", "avatar": "https://x"}, "title": "Trees"}
    idea |= {"coauthors": [{"id": ANN, "is_lead": True, "name": "Ann"}, {"id": "person-1"}], "last_name": "Ann Lee"}
    found = cleaned("ideas", {"data": [idea]})
    assert found == {
        "data": [
            {
                "id": "5",
                "author": {"id": surrogate(ANN)},
                "title": "Trees",
                "coauthors": [{"id": surrogate(ANN), "is_lead": True}, {"id": "person-1"}],
            }
        ]
    }


def test_plain_lists_and_maps_by_id_are_found(cleaned):
    found = cleaned(
        "ideas",
        [{"id": "5", "coauthors": [ANN, "person-1"]}],
        contract_with({"streams": {"ideas": {"records": ["@body"]}}}),
    )
    assert found == [{"id": "5", "coauthors": [surrogate(ANN), "person-1"]}]
    found = cleaned("users", {"data": {ANN: {"id": ANN, "name": "Ann Lee"}, "person-1": {"id": "person-1"}}})
    assert found == {"data": {surrogate(ANN): {"id": surrogate(ANN)}, "person-1": {"id": "person-1"}}}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda people: {"data": people, "total": 2},
        lambda people: {"nodes": people},
        lambda people: {"edges": [{"node": each} for each in people], "pageInfo": {"hasNextPage": False}},
    ],
    ids=["data", "nodes", "edges"],
)
def test_a_person_in_an_envelope_becomes_the_surrogate(cleaned, wrap):
    ideas = {"data": [{"id": "5", "coauthors": wrap([{"id": ANN, "name": "Ann"}, {"id": "person-1"}])}]}
    assert cleaned("ideas", ideas) == {
        "data": [{"id": "5", "coauthors": wrap([{"id": surrogate(ANN)}, {"id": "person-1"}])}]
    }
    answers = {"data": [{"id": "5", "author": {"id": ANN}, "answers": wrap([{"question_id": "1", "value": "Yes"}])}]}
    (idea,) = cleaned("ideas", answers, texts=True)["data"]
    assert idea["answers"] == [{"question_id": "1", "value": None}]


def test_a_person_who_is_named_by_a_bare_id_becomes_the_surrogate(cleaned):
    found = cleaned("ideas", {"data": [{"id": "5", "author": ANN}, {"id": "6", "author": "person-1"}]})
    assert found == {"data": [{"id": "5", "author": surrogate(ANN)}, {"id": "6", "author": "person-1"}]}


def test_texts_are_removed_if_that_was_asked_for(cleaned):
    comment = {"id": "9", "author_id": ANN, "body": "Yes"}
    assert cleaned("comments", {"data": [comment]})["data"][0]["body"] == "Yes"
    assert cleaned("comments", {"data": [comment]}, texts=True)["data"][0]["body"] is None


def test_a_list_that_is_a_persons_own_is_dropped(cleaned, tmp_path):
    contract = people_one_by_one()
    pages = ArchivedPages(contract, redactor(erased(tmp_path, ANN), contract))
    assert pages.page(page(b'{"data": {}}', stream="users", scope=ANN)) is None


def test_a_page_in_which_nothing_changes_is_the_very_same(tmp_path):
    pages = ArchivedPages(contract_with({}), redactor(erased(tmp_path, ANN, "Ann Lee")))
    body = b'{"data" : [{"id": 12345678, "title":"T\\u00e9", "user_id": "1", "value": 1.0}], "total":1}'
    for received in (page(body, stream="votes", scope="5"), page(b"", stream="votes", scope="5")):
        assert pages.page(received) is received


def test_a_page_that_nobody_can_read_is_dropped(tmp_path):
    pages = ArchivedPages(contract_with({}), redactor(erased(tmp_path, ANN)))
    assert pages.page(page(b"<html>Ann Lee</html>", stream="votes", scope="5")) is None


def test_a_page_that_is_a_single_text_is_dropped_if_it_names_the_person(tmp_path):
    pages = ArchivedPages(contract_with({}), redactor(erased(tmp_path, ANN, "Ann Lee")))
    assert pages.page(page(b'"Ann Lee"')) is None
    other = page(b'"Ann Leeds"')
    assert pages.page(other) is other


@pytest.mark.parametrize(
    ("status", "kept"), [("banned", {"status": "banned"}), ("Banned", {"status": "Banned"}), ("active", {})]
)
def test_that_a_person_is_banned_is_kept_as_counts_leave_out_what_the_banned_did(cleaned, status, kept):
    found = cleaned("users", {"data": [{"id": ANN, "name": "Ann Lee", "status": status}]})
    assert found == {"data": [{"id": surrogate(ANN)} | kept]}


def test_a_short_id_is_found_where_the_contract_says_that_it_is_a_persons(tmp_path):
    """Elsewhere a short number could be anything."""
    contract = contract_with({})
    pages = ArchivedPages(contract, redactor(erased(tmp_path, "42"), contract))
    people = {"data": {"42": {"id": "42", "name": "Ann Lee"}, "43": {"id": "43"}}, "42": 1}
    kept = pages.page(page(orjson.dumps(people), stream="users"))
    who = surrogate("42")
    assert kept
    assert orjson.loads(kept.body) == {"data": {who: {"id": who}, "43": {"id": "43"}}, "42": 1}


@pytest.mark.parametrize("one", [True, False], ids=["the only one", "a list"])
def test_embedded_texts_are_removed_and_their_places_stay(cleaned, one):
    answer = {"question_id": "1", "value": "Yes", "seen": 3, "note": "Yes!"}
    idea = {"id": "5", "author": {"id": ANN}, "answers": answer if one else [answer]}
    (kept,) = cleaned("ideas", {"data": [idea]}, texts=True)["data"]
    assert kept["answers"] == [{"question_id": "1", "value": None, "seen": 3}]


def test_answers_by_question_lose_their_words_alone(cleaned):
    idea = {"id": "5", "author": {"id": ANN}, "answers": {"q1": "Yes", "q2": 4, "q3": None}}
    (kept,) = cleaned("ideas", {"data": [idea]}, texts=True)["data"]
    assert kept["answers"] == {"q1": "", "q2": 4, "q3": None}


def test_an_id_that_is_the_name_of_a_file_becomes_its_hash(cleaned):
    files = [{"id": "Ann.pdf", "filename": "Ann.pdf"}, {"id": "7", "filename": "plan.pdf"}]
    idea = {"id": "5", "author": {"id": ANN}, "attachments": files}
    contract = contract_with(
        {"streams": {"ideas": {"embedded": {"idea_attachments": {"fields": {"attachment_id": "id"}}}}}}
    )
    (kept,) = cleaned("ideas", {"data": [idea]}, contract, texts=True)["data"]
    assert [(file["id"], file["filename"]) for file in kept["attachments"]] == [
        (KEY.word("Ann.pdf"), None),
        ("7", None),
    ]


def test_a_map_on_the_way_to_the_records_is_no_copy_of_a_person(cleaned):
    contract = contract_with({"streams": {"ideas": {"records": ["result.items"]}}})
    found = cleaned("ideas", {"result": {"items": [{"id": "5", "title": "Trees"}], "by": "Ann Lee"}}, contract)
    assert found == {"result": {"items": [{"id": "5", "title": "Trees"}]}}
