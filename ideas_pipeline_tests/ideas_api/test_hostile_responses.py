"""A response costs no more time and memory than the contract's limits allow, whatever the server sends."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterable
from itertools import chain, repeat
from pathlib import Path

import pytest

from ideas_pipeline.errors import Unavailable, UnexpectedResponse
from ideas_pipeline.ideas_api.rate_limit import RateLimiter
from ideas_pipeline.ideas_api.transport import Transport
from ideas_pipeline_tests.ideas_api.hostile_server import HEAD, LONGEST, HostileServer, dripping, hostile
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, in_turn, limits, serving, transport

CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
DRIPS = {
    "the status line": dripping(b"HTTP/1.1 200 ", b"O"),
    "a header": dripping(HEAD + b"X-A: ", b"a"),
    "headers": dripping(HEAD, b"X: a\r\n"),
    "interim responses": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body with a length": dripping(HEAD + b"Content-Length: 1000000\r\n\r\n", b" "),
    "a body without a length": dripping(HEAD + b"\r\n", b" "),
    "the size of a chunk": dripping(CHUNKED, b"0"),
    "the extension of a chunk": dripping(CHUNKED + b"1;", b"a"),
    "a chunk": dripping(CHUNKED + b"ffff\r\n", b" "),
    "trailers": dripping(CHUNKED + b"0\r\n", b"X: a\r\n"),
    "the name in a gzip header": dripping(
        HEAD + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03", b"a"
    ),
}


def sender(server: HostileServer, **changed: object) -> Transport:
    return Transport(server.base_url, limits(**changed), RateLimiter(limits(**changed), Path("unused")))


@pytest.mark.parametrize("answer", DRIPS.values(), ids=DRIPS.keys())
def test_a_response_that_drips_ends_at_the_deadline(answer: Callable[[], Iterable[bytes]]) -> None:
    with hostile(answer, pause=0.02) as server:
        started = time.monotonic()
        with pytest.raises(Unavailable, match="did not respond in time"):
            sender(server, deadline=0.3).send("GET", "ideas")
        assert time.monotonic() - started < LONGEST / 2


ENDLESS_HEADS = {
    "interim responses": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500),
    "headers": dripping(HEAD, b"X-A: " + b"a" * 9000 + b"\r\n"),
    "many headers": dripping(HEAD, b"X: a\r\n" * 500),
    "one header": dripping(HEAD + b"X-A: ", b"a" * 9000),
    "the status line": dripping(b"HTTP/1.1 200 ", b"O" * 9000),
}


@pytest.mark.parametrize("answer", ENDLESS_HEADS.values(), ids=ENDLESS_HEADS.keys())
def test_endless_headers_end_the_list_without_a_retry(answer: Callable[[], Iterable[bytes]]) -> None:
    with hostile(answer) as server:
        with pytest.raises(UnexpectedResponse, match=r"the headers of the response are .*limits\.header_kilobytes"):
            sender(server, header_kilobytes=64).send("GET", "ideas")
        assert len(server.sent) == 1


def test_an_endless_body_ends_the_list_without_a_retry() -> None:
    with hostile(lambda: chain([HEAD + b"\r\n["], repeat(b"1," * 30_000))) as server:
        with pytest.raises(UnexpectedResponse, match=r"larger than 1 MB .*limits\.body_megabytes"):
            sender(server, body_megabytes=1).send("GET", "ideas")
        assert len(server.sent) == 1


def test_a_body_is_measured_decompressed() -> None:
    bomb = gzip.compress(gzip.compress(b" " * (8 << 20)))
    with serving(in_turn(Answer(body=bomb, headers={"Content-Encoding": "gzip, gzip"}))) as server:
        with pytest.raises(UnexpectedResponse, match="larger than 1 MB"):
            transport(server, body_megabytes=1).send("GET", "ideas")
        assert len(server.requests) == 1
    assert len(bomb) < 10_000


def test_a_body_within_the_limit_is_read_and_its_connection_kept() -> None:
    body = {"data": ["a" * 1000] * 1000}
    with serving(in_turn(Answer(body=body))) as server:
        reader = transport(server, body_megabytes=1)
        assert reader.send("GET", "ideas").body == body
        assert reader.send("GET", "ideas").body == body
        assert server.connections() == 1
