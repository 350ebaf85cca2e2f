"""Renewal of tokens by threads and processes that share them."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.errors import (
    AuthenticationError,
    RateLimited,
    Unavailable,
)
from ideas_pipeline.ideas_api.auth import Auth, Credentials
from ideas_pipeline.ideas_api.token_file import TokenFile
from ideas_pipeline_tests.ideas_api.caller import Caller
from ideas_pipeline_tests.ideas_api.scripted_auth import ScriptedAuth, contract_auth
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, serving, transport
from ideas_pipeline_tests.processes import at_the_same_time


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


def test_a_token_that_expires_after_0_seconds_is_used_until_it_is_refused(store: Path) -> None:
    api = ScriptedAuth(expires_in=0)
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        for _ in range(3):
            caller.call()
        assert server.paths() == ["auth/code", "auth", "ideas", "ideas", "ideas"]


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


def test_a_code_whose_exchange_got_no_response_is_not_sent_twice(store: Path) -> None:
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
        with pytest.raises(RateLimited, match="Try again after"):
            caller.call()
        api.instead.clear()
        caller.call()
    assert api.count["auth/code"] == 1


def test_a_rate_limited_exchange_of_a_code_is_not_tried_again_with_another_code(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["auth"] = lambda _: Answer(429, headers={"Retry-After": "3000"})
    with serving(api) as server, pytest.raises(RateLimited, match="Try again after"):
        Caller(server.base_url, store).call()
    assert (api.count["auth/code"], api.count["auth"]) == (1, 1)


def test_a_code_whose_exchange_never_gets_a_response_is_replaced_once(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["auth"] = lambda _: Answer(reset=True)
    with serving(api) as server, pytest.raises(Unavailable):
        Caller(server.base_url, store).call()
    assert (api.count["auth/code"], api.count["auth"]) == (2, 2)


def test_discarded_tokens_are_not_used_and_not_refreshed_by_the_next_run(store: Path) -> None:
    api = ScriptedAuth()
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.auth.discard()
        assert not store.exists(), "there is nothing to discard yet"
        caller.call()
        caller.auth.discard()
        stored = caller.auth.stored()
        assert stored is not None
        assert (stored.access_token, stored.refresh_token, stored.expires_at) == ("canary-access-1", "", 0)
        Caller(server.base_url, store).call()
    assert (api.count["auth/refresh"], api.count["auth/code"]) == (0, 2)


def test_a_failed_renewal_is_tried_again_by_the_next_call(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["auth/code"] = lambda _: Answer(400) if api.count["auth/code"] == 1 else None
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        with pytest.raises(AuthenticationError):
            caller.call()
        assert caller.call() == {"path": "/v2/ideas"}


def test_a_token_is_current_until_it_is_renewed_and_untried_only_if_it_came_from_an_earlier_run(store: Path) -> None:
    with serving(ScriptedAuth()) as server:
        auth = Caller(server.base_url, store).auth
        assert not auth.is_current("canary-access-1")
        _, first = auth.header()
        assert (auth.is_current(first), auth.is_untried(first)) == (True, False)
        auth.renew(first)
        _, second = auth.header()
        assert second != first
        assert (auth.is_current(first), auth.is_current(second)) == (False, True)
        later = Caller(server.base_url, store).auth
        assert later.header()[1] == second
        later.accepted(first)
        assert later.is_untried(second), "another token was accepted"
        later.accepted(second)
        assert not later.is_untried(second)


def test_renewing_a_token_that_was_replaced_already_costs_nothing(store: Path) -> None:
    api = ScriptedAuth()
    with serving(api) as server:
        auth = Caller(server.base_url, store).auth
        _, first = auth.header()
        auth.renew(first)
        auth.renew(first)
        elsewhere = Caller(server.base_url, store).auth
        elsewhere.renew(first)
        assert auth.header()[1] == elsewhere.header()[1] != first
    assert (api.count["auth/refresh"], api.count["auth/code"]) == (1, 1)


def test_an_exclusive_token_is_new_and_is_everybodys_afterwards_even_if_the_block_raises(store: Path) -> None:
    with serving(ScriptedAuth()) as server:
        auth = Caller(server.base_url, store).auth
        _, first = auth.header()
        with suppress(KeyError), auth.exclusive_token() as (header, token):
            assert header == {"Authorization": f"Bearer {token}"}
            assert auth.is_current(first)
            raise KeyError
        assert token != first
        assert auth.header() == ({"Authorization": f"Bearer {token}"}, token)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"access_token": 1}', "\x00", "[" * 100_000])
def test_a_corrupt_token_file_means_a_new_login(store: Path, text: str) -> None:
    store.parent.mkdir()
    store.write_text(text)
    with serving(ScriptedAuth()) as server:
        assert Caller(server.base_url, store).call() == {"path": "/v2/ideas"}
    assert server.paths() == ["auth/code", "auth", "ideas"]


def test_tokens_of_another_address_or_client_are_not_used(store: Path) -> None:
    with serving(ScriptedAuth()) as first, serving(ScriptedAuth()) as second:
        Caller(first.base_url, store).call()
        Caller(second.base_url, store).call()
        other = Auth(contract_auth(), Credentials("other", "word"), TokenFile(store), transport(second), None)
        with pytest.raises(AuthenticationError, match="the API refuses the client id and secret"):
            other.header()
    assert second.paths() == ["auth/code", "auth", "ideas", "auth/code"]


def test_sixteen_threads_with_one_expired_token_refresh_once(store: Path) -> None:
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


def test_sixteen_threads_that_cannot_log_in_try_once_and_all_get_the_error(store: Path) -> None:
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

        messages = set(pool.map(call, range(16)))
    assert len(messages) == 1
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
        at_the_same_time(_process, *[(server.base_url, store, 60)] * 2)
    assert api.count["served"] == 120
    assert api.count["refresh refused"] == 0
    assert api.count["auth/code"] == 1
