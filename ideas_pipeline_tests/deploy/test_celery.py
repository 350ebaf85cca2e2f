"""``deploy/celery/``, really run: Redis, PostgreSQL, Dagster's daemon, two workers without a common disk, and kills.

With IDEAS_SOAK, three communities are synced at once, and each of two loses its worker; otherwise one loses it twice.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import STDOUT, Popen
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from dagster_postgres import PostgresRunStorage

from ideas_pipeline.accounts.heartbeats import Heartbeats
from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.defs.jobs import COMMUNITY
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.tables.community import VOTE_RATINGS
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.accounts.hosts import KEY
from ideas_pipeline_tests.cli.command import QUICK, environment
from ideas_pipeline_tests.end_to_end.pipeline import small_village
from ideas_pipeline_tests.end_to_end.test_kills import reader
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.processes import ROOT, free_port, started

CELERY = ROOT / "deploy" / "celery"
INSTANCE = yaml.safe_load((CELERY / "dagster.yaml").read_text())
[SERVICE] = [
    shlex.split(line.removeprefix("ExecStart="))
    for line in (CELERY / "ideas-worker.service").read_text().splitlines()
    if line.startswith("ExecStart=")
]
PROGRAMS = Path(sys.executable).parent
NAMES = ["alpha", "beta", "gamma"] if "IDEAS_SOAK" in os.environ else ["alpha"]
CONTRACT = load_contract(None)

Simulators = dict[str, Simulator]


class Deployment:
    """Redis, a PostgreSQL server, and machines, which are folders that share nothing.

    Attributes:
        folder: where the folders are.
        accounts: the URL of the database of the accounts' state, and of Dagster.
        warehouses: the URL of each community's warehouse.
        variables: the environment of all processes.
        workers: the running workers, by the names of their machines.
    """

    def __init__(self, folder: Path, accounts: sa.URL, simulators: Simulators) -> None:
        self.folder = folder
        self.accounts = accounts.render_as_string(hide_password=False)
        self.warehouses = {name: accounts.set(database=name).render_as_string(hide_password=False) for name in NAMES}
        self.workers: dict[str, Popen[str]] = {}
        self._port = str(free_port())
        self.variables = {
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{self._port}/0",
            "CELERY_RESULT_BACKEND": f"redis://127.0.0.1:{self._port}/1",
            "DAGSTER_POSTGRES_URL": accounts.set(drivername="postgresql+psycopg2").render_as_string(
                hide_password=False
            ),
            "ACCOUNTS": self.accounts,
            "TOKEN_KEY": KEY,
            "PII_KEY": "a key for tests alone",
            **{f"{name}_WAREHOUSE": url for name, url in self.warehouses.items()},
            **{f"{name}_ID": simulator.client_id for name, simulator in simulators.items()},
            **{f"{name}_SECRET": simulator.client_secret for name, simulator in simulators.items()},
        }
        self._configuration = _configuration(simulators)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Redis, the daemon and two workers."""
        queue = ["redis-server", "--port", self._port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        daemon = [str(PROGRAMS / "dagster-daemon"), "run", "-w", "workspace.yaml"]
        with ExitStack() as self._stack:
            self._stack.enter_context(self._on("redis", queue))
            self._stack.enter_context(self._on("daemon", daemon))
            for name in ("one", "two"):
                self.start_worker(name)
            yield

    def start_worker(self, name: str) -> None:
        """Start a worker by the command of its service."""
        place = SERVICE.index("worker") + 1
        command = [*SERVICE[1:place], "--hostname", f"{name}@%h", *SERVICE[place:]]
        command.insert(0, str(PROGRAMS / Path(SERVICE[0]).name))
        self.workers[name] = self._stack.enter_context(self._on(name, command))

    def machine_of(self, process: int) -> str | None:
        """The machine of a worker's process; None if its worker was killed."""
        with suppress(ProcessLookupError):
            group = os.getpgid(process)
            return next((name for name, worker in self.workers.items() if worker.pid == group), None)
        return None

    def kill_worker(self, machine: str) -> None:
        """Kill the worker on a machine, with all its processes."""
        worker = self.workers.pop(machine)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    @contextmanager
    def _on(self, machine: str, command: Sequence[str]) -> Iterator[Popen[str]]:
        """A process on a machine: with a working folder and a DAGSTER_HOME of its own. It logs to ``log``."""
        place = self.folder / machine
        home = place / "dagster"
        if not home.exists():
            home.mkdir(parents=True)
            (home / "dagster.yaml").write_text(yaml.safe_dump(_quick(INSTANCE)))
            (place / "ideas_pipeline.yaml").write_text(yaml.safe_dump(self._configuration))
            (place / "contract.yaml").write_text(QUICK)
            module = {"module_name": "ideas_pipeline_tests.deploy.celery_location", "location_name": "ideas_pipeline"}
            (place / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"python_module": module}]}))
        variables = environment(DAGSTER_HOME=str(home), **self.variables)
        with (
            (place / "log").open("a") as log,
            started(command, cwd=place, env=variables, stdout=log, stderr=STDOUT) as process,
        ):
            yield process


def _quick(instance: dict[str, Any]) -> dict[str, Any]:
    """The instance as it is deployed, which looks at runs and slots more often."""
    often = {"poll_interval_seconds": 2, "free_slots_after_run_end_seconds": 1}
    return instance | {"run_monitoring": instance["run_monitoring"] | often}


def _configuration(simulators: Simulators) -> dict[str, Any]:
    shared = {"token_store": "ACCOUNTS", "token_key": "TOKEN_KEY", "pii_key": "PII_KEY"}
    own = {"warehouse_url": "WAREHOUSE", "client_id": "ID", "client_secret": "SECRET"}
    return {
        "defaults": {
            "contract": "contract.yaml",
            "archive_days": 0,
            **{setting: {"env": variable} for setting, variable in shared.items()},
        },
        "communities": {
            name: {
                "api_base_url": simulator.base_url,
                **{setting: {"env": f"{name}_{variable}"} for setting, variable in own.items()},
            }
            for name, simulator in simulators.items()
        },
    }


@pytest.fixture
def simulators(no_settings: None) -> Iterator[Simulators]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(Simulator(CONTRACT, small_village(seed))) for seed, name in enumerate(NAMES, 1)
        }


@pytest.fixture
def deployment(
    simulators: Simulators,
    postgresql_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Deployment]:
    """Nothing of it runs yet. This process has its environment, too."""
    server = sa.make_url(postgresql_url)
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    deployed = Deployment(tmp_path, server, simulators)
    for name, value in deployed.variables.items():
        monkeypatch.setenv(name, value)
    with engine.connect() as connection:
        for name in NAMES:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        try:
            yield deployed
        finally:
            for name in NAMES:
                connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture
def instance(deployment: Deployment, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance as it is deployed."""
    home = tmp_path / "operator"
    home.mkdir()
    shutil.copy(CELERY / "dagster.yaml", home)
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened


def test_its_instance_opens_on_postgresql_and_its_queue_has_the_places_of_two_workers(
    instance: dg.DagsterInstance,
) -> None:
    assert isinstance(instance.run_storage, PostgresRunStorage)
    assert type(instance.run_launcher).__name__ == INSTANCE["run_launcher"]["class"]
    places = 2 * int(SERVICE[SERVICE.index("--concurrency") + 1])
    assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == places
    assert (instance.run_retries_enabled, instance.run_retries_max_retries) == (True, 3)


def test_what_dagster_sends_through_redis_names_variables_and_no_secret(
    deployment: Deployment, instance: dg.DagsterInstance
) -> None:
    sent = dg.serialize_value(instance.get_ref())
    assert "DAGSTER_POSTGRES_URL" in sent
    assert [value for value in deployment.variables.values() if value in sent] == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")
def test_a_worker_is_killed_in_mid_read_and_one_in_mid_merge_and_every_community_equals_its_source(
    deployment: Deployment, simulators: Simulators, instance: dg.DagsterInstance
) -> None:
    reading, merging = NAMES[0], NAMES[:2][-1]
    for name, url in deployment.warehouses.items():
        Warehouse.open(url, name).close()
    simulators[reading].faults.add(Fault(kind="latency", seconds=600, stream="comments", times=None))

    with ExitStack() as stack:
        readers = [stack.enter_context(reader(url, pause=0.3)) for url in deployment.warehouses.values()]
        stack.enter_context(deployment.running())
        with merge_held_up(deployment.warehouses[merging]) as held_up:
            until(lambda: simulators[reading].counters.requests["ideas"])
            in_mid_read, machine = until(lambda: alive(deployment, instance, reading))
            is_shared = machine in (alive(deployment, instance, merging) or ())
            deployment.kill_worker(machine)
            # The server does not notice that a session's client is gone while it waits for a lock.
            orphans = held_up() if is_shared else set()
            simulators[reading].faults.clear()
            deployment.start_worker(machine)
            until(lambda: held_up() - orphans)
            in_mid_merge, machine = until(lambda: alive(deployment, instance, merging))
            deployment.kill_worker(machine)
        last = {name: until(lambda name=name: succeeded(instance, name)) for name in NAMES}
        launcher: Any = instance.run_launcher
        redis = launcher.celery.backend.client
        left = [redis.ttl(task) for task in redis.keys("celery-task-meta-*")]
        # A run can take as long: Dagster fails those that the backend does not know any more.
        assert min(left) > 29 * 86_400

    for lost, name in ((in_mid_read, reading), (in_mid_merge, merging)):
        assert "has given no sign of life" in why(instance, lost)
        assert last[name].root_run_id == runs_of(instance, name)[-1].run_id
    for name, watching in zip(NAMES, readers, strict=True):
        assert (watching.broken, watching.looks > 0) == ([], True)
        engine = sa.create_engine(deployment.warehouses[name])
        assert_true_to(engine, name, CONTRACT, simulators[name].tables)
        engine.dispose()


def until(found: Callable[[], Any]) -> Any:
    """Wait for something, and return it. What never comes fails by pytest's time limit."""
    while not (answer := found()):
        time.sleep(0.2)
    return answer


def runs_of(instance: dg.DagsterInstance, community: str) -> Sequence[dg.DagsterRun]:
    """The runs of the community's jobs, the newest first."""
    return instance.get_runs(dg.RunsFilter(tags={COMMUNITY: community}))


def succeeded(instance: dg.DagsterInstance, community: str) -> dg.DagsterRun | None:
    return next((run for run in runs_of(instance, community) if run.is_success), None)


def alive(deployment: Deployment, instance: dg.DagsterInstance, community: str) -> tuple[str, str] | None:
    """The community's run that is alive, and the machine of its worker."""
    started = [run.run_id for run in runs_of(instance, community) if run.status is dg.DagsterRunStatus.STARTED]
    for heartbeat in Heartbeats(deployment.accounts).of(started)[1]:
        if machine := deployment.machine_of(int(heartbeat.process.split()[1])):
            return heartbeat.run_id, machine
    return None


def why(instance: dg.DagsterInstance, run_id: str) -> str:
    """Why a run failed."""
    (failure,) = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    return str(failure.get_dagster_event().message)


@contextmanager
def merge_held_up(url: str) -> Iterator[Callable[[], set[int]]]:
    """Nobody can write ratings: a merge stops between votes and their ratings. Yields which sessions have stopped."""
    engine = sa.create_engine(url)
    with engine.connect() as holder, engine.connect() as observer:
        holder.exec_driver_sql(f"LOCK TABLE {VOTE_RATINGS.name} IN EXCLUSIVE MODE")
        ours = holder.scalar(sa.select(sa.func.pg_backend_pid()))
        blocked = sa.text("SELECT pid FROM pg_stat_activity WHERE :ours = ANY(pg_blocking_pids(pid))")

        def held_up() -> set[int]:
            with observer.begin():
                return set(observer.scalars(blocked, {"ours": ours}))

        yield held_up
    engine.dispose()
