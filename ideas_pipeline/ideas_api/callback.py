"""Listener for the auth code, for API clients whose endpoint receives it."""

from __future__ import annotations

import queue
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl

from ideas_pipeline.errors import AuthenticationError

_SECONDS_PER_REQUEST = 10


@dataclass(frozen=True)
class ListenerSettings:
    """Where to listen (``port`` 0: any free port), for which URL path, and for how many seconds."""

    port: int
    host: str = "127.0.0.1"
    path: str = "/"
    seconds: float = 120


class Listener:
    """An open listener.

    Args:
        address: its URL with the actual port.
        seconds: how long to wait for a code.
        codes: where the codes arrive.
    """

    def __init__(self, address: str, seconds: float, codes: queue.SimpleQueue[str]) -> None:
        self.address = address
        self._seconds = seconds
        self.codes = codes

    def wait(self) -> str:
        """Wait for the auth code; the latest counts. Raises AuthenticationError if none arrives in time."""
        try:
            code = self.codes.get(timeout=self._seconds)
        except queue.Empty:
            code = ""
        # If the first response was lost and the request was retried, two codes arrive: the later one is valid.
        while not self.codes.empty():
            code = self.codes.get()
        if not code:
            raise AuthenticationError(
                f"no auth code arrived at {self.address} within {self._seconds:g} seconds",
                hint="Check the endpoint of the API client, and auth.callback.parameter in the contract; or leave the "
                "endpoint empty, so that the code comes in the response.",
            )
        return code


@contextmanager
def listening(settings: ListenerSettings, parameter: str) -> Iterator[Listener]:
    """Listen while the block runs.

    Only a GET of exactly the path with exactly this one parameter delivers the code. Nothing is logged.

    Raises:
        AuthenticationError: the port cannot be opened.
    """
    codes: queue.SimpleQueue[str] = queue.SimpleQueue()
    try:
        server = _server(settings, _handler(settings.path, parameter, codes))
    except OSError as error:
        raise AuthenticationError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or 'unknown reason'}",
            hint="Choose another port with IDEAS_CALLBACK_PORT, and change the API client's endpoint accordingly.",
        ) from None
    with server:
        address = f"http://{settings.host}:{server.server_address[1]}{settings.path}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield Listener(address, settings.seconds, codes)
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that disconnects; the base class would print a traceback."""


class _Server6(_Server):
    address_family = socket.AF_INET6


def _server(settings: ListenerSettings, handler: type[BaseHTTPRequestHandler]) -> _Server:
    kind = _Server6 if ":" in settings.host else _Server
    return kind((settings.host, settings.port), handler)


def _handler(path: str, parameter: str, codes: queue.SimpleQueue[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SECONDS_PER_REQUEST

        def do_GET(self) -> None:
            status, code = _code_in(self.path, path, parameter)
            if code:
                codes.put(code)
            text = b"Thank you: this window can be closed.\n" if code else b"This request was not expected here.\n"
            self.send_response_only(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: the request line contains the code."""

    return Handler


def _code_in(target: str, path: str, parameter: str) -> tuple[HTTPStatus, str]:
    """The status of the response, and the code; empty if there is none."""
    found, _, query = target.partition("?")
    if found != path:
        return HTTPStatus.NOT_FOUND, ""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=10)
    except ValueError:
        return HTTPStatus.BAD_REQUEST, ""
    match pairs:
        case [(name, code)] if name == parameter and code.strip():
            return HTTPStatus.OK, code.strip()
    return HTTPStatus.BAD_REQUEST, ""
