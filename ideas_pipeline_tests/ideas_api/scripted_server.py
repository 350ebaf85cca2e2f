"""A real HTTP server on loopback with scripted responses, which records its requests."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import trustme

from ideas_pipeline.contract.model import Limits
from ideas_pipeline.ideas_api.rate_limit import RateLimiter
from ideas_pipeline.ideas_api.transport import Transport


@dataclass
class Answer:
    """``missing``: how many bytes of the body are announced but not sent. ``reset``: break off instead of answering."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    missing: int = 0
    reset: bool = False
    before: Callable[[], None] = lambda: None


@dataclass
class Received:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str
    connection: tuple[str, int]

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body))


class ScriptedServer:
    """``answer``: called for every request, from many threads. ``requests``: what came in, in order."""

    def __init__(self, answer: Callable[[Received], Answer]) -> None:
        self.answer = answer
        self.requests: list[Received] = []
        self.base_url = ""

    def paths(self) -> list[str]:
        return [request.path.removeprefix("/v2/") for request in self.requests]

    def connections(self) -> int:
        return len({request.connection for request in self.requests})


def in_turn(*answers: Answer) -> Callable[[Received], Answer]:
    """One answer after the other; the last one again and again."""
    left = list(answers)
    lock = threading.Lock()

    def answer(_: Received) -> Answer:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Many threads may come at once: a full queue would cost them a second.
    request_queue_size = 128


@contextmanager
def serving(answer: Callable[[Received], Answer], tls: trustme.CA | None = None) -> Iterator[ScriptedServer]:
    script = ScriptedServer(answer)
    with _Server(("127.0.0.1", 0), _handler(script)) as server:
        script.base_url = f"http://127.0.0.1:{server.server_address[1]}/v2/"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.issue_cert("localhost").configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            script.base_url = f"https://localhost:{server.server_address[1]}/v2/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()


def limits(**changed: Any) -> Limits:
    """Limits for tests: no rate limit, 8 at once, short time-outs."""
    return Limits.model_validate({"connect_timeout": 2, "read_timeout": 5, "deadline": 20, "attempts": 4} | changed)


def transport(server: ScriptedServer, **changed: Any) -> Transport:
    """A transport to ``server`` with such limits. Without rates among them no budget is kept, and no file is made."""
    return Transport(server.base_url, limits(**changed), RateLimiter(limits(**changed), Path("unused")))


def _handler(script: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Without this a small answer waits for the client's acknowledgement.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length", 0))
            received = Received(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length).decode(),
                connection=self.client_address,
            )
            script.requests.append(received)
            answer = script.answer(received)
            answer.before()
            if answer.reset:
                # Linger for 0 seconds: the peer gets a reset, not an end.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                return
            self._send(answer)

        def _send(self, answer: Answer) -> None:
            raw = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw) + answer.missing))
            self.end_headers()
            self.wfile.write(raw)
            if answer.missing:
                self.close_connection = True

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            """Tests read what was asked from ``ScriptedServer.requests``."""

    return Handler
