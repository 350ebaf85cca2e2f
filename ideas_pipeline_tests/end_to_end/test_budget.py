"""One API account on one machine: one run at a time, and one budget for all who use it."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.cli.command import COMMAND, environment, ideas_pipeline, lead_to
from ideas_pipeline_tests.processes import started

PER_SECOND, PER_HOUR = 60, 100
MINUTES_OF_AN_HOUR = 61


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(load_contract(None), generate("small", seed=1)) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, simulator: Simulator) -> Path:
    """A folder whose .env leads to the simulator and to a contract without limits."""
    lead_to(simulator, tmp_path)
    limit(tmp_path)
    return tmp_path


def limit(folder: Path, per_second: int | None = None, per_hour: int | None = None) -> None:
    limits = {"requests_per_second": per_second, "requests_per_hour": per_hour, "deadline": 30}
    (folder / "contract.yaml").write_text(json.dumps({"limits": limits}))


def running(folder: Path, *arguments: str) -> AbstractContextManager[Popen[str]]:
    return started([*COMMAND, *arguments], cwd=folder, env=environment(), stdout=PIPE, stderr=PIPE)


def budget(folder: Path) -> Path:
    (file,) = (folder / ".ideas").glob("*.budget")
    return file


def noted_in(folder: Path) -> dict[str, Any]:
    """The state in the file: its first line. After it may be the rest of a longer line before."""
    state: dict[str, Any] = json.loads(budget(folder).read_bytes().splitlines()[0])
    return state


def used(folder: Path) -> int:
    return sum(noted_in(folder)["minutes"].values())


def an_hour_passes(folder: Path) -> None:
    noted = noted_in(folder)
    minutes = {str(int(minute) - MINUTES_OF_AN_HOUR): count for minute, count in noted["minutes"].items()}
    budget(folder).write_text(json.dumps(noted | {"minutes": minutes}))


def test_a_second_sync_waits_for_the_first_and_says_so(simulator: Simulator, folder: Path) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        at_work.set()
        go_on.wait(60)

    simulator.before_page = hold
    with running(folder, "sync") as first:
        try:
            assert at_work.wait(60)
            asked = len(simulator.log)
            with running(folder, "sync") as second:
                assert second.stderr is not None
                sentence = second.stderr.readline()
                assert f"used by ideas-pipeline sync (process {first.pid}, since 20" in sentence
                assert simulator.client_id not in sentence
                assert len(simulator.log) == asked, "it asks for nothing meanwhile"
                go_on.set()
                output, _ = second.communicate()
                first.communicate()
        finally:
            go_on.set()
    assert (first.returncode, second.returncode) == (0, 0)
    assert "Nothing changed" in output, "the first one's work was finished before the second began"


def test_a_sync_and_a_check_share_one_rate(simulator: Simulator, folder: Path) -> None:
    limit(folder, per_second=PER_SECOND)
    pages: list[float] = []
    simulator.before_page = lambda *_: pages.append(time.time())
    begun = time.time()
    with running(folder, "sync") as syncing, running(folder, "check") as checking:
        for process in (syncing, checking):
            process.communicate()
    assert syncing.returncode == 0
    assert checking.returncode in (0, 3), "a check does not wait for the sync to end"
    assert len(pages) > 130
    assert all(at - begun >= n / PER_SECOND - 0.01 for n, at in enumerate(pages))
    assert used(folder) == len(simulator.log), "each request of either was counted"
    assert {request.status for request in simulator.log} <= {200, 401, 404}


def test_a_spent_hourly_budget_ends_the_sync_with_a_sentence_and_a_later_start_does_the_rest(
    simulator: Simulator, folder: Path
) -> None:
    limit(folder, per_hour=PER_HOUR)
    stopped = ideas_pipeline("sync", folder=folder)
    assert stopped.returncode in (1, 3)
    assert "the request budget of the contract is used up. Try again after 20" in stopped.stdout
    assert "Traceback" not in stopped.stdout + stopped.stderr
    assert len(simulator.log) == PER_HOUR, "not one more than that"
    with sqlite3.connect(folder / ".ideas/warehouse.db") as warehouse:
        assert warehouse.execute("SELECT COUNT(*) FROM ideas").fetchone() == (60,)
        (before,) = warehouse.execute("SELECT COUNT(*) FROM votes").fetchone()
        assert 0 < before < 900

    too_early = ideas_pipeline("sync", folder=folder)
    assert too_early.returncode == 1
    assert len(simulator.log) == PER_HOUR, "what is spent is spent for the next process too"

    an_hour_passes(folder)
    later = ideas_pipeline("sync", folder=folder)
    assert later.returncode == 0, later.stdout
    assert len(simulator.log) < 2 * PER_HOUR, "what was finished is not read again"
    with sqlite3.connect(folder / ".ideas/warehouse.db") as warehouse:
        assert warehouse.execute("SELECT COUNT(*) FROM votes").fetchone() == (900,)


def test_a_check_counts_in_the_budget_of_the_night(simulator: Simulator, folder: Path) -> None:
    limit(folder, per_hour=10)
    checked = ideas_pipeline("check", folder=folder)
    assert checked.returncode == 1
    assert "used up" in checked.stdout
    synced = ideas_pipeline("sync", folder=folder)
    assert synced.returncode == 1
    assert "used up" in synced.stdout + synced.stderr
    assert len(simulator.log) == 10
