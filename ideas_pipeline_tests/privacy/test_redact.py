from __future__ import annotations

import json

import pytest

from ideas_pipeline.privacy.account_changes import words_of
from ideas_pipeline.privacy.redact import id_text
from ideas_pipeline_tests.privacy.people import KEY, erased, list_in, record, redactor, surrogate

ANN = "person-4711"
LEFT = {"other": "https://c.example/users/person-1"}
SENT = {"sent": ["Bob <bob@x.example>"]}


@pytest.fixture
def rows(tmp_path):
    return redactor(erased(tmp_path, ANN, "Ann Lee", "ann@people.example"))


@pytest.fixture
def short(tmp_path):
    return redactor(erased(tmp_path, "42", "Ann Lee"))


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), (42, "42"), (42.0, "42"), (1.5, None), (True, None), (None, None), ({"id": 1}, None), ([1], None)],
)
def test_an_id_is_a_text_or_a_whole_number(value, text):
    assert id_text(value) == text


def test_a_persons_own_row_keeps_what_counts_need_and_nothing_else(rows):
    user = record({"bio": "x"}, id=ANN, display_name="Ann Lee", idea_count=3, points=7, role="user", status="active")
    user.embedded["user_answers"] = [record(user_id=ANN, question_id="q", label="Team?", value="Blue")]
    rows.record("users", user)
    stated = {name: value for name, value in user.columns.items() if value is not None}
    assert stated == {"id": surrogate(ANN), "idea_count": 3, "status": "erased"}
    assert {"display_name", "email", "points", "url"} <= user.columns.keys(), "none is stated, or old values would stay"
    assert user.extra == {}
    (answer,) = user.embedded["user_answers"]
    assert (answer.columns["user_id"], answer.columns["value"]) == (surrogate(ANN), None)


def test_what_a_person_wrote_stays_under_the_surrogate(rows):
    idea = record(id="5", author_id=ANN, title="Trees", body="More of them")
    rows.record("ideas", idea)
    assert idea.columns == {"id": "5", "author_id": surrogate(ANN), "title": "Trees", "body": "More of them"}


def test_what_a_person_wrote_is_removed_if_that_was_asked_for(tmp_path):
    rows = redactor(erased(tmp_path, ANN, texts=True))
    idea = record(id="5", author_id=ANN, title="Trees", vote_count=2)
    idea.embedded["idea_answers"] = [record(idea_id="5", question_id="q", value="Because")]
    rows.record("ideas", idea)
    assert (idea.columns["title"], idea.columns["vote_count"]) == (None, 2)
    assert idea.embedded["idea_answers"][0].columns["value"] is None


def test_a_composite_id_that_contains_a_persons_is_replaced_with_all_that_refers_to_it(short):
    made = json.dumps(["42", "42", None], separators=(",", ":"))
    vote = record(id=made, idea_id="42", user_id="42")
    vote.embedded["vote_ratings"] = [record(vote_id=made, criterion_id="1")]
    short.record("votes", vote)
    new = json.dumps(["42", surrogate("42"), None], separators=(",", ":"))
    assert (vote.columns["id"], vote.columns["idea_id"]) == (new, "42")
    assert vote.embedded["vote_ratings"][0].columns["vote_id"] == new


def test_everybody_else_is_left_alone(rows):
    extra = {"karma": 4711, "last": {"id": "person-1", "name": "Bob"}, "tags": ["a", None], "flag": True}
    vote = record(dict(extra), id="1", idea_id="5", user_id="person-1")
    rows.record("votes", vote)
    assert vote.columns == {"id": "1", "idea_id": "5", "user_id": "person-1"}
    assert vote.extra == extra


@pytest.mark.parametrize(
    ("extra", "left"),
    [
        ({"last": {"id": ANN, "name": "Ann L.", "age": 40}}, {"last": {"id": surrogate(ANN)}}),
        ({"last": {"name": "ann lee", "age": 40}, "karma": 1}, {"karma": 1}),
        ({"shown_name": "Ann Lee", "karma": 1}, {"karma": 1}),
        ({"sent": ["ann@people.example", "bob"]}, {"sent": ["bob"]}),
        ({"seen": {ANN: {"times": 2}}}, {"seen": {surrogate(ANN): {"times": 2}}}),
        ({"deep": [[{"who": {"uid": ANN, "city": "Rome"}}]]}, {"deep": [[{"who": {"uid": surrogate(ANN)}}]]}),
        ({ANN: 1}, {surrogate(ANN): 1}),
        (
            {"link": f"https://c.example/users/{ANN}/badge.png?size=2", "other": "https://c.example/users/person-1"},
            LEFT,
        ),
        ({"link": f"https://c.example/?user={ANN}#top", "other": "https://c.example/users/person-1"}, LEFT),
        ({"link": f"gid://ideas/User/{ANN}", "other": "https://c.example/users/person-1"}, LEFT),
        ({"mention": f"@{ANN}", "mentions": ["@Ann Lee", "@Bob"]}, {"mentions": ["@Bob"]}),
        ({"contact": "mailto:ann@people.example", "sent": ["Ann <ann@people.example>", "Bob <bob@x.example>"]}, SENT),
        (
            {"raw": f'{{"by":"{ANN}"}}', "text": f"about {ANN}, as somebody wrote"},
            {"text": f"about {ANN}, as somebody wrote"},
        ),
    ],
)
def test_copies_of_a_person_in_fields_that_nobody_maps_are_found(rows, extra, left):
    idea = record(extra, id="5", author_id="person-1")
    rows.record("ideas", idea)
    assert idea.extra == left


def test_beside_an_erased_persons_id_fields_about_the_person_go_though_they_say_another_name(rows):
    vote = record({"user_name": "A. Lee", "avatar": "https://x", "client": "web"}, id="1", user_id=ANN)
    rows.record("votes", vote)
    assert vote.extra == {"client": "web"}
    other = record({"user_name": "Bob", "avatar": "https://x"}, id="2", user_id="person-1")
    rows.record("votes", other)
    assert other.extra == {"user_name": "Bob", "avatar": "https://x"}


@pytest.mark.parametrize("copy", ["Zoe\u0308 Lee", "Zo&euml; Lee", "zo\u00eb\u00a0lee"])
def test_a_name_is_found_however_its_letters_are_written(tmp_path, copy):
    for listed in ("Zo\u00eb Lee", copy):
        people = list_in(tmp_path)
        people.add(ANN, words_of(KEY, [listed]))
        idea = record({"shown_name": copy, "karma": 1}, id="5")
        redactor(people).record("ideas", idea)
        assert idea.extra == {"karma": 1}


def test_an_id_that_is_a_number_is_found_as_a_number_and_in_links_to_people(tmp_path):
    rows = redactor(erased(tmp_path, "4711234"))
    links = {"of_ann": "https://c.example/users/4711234", "of_an_idea": "https://c.example/ideas/4711234"}
    found = rows.json({"last_author": {"id": 4711234.0}, **links})
    assert found == {"last_author": {"id": surrogate("4711234")}, "of_an_idea": links["of_an_idea"]}


@pytest.mark.parametrize(
    ("extra", "left"),
    [
        ({"category": {"id": 42, "name": "Transport"}, "views": 42}, None),
        ({"author_count": 42, "stage": {"id": "42"}}, None),
        ({"last_author": {"id": 42, "name": "A."}}, {"last_author": {"id": surrogate("42")}}),
        ({"assignee_id": 42, "created_by": "42"}, {"assignee_id": surrogate("42"), "created_by": surrogate("42")}),
        ({"approver_id": 42, "judges": [42]}, {"approver_id": surrogate("42"), "judges": [surrogate("42")]}),
        ({"editor": {"id": 42}, "uploader": 42}, {"editor": {"id": surrogate("42")}, "uploader": surrogate("42")}),
        ({"userid": 42, "host_ids": ["42"]}, {"userid": surrogate("42"), "host_ids": [surrogate("42")]}),
        ({"editorName": 42, "user_count": 42, "paid": 42, "id": 42, "ids": [42]}, None),
        ({"viewers": 42, "followers": "42", "host_staff": 42}, None),
        ({"participants": [41, 42]}, {"participants": [41, surrogate("42")]}),
        ({"followers": {"42": {"since": 1}, "41": {}}}, {"followers": {surrogate("42"): {"since": 1}, "41": {}}}),
    ],
)
def test_a_short_id_means_a_person_only_if_its_name_says_so(short, extra, left):
    assert short.json(extra) == (left or extra)


def test_a_text_that_is_equal_to_an_id_by_chance_goes_and_the_id_stays(tmp_path):
    rows = redactor(erased(tmp_path, ANN, texts=True))
    idea = record(id="5", author_id=ANN, title="5")
    idea.embedded["idea_answers"] = [record(idea_id="5", question_id="3", value=value) for value in ("5", "3")]
    rows.record("ideas", idea)
    assert (idea.columns["id"], idea.columns["title"]) == ("5", None)
    stated = [answer.columns for answer in idea.embedded["idea_answers"]]
    assert stated == [{"idea_id": "5", "question_id": "3", "value": None}] * 2
