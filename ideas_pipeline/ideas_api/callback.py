"""Listener for the auth code, for API clients whose endpoint receives it.

The code comes from the API's server, or from a browser that the API redirects. Nobody else who can reach the port must
be able to pass us the code of another account (RFC 6749 §10.12, RFC 9700 §4.7): the path is a secret of the operator,
and ``state`` a secret of each login if the API returns it. What a page sends from a browser is refused, unless it opens
the address as a page of its own. A request for another Host is refused, because an attacker's domain name can resolve
to this machine (DNS rebinding).
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from secrets import compare_digest
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ideas_pipeline.errors import AuthenticationError

_SECONDS_PER_READ = 10  # until a client that sends nothing is cut off
_MOST_CONNECTIONS = 32  # at a time; one more, and the oldest is cut off


@dataclass(frozen=True)
class ListenerSettings:
    """Where to listen, and what a request must look like.

    Attributes:
        port: 0: any free port.
        path: the path of the URL, which nobody else must know.
        host: the address to listen on.
        public_host: the name by which the API reaches the endpoint, if it is not an IP address.
        seconds: how long to wait for a code.
    """

    port: int
    path: str
    host: str = "127.0.0.1"
    public_host: str | None = None
    seconds: float = 120


@dataclass(frozen=True)
class Expected:
    """The query of a good request: ``parameter`` has the code, and ``same`` the exact values of all others."""

    parameter: str
    same: Mapping[str, str]


class Refused(Exception):
    """A request that delivers no code: its status, and what an operator should know if no other request comes."""

    def __init__(self, status: HTTPStatus, hint: str) -> None:
        super().__init__(hint)
        self.status = status
        self.hint = hint


class Listener:
    """An open listener. Its first good code counts, and every other request is refused.

    Args:
        settings: where it listens, and what a request must look like.
        expected: the query of a good request.
    """

    def __init__(self, settings: ListenerSettings, expected: Expected) -> None:
        self._settings = settings
        self._expected = expected
        self._code = ""
        self._arrived = threading.Event()
        self._lock = threading.Lock()
        self._hints: dict[str, None] = {}
        self.port = settings.port

    def wait(self) -> str:
        """Wait for the auth code. Raises AuthenticationError if none arrives in time."""
        if self._arrived.wait(self._settings.seconds):
            return self._code
        with self._lock:
            hints = list(self._hints)
        raise AuthenticationError(
            f"no auth code arrived on {self._settings.host} port {self.port} at IDEAS_CALLBACK_PATH within "
            f"{self._settings.seconds:g} seconds",
            hint=" ".join(hints)
            or "Check the endpoint of the API client, and auth.callback.parameter in the contract; or leave the "
            "endpoint empty, so that the code comes in the response.",
        )

    def receive(self, target: str, headers: Message) -> HTTPStatus:
        """Take the code of a request, if it is the first good one. Returns the status of the response."""
        try:
            code = self._code_in(target, headers)
            with self._lock:
                if self._code:
                    return HTTPStatus.GONE
                self._code = code
        except Refused as refused:
            with self._lock:
                self._hints[refused.hint] = None
            return refused.status
        self._arrived.set()
        return HTTPStatus.OK

    def _code_in(self, target: str, headers: Message) -> str:
        if not self._is_ours(headers.get_all("Host", [])):
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "A request for another host was refused. If the endpoint has a name, set IDEAS_CALLBACK_PUBLIC_HOST.",
            )
        if not _may_navigate(headers):
            raise Refused(HTTPStatus.FORBIDDEN, "A request that a page sent from a browser was refused.")
        path, _, query = target.partition("?")
        if not compare_digest(path.encode(), self._settings.path.encode()):
            raise Refused(
                HTTPStatus.NOT_FOUND,
                "A request for another path was refused: compare IDEAS_CALLBACK_PATH with the API client's endpoint.",
            )
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=10)
        except ValueError:
            pairs = []
        values = dict(pairs)
        code = values.pop(self._expected.parameter, "").strip()
        if not code or len(values) != len(pairs) - 1 or values.keys() != self._expected.same.keys():
            raise Refused(
                HTTPStatus.BAD_REQUEST,
                "A request with other parameters was refused: check auth.callback in the contract.",
            )
        if not all(
            compare_digest(values[name].encode(), value.encode()) for name, value in self._expected.same.items()
        ):
            raise Refused(HTTPStatus.FORBIDDEN, "A request with the state of another login was refused.")
        return code

    def _is_ours(self, hosts: list[str]) -> bool:
        try:
            (host,) = hosts
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in {"localhost", (self._settings.public_host or "localhost").lower()}:
            return True
        with suppress(ValueError):
            return not ip_address(name).is_unspecified  # rebinding needs a name, or 0.0.0.0
        return False


def _may_navigate(headers: Message) -> bool:
    """Whether a server sent the request, or a browser that opens the address as a page, as after the API's redirect.

    Frames, images, forms and scripts of other pages say so in headers that no page can change
    (https://www.w3.org/TR/fetch-metadata/).
    """
    expected = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    return "Origin" not in headers and all(headers.get(name, value) == value for name, value in expected.items())


@contextmanager
def listening(settings: ListenerSettings, expected: Expected) -> Iterator[Listener]:
    """Listen while the block runs.

    Only a GET of exactly the path with exactly the expected parameters delivers the code. Nothing is logged.

    Raises:
        AuthenticationError: the port cannot be opened.
    """
    listener = Listener(settings, expected)
    try:
        server = (_Server6 if ":" in settings.host else _Server)((settings.host, settings.port), _handler(listener))
    except OSError as error:
        raise AuthenticationError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or 'unknown reason'}",
            hint="Choose another port with IDEAS_CALLBACK_PORT, and change the API client's endpoint accordingly.",
        ) from None
    with server:
        listener.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            server.shutdown()
            thread.join()
            server.cut_off(0)


class _Server(socketserver.ThreadingTCPServer):
    """A thread per connection; slow clients hold up nobody, because the oldest of too many connections is cut off."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self._connections: dict[Any, None] = {}
        self._lock = threading.Lock()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections[request] = None
        self.cut_off(_MOST_CONNECTIONS)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.pop(request, None)
        super().shutdown_request(request)

    def cut_off(self, most: int) -> None:
        """Cut the oldest connections off, so that at most ``most`` are left."""
        with self._lock:
            for request in list(self._connections)[: max(0, len(self._connections) - most)]:
                del self._connections[request]
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that disconnects; the base class would print a traceback."""


class _Server6(_Server):
    address_family = socket.AF_INET6


def _handler(listener: Listener) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SECONDS_PER_READ

        def do_GET(self) -> None:
            status = listener.receive(self.path, self.headers)
            is_good = status == HTTPStatus.OK
            text = b"Thank you: this window can be closed.\n" if is_good else b"This request was not expected here.\n"
            self.send_response_only(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: the request line contains the code."""

    return Handler
