"""Error messages of the auth flow."""

from __future__ import annotations

import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.errors import (
    AccessDenied,
    AuthenticationError,
    IdeasApiError,
    NotFound,
    Unavailable,
)
from ideas_pipeline.ideas_api.auth_responses import expiry, refresh_token_of, value_at
from ideas_pipeline.ideas_api.callback import ListenerSettings
from ideas_pipeline.ideas_api.responses import Response
from ideas_pipeline_tests.ideas_api.caller import Caller
from ideas_pipeline_tests.ideas_api.scripted_auth import ScriptedAuth
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, serving


def _message(api: ScriptedAuth, store: Path, kind: type[IdeasApiError] = AuthenticationError, **changed: Any) -> str:
    with serving(api) as server, pytest.raises(kind) as caught:
        Caller(server.base_url, store, **changed).call()
    return str(caught.value)


def test_wrong_credentials(store: Path) -> None:
    api = ScriptedAuth()
    api.secret = "another"
    message = _message(api, store)
    assert "refuses the client id and secret (HTTP 401). Compare IDEAS_CLIENT_ID and IDEAS_CLIENT_SECRET" in message


def test_credentials_that_worked_before(store: Path) -> None:
    api = ScriptedAuth()
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        api.expire()
        api.secret = "regenerated"
        api.instead["auth/refresh"] = lambda _: Answer(400)
        with pytest.raises(AuthenticationError, match=r"that it accepted before.*revoked, or a new password"):
            caller.call()


def test_a_code_that_was_sent_elsewhere(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["auth/code"] = lambda _: Answer(body={"status": "ok"})
    message = _message(api, store)
    assert "contains no auth code: it was probably sent to the API client's endpoint" in message
    assert "Leave the endpoint field of the API client empty; or set IDEAS_CALLBACK_PORT" in message


def test_a_code_that_does_not_arrive(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["auth/code"] = lambda _: Answer(204, b"")
    message = _message(api, store, listener=ListenerSettings(port=0, path="/code", seconds=0.05))
    assert "no auth code arrived on 127.0.0.1 port " in message
    assert "at IDEAS_CALLBACK_PATH within 0.05 seconds" in message


def test_a_response_without_a_token_names_the_line_of_the_contract_and_what_it_holds(store: Path) -> None:
    api = ScriptedAuth()
    body = {"result": {"jwt": "canary-a", "ttl": 3600, "roles": ["canary"]}, "canary7": {"person": None}}
    api.instead["auth"] = lambda _: Answer(body=body)
    message = _message(api, store)
    assert "has no access token" in message
    assert "Correct auth.token.access_token in the contract" in message
    holds = "result.jwt (a text of 8 characters), result.ttl (a number), result.roles (a list of 1), *.person (null)"
    assert f"the response holds {holds}." in message
    assert "canary" not in message


@pytest.mark.parametrize("token", [True, {"a": 1}, ["r"], "zwei\nzeilen", "schlüssel", None])
def test_what_cannot_be_a_refresh_token_counts_as_none(token: Any) -> None:
    assert refresh_token_of(holding({"refresh_token": token}), ("refresh_token",)) == ""


def test_a_refresh_token_can_be_a_number() -> None:
    assert refresh_token_of(holding({"refresh_token": 12}), ("refresh_token",)) == "12"


def test_the_first_value_that_is_there_and_not_null_counts() -> None:
    paths = ("token", "data.token", "other")
    assert value_at(holding({"token": None, "data": {"token": "here"}, "other": "x"}), paths) == "here"
    assert value_at(holding({"token": None}), paths) is None


@pytest.mark.parametrize(("seconds", "renewed_after"), [(1, 0.9), (100, 90.0), ("300", 270.0), (3600, 3570.0)])
def test_a_token_is_renewed_a_tenth_of_its_life_early_and_half_a_minute_at_most(
    seconds: object, renewed_after: float
) -> None:
    assert expiry(holding({"expires_in": seconds}), ("expires_in",)) == pytest.approx(1_000 + renewed_after)


def holding(body: object) -> Response:
    return Response(200, {}, body, "", "", 1, received_at=1_000.0)


def test_a_login_may_bring_no_refresh_token(store: Path) -> None:
    api = ScriptedAuth()
    api.rotates = False
    api.instead["auth"] = lambda _: api._pair(with_refresh_token=False)
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        api.expire()
        assert caller.call() == {"path": "/v2/ideas"}
    assert (api.count["auth/refresh"], api.count["auth/code"]) == (0, 2)


@pytest.mark.parametrize(
    ("path", "message"),
    [("auth/code", "refuses the client id and secret (HTTP 200)"), ("auth", "refuses to exchange it")],
)
def test_a_login_that_is_refused_with_200(store: Path, path: str, message: str) -> None:
    api = ScriptedAuth()
    api.instead[path] = lambda _: Answer(200, {"error": "invalid_client", "error_description": "canary"})
    assert message in _message(api, store)


@pytest.mark.parametrize("path", ["auth/code", "auth"])
def test_a_maintenance_page_in_the_login_can_be_retried(store: Path, path: str) -> None:
    api = ScriptedAuth()
    page = Answer(body=b"<!DOCTYPE html><p>Back soon", headers={"Content-Type": "text/html"})
    api.instead[path] = lambda _: page if api.count[path] == 1 else None
    with serving(api) as server:
        assert Caller(server.base_url, store).call() == {"path": "/v2/ideas"}
    api = ScriptedAuth()
    api.instead[path] = lambda _: page
    assert "the body is a web page, not JSON (HTTP 200)" in _message(api, store, Unavailable)


def test_a_rate_limit_in_the_login_is_waited_for(store: Path) -> None:
    api = ScriptedAuth()
    busy = Answer(403, {"message": "API rate limit exceeded"}, {"Retry-After": "1"})
    api.instead["auth/code"] = lambda _: busy if api.count["auth/code"] == 1 else None
    with serving(api) as server:
        assert Caller(server.base_url, store).call() == {"path": "/v2/ideas"}


@pytest.mark.parametrize("token", ["", True, {"a": 1}, None])
def test_a_value_that_is_not_a_token_counts_as_missing(store: Path, token: Any) -> None:
    api = ScriptedAuth()
    api.instead["auth"] = lambda _: Answer(body={"access_token": token, "refresh_token": "r"})
    assert "Correct auth.token.access_token" in _message(api, store)


@pytest.mark.parametrize("token", ["zwei\nzeilen", "schlüssel"])
def test_a_token_that_no_header_can_carry(store: Path, token: str) -> None:
    api = ScriptedAuth()
    api.instead["auth"] = lambda _: Answer(body={"access_token": token, "refresh_token": "r"})
    message = _message(api, store)
    assert "is not a token" in message
    assert token not in message


def test_an_exchange_that_is_refused(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["auth"] = lambda _: Answer(400)
    assert "refuses to exchange it for an access token (HTTP 400). Check IDEAS_CLIENT_SECRET" in _message(api, store)


@pytest.mark.parametrize(("path", "route"), [("auth/code", "code"), ("auth", "token")])
def test_a_route_that_the_api_does_not_have(store: Path, path: str, route: str) -> None:
    api = ScriptedAuth()
    api.instead[path] = lambda _: Answer(404)
    message = _message(api, store)
    assert f"the API has no POST {path} (HTTP 404)" in message
    assert f"auth.{route} in the contract" in message


def test_a_new_token_that_is_refused_at_once(store: Path) -> None:
    api = ScriptedAuth()
    message = _message(api, store, header={"format": "Token {access_token}"})
    assert "a new access token was refused at once (HTTP 401). Compare auth.header in the contract" in message
    assert api.count["ideas"] == 3


def test_a_new_token_that_is_refused_here_but_accepted_elsewhere(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["users/1"] = lambda _: Answer(401)
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        with pytest.raises(AccessDenied, match=r"this account may not read /v2/users/1 \(HTTP 401\)"):
            caller.call("users/1")
        assert caller.call() == {"path": "/v2/ideas"}


@pytest.mark.parametrize(("off", "message"), [(3600, "60 minutes behind"), (-1200, "20 minutes ahead of")])
def test_a_wrong_clock_is_named(store: Path, off: int, message: str) -> None:
    api = ScriptedAuth()
    api.instead["ideas"] = lambda _: Answer(401, headers={"Date": formatdate(time.time() + off, usegmt=True)})
    assert f"this machine's clock is {message} the API's (HTTP 401). Set the clock" in _message(api, store)


def test_a_slightly_wrong_clock_is_not_named(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["ideas"] = lambda _: Answer(401, headers={"Date": formatdate(time.time() - 200, usegmt=True)})
    assert "clock" not in _message(api, store)


def test_an_api_that_does_not_respond_is_not_a_problem_of_credentials(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["auth/code"] = lambda _: Answer(503, headers={"Retry-After": "0"})
    assert "HTTP 503" in _message(api, store, Unavailable)


def test_other_refusals_pass_through(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["ideas"] = lambda _: Answer(404)
    assert "there is nothing at /v2/ideas" in _message(api, store, NotFound)
