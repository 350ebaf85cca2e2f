"""Faults of the API, how a run with each of them ends, and its reason. ``docs/faults.md`` shows these tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.truth import Tables

STREAMS = ("challenges", "users", "ideas", "comments", "votes")
PER_PARENT = ("ideas", "comments", "votes")
ONCE, ALWAYS = 1, None
_PARENT = {"ideas": "challenge_id", "comments": "idea_id", "votes": "idea_id"}


@dataclass(frozen=True)
class ApiFault:
    """A fault of one stream's lists.

    Attributes:
        title: what goes wrong.
        faults: the simulator's faults, given the stream, and one of its scopes.
        ends: how the stream ends.
        says: a part of the reason; empty if the stream has none.
        streams: those that can meet it.
        meets_login: whether the run has to log in.
        has_cursors: whether the API pages by cursors, without totals.
        is_said_twice: whether the next run, which makes the warehouse true, is not complete for the same reason.
    """

    title: str
    faults: Callable[[str, str], Sequence[Fault]]
    ends: Literal["complete", "incomplete", "failed"] = "complete"
    says: str = ""
    streams: Sequence[str] = STREAMS
    meets_login: bool = False
    has_cursors: bool = False
    is_said_twice: bool = False


def _in_stream(kind: Any, times: int | None, **options: Any) -> Callable[[str, str], list[Fault]]:
    return lambda stream, _: [Fault(kind=kind, stream=stream, times=times, **options)]


def _in_scope(kind: Any, **options: Any) -> Callable[[str, str], list[Fault]]:
    return lambda stream, scope: [Fault(kind=kind, stream=stream, scope=scope, times=ALWAYS, **options)]


def _on_second_page(kind: Any) -> Callable[[str, str], list[Fault]]:
    """Once, at the second request of a list, which is for its second page."""
    return lambda stream, scope: [Fault(kind=kind, stream=stream, scope=scope, every=2)]


def _in_login(path: str, status: int, times: int | None) -> Callable[[str, str], list[Fault]]:
    return lambda *_: [Fault(kind="status", stream=path, status=status, times=times)]


PASSING = [
    ApiFault("the connection is reset, once", _in_stream("reset", ONCE)),
    ApiFault("the body breaks off, once", _in_stream("cut_short", ONCE)),
    ApiFault("the body is half a JSON text, once", _in_stream("truncated_json", ONCE)),
    ApiFault("the body is half a gzip stream, once", _in_stream("truncated_gzip", ONCE)),
    ApiFault("the body drips beyond the read timeout, once", _in_stream("slow_body", ONCE, seconds=1.5)),
    ApiFault("a login page in HTML with status 200, once", _in_stream("html", ONCE)),
    ApiFault("an empty body with status 200, once", _in_stream("empty_body", ONCE)),
    ApiFault("a byte order mark before every body", _in_stream("bom", ALWAYS)),
    ApiFault("500, once", _in_stream("status", ONCE, status=500)),
    ApiFault("503 with Retry-After in seconds, once", _in_stream("status", ONCE, retry_after="seconds", seconds=1)),
    ApiFault("429 with a date in Retry-After, once", _in_stream("status", ONCE, status=429, retry_after="date")),
    ApiFault("429 with a Unix time in Retry-After, once", _in_stream("status", ONCE, status=429, retry_after="unix")),
    ApiFault("429 without Retry-After, once", _in_stream("status", ONCE, status=429)),
    ApiFault("401, once", _in_stream("status", ONCE, status=401)),
    ApiFault("500 at the request for an auth code, once", _in_login("auth.code", 500, ONCE), meets_login=True),
    ApiFault("500 at the request for a token, once", _in_login("auth.token", 500, ONCE), meets_login=True),
    ApiFault("a NUL and a lone surrogate in a text", _in_stream("poison_text", ALWAYS), streams=("comments", "ideas")),
    ApiFault("a value that cannot be typed", _in_stream("poison_value", ALWAYS)),
]
LISTS = [
    ApiFault("pages from the second on are empty, once", _on_second_page("list_cut")),
    ApiFault("the previous page comes again, once", _on_second_page("page_twice")),
    ApiFault("a total that is off by one, once", _in_stream("wrong_total", ONCE)),
    ApiFault(
        "pages from the second on are empty, always",
        _in_stream("list_cut", ALWAYS),
        "incomplete",
        "but 3 records came (after 3 sweeps)",
        ("users", "comments"),
    ),
    ApiFault(
        "the previous page comes again, always",
        _in_stream("page_twice", ALWAYS),
        "incomplete",
        "a record came twice (after 2 sweeps)",
        ("users",),
    ),
    ApiFault(
        "a total that is one too high, always",
        _in_stream("wrong_total", ALWAYS),
        "incomplete",
        "records came (after 2 sweeps)",
    ),
    ApiFault(
        "a total that is one too low, always",
        _in_stream("wrong_total", ALWAYS, off_by=-1),
        "incomplete",
        "the API's total is 11, but 12 records came",
        ("users",),
    ),
]
_NO_RESPONSE = "no usable response after 2 attempts; last error: "
LASTING = [
    ApiFault(
        "every connection is reset", _in_stream("reset", ALWAYS), "failed", f"{_NO_RESPONSE}the connection was lost"
    ),
    ApiFault("500, always", _in_stream("status", ALWAYS, status=500), "failed", f"{_NO_RESPONSE}Internal Server Error"),
    ApiFault("401, always", _in_stream("status", ALWAYS, status=401), "failed", "this account may not read"),
    ApiFault("403, always", _in_stream("status", ALWAYS, status=403), "failed", "this account may not read"),
    ApiFault(
        "404, always",
        _in_stream("status", ALWAYS, status=404),
        "failed",
        "there is nothing at",
        ("challenges", "users"),
    ),
    ApiFault(
        "429, always",
        _in_stream("status", ALWAYS, status=429, retry_after="seconds"),
        "failed",
        "(HTTP 429)",
    ),
    ApiFault(
        "the body is half a gzip stream, always",
        _in_stream("truncated_gzip", ALWAYS),
        "failed",
        f"{_NO_RESPONSE}the body is not valid JSON or was truncated",
    ),
    ApiFault(
        "a login page in HTML, always",
        _in_stream("html", ALWAYS),
        "failed",
        f"{_NO_RESPONSE}the body is a web page, not JSON",
    ),
    ApiFault(
        "an error body with status 200, always",
        _in_stream("error_body", ALWAYS),
        "failed",
        "the response is an error message instead of records",
    ),
    ApiFault(
        "an empty body with status 200, always",
        _in_stream("empty_body", ALWAYS),
        "failed",
        f"{_NO_RESPONSE}the body is empty",
    ),
    ApiFault(
        "a redirect to another host",
        _in_stream("redirect", ALWAYS, location="https://elsewhere.example/"),
        "failed",
        "the token is not sent there (HTTP 302). Check the base URL",
    ),
    ApiFault(
        "401 at the request for an auth code",
        _in_login("auth.code", 401, ALWAYS),
        "failed",
        "the API refuses the client id and secret (HTTP 401)",
        meets_login=True,
    ),
    ApiFault(
        "403 for one list", _in_scope("status", status=403), "incomplete", "this account may not read", PER_PARENT
    ),
    ApiFault("404 for one list", _in_scope("status", status=404), "incomplete", "there is nothing at", PER_PARENT),
    ApiFault("500 for one list", _in_scope("status", status=500), "incomplete", _NO_RESPONSE, PER_PARENT),
]
_NOT_UNIQUE = "records of this list have the ids of records of another"
_WITH_PAGES = ("users", "ideas", "comments")
CURSORS = [
    ApiFault("a cursor leads to its own page, once", _on_second_page("repeat_cursor"), has_cursors=True),
    ApiFault(
        "a cursor leads to a page of another list, once",
        _on_second_page("foreign_page"),
        "incomplete",
        _NOT_UNIQUE,
        ("comments",),
        has_cursors=True,
    ),
    ApiFault(
        "every cursor leads to its own page",
        _in_stream("repeat_cursor", ALWAYS),
        "incomplete",
        "a page or cursor repeated",
        has_cursors=True,
    ),
    ApiFault(
        "every cursor leads to a page of another list",
        _in_stream("foreign_page", ALWAYS),
        "incomplete",
        _NOT_UNIQUE,
        ("comments",),
        has_cursors=True,
        is_said_twice=True,
    ),
    ApiFault(
        "the API does not know a cursor that it named",
        lambda stream, scope: [Fault(kind="unknown_cursor", stream=stream, scope=scope)],
        "incomplete",
        "the API does not accept",
        _WITH_PAGES,
        has_cursors=True,
    ),
]
API_FAULTS = [*PASSING, *LISTS, *CURSORS, *LASTING]


def some_scope(tables: Tables, name: str) -> str:
    """The scope of the longest list; empty if the stream is one list."""
    if name not in _PARENT:
        return ""
    ((scope, _),) = Counter(str(row[_PARENT[name]]) for row in tables[name].values()).most_common(1)
    return scope
