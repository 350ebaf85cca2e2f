from __future__ import annotations

import logging
import socket
import urllib.error
import urllib.request

import pytest

from ideas_pipeline.errors import AuthenticationError
from ideas_pipeline.ideas_api.callback import ListenerSettings, listening

SETTINGS = ListenerSettings(port=0, path="/ideas/code", seconds=5)


def _ask(url: str, data: bytes | None = None) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_code_is_taken_from_the_parameter() -> None:
    with listening(SETTINGS, "auth_code") as listener:
        assert _ask(f"{listener.address}?auth_code=a%2Bb%20c") == 200
        assert listener.wait() == "a+b c"


@pytest.mark.parametrize(
    ("tail", "status"),
    [
        ("", 400),
        ("?", 400),
        ("?auth_code", 400),
        ("?auth_code=", 400),
        ("?auth_code=%20", 400),
        ("?code=1", 400),
        ("?auth_code=1&auth_code=2", 400),
        ("?auth_code=1&other=2", 400),
        ("/?auth_code=1", 404),
        ("/more?auth_code=1", 404),
    ],
)
def test_other_requests_are_refused_and_deliver_no_code(tail: str, status: int) -> None:
    with listening(SETTINGS, "auth_code") as listener:
        assert _ask(listener.address + tail) == status
        assert listener.codes.empty()


def test_another_path_and_another_method_are_refused() -> None:
    with listening(SETTINGS, "auth_code") as listener:
        assert _ask(listener.address.replace("/ideas/code", "/") + "?auth_code=1") == 404
        assert _ask(f"{listener.address}?auth_code=1", data=b"auth_code=1") == 501
        assert listener.codes.empty()


def test_the_latest_of_several_codes_counts() -> None:
    with listening(SETTINGS, "auth_code") as listener:
        _ask(f"{listener.address}?auth_code=first")
        _ask(f"{listener.address}?auth_code=second")
        assert listener.wait() == "second"


def test_it_listens_on_this_machine_only_by_default() -> None:
    assert ListenerSettings(port=1).host == "127.0.0.1"
    with listening(SETTINGS, "auth_code") as listener:
        port = int(listener.address.split(":")[2].split("/")[0])
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.2", port)) != 0


def test_a_silent_client_does_not_block_others() -> None:
    with listening(SETTINGS, "auth_code") as listener:
        port = int(listener.address.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port)):
            assert _ask(f"{listener.address}?auth_code=1") == 200
        assert listener.wait() == "1"


def test_a_port_in_use_is_an_error_with_a_hint() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ListenerSettings(port=taken.getsockname()[1])
        refused = pytest.raises(AuthenticationError, match=r"cannot listen.*IDEAS_CALLBACK_PORT")
        with refused, listening(settings, "auth_code"):
            pass


def test_nothing_is_logged_or_printed(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG), listening(SETTINGS, "auth_code") as listener:
        _ask(f"{listener.address}?auth_code=canary")
        _ask(f"{listener.address}/canary")
        with socket.create_connection(("127.0.0.1", int(listener.address.split(":")[2].split("/")[0]))) as visitor:
            visitor.sendall(b"canary nonsense\r\n\r\n")
            visitor.recv(100)
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")
