"""Nights without end in one process: what it takes stays the same, and the warehouse stays equal to the source.

A day passes between two nights. With IDEAS_SOAK there are 500 nights, and 200 with random faults; otherwise a few.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from ideas_pipeline.app import open_pipeline, rebuild_marts, run_sync
from ideas_pipeline.errors import IdeasApiError
from ideas_pipeline.settings import Settings
from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.counts import declare_counts
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.sync.run import Full, Incremental, Silence
from ideas_pipeline.tables.bookkeeping import SYNC_SCOPES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.faults.api_faults import API_FAULTS, some_scope
from ideas_pipeline_tests.processes import forked
from ideas_pipeline_tests.wall_clock import wall_clock
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

_log = logging.getLogger(__name__)
SOAK = "IDEAS_SOAK" in os.environ
NIGHTS, FAULTY_NIGHTS = (500, 200) if SOAK else (5, 4)
CONTRACT = contract_with(
    {
        "limits": {"attempts": 2, "deadline": 5, "read_timeout": 1},
        "streams": {name: {"paging": {"size": 10}} for name in contract_with({}).streams},
    }
)
# Pages are kept for 30 days, and rows of _sync_scopes for 90: from then on, nothing may grow.
KEPT_NIGHTS = 100


class Community:
    """A small community in a process of its own. Each night a row changes, goes or comes back; it does not grow.

    Args:
        pipe: leads to that process.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.base_url, self.client_id, self.client_secret = pipe.recv()

    def night(self, number: int, faults: Sequence[Fault]) -> None:
        """Let the changes of a night happen, with ``faults`` from then on."""
        self._pipe.send((number, faults))
        self._pipe.recv()

    @property
    def tables(self) -> Tables:
        self._pipe.send(None)
        tables: Tables = self._pipe.recv()
        return tables


@contextmanager
def community() -> Iterator[Community]:
    ours, theirs = multiprocessing.Pipe()
    with forked(serve, theirs):
        theirs.close()
        yield Community(ours)


def serve(pipe: Connection) -> None:
    """Be the process of the community, until the pipe ends."""
    tables = generate(Size(challenges=2, ideas=10, comments=30, votes=60, users=30), seed=7)
    with Simulator(CONTRACT, tables) as simulator:
        pipe.send((simulator.base_url, simulator.client_id, simulator.client_secret))
        taken: dict[str, dict[str, Any]] = {}
        while True:
            try:
                asked = pipe.recv()
            except EOFError:
                return
            if asked is None:
                pipe.send(simulator.tables)
                continue
            number, faults = asked
            simulator.faults.clear()
            simulator.reset_log()
            with simulator.changing() as changing:
                change(changing, taken, number)
            for fault in faults:
                simulator.faults.add(fault)
            pipe.send(None)


def change(tables: Tables, taken: dict[str, dict[str, Any]], number: int) -> None:
    """A vote goes and the one of last night comes back; an idea has another title and time."""
    votes, ideas = tables["votes"], list(tables["ideas"].values())
    votes |= taken
    taken.clear()
    key = list(votes)[number % len(votes)]
    taken[key] = votes.pop(key)
    edited = ideas[number % len(ideas)]
    edited["title"] = f"The title of night {number}"
    edited["updated_at"] = f"2025-05-{number % 28 + 1:02d}T12:00:{number % 60:02d}Z"
    declare_counts(tables)


@dataclass
class Taken:
    """What the process and its files take after a night. Sizes are in KB."""

    memory: int
    descriptors: int
    threads: int
    archive: int
    runs_archived: int
    sweeps: int
    warehouse: int


class Nights:
    """Nights of a community in this process, a day apart.

    Attributes:
        taken: what they took, by the number of the night.
    """

    def __init__(self, served: Community, folder: Path) -> None:
        self.served = served
        self.folder = folder
        self.taken: dict[int, Taken] = {}
        self.settings = Settings(
            community=COMMUNITY,
            api_base_url=served.base_url,
            client_id=served.client_id,
            client_secret=SecretStr(served.client_secret),
            warehouse_url=SecretStr(f"sqlite:///{folder / 'warehouse.db'}"),
            state_dir=folder / "state",
        )

    def run(self, number: int, faults: Sequence[Fault], *, full: bool = False) -> str:
        """One night. Returns its verdict."""
        self.served.night(number, faults)
        try:
            with open_pipeline(self.settings, CONTRACT) as pipeline:
                mode = Full() if full else Incremental()
                result = run_sync(pipeline, mode, caller="ideas-pipeline sync", progress=Silence())
                rebuild_marts(self.settings, pipeline.warehouse)
        except IdeasApiError:
            return "failed"
        return result.verdict

    def measure(self, number: int) -> None:
        gc.collect()
        process, archived = psutil.Process(), list(self.settings.archive.rglob("*.sqlite"))
        with self.warehouse() as warehouse, warehouse.engine.connect() as connection:
            sweeps = connection.scalar(sa.select(sa.func.count()).select_from(SYNC_SCOPES))
        self.taken[number] = Taken(
            memory=process.memory_full_info().uss // 1024,
            descriptors=process.num_fds(),
            threads=process.num_threads(),
            archive=sum(file.stat().st_size for file in self.settings.archive.rglob("*") if file.is_file()) // 1024,
            runs_archived=len(archived),
            sweeps=sweeps or 0,
            warehouse=(self.folder / "warehouse.db").stat().st_size // 1024,
        )
        _log.info("night %d: %s", number, self.taken[number])

    def assert_flat(self, since: int) -> None:
        """From the night ``since`` on, nothing grew."""
        first, last = self.taken[since], self.taken[max(self.taken)]
        assert last.descriptors <= first.descriptors, self.taken
        assert last.threads <= first.threads, self.taken
        assert last.memory <= first.memory * 1.1, self.taken
        assert last.archive <= first.archive * 1.2, self.taken
        assert last.sweeps <= first.sweeps * 1.1, self.taken

    def warehouse(self) -> Warehouse:
        return Warehouse.open(self.settings.warehouse_url.get_secret_value(), COMMUNITY)

    def assert_true(self) -> None:
        with self.warehouse() as warehouse:
            assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, self.served.tables)


@pytest.mark.slow
@pytest.mark.timeout(60 + 10 * NIGHTS)
def test_nights_take_the_same_memory_descriptors_threads_and_disk(no_settings: None, tmp_path: Path) -> None:
    with community() as served, wall_clock() as clock:
        nights = Nights(served, tmp_path)
        for number in range(1, NIGHTS + 1):
            clock.ahead += timedelta(days=1)
            assert nights.run(number, [], full=number == 1) == "complete"
            if number % 50 == 0 or number in (3, NIGHTS):
                nights.measure(number)
        nights.assert_true()
    last = nights.taken[NIGHTS]
    assert (last.descriptors, last.threads) == (nights.taken[3].descriptors, nights.taken[3].threads)
    if SOAK:
        nights.assert_flat(KEPT_NIGHTS)


@pytest.mark.slow
@pytest.mark.timeout(60 + 20 * FAULTY_NIGHTS)
def test_nights_with_random_faults_take_no_more_and_the_next_one_is_true(no_settings: None, tmp_path: Path) -> None:
    draw = random.Random(None if SOAK else 3)
    with community() as served, wall_clock() as clock:
        nights = Nights(served, tmp_path)
        assert nights.run(1, [], full=True) == "complete"
        for number in range(2, FAULTY_NIGHTS + 1):
            clock.ahead += timedelta(days=1)
            fault = draw.choice(API_FAULTS)
            stream = draw.choice(fault.streams)
            nights.run(number, fault.faults(stream, some_scope(served.tables, stream)))
            if number % 50 == 0 or number in (3, FAULTY_NIGHTS):
                nights.measure(number)
        clock.ahead += timedelta(days=1)
        assert nights.run(FAULTY_NIGHTS + 1, [], full=True) == "complete"
        nights.assert_true()
    last = nights.taken[FAULTY_NIGHTS]
    assert (last.descriptors, last.threads) == (nights.taken[3].descriptors, nights.taken[3].threads)
    if SOAK:
        nights.assert_flat(KEPT_NIGHTS)
