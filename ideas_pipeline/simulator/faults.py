"""Faults on demand: which requests go wrong, and how."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Literal, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ideas_pipeline.simulator.answer import Answer, json_bytes, refusal

Kind = Literal[
    "latency",  # wait ``seconds`` before anything else
    "status",  # answer with ``status``; ``retry_after`` adds the header, ``seconds`` from now
    "reset",  # break the connection without an answer
    "html",  # a log-in page with status 200
    "error_body",  # status 200 with {"error": …}
    "empty_body",  # status 200 and nothing else
    "redirect",  # 302 to ``location``
    "cut_short",  # half the body, though Content-Length promises all, then the connection closes
    "truncated_json",  # half the body, with a Content-Length that agrees
    "bom",  # a byte order mark before the body
    "slow_body",  # the body in two halves, ``seconds`` apart
    "list_cut",  # pages from ``page`` on are empty, while the total says all
    "page_twice",  # the page before, once more (the first page stays)
    "wrong_total",  # the total is off by ``off_by``
    "repeat_cursor",  # the next page's cursor or link is this page's own
    "poison_value",  # a record has a field that cannot be typed
    "poison_text",  # a record has a NUL character and a lone surrogate in a text
]
_INSTEAD = {"status", "reset", "html", "error_body", "empty_body", "redirect"}
_AFTERWARDS = {"cut_short", "truncated_json", "bom", "slow_body"}
_LOGIN_PAGE = b"<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"


class Fault(BaseModel):
    """One rule. It concerns the requests that match ``stream``, ``scope`` and ``path`` (which begins with it).

    ``stream`` is a stream's name or auth.code, auth.token, auth.refresh, auth.validate. A rule that names neither
    stream nor path concerns every stream, and leaves the auth flow alone.
    Of those requests it takes every ``every``-th, ``times`` times in all (null: for ever).
    ``record``: the id of the record to poison; without it, the first of the page.
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
    def _a_redirect_leads_somewhere(self) -> Self:
        if self.kind == "redirect" and not self.location:
            raise ValueError("a redirect needs location: the URL to send the caller to")
        return self

    @property
    def effect(self) -> object:
        """What it does: a request has no two faults to the same effect."""
        return "answer" if self.kind in _INSTEAD | _AFTERWARDS else (self.kind, self.record)

    def concerns(self, stream: str, scope: str, path: str) -> bool:
        if self.stream is None and self.path is None and stream.startswith("auth."):
            return False
        return (
            self.stream in (None, stream)
            and self.scope in (None, scope)
            and (self.path is None or path.startswith(self.path))
        )


class Faults:
    """The rules in force. Safe to change from any thread while the server runs."""

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
        """The faults of this request, in the order of the rules; counts them.

        Only one fault can replace or mistreat an answer: further such rules wait for the next request.
        """
        if not self._rules:
            return []
        taken: dict[object, Fault] = {}
        with self._lock:
            for fault, counts in self._rules:
                spent = fault.times is not None and counts[1] >= fault.times
                if spent or fault.effect in taken or not fault.concerns(stream, scope, path):
                    continue
                counts[0] += 1
                if counts[0] % fault.every == 0:
                    counts[1] += 1
                    taken[fault.effect] = fault
        return list(taken.values())


async def wait(faults: list[Fault]) -> None:
    for fault in faults:
        if fault.kind == "latency":
            await asyncio.sleep(fault.seconds)


def instead(request: web.BaseRequest, faults: list[Fault]) -> Answer | None:
    """The answer that the first such fault gives instead of the true one; status 0 where the connection is broken."""
    fault = next((f for f in faults if f.kind in _INSTEAD), None)
    if fault is None:
        return None
    match fault.kind:
        case "status":
            headers = {"Retry-After": retry_after(fault)} if fault.retry_after else {}
            return refusal(fault.status, f"a fault on demand: {fault.status}", headers)
        case "html":
            return Answer(200, _LOGIN_PAGE, content_type="text/html")
        case "error_body":
            return Answer(200, json_bytes({"error": "a fault on demand: something went wrong"}))
        case "redirect":
            return Answer(302, b"", {"Location": fault.location or ""})
        case "empty_body":
            return Answer(200, b"")
        case _:
            _break_connection(request)
            return Answer(0, b"")


def _break_connection(request: web.BaseRequest) -> None:
    if request.transport:
        # Without lingering, closing sends a reset rather than a polite end.
        sock = request.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()


def retry_after(fault: Fault) -> str:
    match fault.retry_after:
        case "date":
            return format_datetime(datetime.now(UTC) + timedelta(seconds=fault.seconds), usegmt=True)
        case "unix":
            return str(round(time.time() + fault.seconds))
        case _:
            return str(round(fault.seconds))


async def send(request: web.BaseRequest, answer: Answer, faults: list[Fault]) -> web.StreamResponse:
    """The answer as a response, its body mistreated as the faults say."""
    fault = next((f for f in faults if f.kind in _AFTERWARDS), None)
    body = answer.body
    if fault and fault.kind == "bom":
        body = b"\xef\xbb\xbf" + body
    if fault and fault.kind == "truncated_json":
        body = body[: len(body) // 2]
    if answer.status == 0:
        return web.Response()  # Nobody is there to receive it.
    if fault is None or fault.kind in ("bom", "truncated_json"):
        return web.Response(
            status=answer.status, body=body, headers=answer.headers, content_type=answer.content_type, charset="utf-8"
        )
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type = answer.content_type
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if fault.kind == "cut_short":
        if request.transport:
            request.transport.close()
        return response
    await asyncio.sleep(fault.seconds)
    await response.write(body[len(body) // 2 :])
    await response.write_eof()
    return response
