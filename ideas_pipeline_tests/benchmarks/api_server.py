"""The API that all contestants read, in a process of its own.

It serves what the simulator serves by default, and flat lists with ``updated_since`` beside them. It checks nothing and
makes no faults, and so takes about a tenth of the simulator's time per request: on a machine of few cores, the time of
the server would otherwise be measured along with that of the client.

    GET  /v2/votes?page=1&per_page=100&updated_since=2025-04-01T00:00:00Z, /v2/ideas/718775/votes, …
    GET  /control/state    the requests of lists since the last time, the records of each stream, the CPU seconds so far
    POST /control/change   let 1 % of the ideas change
    POST /control/reset    undo all changes

Run by itself: python -m ideas_pipeline_tests.benchmarks.api_server SIZE LATENCY_MS READY_FILE
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson

from ideas_pipeline_tests.benchmarks.community import CHANGED, COMMUNITIES, Community

_LOGIN = {"auth_code": "c", "access_token": "t", "refresh_token": "r", "expires_in": 360_000, "valid": True}
_ACCOUNT = {"role": "admin"}


class Api:
    """Responses by method and target."""

    def __init__(self, community: Community) -> None:
        self._community = community
        self._requests = 0

    def response(self, method: bytes, target: str) -> bytes:
        """The response as bytes, head included."""
        url = urlsplit(target)
        place, _, path = url.path.lstrip("/").partition("/")
        if place == "control":
            return _http(200, orjson.dumps(self._control(path)))
        if method == b"POST":
            return _http(200, orjson.dumps(_LOGIN))
        if path == "users/me":
            return _http(200, orjson.dumps(_ACCOUNT))
        self._requests += 1
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        since = query.get("updated_since")
        size = int(query["per_page"])
        start = int(query["offset"]) if "offset" in query else (int(query["page"]) - 1) * size
        try:
            bodies, total = self._community.page(path, start, size, _in_utc(since) if since else None)
        except KeyError:
            return _http(404, b'{"error": "no such list"}')
        return _http(200, b'{"data":[%b],"total":%d}' % (b",".join(bodies), total))

    def _control(self, action: str) -> dict[str, object]:
        if action == "change":
            self._community.change(CHANGED, datetime.now(UTC))
        elif action == "reset":
            self._community.reset()
        state = {"requests": self._requests, "records": self._community.counts(), "cpu": time.process_time()}
        self._requests = 0
        return state


class Connection(asyncio.Protocol):
    """One keep-alive connection of HTTP/1.1 whose responses come ``latency`` seconds after their requests."""

    def __init__(self, api: Api, latency: float) -> None:
        self._api = api
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end or len(rest) < _length_of_body(head):
            return
        self._received = rest[_length_of_body(head) :]
        method, target, _ = head.split(b" ", 2)
        asyncio.get_running_loop().call_later(self._latency, self._respond, method, target.decode())

    def _respond(self, method: bytes, target: str) -> None:
        self._transport.write(self._api.response(method, target))


def _length_of_body(head: bytes) -> int:
    _, found, value = head.lower().partition(b"content-length:")
    return int(value.split(b"\r\n", 1)[0]) if found else 0


def _http(status: int, body: bytes) -> bytes:
    head = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def _in_utc(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def serve(api: Api, latency: float, ready: Path) -> None:
    """Serve until the process is stopped; write the base URL into ``ready``."""
    server = await asyncio.get_running_loop().create_server(lambda: Connection(api, latency), "127.0.0.1", backlog=512)
    written = ready.with_suffix(".part")
    written.write_text(json.dumps(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
    written.rename(ready)
    await server.serve_forever()


def main(size: str, latency_ms: str, ready: str) -> None:
    api = Api(Community(COMMUNITIES[size]))
    gc.freeze()  # A large community never becomes garbage; scanning it in every collection causes pauses.
    asyncio.run(serve(api, float(latency_ms) / 1000, Path(ready)))


if __name__ == "__main__":
    main(*sys.argv[1:])
