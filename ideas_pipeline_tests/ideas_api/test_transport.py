"""What becomes of one request."""

from __future__ import annotations

import gzip
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.ideas_api.errors import (
    AccessDenied,
    ContractError,
    IdeasApiError,
    NotFound,
    RateLimited,
    RequestRefused,
    Unavailable,
)
from ideas_pipeline.ideas_api.transport import Transport
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, ScriptedServer, in_turn, limits, serving

# Without rates in the contract no budget is kept, and no file is made.
UNUSED = Path("unused")
FINE = Answer(body={"fine": True})


def transport(server: ScriptedServer, **changed: Any) -> Transport:
    return Transport(server.base_url, limits(**changed), UNUSED)


def test_an_answer_has_status_headers_in_any_case_and_parsed_body() -> None:
    with serving(in_turn(Answer(body={"a": [1, "ä"]}, headers={"X-Total": "7"}))) as server:
        response = transport(server).send("GET", "/challenges", params={"page": 2})
    assert response.status == 200
    assert response.body == {"a": [1, "ä"]}
    assert response.headers["x-total"] == "7"
    assert response.url == f"{server.base_url}challenges?page=2"
    assert response.requests == 1
    assert abs(response.received_at - time.time()) < 60
    assert server.requests[0].query == {"page": "2"}


def test_a_form_and_a_json_body_are_sent_as_such() -> None:
    with serving(in_turn(FINE)) as server:
        sender = transport(server)
        sender.send("POST", "a", form={"x": "1 & 2"})
        sender.send("POST", "b", json={"y": None})
    assert server.requests[0].form == {"x": "1 & 2"}
    assert server.requests[1].body == '{"y": null}'


def test_one_connection_serves_many_requests_even_after_refusals() -> None:
    with serving(in_turn(FINE, Answer(404), Answer(status=302, headers={"Location": "x"}), FINE)) as server:
        sender = transport(server)
        sender.send("GET", "a")
        with pytest.raises(NotFound):
            sender.send("GET", "b")
        for _ in range(20):
            sender.send("GET", "c")
    assert len(server.requests) == 23
    assert server.connections() == 1


def test_many_threads_share_a_pool_that_is_no_larger_than_the_concurrency() -> None:
    with serving(in_turn(FINE)) as server, ThreadPoolExecutor(16) as pool:
        sender = transport(server, concurrency=4)
        list(pool.map(lambda n: sender.send("GET", f"ideas/{n}"), range(200)))
    assert sender.requests == 200
    assert sender.retries == 0
    assert server.connections() <= 4


BROKEN = {
    "a reset": Answer(reset=True),
    "a server error": Answer(500),
    "a gateway's page": Answer(502, b"<html>"),
    "a body that is cut short": Answer(body={"a": 1}, missing=10),
    "JSON that is cut short": Answer(body=b'{"a": [1, 2'),
    "gzip that is cut short": Answer(
        body=gzip.compress(b'{"a": "' + b"b" * 999)[:40], headers={"Content-Encoding": "gzip"}
    ),
    "gzip that is none": Answer(body=b"{}", headers={"Content-Encoding": "gzip"}),
    "a web page": Answer(body=b"<html>Maintenance</html>", headers={"Content-Type": "text/html; charset=utf-8"}),
    "an empty body": Answer(body=b""),
    "too many requests": Answer(429),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_what_another_attempt_can_mend_is_asked_again(broken: Answer) -> None:
    with serving(in_turn(broken, FINE)) as server:
        sender = transport(server)
        response = sender.send("GET", "ideas")
    assert response.body == {"fine": True}
    assert (response.requests, sender.requests, sender.retries) == (2, 2, 1)


def test_an_answer_without_content_needs_no_json() -> None:
    with serving(in_turn(Answer(204, b""))) as server:
        assert transport(server).send("GET", "ideas").body is None


REFUSALS = {
    400: RequestRefused,
    403: AccessDenied,
    404: NotFound,
    405: RequestRefused,
    410: NotFound,
    422: RequestRefused,
}


@pytest.mark.parametrize(("status", "kind"), REFUSALS.items())
def test_a_refusal_is_not_asked_again_and_says_where_and_what_to_do(status: int, kind: type[IdeasApiError]) -> None:
    with serving(in_turn(Answer(status, {"said": "what-was-answered"}))) as server, pytest.raises(kind) as caught:
        transport(server).send("GET", "ideas/12/votes", params={"q": "what-was-asked"}, stream="votes", scope="12")
    error = caught.value
    assert type(error) is kind
    assert (error.stream, error.scope, error.status) == ("votes", "12", status)
    assert "/v2/ideas/12/votes" in str(error)
    assert error.hint
    assert "what-was-asked" not in str(error)
    assert "what-was-answered" not in str(error)
    assert len(server.requests) == 1


def test_a_401_is_the_business_of_whoever_sent_the_token() -> None:
    with serving(in_turn(Answer(401))) as server:
        assert transport(server).send("GET", "ideas").status == 401


def test_the_number_of_attempts_is_bounded() -> None:
    with serving(in_turn(Answer(503))) as server:
        sender = transport(server, attempts=2)
        with pytest.raises(Unavailable, match=r"asked 2 times.*HTTP 503") as caught:
            sender.send("GET", "ideas", stream="ideas", scope="")
    assert caught.value.status == 503
    assert caught.value.stream == "ideas"
    assert len(server.requests) == 2


def test_a_login_page_gets_its_hint() -> None:
    page = Answer(body=b"<html>Log in</html>", headers={"Content-Type": "text/html"})
    with serving(in_turn(page)) as server, pytest.raises(Unavailable, match=r"web page.*Open the API's address"):
        transport(server, attempts=1).send("GET", "ideas")


def test_a_pause_is_kept() -> None:
    with serving(in_turn(Answer(429, headers={"Retry-After": "1"}), FINE)) as server:
        started = time.monotonic()
        transport(server).send("GET", "ideas")
        assert time.monotonic() - started >= 1


@pytest.mark.parametrize("form", ["seconds", "date", "unix"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_beyond_the_deadline_ends_at_once_and_says_when_to_come_back(form: str, status: int) -> None:
    moment = time.time() + 3000
    value = {"seconds": "3000", "date": formatdate(moment, usegmt=True), "unix": str(int(moment))}[form]
    with (
        serving(in_turn(Answer(status, headers={"Retry-After": value}))) as server,
        pytest.raises(RateLimited, match=r"Come back after \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, in \d\d min") as caught,
    ):
        transport(server).send("GET", "ideas")
    assert caught.value.retry_after == pytest.approx(3000, abs=60)
    assert len(server.requests) == 1


def test_a_date_to_come_back_is_read_by_the_clock_of_the_server() -> None:
    theirs = time.time() - 86400
    headers = {"Date": formatdate(theirs, usegmt=True), "Retry-After": formatdate(theirs + 600, usegmt=True)}
    with serving(in_turn(Answer(429, headers=headers))) as server, pytest.raises(RateLimited) as caught:
        transport(server).send("GET", "ideas")
    assert caught.value.retry_after == pytest.approx(600)


def test_being_asked_too_often_for_ever_ends_as_rate_limited() -> None:
    with (
        serving(in_turn(Answer(429))) as server,
        pytest.raises(RateLimited, match=r"limits\.requests_per_second") as caught,
    ):
        transport(server, attempts=2).send("GET", "ideas")
    assert caught.value.retry_after is None
    assert len(server.requests) == 2


def test_a_server_that_says_nothing_is_not_waited_for_beyond_the_deadline() -> None:
    silent = threading.Event()
    with serving(in_turn(Answer(before=lambda: silent.wait(30)))) as server:
        with pytest.raises(Unavailable, match=r"did not answer in time"):
            transport(server, read_timeout=30, deadline=0.3).send("GET", "ideas")
        silent.set()


def test_what_may_have_been_processed_is_not_sent_again_when_that_could_spend_something() -> None:
    with serving(in_turn(Answer(reset=True), FINE)) as server, pytest.raises(Unavailable, match=r"asked once"):
        transport(server).send("POST", "auth/refresh", form={"refresh_token": "once"}, idempotent=False)
    assert len(server.requests) == 1


def test_what_was_not_processed_is_sent_again_all_the_same() -> None:
    with serving(in_turn(Answer(429), FINE)) as server:
        response = transport(server).send("POST", "auth/refresh", form={"refresh_token": "once"}, idempotent=False)
    assert response.requests == 2


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


def test_a_redirect_of_a_post_and_a_circle_of_redirects_are_refused() -> None:
    with serving(in_turn(Answer(301, headers={"Location": "/v2/ideas"}))) as server:
        with pytest.raises(ContractError, match=r"redirects POST /v2/ideas"):
            transport(server).send("POST", "ideas", form={"a": "b"})
        with pytest.raises(ContractError, match=r"more than 5 redirects"):
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
def test_https_and_this_machine_are_spoken_to(url: str) -> None:
    assert Transport(url, limits(), UNUSED).base_url.endswith("/v2/")


def test_a_server_without_tls_gets_its_sentence_and_no_second_attempt() -> None:
    with serving(in_turn(FINE)) as server:
        sender = Transport(server.base_url.replace("http:", "https:"), limits(), UNUSED)
        with pytest.raises(Unavailable, match=r"no encrypted connection to 127\.0\.0\.1"):
            sender.send("GET", "ideas")
    assert sender.requests == 1


def test_a_port_where_nobody_listens_gets_its_sentence() -> None:
    with serving(in_turn(FINE)) as server:
        pass
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1 accepts no connection"):
        transport(server, attempts=1).send("GET", "ideas")


def test_no_cookie_comes_back_and_no_netrc_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_no_log_line_and_no_exception_holds_the_query_or_a_header(caplog: pytest.LogCaptureFixture) -> None:
    canary = "canary-9f3a"
    broken = in_turn(Answer(500), Answer(reset=True), Answer(body=canary.encode()), Answer(404))
    with caplog.at_level(logging.DEBUG), serving(broken) as server:
        sender = transport(server)
        with pytest.raises(NotFound) as refused:
            sender.send("GET", "auth/code", params={"client_secret": canary}, headers={"X": canary})
        server.answer = in_turn(Answer(reset=True))
        with pytest.raises(Unavailable) as gone:
            sender.send("GET", "auth/code", params={"client_secret": canary}, idempotent=False)
    assert any(record.name == "urllib3.connectionpool" for record in caplog.records), "the canary needs a mine"
    assert canary not in caplog.text
    for error in (refused.value, gone.value):
        assert canary not in f"{error} {error!r} {vars(error)}"
        assert error.__context__ is None
        assert error.__cause__ is None
