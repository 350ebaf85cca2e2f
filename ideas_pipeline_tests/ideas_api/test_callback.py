from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Mapping
from http.client import HTTPConnection

import pytest

from ideas_pipeline.errors import AuthenticationError
from ideas_pipeline.ideas_api.callback import Expected, Listener, ListenerSettings, listening

PATH = "/ideas/code-Fq1n3ZbSg7mX"
SETTINGS = ListenerSettings(port=0, path=PATH, seconds=5)
SOON = ListenerSettings(port=0, path=PATH, seconds=0.1)
CODE = Expected("auth_code", {})
WITH_STATE = Expected("auth_code", {"state": "of this login"})
GOOD = f"{PATH}?auth_code=1"


def ask(listener: Listener, target: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> int:
    connection = HTTPConnection("127.0.0.1", listener.port, timeout=5)
    try:
        connection.putrequest(method, target, skip_host="Host" in (headers or {}))
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_code_is_taken_from_the_parameter() -> None:
    with listening(SETTINGS, CODE) as listener:
        assert ask(listener, f"{PATH}?auth_code=a%2Bb%20c") == 200
        assert listener.wait() == "a+b c"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (PATH, 400),
        (f"{PATH}?", 400),
        (f"{PATH}?auth_code", 400),
        (f"{PATH}?auth_code=", 400),
        (f"{PATH}?auth_code=%20", 400),
        (f"{PATH}?code=1", 400),
        (f"{PATH}?auth_code=1&auth_code=2", 400),
        (f"{PATH}?auth_code=1&other=2", 400),
        (f"{PATH}/?auth_code=1", 404),
        (f"{PATH}/more?auth_code=1", 404),
        ("/?auth_code=1", 404),
    ],
)
def test_other_requests_are_refused_and_deliver_no_code(target: str, status: int) -> None:
    with listening(SETTINGS, CODE) as listener:
        assert ask(listener, target) == status
        assert ask(listener, GOOD) == 200
        assert listener.wait() == "1"


def test_another_method_is_refused() -> None:
    with listening(SETTINGS, CODE) as listener:
        assert ask(listener, GOOD, method="POST") == 501
        assert ask(listener, GOOD, method="HEAD") == 501


def test_the_first_good_code_counts_and_every_later_one_is_refused() -> None:
    with listening(SETTINGS, CODE) as listener:
        assert ask(listener, f"{PATH}?auth_code=first") == 200
        assert ask(listener, f"{PATH}?auth_code=second") == 410
        assert listener.wait() == "first"
        assert ask(listener, f"{PATH}?auth_code=third") == 410


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example",
        "attacker.example:80",
        "localhost.attacker.example",
        "127.0.0.1.nip.example",
        "localhost@attacker.example",
        "0.0.0.0",
        "",
        "[::",
        "127.0.0.1, attacker.example",
    ],
)
def test_a_foreign_host_is_refused_because_a_name_of_others_can_lead_here(host: str) -> None:
    with listening(SOON, CODE) as listener:
        assert ask(listener, GOOD, {"Host": host}) == 403
        with pytest.raises(AuthenticationError, match=r"another host was refused.* set IDEAS_CALLBACK_PUBLIC_HOST"):
            listener.wait()


def test_a_request_without_a_host_or_with_two_is_refused() -> None:
    with listening(SETTINGS, CODE) as listener:
        for hosts in (b"", b"Host: localhost\r\nHost: localhost\r\n"):
            with socket.create_connection(("127.0.0.1", listener.port), timeout=5) as client:
                client.sendall(b"GET " + GOOD.encode() + b" HTTP/1.1\r\n" + hosts + b"\r\n")
                assert b" 403 " in client.recv(100)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8765", "127.0.0.1:1", "[::1]:8765", "203.0.113.7", "Ideas.Example.com:443"]
)
def test_this_machine_an_address_and_the_public_name_are_accepted(host: str) -> None:
    settings = ListenerSettings(port=0, path=PATH, public_host="ideas.example.com")
    with listening(settings, CODE) as listener:
        assert ask(listener, GOOD, {"Host": host}) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://attacker.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_what_a_page_sends_in_the_background_is_refused(headers: dict[str, str]) -> None:
    with listening(SOON, CODE) as listener:
        assert ask(listener, GOOD, headers) == 403
        with pytest.raises(AuthenticationError, match="A request that a page sent from a browser was refused"):
            listener.wait()


@pytest.mark.parametrize("site", ["cross-site", "none"])
def test_a_browser_that_the_api_redirects_delivers_the_code(site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    with listening(SETTINGS, CODE) as listener:
        assert ask(listener, GOOD, headers) == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("auth_code=1", 400),
        ("auth_code=1&state=", 403),
        ("auth_code=1&state=of+another+login", 403),
        ("auth_code=1&state=of+this+login&state=of+this+login", 400),
        ("auth_code=1&state=%F0%9F%92%A9", 403),
    ],
)
def test_a_code_without_the_state_of_this_login_is_refused(query: str, status: int) -> None:
    with listening(SETTINGS, WITH_STATE) as listener:
        assert ask(listener, f"{PATH}?{query}") == status
        assert ask(listener, f"{PATH}?state=of%20this%20login&auth_code=right") == 200
        assert listener.wait() == "right"


def test_if_no_code_comes_the_error_says_what_came_instead_and_not_the_path() -> None:
    with listening(SOON, CODE) as listener:
        ask(listener, "/elsewhere?auth_code=canary")
        ask(listener, f"{PATH}?code=canary")
        with pytest.raises(AuthenticationError) as raised:
            listener.wait()
    error = str(raised.value)
    assert f"no auth code arrived on 127.0.0.1 port {listener.port} at IDEAS_CALLBACK_PATH within 0.1 seconds" in error
    assert "another path was refused: compare IDEAS_CALLBACK_PATH with the API client's endpoint" in error
    assert "other parameters was refused: check auth.callback in the contract" in error
    assert not [secret for secret in ("canary", PATH, "/elsewhere") if secret in error]


def test_it_listens_on_this_machine_only_by_default() -> None:
    assert ListenerSettings(port=1, path="/").host == "127.0.0.1"
    with listening(SETTINGS, CODE) as listener, socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", listener.port)) != 0


def test_slow_and_silent_clients_hold_up_nobody_and_end_with_the_listener() -> None:
    before = threading.active_count()
    clients = []
    try:
        with listening(SETTINGS, CODE) as listener:
            for number in range(100):
                client = socket.create_connection(("127.0.0.1", listener.port), timeout=5)
                clients.append(client)
                client.sendall(b"GET / HT" if number % 2 else b"")
            assert ask(listener, GOOD) == 200
            assert listener.wait() == "1"
            assert threading.active_count() - before < 50
        ends = time.monotonic() + 5
        while threading.active_count() > before and time.monotonic() < ends:
            time.sleep(0.01)
        assert threading.active_count() <= before
    finally:
        for client in clients:
            client.close()


def test_a_port_in_use_is_an_error_with_a_hint() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ListenerSettings(port=taken.getsockname()[1], path=PATH)
        refused = pytest.raises(AuthenticationError, match=r"cannot listen.*IDEAS_CALLBACK_PORT")
        with refused, listening(settings, CODE):
            pass


def test_nothing_is_logged_or_printed(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG), listening(SETTINGS, CODE) as listener:
        ask(listener, f"{PATH}?auth_code=canary")
        ask(listener, f"{PATH}/canary")
        with socket.create_connection(("127.0.0.1", listener.port)) as visitor:
            visitor.sendall(b"canary nonsense\r\n\r\n")
            visitor.recv(100)
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")
