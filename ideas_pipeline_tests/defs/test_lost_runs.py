"""The watchdog: a run whose process was lost is failed, and no other run is, whatever happens meanwhile."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from ideas_pipeline.accounts.heartbeats import Heartbeats
from ideas_pipeline.definitions import build_defs
from ideas_pipeline.defs import heartbeats, lost_runs
from ideas_pipeline.errors import Unavailable
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.accounts.hosts import KEY
from ideas_pipeline_tests.defs.alerting import Daemon, dagster_home
from ideas_pipeline_tests.defs.running import some_assets
from ideas_pipeline_tests.processes import forked

ENOUGH = lost_runs._SIGHTINGS


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return dagster_home(tmp_path, "{enabled: true, max_retries: 1}")


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened


@pytest.fixture
def shared(simulator: Simulator, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the database that several machines share."""
    monkeypatch.setenv("IDEAS_WAREHOUSE_URL", postgresql_url)
    monkeypatch.setenv("IDEAS_TOKEN_STORE", "warehouse")
    monkeypatch.setenv("IDEAS_TOKEN_KEY", KEY)
    monkeypatch.setenv("IDEAS_PII_KEY", "a key for tests alone")
    return postgresql_url


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is lost when enough ticks saw it silent, whatever the clock says."""
    monkeypatch.setattr(heartbeats, "PATIENCE", 0.0)


def started_run(instance: dg.DagsterInstance) -> str:
    """A run that Dagster believes to be under way."""
    run_id = str(uuid.uuid4())
    instance.add_run(dg.DagsterRun("nightly_sync", run_id, status=dg.DagsterRunStatus.STARTED))
    return run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run
    return run.status


def test_there_is_no_watchdog_without_a_database_that_machines_share(simulator: Simulator) -> None:
    names = {sensor.name for sensor in build_defs().sensors or ()}
    assert "failure_alerts" in names
    assert lost_runs.NAME not in names


def test_it_runs_from_the_start_and_says_what_it_does(shared: str) -> None:
    sensor = build_defs().get_repository_def().get_sensor_def(lost_runs.NAME)
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 30
    assert "has given no sign of life for 2 minutes, so that it is started again" in str(sensor.description)


@pytest.mark.usefixtures("impatient")
def test_a_silent_run_fails_with_a_sentence_and_dagster_starts_it_again(
    shared: str, instance: dg.DagsterInstance
) -> None:
    daemon = Daemon(instance, lost_runs.NAME)
    assert daemon.tick() == "No run is under way."
    lost, alive, unknown = (started_run(instance) for _ in range(3))
    store = Heartbeats(shared)
    store.beat(lost)
    for _ in range(ENOUGH - 1):
        store.beat(alive)
        assert daemon.tick() == "Every run is alive."
    store.beat(alive)
    assert daemon.tick() == f"Failed: the run {lost}."

    assert status(instance, lost) is dg.DagsterRunStatus.FAILURE
    run = instance.get_run_by_id(lost)
    assert run
    assert run.tags["dagster/will_retry"] == "true"
    (failure,) = instance.all_logs(lost, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert "has given no sign of life for" in str(failure.dagster_event and failure.dagster_event.message)
    for run_id in (alive, unknown):
        assert status(instance, run_id) is dg.DagsterRunStatus.STARTED
    assert not store.beat(lost)  # its process, if it was frozen, ends


@pytest.mark.usefixtures("impatient")
def test_ticks_that_cannot_ask_the_database_count_nothing(
    shared: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage, the first tick can come before the first heartbeat."""
    daemon, run_id = Daemon(instance, lost_runs.NAME), started_run(instance)
    Heartbeats(shared).beat(run_id)
    daemon.tick()

    def down(*_: object) -> None:
        raise Unavailable("the account store cannot be used: it is being restarted")

    with monkeypatch.context() as outage:
        outage.setattr(Heartbeats, "of", down)
        for _ in range(2 * ENOUGH):
            assert daemon.tick() == (
                "Whether runs are alive is unknown: the account store cannot be used: it is being restarted."
            )
    for _ in range(ENOUGH - 2):
        assert daemon.tick() == "Every run is alive."
    assert "Failed" in daemon.tick()


def test_a_problem_names_the_setting_as_the_file_does(
    unconfigured: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"SECRET": "canary", "KEY": KEY, "PII": "a key for tests alone", "STORE": "postgresql://u:p@q@h/states"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    (unconfigured / "ideas_pipeline.yaml").write_text(
        "communities: {acme: {api_region: EU, client_id: i, client_secret: {env: SECRET}, token_store: {env: STORE},"
        " token_key: {env: KEY}, pii_key: {env: PII}}}"
    )
    started_run(instance)
    message = Daemon(instance, lost_runs.NAME).tick()
    assert message.startswith("Whether runs are alive is unknown: ")
    assert "token_store of acme in ideas_pipeline.yaml" in message
    assert "IDEAS_" not in message


def test_the_database_s_clock_says_how_long_a_run_was_silent(shared: str, instance: dg.DagsterInstance) -> None:
    daemon, run_id = Daemon(instance, lost_runs.NAME), started_run(instance)
    Heartbeats(shared).beat(run_id)
    for _ in range(2 * ENOUGH):
        assert daemon.tick() == "Every run is alive."
    (beats, since, ticks) = json.loads(str(daemon.cursor))[run_id]
    for earlier, said in ((heartbeats.PATIENCE - 60, "Every run is alive."), (60, f"Failed: the run {run_id}.")):
        since -= earlier
        daemon.cursor = json.dumps({run_id: [beats, since, ticks]})
        assert daemon.tick() == said


@pytest.mark.usefixtures("impatient")
def test_a_run_that_was_given_up_by_a_tick_that_was_interrupted_is_failed_by_the_next(
    shared: str, instance: dg.DagsterInstance
) -> None:
    run_id, store = started_run(instance), Heartbeats(shared)
    store.beat(run_id)
    assert store.give_up(store.of([run_id])[1][0])
    assert Daemon(instance, lost_runs.NAME).tick() == f"Failed: the run {run_id}."


def test_a_run_beats_from_its_start_to_its_end(shared: str, instance: dg.DagsterInstance) -> None:
    result = some_assets(instance, "challenges")
    assert result.success
    ((found,),) = [Heartbeats(shared).of([result.run_id])[1]]
    assert found.beats == 1  # the next would come after ten seconds
    assert not found.given_up


def sync_all(home: str, run_id: str) -> None:
    """Run the nightly job as a launcher's process does."""
    job = build_defs().resolve_job_def("nightly_sync")
    selection = [dg.AssetKey(["acme", stream]) for stream in ("challenges", "users", "ideas")]
    with dg.DagsterInstance.from_config(home) as instance:
        job.execute_in_process(instance=instance, run_id=run_id, asset_selection=selection, raise_on_error=False)


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_a_run_that_is_killed_is_failed_and_the_next_one_does_its_work(
    shared: str, simulator: Simulator, home: Path, instance: dg.DagsterInstance
) -> None:
    run_id = str(uuid.uuid4())
    simulator.faults.add(Fault(kind="latency", seconds=600, stream="ideas", times=None))
    with forked(sync_all, str(home), run_id) as process:
        while not simulator.counters.requests["users"]:
            process.join(0.1)
            assert process.is_alive()
        process.kill()
        process.join()
    simulator.faults.clear()
    assert status(instance, run_id) is dg.DagsterRunStatus.STARTED

    daemon = Daemon(instance, lost_runs.NAME)
    said = [daemon.tick() for _ in range(ENOUGH)]
    assert said == [*["Every run is alive."] * (ENOUGH - 1), f"Failed: the run {run_id}."]
    assert status(instance, run_id) is dg.DagsterRunStatus.FAILURE

    assert some_assets(instance, "challenges", "users", "ideas").success
    engine = sa.create_engine(shared)
    with engine.connect() as connection:
        ideas = {row.id for row in connection.execute(sa.text("SELECT id FROM ideas WHERE _deleted_at IS NULL"))}
    engine.dispose()
    assert ideas == set(simulator.tables["ideas"])
