"""Real servers on loopback that take alerts, or do not."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from ideas_pipeline_tests.processes import free_port

USER, PASSWORD = "canary-user@example.com", "canary/p@ss:#1"
USER_AND_PASSWORD = "canary-user%40example.com:canary%2Fp%40ss%3A%231"


class WebhookServer:
    """``status``: what it answers from now on; None is silence. ``texts``: what it received, in order."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.paths: list[str] = []
        self.texts: list[str] = []
        self.end = threading.Event()
        self.port = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/canary-webhook"


@contextmanager
def webhook_server() -> Iterator[WebhookServer]:
    server = WebhookServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["Content-Type"] == "application/json"
            server.paths.append(self.path)
            if server.status is None:
                server.end.wait(60)
                return
            if server.status == 200:
                server.texts.append(body["text"])
            self.send_response(server.status)
            if server.status == 302:
                self.send_header("Location", f"http://127.0.0.1:{server.port}/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.end.set()
            http.shutdown()
            thread.join()


class MailServer:
    """``mails``: what it took, in order. ``refused``: addresses that it takes nothing for. ``farewell``: to QUIT."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.refused: set[str] = set()
        self.encrypted: list[bool] = []
        self.farewell = "221 Bye"
        self.port = 0

    async def handle_QUIT(self, *_: Any) -> str:
        return self.farewell

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any) -> str:
        if address in self.refused:
            return f"550 no {address} here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        self.recipients.append(envelope.rcpt_tos)
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 OK"


@contextmanager
def mail_server(
    *, password: bool = False, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[MailServer]:
    """``password``: whether it wants one. ``starttls``: it offers that. ``tls``: it speaks nothing else."""
    server = MailServer()

    def authenticated(_server: Any, _session: Any, _envelope: Any, _mechanism: Any, given: Any) -> AuthResult:
        return AuthResult(success=(given.login.decode(), given.password.decode()) == (USER, PASSWORD), handled=False)

    server.port = free_port()
    controller = Controller(
        server,
        # Every address of this machine, so that it can also be spoken to as if it were another one.
        hostname="0.0.0.0",
        port=server.port,
        ready_timeout=30,
        ssl_context=tls,
        tls_context=starttls,
        authenticator=authenticated if password else None,
        auth_required=password,
        auth_require_tls=starttls is not None,
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
