"""Three communities in one code location: how their things are called, and that each stands for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ideas_pipeline import definitions
from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.definitions import build_defs
from ideas_pipeline.defs.configuration import load
from ideas_pipeline.defs.second_try import due
from ideas_pipeline.errors import SettingsError
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.alerts.servers import WebhookServer
from ideas_pipeline_tests.defs.alerting import Daemon, next_tick, reported
from ideas_pipeline_tests.defs.code_server import code_server, in_run
from ideas_pipeline_tests.defs.running import some_assets

THREE = """\
defaults:
  api_region: EU
  client_id: {env: CLIENT_ID}
  client_secret: {env: CLIENT_SECRET}
communities:
  acme: {timezone: Europe/Madrid, schedule_minute: 17}
  globex: {api_base_url: https://globex.example/v2/, timezone: America/New_York, schedule_hour: 23, owner: team:globex}
  in-itech: {api_base_url: https://initech.example/, schedule_minute: 0, contract: initech.yaml}
"""
NAMES = ["acme", "globex", "in-itech"]


@pytest.fixture
def three(unconfigured: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (unconfigured / "ideas_pipeline.yaml").write_text(THREE)
    (unconfigured / "initech.yaml").write_text("limits: {concurrency: 2}")
    monkeypatch.setenv("CLIENT_ID", "me")
    monkeypatch.setenv("CLIENT_SECRET", "canary-secret")
    return unconfigured


def test_each_has_its_own_assets_jobs_schedules_sensors_and_pool(three: Path) -> None:
    defs = build_defs()
    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    repository = defs.get_repository_def()

    assert {key.path[0] for key in graph.get_all_asset_keys()} == set(NAMES)
    for name, group in zip(NAMES, ["acme", "globex", "in_itech"], strict=True):
        ideas = graph.get(dg.AssetKey([name, "ideas"]))
        assert (ideas.group_name, ideas.pools) == (group, {f"ideas_api_{name}"})
        for job in ("nightly_sync", "weekly_full"):
            found = repository.get_job(f"{group}__{job}")
            keys = found.asset_layer.executable_asset_keys
            assert {key.path[0] for key in keys} == {name}
            assert {key.path[-1] for key in keys} >= {"ideas", "votes", "mart_challenges", "report"}
            assert found.tags["ideas_pipeline/community"] == name
        assert {
            sensor.name.removeprefix(f"{group}__")
            for sensor in repository.sensor_defs
            if sensor.name.startswith(f"{group}__")
        } == {
            "freshness",
            "failure_alerts",
            "staleness_alerts",
            "configuration_alerts",
            "marts_follow_their_tables",
        }
    schedules = {schedule.name: schedule for schedule in repository.schedule_defs}
    assert len(schedules) == 4 * len(NAMES)
    nightly = schedules["acme__nightly_sync_schedule"]
    assert (nightly.cron_schedule, nightly.execution_timezone) == ("17 2 * * 1,2,3,4,5,6", "Europe/Madrid")
    again = schedules["globex__weekly_full_second_try"]
    assert (again.job_name, again.execution_timezone) == ("globex__weekly_full", "America/New_York")
    assert set(repository.metadata or {}) == {f"configuration of {name}" for name in NAMES}
    assert graph.get(dg.AssetKey(["globex", "ideas"])).owners == ["team:globex"]


def test_one_in_a_file_is_called_as_one_without_a_file(three: Path) -> None:
    text = THREE.splitlines()
    (three / "ideas_pipeline.yaml").write_text("\n".join(text[:6]))

    repository = build_defs().get_repository_def()

    assert set(repository.job_names) >= {"nightly_sync", "weekly_full"}
    assert {schedule.name for schedule in repository.schedule_defs} >= {"nightly_sync_schedule"}


def test_names_that_differ_in_a_dash_only_are_refused(three: Path) -> None:
    (three / "ideas_pipeline.yaml").write_text(THREE.replace("globex:", "in_itech:"))

    with pytest.raises(SettingsError, match="in_itech and in-itech would have the same name in Dagster"):
        build_defs()


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The communities whose definitions are built from now on."""
    names: list[str] = []
    build = definitions.community_defs
    monkeypatch.setattr(
        definitions, "community_defs", lambda one, *rest: (names.append(one.name), build(one, *rest))[1]
    )
    return names


def test_a_run_builds_the_definitions_of_its_community_alone(
    three: Path, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (three / "ideas_pipeline.yaml").write_text(THREE.replace("schedule_hour: 23", "client_id: {env: GLOBEX_ID}"))
    monkeypatch.setenv("GLOBEX_ID", "globex")
    with code_server() as loaded:
        monkeypatch.delenv("GLOBEX_ID")
        (three / "initech.yaml").write_text("limits: wrong")
        built.clear()

        repository = in_run(loaded)
        job = repository.get_job("in_itech__weekly_full")

        assert built == ["in-itech"]
        assert {key.path[0] for key in job.asset_layer.executable_asset_keys} == {"in-itech"}
        assert repository.has_job("acme__nightly_sync")
        with pytest.raises(SettingsError, match="GLOBEX_ID was set when Dagster loaded the settings of globex"):
            repository.get_job("globex__nightly_sync")


def test_a_run_of_selected_assets_builds_the_definitions_of_their_communities_alone(
    three: Path, built: list[str]
) -> None:
    ideas, votes = dg.AssetKey(["acme", "ideas"]), dg.AssetKey(["globex", "votes"])
    references = dg.AssetCheckKey(dg.AssetKey(["in-itech", "users"]), "referential_integrity")
    with code_server() as loaded:
        whole = loaded.get_maybe_subset_job_def("__ASSET_JOB", asset_selection={ideas, votes})
        built.clear()

        def run(**selected: set[Any]) -> dg.JobDefinition:
            repository = in_run(loaded)
            repository.get_job("__ASSET_JOB").get_subset()  # as a run process does, before it knows the selection
            assert built == []
            return repository.get_maybe_subset_job_def("__ASSET_JOB", **selected)

        one = run(asset_selection={ideas}, asset_check_selection=set())
        assert one.asset_layer.executable_asset_keys == {ideas}
        assert taken(built) == ["acme"]
        checks = run(asset_selection=set(), asset_check_selection={references})
        assert checks.asset_layer.asset_graph.asset_check_keys >= {references}
        assert taken(built) == ["in-itech"]
        two = run(asset_selection={ideas, votes})
        assert taken(built) == ["acme", "globex"]
        # The steps are those of the plan that the code server made for the run.
        assert two.get_job_snapshot().node_defs_snapshot == whole.get_job_snapshot().node_defs_snapshot
        assert two.get_job_snapshot().dep_structure_snapshot == whole.get_job_snapshot().dep_structure_snapshot
        everything = in_run(loaded).get_job("__ASSET_JOB")
        assert {key.path[0] for key in everything.asset_layer.executable_asset_keys} == set(NAMES)
        assert taken(built) == NAMES


def taken(names: list[str]) -> list[str]:
    """The names, which are forgotten."""
    found = names.copy()
    names.clear()
    return found


@pytest.fixture
def two(unconfigured: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Simulator]]:
    """Two running communities: of green nothing is wrong, and the API refuses red's account a list."""
    (unconfigured / "quick.yaml").write_text("limits: {requests_per_second: null, attempts: 1}")
    lines = [f"defaults: {{contract: quick.yaml, schedule_hour: {datetime.now(UTC).hour}}}", "communities:"]
    with ExitStack() as stack:
        running = {}
        for seed, name in enumerate(["green", "red"]):
            api = stack.enter_context(Simulator(load_contract(None), generate("small", seed=seed), page_cap=20))
            running[name] = api
            monkeypatch.setenv(f"{name.upper()}_ID", api.client_id)
            monkeypatch.setenv(f"{name.upper()}_SECRET", api.client_secret)
            account = f"client_id: {{env: {name.upper()}_ID}}, client_secret: {{env: {name.upper()}_SECRET}}"
            lines.append(f"  {name}: {{api_base_url: '{api.base_url}', schedule_minute: 0, {account}}}")
        (unconfigured / "ideas_pipeline.yaml").write_text("\n".join(lines))
        running["red"].faults.add(Fault(kind="status", status=503, stream="challenges", times=None))
        yield running


def night(instance: dg.DagsterInstance, community: str) -> dg.ExecuteInProcessResult:
    """The first table of a community, as its schedule syncs it."""
    job = f"{community}__nightly_sync"
    tags = {"dagster/schedule_name": f"{job}_schedule"}
    return some_assets(instance, "challenges", community=community, job=job, tags=tags)


def test_a_red_community_leaves_the_other_green(
    two: dict[str, Simulator], instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    red_run = night(instance, "red")
    green_run = night(instance, "green")

    assert not red_run.success
    assert green_run.success
    for name, rows in {"red": 0, "green": len(two["green"].tables["challenges"])}.items():
        with Warehouse.open(f"sqlite:///.ideas/{name}/warehouse.db", name) as warehouse, warehouse.reading() as tx:
            assert tx.connection.exec_driver_sql("SELECT count(*) FROM challenges").scalar() == rows
    communities = {one.name: one for one in load()[0]}
    # The run of green, which is newer, does not stand in the way of red's second try.
    tick = next_tick(instance, red_run.run_id)
    request = due(instance, communities["red"], "red__nightly_sync", tick, tick)
    assert isinstance(request, dg.RunRequest)
    assert request.tags["ideas_pipeline/retry_of"] == red_run.run_id
    skipped = due(instance, communities["green"], "green__nightly_sync", tick, tick)
    assert isinstance(skipped, dg.SkipReason)
    assert "did not fail" in str(skipped.skip_message)
    later = datetime.now(UTC) + timedelta(hours=13)  # no second try can come any more
    assert reported(instance, communities["green"], later) == []
    assert [run.run_id for run in reported(instance, communities["red"], later)] == [red_run.run_id]


def test_a_community_whose_configuration_is_not_valid_is_left_out_and_alerted(
    three: Path, instance: dg.DagsterInstance, hook: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IDEAS_ALERT_WEBHOOK")
    monkeypatch.setenv("HOOK", hook.address)
    text = THREE.replace("  api_region: EU\n", "  api_region: EU\n  alert_webhook: {env: HOOK}\n")
    text = text.replace("schedule_hour: 23", "schedule_hour: 24")
    (three / "ideas_pipeline.yaml").write_text(text)
    (three / "initech.yaml").write_text("limits: wrong")

    defs = build_defs()

    assert {key.path[0] for key in defs.resolve_asset_graph().get_all_asset_keys()} == {"acme"}
    repository = defs.get_repository_def()
    assert "acme__nightly_sync" in repository.job_names
    about = {name: str(value.value) for name, value in (repository.metadata or {}).items()}
    assert "schedule_hour of globex must be" in about["configuration of globex"]
    assert "initech.yaml, line 1" in about["configuration of in-itech"]
    daemon = Daemon(instance, "invalid_configuration_alerts")
    assert daemon.tick() == "Sent: [globex, in-itech] the configuration is wrong (webhook of acme)."
    assert daemon.tick() == "No alert to send."
    assert "Dagster has left globex, in-itech out" in hook.texts[0]

    with code_server() as loaded:
        assert in_run(loaded).get_job("acme__nightly_sync").tags["ideas_pipeline/community"] == "acme"


def test_if_no_configuration_is_valid_every_problem_is_reported(three: Path) -> None:
    (three / "ideas_pipeline.yaml").write_text(THREE.replace("api_base_url", "api_base_urls"))
    with pytest.raises(SettingsError, match="api_base_urls is not a setting"):
        build_defs()
    (three / "ideas_pipeline.yaml").write_text(THREE.replace("timezone: ", "timezone: Un"))
    (three / "initech.yaml").write_text("limits: wrong")

    with pytest.raises(SettingsError) as caught:
        build_defs()

    for part in ("timezone of acme must be", "timezone of globex must be", "initech.yaml, line 1"):
        assert part in str(caught.value)


def test_a_problem_of_two_communities_is_reported_once(three: Path) -> None:
    one_host = "{api_base_url: https://one.example/"
    (three / "ideas_pipeline.yaml").write_text(
        f"{THREE[: THREE.index('  acme')]}  acme: {one_host}}}\n  globex: {one_host}}}\n"
    )

    with pytest.raises(SettingsError) as caught:
        build_defs()

    assert str(caught.value).count("acme and globex use the same API account") == 1


def test_two_code_locations_share_what_they_include_and_nothing_else(
    three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (three / "ideas_pipeline.yaml").unlink()
    (three / "common.yaml").write_text(THREE.partition("communities:")[0])
    for file, names in {"north.yaml": ["oslo", "bergen"], "south.yaml": ["rome"]}.items():
        lines = "".join(f"  {name}: {{api_base_url: 'https://{name}.example/'}}\n" for name in names)
        (three / file).write_text(f"include: [common.yaml]\ncommunities:\n{lines}")

    found = {}
    for file in ("north.yaml", "south.yaml"):
        monkeypatch.setenv("IDEAS_CONFIG", file)
        defs = build_defs()
        keys = defs.resolve_asset_graph().get_all_asset_keys()
        found[file] = {key.path[0] for key in keys}, {job.name for job in defs.jobs or ()}

    assert found["north.yaml"][0] == {"oslo", "bergen"}
    assert found["south.yaml"] == ({"rome"}, {"nightly_sync", "weekly_full"})
    assert "oslo__nightly_sync" in found["north.yaml"][1]
