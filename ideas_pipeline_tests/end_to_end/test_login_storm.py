"""Two processes, or machines whose clocks differ, a token that lasts a few calls, refresh tokens that work once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.simulator.auth import ApiClient
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.accounts.hosts import Hosts
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.processes import at_the_same_time

THREADS = 32
CALLS = 5
CHANGES = {"limits": {"concurrency": THREADS, "attempts": 6, "deadline": 60}}


def _process(hosts: Hosts, host: int, base_url: str, client_id: str, client_secret: str) -> int:
    """One worker process: many threads ask for the same list. Returns how many answers came."""
    hosts.set_clock(host * 300)
    api = IdeasApi.connect(contract_with(CHANGES), base_url, Credentials(client_id, client_secret), hosts.home(host))
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda _: api.request("challenges", "", 1), range(THREADS * CALLS)))
    return sum(len(answer.body["data"]) == 6 for answer in answers)


@pytest.mark.parametrize("home", ["files", "database"])
def test_no_refresh_token_is_used_twice_and_no_request_is_lost(
    home: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    hosts = Hosts(tmp_path, request.getfixturevalue("postgresql_url") if home == "database" else None)
    with (
        Simulator(contract_with(CHANGES), generate("small", seed=1), client=ApiClient(token_uses=5)) as simulator,
    ):
        account = (simulator.base_url, simulator.client_id, simulator.client_secret)
        assert at_the_same_time(_process, (hosts, 1, *account), (hosts, -1, *account)) == [THREADS * CALLS] * 2
        assert simulator.counters.refresh_reuses == 0
        assert simulator.counters.logins == 1
        assert simulator.counters.refreshes > 2 * THREADS * CALLS // 10
