"""A backfill and the nightly run take turns: one step at a time uses a community's API account."""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from pathlib import Path

import dagster as dg
import pytest

from ideas_pipeline.definitions import build_defs
from ideas_pipeline.simulator.simulator import Simulator

DEPLOYED = Path(__file__).parents[2] / "deploy" / "dagster.yaml"


@pytest.mark.slow
def test_a_run_waits_for_another_that_uses_the_account_and_then_does_its_work(
    simulator: Simulator, tmp_path: Path
) -> None:
    home = tmp_path / "dagster"
    home.mkdir()
    shutil.copy(DEPLOYED, home)
    results = []
    with dg.DagsterInstance.from_config(str(home)) as instance:
        account = instance.event_log_storage
        account.initialize_concurrency_limit_to_default("ideas_api_acme")
        account.claim_concurrency_slot("ideas_api_acme", "a-backfill", "acme__ideas.sync")
        run_id = str(uuid.uuid4())

        def nightly() -> None:
            job = build_defs().resolve_job_def("nightly_sync")
            results.append(
                job.execute_in_process(
                    instance=instance, run_id=run_id, asset_selection=[dg.AssetKey(["acme", "challenges"])]
                )
            )

        thread = threading.Thread(target=nightly)
        thread.start()
        while thread.is_alive() and not any(
            slot.run_id == run_id for slot in account.get_concurrency_info("ideas_api_acme").pending_steps
        ):
            time.sleep(0.05)
        assert simulator.log == []
        account.free_concurrency_slots_for_run("a-backfill")
        thread.join()

    assert results[0].success
    assert simulator.log != []
