"""CPU per request: a bare loop of ``requests``, our client, and our client with the mapping of records to columns.

    python -m ideas_pipeline_tests.benchmarks.request_cost [THREADS]

A server process of its own sends the same page of 100 votes each time. The bare loop decodes it too. Read the ratios of
one run; the contestants take turns.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.page_reader import PageReader
from ideas_pipeline_tests.end_to_end.pipeline import contract_with

REQUESTS = 3_000
ROUNDS = 3
CONTRACT = contract_with({"limits": {"concurrency": 64}, "streams": {"votes": {"path": "votes", "each": None}}})
_LOGIN = {"auth_code": "c", "access_token": "a", "refresh_token": "r", "expires_in": 36_000}
_VOTE = {
    "idea_id": "718827",
    "user_id": "20035",
    "voting_type": "thumbs",
    "value": 1,
    "created_at": "2026-01-01T09:00:00Z",
}
_SERVER = """
import asyncio, sys
login, page = sys.stdin.buffer.read().split(b"\\n")

class Canned(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.received = transport, b""

    def data_received(self, data):
        self.received += data
        while b"\\r\\n\\r\\n" in self.received:
            head, _, rest = self.received.partition(b"\\r\\n\\r\\n")
            sizes = [line for line in head.split(b"\\r\\n") if line.lower().startswith(b"content-length:")]
            length = int(sizes[0].split(b":")[1]) if sizes else 0
            if len(rest) < length:
                return
            self.received = rest[length:]
            body = login if head.startswith(b"POST") else page
            self.transport.write(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n")
            self.transport.write(b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)

async def main():
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def cpu_per_request(request: Callable[[int], Any], threads: int) -> float:
    """Microseconds of CPU per call, after a warm-up."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(request, range(threads * 10)))
        before = time.process_time()
        list(pool.map(request, range(REQUESTS)))
        return (time.process_time() - before) / REQUESTS * 1e6


def contestants(url: str, folder: Path) -> dict[str, Callable[[int], Any]]:
    """By name, a function that requests page n."""
    local = threading.local()
    paging = CONTRACT.streams["votes"].paging
    api = IdeasApi.connect(CONTRACT, url, Credentials("id", "secret"), folder / "tokens.json", folder)
    reader = PageReader(CONTRACT)

    def bare(n: int) -> Any:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        parameters = {"page": n + 1, "per_page": 100}
        return local.session.get(
            f"{url}votes", params=parameters, headers={"Authorization": "Bearer a"}, timeout=60
        ).json()

    def client(n: int) -> Any:
        return api.request("votes", "", pagination.page_at(paging, n, 100))

    def mapped(n: int) -> Any:
        return reader.page("votes", "", pagination.page_at(paging, n, 100), client(n))

    return {"bare requests": bare, "our client": client, "with the mapping": mapped}


def main() -> None:
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    page = {"data": [_VOTE | {"id": str(n)} for n in range(100)], "total": 100 * REQUESTS}
    server = subprocess.Popen([sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin
    assert server.stdout
    try:
        server.stdin.write(json.dumps(_LOGIN).encode() + b"\n" + json.dumps(page).encode())
        server.stdin.close()
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v2/"
        with tempfile.TemporaryDirectory() as name:
            runs = contestants(url, Path(name))
            rounds = [{title: cpu_per_request(run, threads) for title, run in runs.items()} for _ in range(ROUNDS)]
    finally:
        server.kill()
        server.wait()
    print(f"{threads} threads, pages of 100 votes        µs of CPU  ÷ bare")
    least = {title: min(costs[title] for costs in rounds) for title in rounds[0]}
    for title, cost in least.items():
        print(f"{title:<36}{cost:>12.0f}{cost / least['bare requests']:>8.2f}")


if __name__ == "__main__":
    main()
