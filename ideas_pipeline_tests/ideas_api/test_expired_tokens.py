"""Refused tokens in every dialect, and refusals that are about rights."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.contract.auth import ExpiredToken
from ideas_pipeline.errors import AccessDenied, RequestRefused, TokenRefused, Unavailable
from ideas_pipeline_tests.ideas_api.caller import Caller
from ideas_pipeline_tests.ideas_api.scripted_auth import ScriptedAuth, refusing
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received, serving

BEARER = {"WWW-Authenticate": 'Bearer realm="ideas", error="invalid_token"'}
DIALECTS = {
    "401 without a body": Answer(401, b""),
    "403 without a body": Answer(403, b""),
    "403 with words": Answer(403, {"message": "Access token has expired"}),
    "400 by RFC 6750": Answer(400, {}, BEARER),
    "400 with an error": Answer(400, {"error": "invalid_token", "error_description": "The access token expired"}),
    "400 with a nested error": Answer(
        400, {"error": {"code": 190, "type": "OAuthException", "message": "Session ended"}}
    ),
    "400 with a code": Answer(400, {"code": 401, "message": "no"}),
    "422 of Flask": Answer(422, {"msg": "Signature has expired"}),
    "419 of Laravel": Answer(419, {"message": "Page Expired"}),
    "498 of Esri": Answer(498, {}),
    "500 with words": Answer(500, {"error": "jwt expired"}),
    "200 with an error": Answer(200, {"error": "invalid_token", "error_description": "expired"}),
    "200 with a short error": Answer(200, {"error": "expired"}),
    "200 with a code": Answer(200, {"status": 401, "message": "no"}),
    "200 with a list of errors": Answer(200, {"errors": [{"code": "TOKEN_EXPIRED", "detail": "Log in again"}]}),
    "200 with a flag": Answer(200, {"success": False, "msg": "Your session has expired, please log in"}),
    "200 with an empty list": Answer(200, {"data": [], "message": "Token is not valid"}),
    "200 with a message alone": Answer(200, {"message": "Unauthenticated."}),
    "200 of Salesforce": Answer(200, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]),
    "200 with a login page": Answer(200, b"<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"}),
    "302 to a login page": Answer(302, b"", {"Location": "/login?next=ideas"}),
    "302 to another host's login page": Answer(302, b"", {"Location": "https://sso.example.com/oauth/signin"}),
    "200 with meta": Answer(200, {"meta": {"code": 400, "error_type": "OAuthAccessTokenException"}}),
}


@pytest.mark.parametrize("refusal", DIALECTS.values(), ids=DIALECTS)
def test_an_expired_token_costs_one_refresh_whatever_the_api_says(store: Path, refusal: Answer) -> None:
    api = refusing(refusal)
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        for expected in (1, 2):
            api.expire()
            assert caller.call() == {"path": "/v2/ideas"}
            assert (api.count["auth/refresh"], api.count["auth/code"]) == (expected, 1)


@pytest.mark.parametrize("refusal", DIALECTS.values(), ids=DIALECTS)
def test_a_stored_token_that_expired_meanwhile_is_renewed_and_replaced(store: Path, refusal: Answer) -> None:
    api = refusing(refusal)
    with serving(api) as server:
        Caller(server.base_url, store).call()
        api.expire()
        old = json.loads(store.read_text())["access_token"]
        assert Caller(server.base_url, store).call() == {"path": "/v2/ideas"}
        assert json.loads(store.read_text())["access_token"] != old
        assert Caller(server.base_url, store).call() == {"path": "/v2/ideas"}
    assert (api.count["auth/refresh"], api.count["auth/code"]) == (1, 1)


UNKNOWN = {
    "400": Answer(400, {"errno": 17}),
    "200": Answer(200, {"error": "E-17"}),
    "a map": Answer(200, {"error": {"nr": 17, "text": "nope"}}),
}


@pytest.mark.parametrize("refusal", UNKNOWN.values(), ids=UNKNOWN)
def test_after_any_refusal_of_a_token_of_an_earlier_run_one_new_token_is_tried(store: Path, refusal: Answer) -> None:
    api = refusing(refusal)
    with serving(api) as server:
        Caller(server.base_url, store).call()
        api.expire()
        assert Caller(server.base_url, store).call() == {"path": "/v2/ideas"}
        assert api.count["auth/refresh"] == 1
        # An error that is not about the token costs no second one, and is reported as what it is.
        api.instead["users"] = lambda _: refusal
        caller = Caller(server.base_url, store)
        for _ in range(5):
            if refusal.status == 400:
                with pytest.raises(RequestRefused):
                    caller.call("users")
            else:
                assert caller.call("users") == refusal.body
    assert (api.count["auth/refresh"], api.count["auth/code"]) == (2, 1)


REFUSALS = {
    "403": Answer(403, {"message": "You may not read this"}),
    "403 as of a token": Answer(403, {"error": "unauthorized"}),
    "401": Answer(401, {"error": "unauthorized"}),
    "400": Answer(400, {"error": "invalid_token"}),
    "200": Answer(200, {"error": "not authenticated"}),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_hundred_refusals_cost_one_refresh_in_all_and_only_their_own_scopes(store: Path, refusal: Answer) -> None:
    api = ScriptedAuth(expires_in=None)

    def rights(request: Received) -> Answer | None:
        return refusal if request.path.endswith("/votes") else None

    api.instead = {f"ideas/{n}/votes": rights for n in range(100)}
    with serving(api) as server, ThreadPoolExecutor(8) as pool:
        caller = Caller(server.base_url, store)
        caller.call("challenges")

        def read(number: int) -> str:
            caller.call(f"ideas/{number}/comments")
            with pytest.raises(AccessDenied) as denied:
                caller.call(f"ideas/{number}/votes")
            return str(denied.value)

        messages = list(pool.map(read, range(100)))
    assert messages[7].startswith(f"this account may not read /v2/ideas/7/votes (HTTP {refusal.status}).")
    assert (api.count["auth/refresh"], api.count["auth/code"]) == (1, 1)
    assert len(server.requests) < 2 * 200 + 20


def test_a_token_that_expires_between_refusals_of_the_same_kind_is_still_recognized(store: Path) -> None:
    api = refusing(Answer(403, b""))
    api.instead["votes"] = lambda _: Answer(403, b"")
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        for _ in range(3):
            with pytest.raises(AccessDenied):
                caller.call("votes")
            with pytest.raises(AccessDenied):
                caller.call("votes")
            api.expire()
            assert caller.call() == {"path": "/v2/ideas"}
            assert caller.call("users") == {"path": "/v2/users"}
    assert api.count["auth/refresh"] == 4
    assert api.count["auth/code"] == 1


@pytest.mark.parametrize("refusal", [Answer(403, {}), Answer(401, {})], ids=["403", "401"])
def test_an_account_that_may_read_nothing_logs_in_once(store: Path, refusal: Answer) -> None:
    api = refusing(refusal)
    api.accepts = False
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        for _ in range(3 if refusal.status == 403 else 1):
            with pytest.raises((AccessDenied, TokenRefused)):
                caller.call()
    assert api.count["auth/code"] == 1
    assert api.count["auth/refresh"] == (1 if refusal.status == 403 else 2)


def test_a_refresh_without_a_new_refresh_token_keeps_the_old_one(store: Path) -> None:
    api = ScriptedAuth()
    api.rotates = False
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        old = json.loads(store.read_text())["refresh_token"]
        for _ in range(3):
            api.expire()
            assert caller.call() == {"path": "/v2/ideas"}
            assert json.loads(store.read_text())["refresh_token"] == old
    assert (api.count["auth/refresh"], api.count["auth/code"]) == (3, 1)


FAILED_REFRESHES = {
    "200 with an error": Answer(200, {"error": "invalid_grant"}),
    "200 without a token": Answer(200, {"ok": True}),
    "200 with null": Answer(200, {"access_token": None, "refresh_token": None}),
    "204": Answer(204, b""),
    "a web page": Answer(200, b"<html>Sorry"),
    "not JSON": Answer(200, b"OK"),
    "500": Answer(500),
    "reset": Answer(reset=True),
}


@pytest.mark.parametrize("failed", FAILED_REFRESHES.values(), ids=FAILED_REFRESHES)
def test_a_failed_refresh_falls_back_to_a_login(store: Path, failed: Answer) -> None:
    api = ScriptedAuth()
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        api.expire()
        api.instead["auth/refresh"] = lambda _: failed
        assert caller.call() == {"path": "/v2/ideas"}
    assert (api.count["auth/refresh"], api.count["auth/code"]) == (1, 2)


def test_a_refused_token_is_not_left_in_the_store_as_good_if_no_new_one_can_be_had(store: Path) -> None:
    api = ScriptedAuth(expires_in=None)
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        api.expire()
        api.instead = {
            path: lambda _: Answer(503, headers={"Retry-After": "0"}) for path in ("auth/refresh", "auth/code")
        }
        with pytest.raises(Unavailable):
            caller.call()
        assert json.loads(store.read_text())["expires_at"] == 0
        api.instead.clear()
        before = api.count["ideas"]
        Caller(server.base_url, store).call()
    assert api.count["ideas"] == before + 1, "the refused token is not sent again"


ODD = {
    "a status": (ExpiredToken(statuses=(418,)), Answer(418, {"errno": 17})),
    "no content": (ExpiredToken(statuses=(204,)), Answer(204, b"")),
    "a redirect": (ExpiredToken(statuses=(302,)), Answer(302, b"", {"Location": "/login"})),
    "words": (ExpiredToken(words=("E-17",)), Answer(200, {"error": "e-17: nope"})),
    "words of a page": (ExpiredToken(words=("Sign in to Ideas",)), Answer(200, b"<html><h1>Sign in to Ideas</h1>")),
    "words with 404": (ExpiredToken(words=("E-17",)), Answer(404, {"error": "e-17: nope"})),
}


@pytest.mark.parametrize(("expired", "refusal"), ODD.values(), ids=ODD)
def test_what_cannot_be_recognized_is_a_line_of_the_contract(
    store: Path, expired: ExpiredToken, refusal: Answer
) -> None:
    api = refusing(refusal)
    with serving(api) as server:
        caller = Caller(server.base_url, store, expired=expired)
        caller.call()
        api.expire()
        assert caller.call() == {"path": "/v2/ideas"}
    assert (api.count["auth/refresh"], api.count["auth/code"]) == (1, 1)


FINE = {
    "records": {"data": [{"id": 1, "title": "Your session has expired"}], "message": "Token expired"},
    "votes without an id": {"data": [{"value": 1, "message": "invalid token"}]},
    "a record": {"id": 7, "title": "Unauthorized access token", "status": 401, "message": "expired"},
    "a record in data": {"data": {"id": 7, "title": "Invalid token"}},
    "an empty list": {"data": [], "total": 0, "message": "no ideas", "status": "ok", "code": 200},
    "a list": [{"message": "invalid token"}],
    "no error": {"error": None, "errors": [], "data": []},
    "records at the place of messages": {"messages": [{"id": 1, "title": "Session expired too fast"}]},
    "records at the place of details": {"details": [{"id": 1, "name": "Too many requests"}]},
}


@pytest.mark.parametrize("body", FINE.values(), ids=FINE)
def test_a_page_that_only_mentions_tokens_is_a_page(store: Path, body: Any) -> None:
    api = ScriptedAuth()
    api.instead["ideas"] = lambda _: Answer(200, body)
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        assert caller.call() == body
    assert server.paths() == ["auth/code", "auth", "ideas"]
