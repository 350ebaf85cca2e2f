"""Which bodies state an error."""

from __future__ import annotations

import pytest

from ideas_pipeline.contract.types import Json
from ideas_pipeline.ideas_api.error_bodies import stated_error

NO_ERROR: list[Json] = [
    {"code": 0, "message": "ok"},
    {"code": "0", "message": ""},
    {"code": 200, "message": "OK"},
    {"code": None, "message": None},
    {"errorCode": "00000", "errorMessage": "No error", "traceId": "7f3a"},
    {"status": {"code": 0, "msg": "success"}},
    {"occurred": False},
    [{"code": 0}],
    [{}],
    [None, ""],
]
ERROR: list[Json] = [
    {"code": 0, "message": "no access"},
    {"code": 17},
    {"code": 0, "message": "", "details": ["broken"]},
    {"code": 0, "message": "ok", "errors": [{"code": 5}]},
    {"nr": 17, "text": "no"},
    {"title": ["is too short"]},
    [{"code": 0}, {"code": 3}],
    ["broken"],
    {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": 1}}}}}}}},
]


@pytest.mark.parametrize("name", ["error", "errors"])
@pytest.mark.parametrize("value", NO_ERROR, ids=str)
def test_an_error_whose_code_and_message_say_that_there_is_none_is_none(name: str, value: Json) -> None:
    assert not stated_error({name: value, "data": []}, 200).marked


@pytest.mark.parametrize("value", ERROR, ids=str)
def test_an_error_with_any_value_that_says_so_is_one(value: Json) -> None:
    assert stated_error({"error": value, "data": []}, 200).marked


@pytest.mark.parametrize(
    "message",
    [
        "You do not have permission to view this resource",
        "Access denied",
        "Access to this idea is restricted: insufficient privileges",
        "Not allowed.",
        "You must be an administrator to do that",
        "Service degraded",
        "The service is temporarily unavailable",
        "We are back soon",
        "Down for scheduled maintenance",
        "Internal Server Error",
        "An error occurred while processing your request",
        "Something went wrong",
        "Failed to load comments",
        "Query timed out",
    ],
)
@pytest.mark.parametrize("records", [[], None])
def test_a_message_that_nothing_could_be_read_is_an_error_and_no_empty_list(message: str, records: Json) -> None:
    assert stated_error({"data": records, "message": message}, 200).marked
    assert not stated_error({"data": [{"id": 1}], "message": message}, 200).marked


@pytest.mark.parametrize(
    "message",
    [
        "No comments found",
        "No results. Try other filters.",
        "No ideas yet, be the first!",
        "Comments are closed",
        "Retrieved 0 records",
        "success",
        "Request processed",
        "Nobody has voted",
    ],
)
def test_a_message_that_there_is_nothing_is_no_error(message: str) -> None:
    assert not stated_error({"data": [], "message": message}, 200).marked


NOTHING = {"status": "error", "message": "No records found"}


@pytest.mark.parametrize(
    ("body", "is_empty"),
    [
        (NOTHING, True),
        ({"error": "no_results"}, True),
        ({"errors": [{"code": 404, "detail": "There are no more ideas."}]}, True),
        (NOTHING | {"code": 403}, False),
        (NOTHING | {"detail": "database error"}, False),
        ({"error": "No records found, because your session has expired"}, False),
        ({"error": "not found"}, False),
    ],
)
def test_an_error_that_says_that_there_are_no_records_is_an_empty_list(body: Json, is_empty: bool) -> None:
    assert stated_error(body, 200).about_no_records == is_empty
