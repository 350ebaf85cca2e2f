"""Syncs of a living community that a process of its own serves: ``ideas-pipeline simulate --living``."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.living import LivingCommunity
from ideas_pipeline.sync.run import Full, Incremental, Mode
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.cli.command import simulate
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, sync_with
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

SEED = 3


@pytest.mark.parametrize(("options", "mode"), [([], Incremental()), (["--hidden-changes"], Full())])
def test_the_warehouse_equals_the_living_community_after_each_move_of_the_clock(
    options: list[str], mode: Mode, sqlite_url: str, tmp_path: Path
) -> None:
    contract = contract_with({})
    truth = generate("small", SEED)
    life = LivingCommunity(truth, SEED, hidden_changes="--hidden-changes" in options)
    options = ["--living", "--seed", str(SEED), *options]
    with simulate(tmp_path, *options) as served, Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        credentials = Credentials(served["client_id"], served["client_secret"])
        api = IdeasApi.connect(contract, served["base_url"], credentials, FileHome(tmp_path / "tokens.json", tmp_path))
        clock = served["base_url"].replace("/v2/", "/_control/clock")
        assert sync_with(api, warehouse, mode=Full()).verdict == "complete"
        assert_true_to(warehouse.engine, COMMUNITY, contract, truth)
        for days in (1, 3):
            answer = requests.post(clock, json={"days": days}).json()
            events = life.advance(life.now + timedelta(days=days))
            assert answer == {"now": f"{life.now:%Y-%m-%dT%H:%M:%SZ}", "events": Counter(events)}
            result = sync_with(api, warehouse, mode=mode)
            assert result.verdict == "complete", result
            assert result.changed
            assert_true_to(warehouse.engine, COMMUNITY, contract, truth)
