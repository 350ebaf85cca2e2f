"""How a token is had, kept and replaced, and what is said where it cannot be."""

from __future__ import annotations

import json
import logging
import multiprocessing
import socket
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.ideas_api.auth import Auth, Credentials
from ideas_pipeline.ideas_api.authenticated import AuthenticatedTransport
from ideas_pipeline.ideas_api.callback import ListenerSettings
from ideas_pipeline.ideas_api.errors import (
    AuthenticationError,
    IdeasApiError,
    NotFound,
    RateLimited,
    Unavailable,
)
from ideas_pipeline.ideas_api.token_store import TokenStore
from ideas_pipeline.ideas_api.transport import Transport
from ideas_pipeline_tests.ideas_api.scripted_auth import CLIENT_ID, CLIENT_SECRET, ScriptedAuth, contract_auth
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, ScriptedServer, limits, serving


class Caller:
    """What a process has: an account's access to the API at ``base_url``, with tokens in ``store``."""

    def __init__(
        self, base_url: str, store: Path, listener: ListenerSettings | None = None, **changed: dict[str, Any]
    ) -> None:
        self.transport = Transport(base_url, limits(concurrency=32), store.parent / "budget")
        self.store = TokenStore(store)
        credentials = Credentials(CLIENT_ID, CLIENT_SECRET)
        self.auth = Auth(contract_auth(**changed), credentials, self.store, self.transport, listener)
        self._authenticated = AuthenticatedTransport(self.auth, self.transport)

    def call(self, path: str = "ideas") -> Any:
        return self._authenticated.send("GET", path, stream="ideas", scope="5").body


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tokens.json"


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


def test_a_code_that_is_sent_to_the_endpoint_is_listened_for(store: Path) -> None:
    port = _free_port()
    with serving(ScriptedAuth(endpoint=f"http://127.0.0.1:{port}/ideas/callback")) as server:
        listener = ListenerSettings(port=port, path="/ideas/callback", seconds=10)
        assert Caller(server.base_url, store, listener).call() == {"path": "/v2/ideas"}
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the listener is closed afterwards"


def test_a_refused_token_is_refreshed_and_the_new_pair_replaces_the_old(store: Path) -> None:
    api = ScriptedAuth()
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        api.expire()
        assert caller.call() == {"path": "/v2/ideas"}
        api.expire()
        assert caller.call() == {"path": "/v2/ideas"}
    assert api.count["auth/refresh"] == 2
    assert api.count["auth/code"] == 1
    assert api.count["refresh refused"] == 0


def test_a_token_is_renewed_before_it_expires(store: Path) -> None:
    with serving(ScriptedAuth(expires_in=100)) as server:
        Caller(server.base_url, store).call()
        written = json.loads(store.read_text())
        assert written["expires_at"] == pytest.approx(time.time() + 90, abs=30)
        store.write_text(json.dumps(written | {"expires_at": time.time() - 1}))
        Caller(server.base_url, store).call()
    assert server.paths() == ["auth/code", "auth", "ideas", "auth/refresh", "ideas"]


def test_the_new_pair_is_stored_before_it_is_used(store: Path) -> None:
    seen: list[Any] = []
    api = ScriptedAuth()
    api.instead["ideas"] = lambda _: seen.append(json.loads(store.read_text())["access_token"])
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        api.expire()
        caller.call()
    assert seen == ["canary-access-1", "canary-access-1", "canary-access-3"]


def test_a_refused_refresh_falls_back_to_a_new_code(store: Path) -> None:
    api = ScriptedAuth()
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        api.expire()
        for status in (400, 401, 403, 404):
            api.expire()
            api.instead["auth/refresh"] = lambda _, status=status: Answer(status)
            assert caller.call() == {"path": "/v2/ideas"}
    assert api.count["auth/code"] == 5


@pytest.mark.parametrize("broken", [Answer(reset=True), Answer(500)], ids=["reset", "server error"])
def test_a_refresh_without_an_answer_is_not_sent_twice(store: Path, broken: Answer) -> None:
    api = ScriptedAuth()
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        api.expire()
        api.instead["auth/refresh"] = lambda _: broken
        caller.call()
    assert api.count["auth/refresh"] == 1
    assert api.count["auth/code"] == 2


def test_a_code_whose_exchange_got_no_answer_is_not_sent_twice(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["auth"] = lambda _: Answer(reset=True) if api.count["auth"] == 1 else None
    with serving(api) as server:
        assert Caller(server.base_url, store).call() == {"path": "/v2/ideas"}
    codes = [request.form["auth_code"] for request in server.requests if request.path == "/v2/auth"]
    assert len(codes) == len(set(codes)) == 2


def test_a_refresh_token_that_was_sent_by_a_killed_process_is_not_sent_again(store: Path) -> None:
    api = ScriptedAuth()
    during: list[str] = []
    api.instead["auth/refresh"] = lambda _: during.append(store.read_text())
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        api.expire()
        caller.call()
        # What a process that dies in mid-refresh leaves behind.
        store.write_text(during[0])
        api.expire()
        Caller(server.base_url, store).call()
    assert api.count["auth/refresh"] == 1
    assert api.count["auth/code"] == 2


def test_a_rate_limited_refresh_keeps_its_refresh_token(store: Path) -> None:
    api = ScriptedAuth()
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        api.expire()
        api.instead["auth/refresh"] = lambda _: Answer(429, headers={"Retry-After": "3000"})
        with pytest.raises(RateLimited, match="Come back after"):
            caller.call()
        api.instead.clear()
        caller.call()
    assert api.count["auth/code"] == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"access_token": 1}', "\x00", "[" * 100_000])
def test_a_token_file_that_makes_no_sense_means_logging_in_anew(store: Path, text: str) -> None:
    store.parent.mkdir()
    store.write_text(text)
    with serving(ScriptedAuth()) as server:
        assert Caller(server.base_url, store).call() == {"path": "/v2/ideas"}
    assert server.paths() == ["auth/code", "auth", "ideas"]


def test_tokens_of_another_address_or_client_are_not_used(store: Path) -> None:
    with serving(ScriptedAuth()) as first, serving(ScriptedAuth()) as second:
        Caller(first.base_url, store).call()
        Caller(second.base_url, store).call()
        other = Auth(contract_auth(), Credentials("other", "word"), TokenStore(store), _transport(second), None)
        with pytest.raises(AuthenticationError, match="the API refuses the client id and secret"):
            other.header()
    assert second.paths() == ["auth/code", "auth", "ideas", "auth/code"]


def test_sixteen_threads_that_meet_one_expiry_refresh_once(store: Path) -> None:
    api = ScriptedAuth()
    together = threading.Barrier(16)
    with serving(api) as server, ThreadPoolExecutor(16) as pool:
        caller = Caller(server.base_url, store)
        caller.call()
        api.expire()

        def call(number: int) -> Any:
            together.wait(10)
            return caller.call(f"ideas/{number}")

        answers = list(pool.map(call, range(16)))
    assert answers == [{"path": f"/v2/ideas/{n}"} for n in range(16)]
    assert api.count["auth/refresh"] == 1
    assert api.count["auth/code"] == 1


def test_sixteen_threads_that_cannot_log_in_ask_once_and_all_say_why(store: Path) -> None:
    api = ScriptedAuth()
    api.secret = "another"
    arrived = threading.Barrier(16)
    waiting = threading.Event()
    api.instead["auth/code"] = lambda _: waiting.wait(0.3) and None
    with serving(api) as server, ThreadPoolExecutor(16) as pool:
        caller = Caller(server.base_url, store)

        def call(_: int) -> str:
            arrived.wait(10)
            with pytest.raises(AuthenticationError) as caught:
                caller.call()
            return str(caught.value)

        said = set(pool.map(call, range(16)))
    assert len(said) == 1
    assert api.count["auth/code"] == 1


def test_no_call_is_lost_when_tokens_last_for_fewer_calls_than_there_are_callers(store: Path) -> None:
    api = ScriptedAuth(token_uses=3, expires_in=None)
    with serving(api) as server, ThreadPoolExecutor(16) as pool:
        caller = Caller(server.base_url, store)
        answers = list(pool.map(lambda n: caller.call(f"ideas/{n}"), range(100)))
    assert answers == [{"path": f"/v2/ideas/{n}"} for n in range(100)]
    assert api.count["refresh refused"] == 0
    assert api.count["auth/code"] == 1


def _process(base_url: str, store: Path, calls: int) -> None:
    caller = Caller(base_url, store)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: caller.call(f"ideas/{n}"), range(calls)))


def test_two_processes_share_one_store_and_never_use_a_refresh_token_twice(store: Path) -> None:
    api = ScriptedAuth(token_uses=10, expires_in=None)
    with serving(api) as server:
        spawn = multiprocessing.get_context("spawn")
        processes = [spawn.Process(target=_process, args=(server.base_url, store, 60)) for _ in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0, 0]
    assert api.count["served"] == 120
    assert api.count["refresh refused"] == 0
    assert api.count["auth/code"] == 1


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


# Sentences: what is said where no token can be had, or none is accepted.


def _said(api: ScriptedAuth, store: Path, kind: type[IdeasApiError] = AuthenticationError, **changed: Any) -> str:
    with serving(api) as server, pytest.raises(kind) as caught:
        Caller(server.base_url, store, **changed).call()
    return str(caught.value)


def test_wrong_credentials(store: Path) -> None:
    api = ScriptedAuth()
    api.secret = "another"
    said = _said(api, store)
    assert "refuses the client id and secret (HTTP 401). Compare IDEAS_CLIENT_ID and IDEAS_CLIENT_SECRET" in said
    assert said.startswith("ideas 5: ")


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
    said = _said(api, store)
    assert "without an auth code: it was probably sent to the API client's endpoint" in said
    assert "Leave the endpoint field of the API client empty; or set IDEAS_CALLBACK_PORT" in said


def test_a_code_that_does_not_arrive(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["auth/code"] = lambda _: Answer(204, b"")
    said = _said(api, store, listener=ListenerSettings(port=0, path="/code", seconds=0.05))
    assert "no auth code arrived at http://127.0.0.1:" in said
    assert "/code within 0.05 seconds" in said


@pytest.mark.parametrize("missing", ["access_token", "refresh_token"])
def test_an_answer_that_lacks_a_token_names_the_line_of_the_contract(store: Path, missing: str) -> None:
    api = ScriptedAuth()
    pair = {"access_token": "canary-a", "refresh_token": "canary-b"}
    pair.pop(missing)
    api.instead["auth"] = lambda _: Answer(body=pair)
    said = _said(api, store)
    assert f"has no {missing.replace('_', ' ')}" in said
    assert f"Correct auth.token.{missing} in the contract" in said


@pytest.mark.parametrize("token", ["", True, {"a": 1}, None])
def test_what_is_no_token_counts_as_lacking(store: Path, token: Any) -> None:
    api = ScriptedAuth()
    api.instead["auth"] = lambda _: Answer(body={"access_token": token, "refresh_token": "r"})
    assert "Correct auth.token.access_token" in _said(api, store)


@pytest.mark.parametrize("token", ["zwei\nzeilen", "schlüssel"])
def test_a_token_that_no_header_can_carry(store: Path, token: str) -> None:
    api = ScriptedAuth()
    api.instead["auth"] = lambda _: Answer(body={"access_token": token, "refresh_token": "r"})
    said = _said(api, store)
    assert "cannot be a token" in said
    assert token not in said


def test_an_exchange_that_is_refused(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["auth"] = lambda _: Answer(400)
    assert "refuses to exchange it for an access token (HTTP 400). Check IDEAS_CLIENT_SECRET" in _said(api, store)


@pytest.mark.parametrize(("path", "route"), [("auth/code", "code"), ("auth", "token")])
def test_a_route_that_the_api_does_not_have(store: Path, path: str, route: str) -> None:
    api = ScriptedAuth()
    api.instead[path] = lambda _: Answer(404)
    said = _said(api, store)
    assert f"the API has no POST {path} (HTTP 404)" in said
    assert f"auth.{route} in the contract" in said


def test_a_new_token_that_is_refused_at_once(store: Path) -> None:
    api = ScriptedAuth()
    said = _said(api, store, header={"format": "Token {access_token}"})
    assert "a new access token was refused at once (HTTP 401). Compare auth.header in the contract" in said
    assert api.count["ideas"] == 3


def test_an_address_that_refuses_a_token_that_others_accept(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["users/1"] = lambda _: Answer(401)
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        with pytest.raises(
            AuthenticationError, match="this address refuses an access token that other addresses accept"
        ):
            caller.call("users/1")
        assert caller.call() == {"path": "/v2/ideas"}


@pytest.mark.parametrize(("off", "said"), [(3600, "60 minutes behind"), (-1200, "20 minutes ahead of")])
def test_a_clock_that_is_off(store: Path, off: int, said: str) -> None:
    api = ScriptedAuth()
    api.instead["ideas"] = lambda _: Answer(401, headers={"Date": formatdate(time.time() + off, usegmt=True)})
    assert f"this machine's clock is {said} the API's (HTTP 401). Set the clock" in _said(api, store)


def test_a_clock_that_is_a_little_off_is_not_blamed(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["ideas"] = lambda _: Answer(401, headers={"Date": formatdate(time.time() - 200, usegmt=True)})
    assert "clock" not in _said(api, store)


def test_an_api_that_does_not_answer_is_no_matter_of_credentials(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["auth/code"] = lambda _: Answer(503, headers={"Retry-After": "0"})
    assert "HTTP 503" in _said(api, store, Unavailable)


def test_other_refusals_pass_through(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["ideas"] = lambda _: Answer(404)
    assert "there is nothing at /v2/ideas" in _said(api, store, NotFound)


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
    assert any("/v2/auth/code" in record.getMessage() for record in caplog.records), "the canary needs a mine"
    everything_said = caplog.text + described + " ".join(str(p) for p in store.parent.iterdir())
    assert "canary" not in everything_said.replace(str(store.parent), "")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _transport(server: ScriptedServer) -> Transport:
    return Transport(server.base_url, limits(), Path("unused"))
