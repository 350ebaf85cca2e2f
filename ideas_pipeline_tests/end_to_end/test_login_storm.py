"""64 callers in two processes, a token that lasts a few calls, and refresh tokens that work once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.simulator.auth import ApiClient
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.processes import at_the_same_time

THREADS = 32
CALLS = 10
CHANGES = {"limits": {"concurrency": THREADS, "attempts": 6, "deadline": 60}}


def _process(base_url: str, client_id: str, client_secret: str, store: Path) -> int:
    """One worker process: many threads ask for the same list. Returns how many answers came."""
    api = IdeasApi.connect(
        contract_with(CHANGES), base_url, Credentials(client_id, client_secret), FileHome(store, store.parent)
    )
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda _: api.request("challenges", "", 1), range(THREADS * CALLS)))
    return sum(len(answer.body["data"]) == 6 for answer in answers)


def test_no_refresh_token_is_used_twice_and_no_request_is_lost(tmp_path: Path) -> None:
    with (
        Simulator(contract_with(CHANGES), generate("small", seed=1), client=ApiClient(token_uses=5)) as simulator,
    ):
        arguments = (simulator.base_url, simulator.client_id, simulator.client_secret, tmp_path / "tokens.json")
        assert at_the_same_time(_process, arguments, arguments) == [THREADS * CALLS] * 2
        assert simulator.counters.refresh_reuses == 0
        assert simulator.counters.logins == 1
        assert simulator.counters.refreshes > 2 * THREADS * CALLS // 10
