"""Addresses that the transport accepts, redirects, proxies."""

from __future__ import annotations

from pathlib import Path

import pytest

from ideas_pipeline.errors import (
    ContractError,
    Unavailable,
)
from ideas_pipeline.ideas_api.rate_limit import RateLimiter
from ideas_pipeline.ideas_api.transport import Parameters, Transport
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, in_turn, limits, serving, transport

UNUSED = RateLimiter(limits(), Path("unused"))
FINE = Answer(body={"fine": True})


def test_a_redirect_on_the_same_host_is_followed_with_the_header() -> None:
    moved = Answer(302, headers={"Location": "/v2/new?page=1"})
    with serving(in_turn(moved, FINE)) as server:
        response = transport(server).send("GET", "old", headers={"X-Token": "t"})
    assert server.requests[1].headers["x-token"] == "t"
    assert response.url == f"{server.base_url}new?page=1"
    assert response.requests == 2


def test_a_redirect_to_another_host_is_refused_and_the_header_stays_here() -> None:
    with serving(in_turn(FINE)) as other, serving(in_turn(FINE)) as server:
        server.answer = in_turn(Answer(307, headers={"Location": f"{other.base_url}ideas"}))
        with pytest.raises(ContractError, match=r"to http://127\.0\.0\.1, and the token is not sent there.*region"):
            transport(server).send("GET", "ideas", headers={"X-Token": "t"})
    assert other.requests == []


def test_a_redirect_of_a_post_and_a_loop_of_redirects_are_refused() -> None:
    with serving(in_turn(Answer(301, headers={"Location": "/v2/ideas"}))) as server:
        with pytest.raises(ContractError, match=r"redirects POST /v2/ideas"):
            transport(server).send("POST", "ideas", Parameters({"a": "b"}, "form"))
        with pytest.raises(ContractError, match=r"too many redirects: more than 5,"):
            transport(server).send("GET", "ideas")
    assert len(server.requests) == 1 + 6


def test_the_header_is_not_sent_to_a_next_page_on_another_host() -> None:
    with serving(in_turn(FINE)) as other, serving(in_turn(FINE)) as server:
        sender = transport(server)
        assert sender.send("GET", f"{server.base_url}ideas?page=2", headers={"X-Token": "t"}).status == 200
        with pytest.raises(ContractError, match=r"token is not sent to 127\.0\.0\.1"):
            sender.send("GET", f"{other.base_url}ideas?page=2", headers={"X-Token": "t"})
    assert other.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/v2/",
        "http://127.0.0.1.example.com/",
        "ftp://127.0.0.1/",
        "https://",
        "api.example.com",
        "https://user:canary@example.com/",
        "https://example.com/v2?key=1",
        "https://example.com:port/",
    ],
)
def test_a_base_url_that_is_not_safe_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ContractError) as caught:
        Transport(url, limits(), UNUSED)
    assert "canary" not in str(caught.value)
    assert "https://" in str(caught.value)


@pytest.mark.parametrize("url", ["https://example.com/v2", "http://localhost:1/v2/", "http://[::1]:1/v2"])
def test_https_and_this_machine_are_allowed(url: str) -> None:
    assert Transport(url, limits(), UNUSED).base_url.endswith("/v2/")


def test_a_server_without_tls_is_an_error_without_a_retry() -> None:
    with serving(in_turn(FINE)) as server:
        sender = Transport(server.base_url.replace("http:", "https:"), limits(), UNUSED)
        with pytest.raises(Unavailable, match=r"no TLS connection to 127\.0\.0\.1"):
            sender.send("GET", "ideas")
    assert sender.requests == 1


def test_a_closed_port_is_an_error_with_a_hint() -> None:
    with serving(in_turn(FINE)) as server:
        pass
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1 refuses connections"):
        transport(server, attempts=1).send("GET", "ideas")


def test_no_cookie_is_sent_back_and_no_netrc_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with serving(in_turn(Answer(headers={"Set-Cookie": "session=1"}))) as server:
        sender = transport(server)
        sender.send("GET", "a")
        sender.send("GET", "b")
    for request in server.requests:
        assert "authorization" not in request.headers
        assert "cookie" not in request.headers


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving(in_turn(FINE)) as proxy, serving(in_turn(Answer(500))) as server:
        monkeypatch.setenv("http_proxy", proxy.base_url)
        assert transport(server).send("GET", "ideas").body == {"fine": True}
    assert server.requests == []
