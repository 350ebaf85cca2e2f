"""What a contract can express, and what its models refuse."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from pydantic import ValidationError

from ideas_pipeline.contract.load import DEFAULT_FILE
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.yaml_file import read

DEFAULT: dict[str, Any] = read(DEFAULT_FILE).data


def contract(**ideas: Any) -> Contract:
    data = copy.deepcopy(DEFAULT)
    data["streams"]["ideas"] |= ideas
    return Contract.model_validate(data)


def test_a_field_is_a_path_a_list_of_paths_or_a_map_with_values_that_mean_none():
    fields = (
        contract(
            fields={
                "id": "id",
                "title": ["title", "name"],
                "created_at": {"paths": "at", "none": [0], "epoch": "milliseconds"},
            }
        )
        .streams["ideas"]
        .fields
    )
    assert fields["id"].paths == ("id",)
    assert fields["title"].paths == ("title", "name")
    assert (fields["created_at"].paths, fields["created_at"].none, fields["created_at"].epoch) == (
        ("at",),
        (0,),
        "milliseconds",
    )


@pytest.mark.parametrize(
    "paging",
    [
        {"style": "none"},
        {"style": "page", "first": 0, "total": {"header": "X-Total-Count"}},
        {"style": "offset", "size_parameter": "limit", "size": 50},
        {"style": "cursor", "cursor": ["meta.next", "next"]},
        {"style": "next_link"},
        {"style": "next_link", "next": "links.next"},
    ],
)
def test_every_paging_style_can_be_written(paging):
    assert contract(paging=paging).streams["ideas"].paging.style == paging["style"]


def test_paging_can_travel_in_the_path():
    stream = contract(path="challenges/{challenge_id}/ideas/{page}/{size}").streams["ideas"]
    assert stream.path.format(challenge_id=7, page=1, size=50) == "challenges/7/ideas/1/50"


def test_streams_are_read_after_those_that_give_them_their_ids():
    data = copy.deepcopy(DEFAULT)
    data["streams"]["users"] |= {
        "path": "users/{user_id}",
        "reads": "one",
        "each": {"of": ["ideas.author_id", "comments.author_id", "idea_coauthors.user_id"], "placeholder": "user_id"},
        "paging": {"style": "none"},
    }
    built = Contract.model_validate(data)
    assert built.depends_on("users") == {"ideas", "comments"}
    assert built.order()[-1] == "users"


def test_a_streams_own_time_zone_wins():
    assert contract(timezone="Europe/Madrid").stream_timezone("ideas") == "Europe/Madrid"
    assert contract().stream_timezone("ideas") == "UTC"


@pytest.mark.parametrize(
    ("ideas", "sentence"),
    [
        ({"path": "ideas/{year}/{challenge_id}"}, "the path has {year}, which nothing fills"),
        ({"path": "ideas"}, "the path must contain {challenge_id}"),
        ({"send_as": "json"}, "a GET request has no body"),
        ({"reads": "one"}, "a single record has no pages"),
        ({"reads": "one", "each": None, "path": "ideas", "paging": {"style": "none"}}, "needs each"),
        ({"fields": {"title": "title"}}, "a record needs an id"),
        ({"fields": {"title": "title"}, "key": ["challenge_id", "id"]}, "a key with id needs records of a list that"),
        ({"each": {"of": ["id"], "placeholder": "challenge_id"}}, "'id' is not a table and a column"),
        ({"paging": {"style": "page", "total": {"body": "a", "header": "b"}}}, "say where the total is"),
        ({"timezone": "Madrid"}, "'Madrid' is not a time zone"),
        ({"probe": "total"}, "a probe is for one list without a filter by time"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(ideas, sentence):
    with pytest.raises(ValidationError) as raised:
        contract(**ideas)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("stream", "values", "sentence"),
    [
        ("users", {"probe": "total", "paging": {"style": "none"}}, "is read by one request: remove probe"),
        ("users", {"probe": "total", "paging": {"style": "page"}}, "a probe of the total needs one: set paging.total"),
        ("users", {"probe": {}}, "probe"),
        ("challenges", {"probe": "total"}, "the lists of ideas are read when a row of challenges changes (see each)"),
    ],
)
def test_a_probe_that_could_not_show_a_change_is_refused(stream, values, sentence):
    data = copy.deepcopy(DEFAULT)
    data["streams"][stream] |= values
    with pytest.raises(ValidationError) as raised:
        Contract.model_validate(data)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("expired", "sentence"),
    [
        ({"statuses": [200]}, "200 cannot be the status of an expired token"),
        ({"statuses": [429]}, "429 cannot be the status of an expired token"),
        ({"words": [" "]}, "too short to be looked for"),
        ({"status": [419]}, "Extra inputs are not permitted"),
    ],
)
def test_a_line_about_expired_tokens_that_could_not_act_is_refused(expired, sentence):
    data = copy.deepcopy(DEFAULT)
    data["auth"]["expired"] = expired
    with pytest.raises(ValidationError, match=sentence):
        Contract.model_validate(data)


def test_one_status_and_one_word_need_no_list():
    data = copy.deepcopy(DEFAULT)
    data["auth"]["expired"] = {"statuses": 419, "words": "E-17"}
    expired = Contract.model_validate(data).auth.expired
    assert (expired.statuses, expired.words) == ((419,), ("E-17",))


@pytest.mark.parametrize(
    ("fields", "callback", "sentence"),
    [
        ({}, {"parameter": "code", "state": "state"}, "a state must be sent and come back"),
        ({"state": "{state}"}, {"parameter": "code"}, "a state must be sent and come back"),
        ({"state": "{state}"}, {"parameter": "code", "state": "code"}, "cannot be the parameter of the code and of"),
    ],
)
def test_a_state_that_proves_nothing_is_refused(fields, callback, sentence):
    data = copy.deepcopy(DEFAULT)
    data["auth"]["code"]["fields"] |= fields
    data["auth"]["callback"] = callback
    with pytest.raises(ValidationError, match=sentence):
        Contract.model_validate(data)
