"""CPU per request: a bare loop of ``requests``, our client, and our client with the mapping of records to columns.

    python -m ideas_pipeline_tests.benchmarks.request_cost [THREADS]

The API's server of ``harness`` sends pages of 100 votes without delay. The bare loop decodes them too. Read the ratios
of one run; the contestants take turns.
"""

from __future__ import annotations

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
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.page_reader import PageReader
from ideas_pipeline_tests.benchmarks.community import COMMUNITIES
from ideas_pipeline_tests.benchmarks.harness import api_server
from ideas_pipeline_tests.end_to_end.pipeline import contract_with

REQUESTS = 3_000
ROUNDS = 3
CONTRACT = contract_with({"limits": {"concurrency": 64}, "streams": {"votes": {"path": "votes", "each": None}}})
_PAGES = COMMUNITIES["tiny"].votes // 100


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
    api = IdeasApi.connect(CONTRACT, url, Credentials("id", "secret"), FileHome(folder / "tokens.json", folder))
    reader = PageReader(CONTRACT)

    def bare(n: int) -> Any:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        parameters = {"page": n % _PAGES + 1, "per_page": 100}
        return local.session.get(
            f"{url}votes", params=parameters, headers={"Authorization": "Bearer a"}, timeout=60
        ).json()

    def client(n: int) -> Any:
        return api.request("votes", "", pagination.page_at(paging, n % _PAGES, 100))

    def mapped(n: int) -> Any:
        return reader.page("votes", "", pagination.page_at(paging, n % _PAGES, 100), client(n))

    return {"bare requests": bare, "our client": client, "with the mapping": mapped}


def main() -> None:
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    with tempfile.TemporaryDirectory() as name, api_server("tiny", Path(name), latency_ms=0) as url:
        runs = contestants(f"{url}v2/", Path(name))
        rounds = [{title: cpu_per_request(run, threads) for title, run in runs.items()} for _ in range(ROUNDS)]
    print(f"{threads} threads, pages of 100 votes        µs of CPU  ÷ bare")
    least = {title: min(costs[title] for costs in rounds) for title in rounds[0]}
    for title, cost in least.items():
        print(f"{title:<36}{cost:>12.0f}{cost / least['bare requests']:>8.2f}")


if __name__ == "__main__":
    main()
