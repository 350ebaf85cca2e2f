"""Requests, retries and errors of the transport."""

from __future__ import annotations

import gzip
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import pytest

from ideas_pipeline.errors import (
    AccessDenied,
    IdeasApiError,
    NotFound,
    RateLimited,
    RequestRefused,
    Unavailable,
)
from ideas_pipeline.ideas_api.transport import Parameters
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, in_turn, serving, transport

FINE = Answer(body={"fine": True})


def test_a_response_has_status_case_insensitive_headers_and_parsed_body() -> None:
    with serving(in_turn(Answer(body={"a": [1, "ä"]}, headers={"X-Total": "7"}))) as server:
        response = transport(server).send("GET", "/challenges", Parameters({"page": 2}))
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
        sender.send("POST", "a", Parameters({"x": "1 & 2"}, "form"))
        sender.send("POST", "b", Parameters({"y": None}, "json"))
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


def test_many_threads_share_a_pool_as_large_as_the_concurrency() -> None:
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
def test_a_retryable_error_is_retried(broken: Answer) -> None:
    with serving(in_turn(broken, FINE)) as server:
        sender = transport(server)
        response = sender.send("GET", "ideas")
    assert response.body == {"fine": True}
    assert (response.requests, sender.requests, sender.retries) == (2, 2, 1)


def test_a_response_without_content_needs_no_json() -> None:
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
def test_a_refusal_is_not_retried_and_says_what_to_do(status: int, kind: type[IdeasApiError]) -> None:
    with serving(in_turn(Answer(status, {"said": "what-was-answered"}))) as server, pytest.raises(kind) as caught:
        transport(server).send("GET", "ideas/12/votes", Parameters({"q": "what-was-asked"}))
    error = caught.value
    assert type(error) is kind
    assert error.status == status
    assert "/v2/ideas/12/votes" in str(error)
    assert error.hint
    assert "what-was-asked" not in str(error)
    assert "what-was-answered" not in str(error)
    assert len(server.requests) == 1


def test_a_401_is_returned() -> None:
    with serving(in_turn(Answer(401))) as server:
        assert transport(server).send("GET", "ideas").status == 401


def test_the_number_of_attempts_is_bounded() -> None:
    with serving(in_turn(Answer(503))) as server:
        sender = transport(server, attempts=2)
        with pytest.raises(Unavailable, match=r"no usable response after 2 attempts.*HTTP 503") as caught:
            sender.send("GET", "ideas")
    assert caught.value.status == 503
    assert len(server.requests) == 2


def test_a_login_page_gets_its_hint() -> None:
    page = Answer(body=b"<html>Log in</html>", headers={"Content-Type": "text/html"})
    with serving(in_turn(page)) as server, pytest.raises(Unavailable, match=r"web page.*Open the API's address"):
        transport(server, attempts=1).send("GET", "ideas")


def test_a_retry_waits_as_long_as_the_api_asks() -> None:
    with serving(in_turn(Answer(429, headers={"Retry-After": "1"}), FINE)) as server:
        started = time.monotonic()
        transport(server).send("GET", "ideas")
        assert time.monotonic() - started >= 1


@pytest.mark.parametrize("form", ["seconds", "date", "unix"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_beyond_the_deadline_ends_at_once_and_says_when_to_try_again(form: str, status: int) -> None:
    moment = time.time() + 3000
    value = {"seconds": "3000", "date": formatdate(moment, usegmt=True), "unix": str(int(moment))}[form]
    with (
        serving(in_turn(Answer(status, headers={"Retry-After": value}))) as server,
        pytest.raises(
            RateLimited, match=r"Try again after \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, in \d\d minutes"
        ) as caught,
    ):
        transport(server).send("GET", "ideas")
    assert caught.value.retry_after == pytest.approx(3000, abs=60)
    assert len(server.requests) == 1


def test_a_date_in_retry_after_is_read_by_the_clock_of_the_server() -> None:
    theirs = time.time() - 86400
    headers = {"Date": formatdate(theirs, usegmt=True), "Retry-After": formatdate(theirs + 600, usegmt=True)}
    with serving(in_turn(Answer(429, headers=headers))) as server, pytest.raises(RateLimited) as caught:
        transport(server).send("GET", "ideas")
    assert caught.value.retry_after == pytest.approx(600)


def test_429_after_the_last_attempt_is_rate_limited() -> None:
    with (
        serving(in_turn(Answer(429))) as server,
        pytest.raises(RateLimited, match=r"limits\.requests_per_second") as caught,
    ):
        transport(server, attempts=2).send("GET", "ideas")
    assert caught.value.retry_after is None
    assert len(server.requests) == 2


def test_a_silent_server_is_not_waited_for_beyond_the_deadline() -> None:
    silent = threading.Event()
    with serving(in_turn(Answer(before=lambda: silent.wait(30)))) as server:
        with pytest.raises(Unavailable, match=r"did not respond in time"):
            transport(server, read_timeout=30, deadline=0.3).send("GET", "ideas")
        silent.set()


def test_a_request_that_is_not_idempotent_is_not_retried_if_it_may_have_been_processed() -> None:
    with (
        serving(in_turn(Answer(reset=True), FINE)) as server,
        pytest.raises(Unavailable, match=r"no usable response after 1 attempt;"),
    ):
        transport(server).send("POST", "auth/refresh", Parameters({"refresh_token": "once"}, "form"), idempotent=False)
    assert len(server.requests) == 1


def test_a_request_that_is_not_idempotent_is_retried_if_it_was_not_processed() -> None:
    with serving(in_turn(Answer(429), FINE)) as server:
        response = transport(server).send(
            "POST", "auth/refresh", Parameters({"refresh_token": "once"}, "form"), idempotent=False
        )
    assert response.requests == 2


def test_no_log_line_contains_a_path_or_a_broken_header(caplog: pytest.LogCaptureFixture) -> None:
    """Paths contain ids of people. urllib3 warns, with a traceback, about headers that it cannot read."""
    canary = "canary-9f3a"
    broken = Answer(headers={"Content-Length": "2", "X-One": f"1\r\n no header: {canary}\r\n{canary}"})
    moved = Answer(302, headers={"Location": f"/v2/people/{canary}/moved?q={canary}"})
    with caplog.at_level(logging.DEBUG), serving(in_turn(moved, Answer(reset=True), broken)) as server:
        transport(server).send("GET", "people", Parameters(shown="/people/…"))
        transport(server).send("GET", f"people/{canary}", Parameters({"q": canary}, shown="/people/…"))
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("urllib3")]
    assert any('"GET /… HTTP/1.1" 302' in line for line in lines), lines
    assert any(line.startswith("Failed to parse headers (url=/…): HeaderParsingError") for line in lines), lines
    assert canary not in caplog.text


def test_no_log_line_and_no_exception_contains_the_query_or_a_header(caplog: pytest.LogCaptureFixture) -> None:
    canary = "canary-9f3a"
    broken = in_turn(Answer(500), Answer(reset=True), Answer(body=canary.encode()), Answer(404))
    with caplog.at_level(logging.DEBUG), serving(broken) as server:
        sender = transport(server)
        with pytest.raises(NotFound) as refused:
            sender.send("GET", "auth/code", Parameters({"client_secret": canary}), headers={"X": canary})
        server.answer = in_turn(Answer(reset=True))
        with pytest.raises(Unavailable) as gone:
            sender.send("GET", "auth/code", Parameters({"client_secret": canary}), idempotent=False)
    assert any(record.name == "urllib3.connectionpool" for record in caplog.records), "the canary needs a mine"
    assert canary not in caplog.text
    for error in (refused.value, gone.value):
        assert canary not in f"{error} {error!r} {vars(error)}"
        assert error.__context__ is None
        assert error.__cause__ is None
