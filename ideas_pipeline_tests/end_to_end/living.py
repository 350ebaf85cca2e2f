"""A living community, a pipeline that follows it, and a witness that records everything that happened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.simulator.living import LivingCommunity
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.sync import stream as engine_of_a_stream
from ideas_pipeline.sync.run import Mode
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import ATTRIBUTES, IDEA_HISTORY, LABEL
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import paged, sync_with
from ideas_pipeline_tests.processes import forked
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

CONTRACT = paged({"style": "page", "size_parameter": "per_page", "size": 20, "total": {"body": ["total"]}})
STREAMS = tuple(CONTRACT.streams)

Past = dict[tuple[str, str], set[str]]
"""(idea, attribute) → its values: one, or any number of labels."""


class Witness:
    """Records which rows were ever deleted at the source, and the past values of ideas."""

    def __init__(self, simulator: Simulator, life: LivingCommunity) -> None:
        self.simulator = simulator
        self.life = life
        self.seen: dict[str, set[str]] = {stream: set() for stream in STREAMS}
        self.gone: dict[str, set[str]] = {stream: set() for stream in STREAMS}
        self.observed: list[tuple[datetime, Past]] = []
        self.look()

    def look(self) -> None:
        for stream in STREAMS:
            there = set(self.simulator.tables[stream])
            self.gone[stream] |= self.seen[stream] - there
            self.seen[stream] |= there

    def live(self, n: int) -> None:
        """Let the next ``n`` events happen in the community."""
        with self.simulator.changing():
            self.life.step(n)
            self.look()

    @contextmanager
    def life_goes_on(self, every: int) -> Iterator[None]:
        """Within the block, let one event happen before every ``every``-th page."""
        pages = 0

        def happen(_stream: str, _scope: str, _tables: Tables) -> None:
            nonlocal pages
            pages += 1
            if pages % every == 0:
                self.life.step()
                self.look()

        self.simulator.before_page = happen
        try:
            yield
        finally:
            self.simulator.before_page = None

    def observe(self) -> None:
        """Record the state of the ideas after a run that read all of them."""
        self.observed.append((datetime.now(UTC), past_of(self.simulator.visible())))

    def assert_no_living_row_is_called_absent(self, engine: sa.Engine) -> None:
        for stream in STREAMS:
            wrong = deleted(engine, stream) - self.gone[stream]
            assert not wrong, f"{stream}: {sorted(wrong)[:5]} were there all along and are marked deleted"

    def assert_history_holds(self, engine: sa.Engine) -> None:
        for moment, past in self.observed:
            assert as_of(engine, moment) == past, moment


def deleted(engine: sa.Engine, stream: str) -> set[str]:
    table = TABLES[stream]
    with engine.connect() as connection:
        return set(connection.scalars(sa.select(table.c.id).where(table.c._deleted_at.is_not(None))))


def past_of(tables: Tables) -> Past:
    """The present values of the ideas."""
    past: Past = {}
    for key, row in tables["ideas"].items():
        for attribute, column in ATTRIBUTES.items():
            if row.get(column) is not None:
                past[key, attribute] = {str(row[column])}
    for row in tables["idea_labels"].values():
        past.setdefault((row["idea_id"], LABEL), set()).add(row["label_id"])
    return past


def as_of(engine: sa.Engine, moment: datetime) -> Past:
    """The values of the ideas at a moment, according to the history."""
    h = IDEA_HISTORY.c
    query = sa.select(h.idea_id, h.attribute, h.value).where(
        h.community == COMMUNITY, h.observed_from <= moment, sa.or_(h.observed_to.is_(None), h.observed_to > moment)
    )
    past: Past = {}
    with engine.connect() as connection:
        for idea, attribute, value in connection.execute(query):
            past.setdefault((idea, attribute), set()).add(value)
    return past


def _sync(contract: Contract, base_url: str, credentials: Credentials, folder: Path, url: str, mode: Mode) -> None:
    engine_of_a_stream.BATCH_SCOPES = 4  # small batches: more moments at which a kill could hurt
    api = IdeasApi.connect(contract, base_url, credentials, FileHome(folder / "tokens.json", folder))
    with Warehouse.open(url, COMMUNITY) as warehouse:
        sync_with(api, warehouse, mode=mode)


def sync_and_kill(
    simulator: Simulator, url: str, folder: Path, mode: Mode, *, after_requests: int, and_seconds: float
) -> bool:
    """Sync in a process and kill it (SIGKILL) ``and_seconds`` after it has sent ``after_requests`` requests.

    Returns whether the process was killed before it ended.
    """
    credentials = Credentials(simulator.client_id, simulator.client_secret)
    sent = len(simulator.log)
    with forked(_sync, simulator.contract, simulator.base_url, credentials, folder, url, mode) as process:
        while process.is_alive() and len(simulator.log) - sent < after_requests:
            time.sleep(0.001)
        time.sleep(and_seconds)
        process.kill()
        process.join()
    assert process.exitcode in (0, -9)
    return process.exitcode != 0
