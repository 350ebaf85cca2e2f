"""``deploy/compose/`` without Docker: its Dagster instance on a real PostgreSQL, and its commands as processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import STDOUT

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from dagster_docker import DockerRunLauncher
from dagster_postgres import PostgresRunStorage

from ideas_pipeline_tests.cli.command import environment
from ideas_pipeline_tests.dagster_processes import ask, loaded, until
from ideas_pipeline_tests.processes import ROOT, free_port, run, started

COMPOSE = ROOT / "deploy" / "compose"
SERVICES = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
JOBS = "{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name } jobs { name } } } } }"
INSTANCE = yaml.safe_load((COMPOSE / "dagster.yaml").read_text())


@pytest.fixture
def home(tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME with ``dagster.yaml``, whose database is the one of this test process."""
    url = sa.make_url(postgresql_url)
    monkeypatch.setenv("POSTGRES_PASSWORD", url.password or "none")
    database = INSTANCE["storage"]["postgres"]["postgres_db"] | {
        # A socket's folder is a parameter of a URL, not its host.
        "hostname": url.host or "",
        "username": url.username,
        "db_name": url.database,
        "port": url.port or 5432,
        "params": dict(url.query),
    }
    (tmp_path / "dagster.yaml").write_text(
        yaml.safe_dump(INSTANCE | {"storage": {"postgres": {"postgres_db": database}}})
    )
    return tmp_path


def test_its_instance_opens_on_postgresql_and_launches_runs_in_docker(home: Path) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        launcher = instance.run_launcher
        assert isinstance(instance.run_storage, PostgresRunStorage)
        assert isinstance(launcher, DockerRunLauncher)
        assert instance.get_runs() == []
        limits = instance.get_concurrency_config()
        assert (limits.pool_config.default_pool_limit, limits.run_queue_config.max_concurrent_runs) == (1, 10)


def test_containers_of_runs_see_what_the_services_see() -> None:
    """Networks and volumes have fixed names, because Compose would otherwise put its project's name in front."""
    whole = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    launcher = INSTANCE["run_launcher"]["config"]
    named = {volume["name"]: name for name, volume in whole["volumes"].items() if volume}
    mounted = [
        ":".join([named.get(v.split(":")[0], v.split(":")[0]), *v.split(":")[1:]])
        for v in launcher["container_kwargs"]["volumes"]
    ]
    assert set(mounted) <= set(SERVICES["code"]["volumes"])
    assert launcher["network"] == whole["networks"]["ideas"]["name"]
    for option in ("read_only", "cap_drop", "security_opt", "working_dir"):
        assert launcher["container_kwargs"][option] == SERVICES["code"][option]


@pytest.mark.slow
def test_its_commands_start_code_servers_a_webserver_and_a_daemon(home: Path) -> None:
    """The code server loads the simulated community; the webserver and the daemon ask it, and run no code of ours.

    A second code server has a file of communities of its own, as docs/communities.md splits many.
    """
    code, south, web = free_port(), free_port(), free_port()
    workspace = (
        (COMPOSE / "workspace.yaml").read_text().replace("host: code, port: 4000", f"host: 127.0.0.1, port: {code}")
    )
    (home / "workspace.yaml").write_text(
        f"{workspace}  - grpc_server: {{host: 127.0.0.1, port: {south}, location_name: south}}\n"
    )
    (home / "south.yaml").write_text("include: [common.yaml]\ncommunities: {rome: , oslo: }\n")
    (home / "common.yaml").write_text("defaults: {timezone: Europe/Rome}\n")
    places = {
        "4000": str(code),
        "3000": str(web),
        "0.0.0.0": "127.0.0.1",
        "/dagster/workspace.yaml": str(home / "workspace.yaml"),
    }
    with ExitStack() as stack:
        of_south = places | {"4000": str(south)}
        stack.enter_context(service("code", home, of_south, IDEAS_CONFIG="south.yaml", IDEAS_STATE_DIR=""))
        for name in ("code", "webserver", "daemon"):
            stack.enter_context(service(name, home, places))
            if name == "code":
                check = [places.get(word, word) for word in health_check_of_the_image()]
                until(lambda check=check: run(command(check), cwd=home, env=variables(home)).returncode == 0)
        ui = f"http://127.0.0.1:{web}/graphql"
        assert loaded(ui) == [{"name": "ideas_pipeline"}, {"name": "south"}]
        locations = ask(ui, JOBS)["repositoriesOrError"]["nodes"]
        jobs = {one["location"]["name"]: {job["name"] for job in one["jobs"]} - {"__ASSET_JOB"} for one in locations}
        assert jobs == {
            "ideas_pipeline": {"nightly_sync", "weekly_full"},
            "south": {f"{name}__{job}" for name in ("rome", "oslo") for job in ("nightly_sync", "weekly_full")},
        }
        alive = SERVICES["daemon"]["healthcheck"]["test"][1:]
        until(lambda: run(command(alive), cwd=home, env=variables(home)).returncode == 0)


def health_check_of_the_image() -> list[str]:
    [line] = [
        line for line in (ROOT / "deploy" / "Dockerfile").read_text().splitlines() if line.startswith("HEALTHCHECK")
    ]
    words: list[str] = yaml.safe_load(line.partition(" CMD ")[2])
    return words


@contextmanager
def service(name: str, home: Path, places: dict[str, str], **more: str) -> Iterator[None]:
    """A service of compose.yaml as a process, in other places. ``more``: variables that it has beside its own."""
    words = [places.get(word, word) for word in SERVICES[name]["command"]]
    with (
        (home / f"{name}.log").open("a") as log,
        started(command(words), cwd=home, env=variables(home) | more, stdout=log, stderr=STDOUT),
    ):
        yield


def command(words: Sequence[str]) -> list[str]:
    """A command with the program of this environment."""
    return [str(Path(sys.executable).parent / words[0]), *words[1:]]


def variables(home: Path) -> dict[str, str]:
    return environment(DAGSTER_HOME=str(home), IDEAS_STATE_DIR=str(home / "state"))
