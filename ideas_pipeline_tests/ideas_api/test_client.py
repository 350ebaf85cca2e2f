"""The client of one community: its responses and errors."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.errors import (
    AccessDenied,
    AuthenticationError,
    IdeasApiError,
    RequestRefused,
    TokenRefused,
    Unavailable,
)
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.page_reader import PageReader
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.ideas_api.scripted_auth import CLIENT_ID, CLIENT_SECRET, ScriptedAuth
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, limits, serving

VOTES = "ideas/12/votes"
FIRST = pagination.first(load_contract(None).streams["votes"].paging)


def client(base_url: str, store: Path) -> IdeasApi:
    contract = load_contract(None).model_copy(update={"limits": limits(attempts=1)})
    return IdeasApi.connect(contract, base_url, Credentials(CLIENT_ID, CLIENT_SECRET), FileHome(store, store.parent))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefused),
        (403, AccessDenied),
        (405, RequestRefused),
        (422, RequestRefused),
        (503, Unavailable),
        (401, TokenRefused),
    ],
)
def test_every_error_names_the_stream_and_the_scope(store: Path, status: int, kind: type[IdeasApiError]) -> None:
    api = ScriptedAuth()
    api.instead[VOTES] = lambda _: Answer(status)
    with serving(api) as server, pytest.raises(kind) as caught:
        client(server.base_url, store).request("votes", "12", FIRST)
    error = caught.value
    assert type(error) is kind
    assert (error.stream, error.scope, error.status) == ("votes", "12", status)
    assert str(error).startswith("votes 12: ")
    assert error.__context__ is None


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 410, 429, 500])
def test_no_error_and_no_log_line_names_a_person_by_the_list_that_was_read(
    status: int, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    each = {"of": ["ideas.author_id"], "placeholder": "user_id"}
    one = {"path": "users/{user_id}", "reads": "one", "each": each, "paging": {"!": {"style": "none"}}}
    contract = contract_with({"streams": {"users": one}, "limits": {"attempts": 2, "deadline": 2}})
    api = ScriptedAuth()
    api.instead["users/ann%20lee"] = lambda _: Answer(status)
    with serving(api) as server, caplog.at_level(logging.INFO):
        home = FileHome(store, store.parent)
        people = IdeasApi.connect(contract, server.base_url, Credentials(CLIENT_ID, CLIENT_SECRET), home)
        people.request("challenges", "", pagination.first(contract.streams["challenges"].paging))
        with pytest.raises(IdeasApiError) as caught:
            PageReader(contract).page("users", "ann lee", "", people.request("users", "ann lee", ""))
    error = caught.value
    assert str(error).startswith("users: ")
    shown = repr((str(error), error.reason, error.args, vars(error), caplog.text))
    assert "ann" not in shown.replace("canary", "")


def test_a_failed_login_names_the_stream_and_the_scope_that_needed_it(store: Path) -> None:
    api = ScriptedAuth()
    api.secret = "another"
    with serving(api) as server, pytest.raises(AuthenticationError) as caught:
        client(server.base_url, store).request("votes", "12", FIRST)
    assert str(caught.value).startswith("votes 12: the API refuses the client id and secret (HTTP 401).")


@pytest.mark.parametrize("status", [404, 410])
def test_a_scope_that_does_not_exist_is_a_response(store: Path, status: int) -> None:
    api = ScriptedAuth()
    api.instead[VOTES] = lambda _: Answer(status)
    with serving(api) as server:
        response = client(server.base_url, store).request("votes", "12", FIRST)
    assert (response.status, response.body, response.requests) == (status, None, 1)
