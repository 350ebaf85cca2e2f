"""Rate limits in every dialect, and refusals that only look like one."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.errors import AccessDenied, NotFound, RateLimited, RequestRefused
from ideas_pipeline_tests.ideas_api.caller import Caller
from ideas_pipeline_tests.ideas_api.scripted_auth import ScriptedAuth
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received, in_turn, serving, transport

FINE = Answer(body={"fine": True})
SOON = {"Retry-After": "0"}
SIGNS = {
    "403 with Retry-After": Answer(403, {}, SOON),
    "403 of GitHub": Answer(403, {"message": "API rate limit exceeded for user"}, {"X-RateLimit-Remaining": "0"}),
    "403 of Google": Answer(403, {"error": {"code": 403, "errors": [{"reason": "userRateLimitExceeded"}]}}),
    "403 of Salesforce": Answer(403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests exceeded"}]),
    "403 with headers alone": Answer(403, b"", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}),
    "403 with the draft's header": Answer(403, b"", {"RateLimit": '"default";r=0;t=0'}),
    "403 with the old draft's header": Answer(403, b"", {"RateLimit": "limit=9, remaining=0, reset=0"}),
    "400 with words": Answer(400, {"error": "Too many requests, slow down"}),
    "400 with Retry-After": Answer(400, {"error": "no"}, SOON),
    "409 with Retry-After": Answer(409, {}, SOON),
    "400 that says how long to wait": Answer(400, {"message": "Please wait 1 second before calling again"}),
    "420 alone": Answer(420, b""),
    "420 of Twitter": Answer(420, {"error": "Enhance your calm"}),
    "200 with words": Answer(200, {"error": {"message": "Rate limit exceeded"}, "data": []}),
    "200 with a message alone": Answer(200, {"message": "You have exceeded your hourly quota"}),
    "200 with a code": Answer(200, {"status": 429, "message": "no"}),
    "200 with an error and Retry-After": Answer(200, {"error": "busy"}, SOON),
}


@pytest.mark.parametrize("limited", SIGNS.values(), ids=SIGNS)
def test_a_rate_limit_is_waited_for_in_every_dialect(limited: Answer) -> None:
    with serving(in_turn(limited, FINE)) as server:
        sender = transport(server)
        assert sender.send("GET", "ideas").body == {"fine": True}
    assert (sender.requests, sender.retries) == (2, 1)


def _unix(away: float, unit: float = 1) -> str:
    return str(round((time.time() + away) * unit))


PAUSES: dict[str, Any] = {
    "seconds": lambda: {"Retry-After": "3000"},
    "a reset as Unix time": lambda: {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": _unix(3000)},
    "a reset in milliseconds": lambda: {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": _unix(3000, 1000)},
    "a reset in seconds": lambda: {"RateLimit-Remaining": "0", "RateLimit-Reset": "3000"},
    "the draft's header": lambda: {"RateLimit": '"hour";r=0;t=3000'},
}


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("headers", PAUSES.values(), ids=PAUSES)
def test_the_pause_is_read_from_each_header(headers: Any, status: int) -> None:
    with serving(in_turn(Answer(status, {}, headers()))) as server, pytest.raises(RateLimited) as caught:
        transport(server).send("GET", "ideas")
    assert caught.value.retry_after == pytest.approx(3000, abs=5)
    assert len(server.requests) == 1


def test_the_pause_is_read_from_the_body() -> None:
    refusal = Answer(429, {"message": "You are being rate limited.", "retry_after": 3000.5})
    with serving(in_turn(refusal)) as server, pytest.raises(RateLimited) as caught:
        transport(server).send("GET", "ideas")
    assert caught.value.retry_after == 3000.5


def test_a_reset_does_not_count_while_requests_are_left() -> None:
    headers = {"X-RateLimit-Remaining": "7", "X-RateLimit-Reset": _unix(3000)}
    with serving(in_turn(Answer(429, {}, headers), FINE)) as server:
        assert transport(server).send("GET", "ideas").body == {"fine": True}


def test_a_pause_that_the_api_names_is_waited_out_as_often_as_it_takes() -> None:
    limited = Answer(403, {"message": "You have exceeded a rate limit"}, {"Retry-After": "0.01"})
    with serving(in_turn(*[limited] * 8, FINE)) as server:
        assert transport(server, attempts=2).send("GET", "ideas").body == {"fine": True}


def test_concurrency_is_halved_by_a_rate_limit_of_any_status() -> None:
    with serving(in_turn(SIGNS["403 of GitHub"], SIGNS["200 with words"], FINE)) as server:
        sender = transport(server, concurrency=8)
        sender.send("GET", "ideas")
        assert sender._concurrency.current == 2


RIGHTS = {
    "403": Answer(403, {"message": "Forbidden"}),
    "403 with requests left": Answer(403, {}, {"X-RateLimit-Remaining": "57", "X-RateLimit-Reset": "9999999999"}),
    "403 about a limit of rights": Answer(403, {"message": "Your plan is limited to public challenges"}),
}


@pytest.mark.parametrize("refusal", RIGHTS.values(), ids=RIGHTS)
def test_a_403_about_rights_is_not_waited_for(refusal: Answer) -> None:
    with serving(in_turn(refusal)) as server, pytest.raises(AccessDenied, match="may not read /v2/ideas"):
        transport(server).send("GET", "ideas")
    assert len(server.requests) == 1


def test_retry_after_with_a_page_that_does_not_exist_is_not_waited_for() -> None:
    with serving(in_turn(Answer(404, {}, {"Retry-After": "3000"}))) as server, pytest.raises(NotFound):
        transport(server).send("GET", "ideas")


def test_a_page_size_that_exceeds_a_limit_is_not_a_rate_limit() -> None:
    refusal = Answer(400, {"error": "limit exceeds the maximum of 100"})
    with serving(in_turn(refusal)) as server, pytest.raises(RequestRefused):
        transport(server).send("GET", "ideas")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "headers", [{"Retry-After": "3600"}, {"X-RateLimit-Remaining": "0"}], ids=["a pause", "no requests left"]
)
def test_a_403_about_rights_whose_headers_always_ask_for_patience_costs_one_wait(
    store: Path, headers: dict[str, str]
) -> None:
    """Gateways add such headers to every refusal. That other calls are accepted meanwhile shows that it is none."""
    api = ScriptedAuth()

    def refused(request: Received) -> Answer | None:
        return Answer(403, {"message": "Forbidden"}, headers) if request.path.endswith("/votes") else None

    api.instead = {f"ideas/{n}/votes": refused for n in range(40)}
    with serving(api) as server, ThreadPoolExecutor(4) as pool:
        caller = Caller(server.base_url, store)
        caller.call()

        def read(number: int) -> None:
            with pytest.raises(AccessDenied):
                caller.call(f"ideas/{number}/votes")

        read(0)
        started = time.monotonic()
        list(pool.map(read, range(1, 40)))
        assert time.monotonic() - started < 5
        assert caller.call() == {"path": "/v2/ideas"}
    assert api.count["auth/code"] == 1
    assert api.count["auth/refresh"] <= 1


def test_a_rate_limit_of_headers_alone_stays_one_if_nothing_else_is_accepted(store: Path) -> None:
    api = ScriptedAuth()
    with serving(api) as server:
        caller = Caller(server.base_url, store)
        caller.call()
        api.instead["ideas"] = lambda _: Answer(403, {}, {"Retry-After": "3600"})
        with pytest.raises(RateLimited, match="asks for a pause of 60 minutes"):
            caller.call()
    assert api.count["auth/refresh"] == 0
