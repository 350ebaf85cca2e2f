"""A server on loopback that writes raw bytes, at its own pace, until the client hangs up or ``LONGEST`` is over."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, repeat

LONGEST = 10.0  # seconds
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@dataclass
class HostileServer:
    """``sent``: how many bytes were accepted by its sockets, by connection."""

    base_url: str
    sent: list[int] = field(default_factory=list)


@contextmanager
def hostile(answer: Callable[[], Iterable[bytes]], pause: float = 0) -> Iterator[HostileServer]:
    """Serve the pieces of ``answer`` on every connection, with a ``pause`` in seconds after each piece."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    server = HostileServer(f"http://127.0.0.1:{listener.getsockname()[1]}/v2/")
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket, number: int) -> None:
        with connection, suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(5)
            connection.recv(1 << 16)
            ends = time.monotonic() + LONGEST
            for piece in answer():
                connection.sendall(piece)
                server.sent[number] += len(piece)
                if (over.wait(pause) if pause else over.is_set()) or time.monotonic() > ends:
                    break

    def accept() -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                server.sent.append(0)
                threads.append(threading.Thread(target=serve, args=(connection, len(server.sent) - 1), daemon=True))
                threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        with listener:
            yield server
            over.set()
            accepting.join()
    finally:
        over.set()
        for thread in threads:
            thread.join()


def dripping(start: bytes, byte: bytes) -> Callable[[], Iterable[bytes]]:
    """An answer that starts with ``start``, and goes on with one ``byte`` at a time without end."""
    return lambda: chain([start], repeat(byte))
