"""``fit`` against APIs that nobody has seen before; the benchmark ``fit_random_apis`` measures 200 of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.fit.measuring import dialogue, fitted, unlimited
from ideas_pipeline_tests.fit.random_apis import RandomSimulator, random_api
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

APIS = 3


@pytest.mark.parametrize("visit", [False, True], ids=["credentials", "credentials and a HAR"])
def test_at_most_a_tenth_of_the_values_is_left_to_a_person(visit: bool, tmp_path: Path) -> None:
    seeds = random.sample(range(1_000_000), APIS)
    needed, typed = 0, {}
    for seed in seeds:
        api = random_api(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        with RandomSimulator(api) as simulator:
            done = dialogue(api, simulator, folder, visit=visit)
            sent = {r.stream for r in simulator.log if r.method != "GET"}
        assert done.spoiled == set(), f"random_api({seed})"
        assert max(done.requests) <= 60, f"random_api({seed})"
        assert all(not stream or stream.startswith("auth.") for stream in sent), f"random_api({seed})"
        needed += len(done.needed)
        typed[seed] = sorted(done.typed)
    assert sum(map(len, typed.values())) <= 0.1 * needed, typed


def test_a_sync_with_the_contract_that_it_wrote_is_true_to_the_community(tmp_path: Path) -> None:
    api = random_api(201)
    with RandomSimulator(api) as simulator:
        first, _ = fitted(simulator, unlimited(), tmp_path)
        draft, _ = fitted(simulator, first.contract, tmp_path)
        assert draft.open_questions() == []
        with Warehouse.open(f"sqlite:///{tmp_path}/w.db", COMMUNITY) as warehouse:
            result = sync(simulator, warehouse, tmp_path, contract=draft.contract)
            assert result.verdict == "complete", result
            assert_true_to(warehouse.engine, COMMUNITY, api.contract, simulator.visible())


def test_a_login_without_a_folder_is_found_as_well(tmp_path: Path) -> None:
    api = random_api(8)  # it has authorize, token, refresh and verify below its address
    with RandomSimulator(api) as simulator:
        done = dialogue(api, simulator, tmp_path, visit=True)
    assert done.typed == set()
