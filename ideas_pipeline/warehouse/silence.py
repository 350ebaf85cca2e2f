"""Connections to PostgreSQL that give up on a server that has stopped answering.

libpq waits for an answer for ever, although the server may be frozen, or its machine gone. A statement may also take
hours. So it is waited for as long as the server answers anybody: from time to time, it is asked on a connection of its
own.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

# In seconds: how long the server is silent before it is asked, and between two questions; how long an answer may take;
# how long the server may be away.
_ASK_EVERY = 60.0
_ANSWERS_WITHIN = 10.0
_GIVE_UP_AFTER = 600.0

# "Do you speak TLS?", which a server answers with one byte before it knows who asks:
# https://www.postgresql.org/docs/current/protocol-message-formats.html (SSLRequest)
_QUESTION = struct.pack("!ii", 8, 80877103)

_T = TypeVar("_T")


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that is closed if the server has not answered for too long, with an OperationalError."""

    def wait(self, gen: PQGen[_T], *args: Any, **kwargs: Any) -> _T:
        """Wait for the server's answer. Every call that needs one comes here."""
        return super().wait(self._watched(gen), *args, **kwargs)

    def _watched(self, gen: PQGen[_T]) -> Generator[Any, Any, _T]:
        """The same generator. It gets a false value each time that nothing has come for a moment."""
        heard = asked = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    heard = asked = now
                elif now - asked > _ASK_EVERY:
                    asked = now
                    if is_answering(self.info.hostaddr or self.info.host, self.info.port):
                        heard = now
                    elif now - heard > _GIVE_UP_AFTER:
                        self.pgconn.finish()
                        raise psycopg.OperationalError(
                            f"the connection was given up: the server has not answered for {now - heard:.0f} seconds"
                        )
                wanted = gen.send(ready)
        except StopIteration as end:
            value: _T = end.value
            return value


def is_answering(host: str, port: int) -> bool:
    """Whether a server at this address, or in this folder of Unix sockets, answers at all."""
    try:
        with _connected(host, port) as asking:
            asking.sendall(_QUESTION)
            return bool(asking.recv(1))
    except OSError:
        return False


def _connected(host: str, port: int) -> socket.socket:
    """A connection of its own. Raises OSError."""
    if not host.startswith(("/", "@")):
        return socket.create_connection((host, port), _ANSWERS_WITHIN)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_ANSWERS_WITHIN)
    try:
        connection.connect(f"{host.replace('@', chr(0), 1)}/.s.PGSQL.{port}")
    except OSError:
        connection.close()
        raise
    return connection
