"""Faults of the machine and of the database: the command says what is wrong, and the next run makes everything true."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import sqlalchemy as sa

from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.cli.command import COMMAND, environment, settings_of
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.faults.machine_faults import MACHINE_FAULTS
from ideas_pipeline_tests.processes import run, started
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

CONTRACT = contract_with({"limits": {"attempts": 2, "deadline": 10}})


@dataclass
class Installation:
    """A simulated community, and a place for what a sync keeps."""

    simulator: Simulator
    folder: Path
    warehouse_url: str

    @property
    def environment(self) -> dict[str, str]:
        return environment(
            **settings_of(self.simulator),
            IDEAS_COMMUNITY=COMMUNITY,
            IDEAS_CONTRACT=str(self.folder / "contract.yaml"),
            IDEAS_WAREHOUSE_URL=self.warehouse_url,
            IDEAS_STATE_DIR=str(self.folder / "state"),
        )

    def run(self, *words: str, before: str = "") -> CompletedProcess[str]:
        """Run a command of the program, in a shell that first runs ``before``."""
        shell = ["sh", "-c", f'{before or ":"}; exec "$@"', "sh", *COMMAND, *words]
        return run(shell, cwd=self.folder, env=self.environment)

    def assert_ends(self, done: CompletedProcess[str], name: str) -> None:
        fault = MACHINE_FAULTS[name]
        assert fault.says in done.stderr
        assert done.returncode != 0 if fault.exit_code is None else done.returncode == fault.exit_code

    def assert_next_run_is_true(self) -> None:
        done = self.run("sync", "--full")
        assert done.returncode == 0, done.stderr
        with Warehouse.open(self.warehouse_url, COMMUNITY) as warehouse:
            assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, self.simulator.tables)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(
        CONTRACT, generate(Size(challenges=3, ideas=20, comments=80, votes=200, users=40), seed=5)
    ) as running:
        yield running


def installation(simulator: Simulator, folder: Path, warehouse_url: str = "") -> Installation:
    (folder / "contract.yaml").write_text(CONTRACT.model_dump_json(by_alias=True))
    return Installation(simulator, folder, warehouse_url or f"sqlite:///{folder / 'warehouse.db'}")


class Disk:
    """A file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, kilobytes: int) -> None:
        self._mount(f"remount,size={kilobytes}k")

    def is_read_only(self, value: bool) -> None:
        self._mount(f"remount,{'ro' if value else 'rw'}")

    def _mount(self, options: str) -> None:
        subprocess.run(["mount", "-o", options, self.folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    # A disk that fills up needs a file system of its own. Only root may mount one, containers can forbid it, and small
    # images have no mount command: the shell says which it is. .ci/run installs the command and can be run as root.
    mount = 'exec mount -t tmpfs -o size=50m,mode=700 tmpfs "$1"'
    mounted = subprocess.run(["sh", "-c", mount, "sh", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("kilobytes", [400, 700])
def test_a_disk_that_is_full_of_the_warehouse(kilobytes: int, simulator: Simulator, disk: Disk, tmp_path: Path) -> None:
    installed = installation(simulator, tmp_path, f"sqlite:///{disk.folder / 'warehouse.db'}")
    disk.has(kilobytes)
    done = installed.run("sync", "--full")
    installed.assert_ends(done, "warehouse")
    disk.has(50_000)
    installed.assert_next_run_is_true()


@pytest.mark.parametrize(("kilobytes", "what"), [(4, "state"), (60, "archive")])
def test_a_disk_that_is_full_of_state_or_archive(
    kilobytes: int, what: str, simulator: Simulator, disk: Disk, tmp_path: Path
) -> None:
    installed = installation(simulator, tmp_path)
    (tmp_path / "state").symlink_to(disk.folder)
    disk.has(kilobytes)
    done = installed.run("sync", "--full")
    installed.assert_ends(done, what)
    disk.has(50_000)
    installed.assert_next_run_is_true()


def test_a_read_only_file_system(simulator: Simulator, disk: Disk, tmp_path: Path) -> None:
    installed = installation(simulator, tmp_path, f"sqlite:///{disk.folder / 'warehouse.db'}")
    disk.is_read_only(True)
    done = installed.run("sync", "--full")
    installed.assert_ends(done, "read-only")
    disk.is_read_only(False)
    installed.assert_next_run_is_true()


def test_too_few_file_descriptors(simulator: Simulator, tmp_path: Path) -> None:
    installed = installation(simulator, tmp_path)
    done = installed.run("sync", "--full", before="ulimit -n 10")
    installed.assert_ends(done, "descriptors")
    installed.assert_next_run_is_true()


def test_connections_that_the_database_cuts(simulator: Simulator, postgresql_url: str, tmp_path: Path) -> None:
    installed = installation(simulator, tmp_path, postgresql_url)
    simulator.latency = 0.01
    with cutting(postgresql_url, every=0.2):
        done = installed.run("sync", "--full")
    installed.assert_ends(done, "cut")
    installed.assert_next_run_is_true()


@contextmanager
def cutting(url: str, every: float) -> Iterator[None]:
    """Every so many seconds, end each connection but our own."""
    ends = threading.Event()
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )

    def cut() -> None:
        with engine.connect() as connection:
            while not ends.wait(every):
                connection.exec_driver_sql(others)

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def test_two_nights_and_a_backfill_at_the_same_moment(simulator: Simulator, warehouse_url: str, tmp_path: Path) -> None:
    installed = installation(simulator, tmp_path, warehouse_url)
    with ExitStack() as stack:
        installed.assert_next_run_is_true()
        commands = [["sync"], ["sync", "--full"], ["backfill", "--from", "2025-01-01", "--to", "2025-03-01"]]
        running = []
        for words in commands:
            options = {"cwd": tmp_path, "env": installed.environment, "stderr": subprocess.PIPE}
            running.append(stack.enter_context(started([*COMMAND, *words], stdout=subprocess.DEVNULL, **options)))
            time.sleep(0.05)
        for process in running:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
        installed.assert_next_run_is_true()
