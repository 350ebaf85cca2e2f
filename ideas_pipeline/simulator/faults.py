"""Faults on demand: rules that choose requests, and what goes wrong with them."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Literal, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ideas_pipeline.simulator.responses import Response, error_response, json_bytes

Kind = Literal[
    "latency",  # wait ``seconds`` before anything else
    "status",  # respond with ``status``; ``retry_after`` adds the header, ``seconds`` from now
    "reset",  # reset the connection without a response
    "html",  # a login page with status 200
    "error_body",  # status 200 with {"error": …}
    "empty_body",  # status 200 and nothing else
    "redirect",  # 302 to ``location``
    "cut_short",  # half of the body that Content-Length announces, then the connection closes
    "truncated_json",  # half of the body, with the matching Content-Length
    "truncated_gzip",  # half of the body compressed with gzip, with the matching Content-Length
    "bom",  # a byte order mark before the body
    "slow_body",  # the body in two halves, ``seconds`` apart
    "list_cut",  # pages from ``page`` on are empty, although the total counts all rows
    "page_twice",  # the previous page again (the first page stays)
    "wrong_total",  # the total is off by ``off_by``
    "repeat_cursor",  # the cursor or link to the next page leads to this page
    "unknown_cursor",  # the cursor or link to the next page has one that no list issued: its page is refused
    "foreign_page",  # pages from the second on are those of another list, as if its cursor had been issued
    "poison_value",  # a record has a field that cannot be typed
    "poison_text",  # a record has a NUL character and a lone surrogate in a text
]
_REPLACES_RESPONSE = {"status", "reset", "html", "error_body", "empty_body", "redirect"}
_SENT_IN_PARTS = {"cut_short", "slow_body"}
_DAMAGES_BODY = {"truncated_json", "truncated_gzip", "bom"} | _SENT_IN_PARTS
_LOGIN_PAGE = b"<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"


class Fault(BaseModel):
    """One rule: which requests go wrong, and how.

    A rule without ``stream`` and ``path`` matches the requests of all streams, but not the auth flow.

    Attributes:
        kind: What goes wrong.
        stream: Only requests of this stream, or of auth.code, auth.token, auth.refresh, auth.validate.
        scope: Only requests of this scope: the id of the parent, or of the record.
        path: Only requests whose path begins with this.
        times: The number of faults (None: unlimited).
        every: Strike every n-th matching request.
        record: The id of the record to poison; without it, the first of the page.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    stream: str | None = None
    scope: str | None = None
    path: str | None = None
    times: int | None = Field(default=1, ge=1)
    every: int = Field(default=1, ge=1)
    status: int = Field(default=503, ge=400, le=599)
    retry_after: Literal["seconds", "date", "unix"] | None = None
    seconds: float = Field(default=1.0, ge=0)
    location: str | None = None
    page: int = Field(default=2, ge=1)
    off_by: int = 1
    record: str | None = None

    @model_validator(mode="after")
    def _redirect_has_location(self) -> Self:
        if self.kind == "redirect" and not self.location:
            raise ValueError("a redirect needs location: the URL to send the caller to")
        return self

    @property
    def effect(self) -> object:
        """The effect of the fault: a request has at most one fault per effect."""
        return "response" if self.kind in _REPLACES_RESPONSE | _DAMAGES_BODY else (self.kind, self.record)

    def matches(self, stream: str, scope: str, path: str) -> bool:
        """Whether the rule is for such a request."""
        if self.stream is None and self.path is None and stream.startswith("auth."):
            return False
        return (
            self.stream in (None, stream)
            and self.scope in (None, scope)
            and (self.path is None or path.startswith(self.path))
        )


class Faults:
    """The rules in force. Threads may add and clear rules while the server runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[tuple[Fault, list[int]]] = []  # with [matching requests so far, taken so far]

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._rules.append((fault, [0, 0]))

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def take(self, stream: str, scope: str, path: str) -> list[Fault]:
        """Choose the faults of a request, in the order of the rules, and count them.

        At most one fault replaces or damages a response: further such rules wait for the next request.
        """
        if not self._rules:
            return []
        taken: dict[object, Fault] = {}
        with self._lock:
            for fault, counts in self._rules:
                used_up = fault.times is not None and counts[1] >= fault.times
                if used_up or fault.effect in taken or not fault.matches(stream, scope, path):
                    continue
                counts[0] += 1
                if counts[0] % fault.every == 0:
                    counts[1] += 1
                    taken[fault.effect] = fault
        return list(taken.values())


async def delay(faults: list[Fault]) -> None:
    """Wait as long as the latency faults say."""
    for fault in faults:
        if fault.kind == "latency":
            await asyncio.sleep(fault.seconds)


def replacement(request: web.BaseRequest, faults: list[Fault]) -> Response | None:
    """The response of the first fault that replaces the true one; status 0 if it reset the connection."""
    fault = next((f for f in faults if f.kind in _REPLACES_RESPONSE), None)
    if fault is None:
        return None
    match fault.kind:
        case "status":
            headers = {"Retry-After": retry_after(fault)} if fault.retry_after else {}
            return error_response(fault.status, f"a fault on demand: {fault.status}", headers)
        case "html":
            return Response(200, _LOGIN_PAGE, content_type="text/html")
        case "error_body":
            return Response(200, json_bytes({"error": "a fault on demand: something went wrong"}))
        case "redirect":
            return Response(302, b"", {"Location": fault.location or ""})
        case "empty_body":
            return Response(200, b"")
        case _:
            _break_connection(request)
            return Response(0, b"")


def _break_connection(request: web.BaseRequest) -> None:
    if request.transport:
        # With a linger time of zero, closing sends RST instead of FIN (socket(7), SO_LINGER).
        sock = request.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()


def retry_after(fault: Fault) -> str:
    """The value of the Retry-After header."""
    match fault.retry_after:
        case "date":
            return format_datetime(datetime.now(UTC) + timedelta(seconds=fault.seconds), usegmt=True)
        case "unix":
            return str(round(time.time() + fault.seconds))
        case _:
            return str(round(fault.seconds))


async def send(request: web.BaseRequest, response: Response, faults: list[Fault]) -> web.StreamResponse:
    """Send ``response``, its body damaged as ``faults`` say."""
    fault = next((f for f in faults if f.kind in _DAMAGES_BODY), None)
    if response.status == 0:
        return web.Response()  # The connection was reset: nobody receives it.
    if fault is None or fault.kind not in _SENT_IN_PARTS:
        compressed = fault is not None and fault.kind == "truncated_gzip"
        return web.Response(
            status=response.status,
            body=_damaged(response.body, fault.kind) if fault else response.body,
            headers=response.headers | ({"Content-Encoding": "gzip"} if compressed else {}),
            content_type=response.content_type,
            charset="utf-8",
        )
    body = response.body
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    stream.content_type = response.content_type
    stream.content_length = len(body)
    await stream.prepare(request)
    await stream.write(body[: len(body) // 2])
    if fault.kind == "cut_short":
        if request.transport:
            request.transport.close()
        return stream
    await asyncio.sleep(fault.seconds)
    with suppress(ConnectionError):  # the client has not waited
        await stream.write(body[len(body) // 2 :])
        await stream.write_eof()
    return stream


def _damaged(body: bytes, kind: Kind) -> bytes:
    match kind:
        case "bom":
            return b"\xef\xbb\xbf" + body if body else body
        case "truncated_gzip":
            compressed = gzip.compress(body)
            return compressed[: len(compressed) // 2]
        case _:
            return body[: len(body) // 2]
