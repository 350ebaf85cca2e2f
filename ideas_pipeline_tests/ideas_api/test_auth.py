"""Login, the use of a token, and its validation."""

from __future__ import annotations

import json
import logging
import socket
import traceback
from pathlib import Path

import pytest

from ideas_pipeline.errors import (
    AuthenticationError,
    IdeasApiError,
)
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.callback import ListenerSettings
from ideas_pipeline_tests.ideas_api.caller import Caller
from ideas_pipeline_tests.ideas_api.scripted_auth import CLIENT_ID, CLIENT_SECRET, ScriptedAuth
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, serving
from ideas_pipeline_tests.processes import free_port


def test_a_call_logs_in_once_and_carries_the_header(store: Path) -> None:
    with serving(ScriptedAuth()) as server:
        caller = Caller(server.base_url, store)
        assert caller.call("ideas/1") == {"path": "/v2/ideas/1"}
        caller.call("ideas/2")
    assert server.paths() == ["auth/code", "auth", "ideas/1", "ideas/2"]
    assert server.requests[0].form == {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    assert server.requests[2].headers["authorization"] == "Bearer canary-access-1"


def test_a_later_process_uses_the_stored_tokens(store: Path) -> None:
    with serving(ScriptedAuth()) as server:
        Caller(server.base_url, store).call()
        Caller(server.base_url, store).call()
    assert server.paths() == ["auth/code", "auth", "ideas", "ideas"]


def test_the_whole_flow_can_be_sent_as_the_contract_says(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["code.php"] = lambda request: Answer(
        body=b" the-code \n" if request.query == {"id": CLIENT_ID, "pw": CLIENT_SECRET, "v": "2"} else b""
    )
    api.instead["login"] = lambda request: Answer(
        body={"data": {"access_token": 12345}, "refresh": ["r"]}
        if json.loads(request.body) == {"c": "the-code"}
        else {}
    )
    api.instead["ideas"] = lambda request: Answer(
        200 if request.headers["x-token"] == "t=12345;" else 401, {"right": True}
    )
    with serving(api) as server:
        caller = Caller(
            server.base_url,
            store,
            code={
                "method": "GET",
                "path": "/code.php",
                "send_as": "query",
                "fields": {"id": "{client_id}", "pw": "{client_secret}", "v": "2"},
                "auth_code": "@body",
            },
            token={"path": "login", "send_as": "json", "fields": {"c": "{auth_code}"}, "refresh_token": "@body"},
            header={"name": "X-Token", "format": "t={access_token};"},
        )
        assert caller.call() == {"right": True}


def test_a_code_that_is_sent_to_the_endpoint_is_received(store: Path) -> None:
    port = free_port()
    with serving(ScriptedAuth(endpoint=f"http://127.0.0.1:{port}/ideas/callback")) as server:
        listener = ListenerSettings(port=port, path="/ideas/callback", seconds=10)
        assert Caller(server.base_url, store, listener).call() == {"path": "/v2/ideas"}
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the listener is closed afterwards"


def test_login_forces_the_whole_flow(store: Path) -> None:
    with serving(ScriptedAuth()) as server:
        caller = Caller(server.base_url, store)
        caller.auth.login()
        caller.auth.login()
        caller.call()
    assert server.paths() == ["auth/code", "auth", "auth/code", "auth", "ideas"]
    assert server.requests[-1].headers["authorization"] == "Bearer canary-access-4"


def test_validate_says_what_the_api_says(store: Path) -> None:
    api = ScriptedAuth()
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        assert caller.auth.validate()
        api.expire()
        assert not caller.auth.validate()
        api.instead["auth/validate"] = lambda _: Answer(body=b"")
        assert caller.auth.validate(), "without a value, a good status means valid"
        api.instead["auth/validate"] = lambda _: Answer(401)
        assert not caller.auth.validate()
        api.instead["auth/validate"] = lambda _: Answer(404)
        with pytest.raises(
            AuthenticationError, match=r"the API has no POST auth/validate.*auth\.validate in the contract"
        ):
            caller.auth.validate()


def test_no_secret_reaches_a_log_an_error_or_a_repr(store: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The whole flow by GET, where every secret travels in an address, with everything that can go wrong."""
    by_get = {"method": "GET", "send_as": "query"}
    everything = dict.fromkeys(("code", "token", "refresh", "validate"), by_get)
    api = ScriptedAuth()
    raised: list[IdeasApiError] = []
    with caplog.at_level(logging.DEBUG), serving(api) as server:
        caller = Caller(server.base_url, store, **everything)
        caller.call()
        caller.auth.validate()
        api.expire()
        caller.call()
        for path, broken in (
            ("auth/refresh", Answer(reset=True)),
            ("auth/refresh", Answer(400)),
            ("auth", Answer(400)),
            ("auth", Answer(500)),
            ("auth/code", Answer(401)),
            ("auth/code", Answer(302, headers={"Location": "https://example.com/?x=canary-location"})),
            ("auth/code", Answer(body={"other": "canary-code-elsewhere"})),
            ("ideas", Answer(401)),
        ):
            api.expire()
            api.instead = {"auth/refresh": lambda _: Answer(400), path: lambda _, broken=broken: broken}
            try:
                caller.call()
            except IdeasApiError as error:
                raised.append(error)
        described = repr((caller.store.read(), Credentials(CLIENT_ID, CLIENT_SECRET), caller.auth))
    assert len(raised) == 6
    assert all(error.__context__ is None for error in raised)
    described += "".join("".join(traceback.format_exception(error)) + repr(vars(error)) for error in raised)
    assert any(record.name == "urllib3.connectionpool" for record in caplog.records), "the canary needs a mine"
    everything = caplog.text + described + " ".join(str(p) for p in store.parent.iterdir())
    assert "canary" not in everything.replace(str(store.parent), "")


def test_a_response_that_states_no_error_has_the_token(store: Path) -> None:
    api = ScriptedAuth()
    pair = {"access_token": "a", "refresh_token": "r"}
    api.instead["auth"] = lambda _: Answer(body={"errcode": 0, "errmsg": "ok"} | pair)
    api.instead["ideas"] = lambda _: Answer(body={"data": []})
    with serving(api) as server:
        assert Caller(server.base_url, store).call() == {"data": []}
