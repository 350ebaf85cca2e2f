"""What a server says is a claim: no number, link, id or text of it costs much, or leads elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.model import Stream
from ideas_pipeline.contract.paging import NextLinkPaging, Total
from ideas_pipeline.errors import RateLimited, UnexpectedResponse
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.auth_responses import expiry
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.ideas_api.json_body import charset_of, may_exceed, parse
from ideas_pipeline.ideas_api.pagination import LARGEST_TOTAL, following, total_of
from ideas_pipeline.ideas_api.repeated_ids import tell_apart
from ideas_pipeline.ideas_api.responses import Response, retry_after
from ideas_pipeline.ideas_api.urls import stays_in_place
from ideas_pipeline.privacy import personal
from ideas_pipeline_tests.ideas_api.scripted_auth import CLIENT_ID, CLIENT_SECRET, ScriptedAuth
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, ScriptedServer, in_turn, limits, serving, transport

# Each of these takes milliseconds in linear time, and minutes in quadratic time.
LONG = 200_000
MUCH_TOO_LONG = 30.0  # seconds

CONTRACT = load_contract(None)
IDEAS = CONTRACT.streams["ideas"]
LINKED = IDEAS.model_copy(update={"paging": NextLinkPaging(style="next_link", next=("next",))})


def client_of(server: ScriptedServer, store: Path, ideas: Stream = IDEAS, **bounds: Any) -> IdeasApi:
    """A client of ``server`` that reads ``ideas`` as stated, within ``bounds``."""
    changed = {"limits": limits(**bounds), "streams": {**CONTRACT.streams, "ideas": ideas}}
    credentials = Credentials(CLIENT_ID, CLIENT_SECRET)
    return IdeasApi.connect(
        CONTRACT.model_copy(update=changed), server.base_url, credentials, FileHome(store, store.parent)
    )


@pytest.mark.parametrize(
    ("claim", "total"),
    [
        (12, 12),
        (12.0, 12),
        ("12", 12),
        (10**9, 10**9),
        (1e9, 10**9),
        (10**30, LARGEST_TOTAL),
        (1e300, LARGEST_TOTAL),
        ("9" * 5000, LARGEST_TOTAL),
        (-1, None),
        ("-1", None),
        (1.5, None),
        (True, None),
        ([7], None),
        (float("inf"), None),
        (float("nan"), None),
        ("1e999", None),
    ],
)
def test_a_total_is_a_count_that_a_database_can_store(claim: object, total: int | None) -> None:
    assert total_of(Total(body=("total",)), {"total": claim}, {}) == total


@pytest.mark.parametrize(
    "seconds",
    ["1e999", "-1e999", "NaN", "1" + "0" * 400, '"nan"', '"inf"', '"' + "9" * 5000 + '"', "0", "-5", '"0"'],
)
def test_a_token_without_a_usable_expiry_has_none(seconds: str) -> None:
    body = parse(f'{{"expires_in": {seconds}}}'.encode()).value
    assert expiry(Response(200, {}, body, "", "", 1, 0.0), ("expires_in",)) is None


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, b'{"error": "x", "retry_after": 1e999}'),
        Answer(429, f'{{"error": "x", "retry_after": 1{"0" * 400}}}'.encode()),
        Answer(429, headers={"RateLimit": "remaining=0, reset=" + "9" * 18}),
        Answer(429, headers={"RateLimit": "remaining=0, reset=" + "9" * 5000}),
        Answer(429, headers={"X-RateLimit-Remaining": "9" * 5000, "Retry-After": "9" * 5000}),
        Answer(429, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1e999"}),
    ],
)
def test_a_pause_of_any_size_is_a_rate_limit(answer: Answer) -> None:
    with serving(in_turn(answer)) as server, pytest.raises(RateLimited):
        transport(server, attempts=1).send("GET", "ideas")


URL = "https://api.example.com/v2/ideas"


@pytest.mark.parametrize(
    "link",
    [
        "http://[",
        "//[",
        "https://api.example.com:99999/",
        "https://api.example.com:x/",
        "https://user:password@api.example.com/",
        "https://evil.example\\@api.example.com/",
        "https://api.example.com\\@evil.example/",
        "https://api.example.com@evil.example/",
        "https://api.example.com.evil.example/",
        "//evil.example/",
        "javascript:alert(1)",
    ],
)
def test_a_link_to_another_host_or_to_none_ends_the_list(link: str) -> None:
    paging = NextLinkPaging(style="next_link", next=("next",))
    with pytest.raises(UnexpectedResponse):
        following(paging, "", 1, {"next": link}, {}, URL)


def test_a_backslash_in_a_link_stays_on_the_host() -> None:
    paging = NextLinkPaging(style="next_link", next=("next",))
    found = following(paging, "", 1, {"next": "\\\\evil.example\\x"}, {}, URL)
    assert str(found).startswith("https://api.example.com/v2/")


def test_a_next_link_that_is_redirected_elsewhere_ends_the_list_and_not_the_run(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["more"] = lambda _: Answer(302, headers={"Location": "http://[/"})
    with serving(api) as server:
        client = client_of(server, store, LINKED)
        with pytest.raises(UnexpectedResponse, match="the next page's link cannot be followed"):
            client.request("ideas", "1", f"{server.base_url}more")


def test_a_page_that_is_too_large_is_not_reported_as_a_link_that_cannot_be_followed(store: Path) -> None:
    api = ScriptedAuth()
    api.instead["more"] = lambda _: Answer(body={"data": list(range(2000))})
    with serving(api) as server:
        client = client_of(server, store, LINKED, json_values=1000)
        with pytest.raises(UnexpectedResponse, match=r"^ideas 1: the body of the response has more than 1,000 values"):
            client.request("ideas", "1", f"{server.base_url}more")


ASTRAY = [
    "",
    ".",
    "..",
    "../..",
    "a/../../users",
    "..\\..",
    "a\\..",
    "%2e%2e",
    "%2E",
    "%252e%252e",
    ".%2e",
    "%2e%2e%2fusers",
    "%5c..",
]


@pytest.mark.parametrize("id_", ASTRAY)
def test_an_id_that_leads_to_another_list_is_not_requested(store: Path, id_: str) -> None:
    with serving(ScriptedAuth()) as server:
        client = client_of(server, store)
        with pytest.raises(UnexpectedResponse, match="it would lead to another list") as caught:
            client.request("votes", id_, pagination.first(CONTRACT.streams["votes"].paging))
        assert caught.value.scope == id_
        assert server.requests == []


@pytest.mark.parametrize(
    "id_", ["a/b", "a\\b", "a?b=c#d", "...", "..a", "a..b", "1.5", "100%", "%41", "é", "a b", ";", "~"]
)
def test_any_other_id_is_one_segment_of_the_path(store: Path, id_: str) -> None:
    api = ScriptedAuth()
    with serving(api) as server:
        client = client_of(server, store, attempts=1)
        client.request("votes", id_, pagination.first(CONTRACT.streams["votes"].paging))
        before, segment, after = server.requests[-1].path.removeprefix("/v2/").split("/")
    assert (before, after) == ("ideas", "votes")
    assert not set(segment) & set("\\?#")


def test_a_value_that_is_encoded_again_and_again_is_not_a_segment() -> None:
    assert not stays_in_place("%" + "25" * 20 + "2e")


def _many_names(count: int) -> bytes:
    return b"{" + b",".join(b'"a": %d' % number for number in range(count)) + b"}"


def _pairs(count: int) -> list[Record]:
    return [Record({"id": str(number // 2), "title": str(number)}, {}, {}) for number in range(count)]


TEXTS: dict[str, Callable[[], Any]] = {
    "Link: commas": lambda: pagination._link_header(", " * LONG),
    "Link: spaces": lambda: pagination._link_header("," + " " * LONG),
    "Link: parameters": lambda: pagination._link_header("<a>" + "; rel=x" * (LONG // 10)),
    "Retry-After: units": lambda: retry_after("1ms" * (LONG // 3) + "!", time.time()),
    "Retry-After: spaces": lambda: retry_after("1s" + " " * LONG + "1" + " " * LONG + "!", time.time()),
    "an address in a long word": lambda: personal.ADDRESS.sub("", "a" * LONG + " @"),
    "an address of dots": lambda: personal.ADDRESS.sub("", "a@" + "." * LONG),
    "addresses in a row": lambda: personal.ADDRESS.sub("", "a@b" * (LONG // 3)),
    "a name of underscores": lambda: personal.is_id_of_who.__wrapped__("_" * LONG + "x"),
    "portraits": lambda: personal.class_of_shape("http://x" + "/avatars/" * (LONG // 9) + " x"),
    "punycode": lambda: parse(
        b'{"a":"' + b"a" * LONG + b"-" + b"b" * LONG + b'"}', "application/json; charset=punycode"
    ),
    "one name again and again": lambda: parse(_many_names(LONG // 10)),
    "one id on two records each": lambda: tell_apart(_pairs(LONG // 10), CONTRACT.streams["challenges"]),
}


@pytest.mark.parametrize("read", TEXTS.values(), ids=TEXTS.keys())
def test_no_text_is_read_in_quadratic_time(read: Callable[[], Any]) -> None:
    started = time.process_time()
    read()
    assert time.process_time() - started < MUCH_TOO_LONG


def test_an_address_is_found_wherever_a_word_begins() -> None:
    text = "Ask <ann@people.example>, (bob@people.example) or: cyd.e@people.example. Not @dan, e@, f@g."
    found = personal.ADDRESS.findall(text)
    assert found == ["ann@people.example", "bob@people.example", "cyd.e@people.example"]
    assert personal.is_id_of_who("user_id")
    assert personal.is_id_of_who("hostIds")
    assert personal.class_of_shape("https://x.example/avatars/1.png") == "profile"


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "raw-unicode-escape", "base64", "rot13"])
def test_a_charset_that_is_not_an_encoding_of_documents_does_not_count(charset: str) -> None:
    assert charset_of(f"application/json; charset={charset}") is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_values_are_counted_in_any_encoding_and_not_within_texts(encoding: str) -> None:
    texts = json.dumps([',",\\,' * 100, ",,,"] * 10, ensure_ascii=False).encode(encoding)
    assert not may_exceed(texts, 21)
    assert may_exceed(texts, 19)
    assert may_exceed(json.dumps([{"a": [1, 2], "b": 3}] * 10).encode(encoding), 29)


def test_a_body_of_too_many_values_is_not_parsed() -> None:
    with serving(in_turn(Answer(body=b'{"data": [' + b"1," * 3000 + b"1]}"))) as server:
        with pytest.raises(UnexpectedResponse, match=r"more than 2,000 values .*limits\.json_values"):
            transport(server, json_values=2000).send("GET", "ideas")
        assert len(server.requests) == 1
        assert transport(server, json_values=4000).send("GET", "ideas").status == 200
