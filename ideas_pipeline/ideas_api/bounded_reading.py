"""Bounds on what one response may cost: until when it is read, and how large its head and its body may be."""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool

from ideas_pipeline.errors import UnexpectedResponse

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one response may cost.

    Attributes:
        ends: when it must be there, by ``time.monotonic``.
        header_kilobytes: the largest size of status line and headers, interim responses (RFC 9110 §15.2) included.
        body_megabytes: the largest size of the body, decompressed.
    """

    ends: float
    header_kilobytes: int
    body_megabytes: int

    @property
    def remaining(self) -> float:
        return self.ends - time.monotonic()


_allowance: ContextVar[Allowance] = ContextVar("allowance")


@contextmanager
def reading_within(allowance: Allowance) -> Iterator[None]:
    """Hold the responses that ``BoundedAdapter`` gets in this context to ``allowance``."""
    token = _allowance.set(allowance)
    try:
        yield
    finally:
        _allowance.reset(token)


class BoundedAdapter(HTTPAdapter):
    """An adapter whose connections read no further than ``reading_within`` allows.

    The timeouts of a socket begin again with every byte, and ``http.client`` reads status line, headers and sizes of
    chunks with as many calls as there are bytes.
    """

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: tuple[str, str] | str | None = None,
    ) -> HTTPConnectionPool:
        """See ``HTTPAdapter``."""
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        if not issubclass(pool.ConnectionCls.response_class, _BoundedResponse):
            pool.ConnectionCls = _bounded(pool.ConnectionCls)
        connections: HTTPConnectionPool = pool
        return connections


def read_body(raw: Any, allowance: Allowance) -> bytes:
    """Read the whole body, decompressed.

    Raises:
        TimeoutError: it was incomplete when the allowance ended.
        UnexpectedResponse: it is larger than allowed.
    """
    left = allowance.body_megabytes << 20
    chunks = []
    while chunk := raw.read1(_CHUNK, decode_content=True):
        chunks.append(chunk)
        left -= len(chunk)
        if allowance.remaining < 0:
            raw.close()
            raise TimeoutError
        if left < 0:
            raw.close()
            raise UnexpectedResponse(
                f"the body of the response is larger than {allowance.body_megabytes} MB",
                status=raw.status,
                hint="Lower the page size in the stream's paging, or raise limits.body_megabytes in the contract.",
            )
    return b"".join(chunks)


@cache
def _bounded(connection: type) -> type:
    return type(f"Bounded{connection.__name__}", (connection,), {"response_class": _BoundedResponse})


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._bytes = _BoundedBytes(sock, self.fp.detach(), _allowance.get())
        self.fp = io.BufferedReader(self._bytes)

    def begin(self) -> None:
        try:
            super().begin()
        except http.client.HTTPException as error:
            # http.client has bounds of its own: 65,536 bytes per line and 100 headers.
            if isinstance(error, http.client.LineTooLong) or type(error) is http.client.HTTPException:
                raise _head_too_large("") from None
            raise
        self._bytes.head_is_read = True


class _BoundedBytes(io.RawIOBase):
    """The bytes of one response from a socket, until the allowance ends."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase, allowance: Allowance) -> None:
        super().__init__()
        self.head_is_read = False
        self._socket = sock
        self._raw = raw
        self._allowance = allowance
        self._timeout = sock.gettimeout()
        self._head_left = allowance.header_kilobytes << 10

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._allowance.remaining
        if remaining <= 0:
            raise TimeoutError
        if self._timeout is None or remaining < self._timeout:
            self._socket.settimeout(remaining)
        read = self._raw.readinto(buffer)
        if not self.head_is_read:
            self._head_left -= read or 0
            if self._head_left < 0:
                raise _head_too_large(f" larger than {self._allowance.header_kilobytes} kB")
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


def _head_too_large(size: str) -> UnexpectedResponse:
    return UnexpectedResponse(
        f"the headers of the response are{size or ' too many or too long'}",
        hint="Report it to the vendor, or raise limits.header_kilobytes in the contract.",
    )
