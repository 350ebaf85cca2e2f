"""A community as a component in somebody's own Dagster project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster.components.testing.utils import DefsFolderSandbox, create_defs_folder_sandbox

import ideas_pipeline
from ideas_pipeline.defs.component import IdeasCommunity
from ideas_pipeline.settings import Settings
from ideas_pipeline.simulator.simulator import Simulator

TYPE = "ideas_pipeline.IdeasCommunity"
ACCOUNT = {"client_id": "{{ env.ACME_ID }}", "client_secret": "{{ env.ACME_SECRET }}"}


@pytest.fixture
def project(unconfigured: Path) -> Iterator[DefsFolderSandbox]:
    """The folder ``defs`` of a project, as ``dg`` makes it."""
    with create_defs_folder_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def acme(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The attributes of a community that runs; nothing of it is in our own variables."""
    for name in ("CLIENT_ID", "CLIENT_SECRET", "API_BASE_URL", "COMMUNITY"):
        monkeypatch.delenv(f"IDEAS_{name}")
    monkeypatch.setenv("ACME_ID", simulator.client_id)
    monkeypatch.setenv("ACME_SECRET", simulator.client_secret)
    return {"community": "acme", "api_base_url": simulator.base_url, **ACCOUNT}


def written(project: DefsFolderSandbox, *communities: dict[str, Any]) -> dg.Definitions:
    """The definitions of a project that has a component for each of the communities."""
    for attributes in communities:
        contents = {"type": TYPE, "attributes": attributes}
        name = str(attributes["community"])
        project.scaffold_component(IdeasCommunity, defs_path=name, defs_yaml_contents=contents)
    with project.build_all_defs() as defs:
        return defs


def test_two_communities_of_a_project_share_the_resource_and_one_runs(
    project: DefsFolderSandbox, acme: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    globex = {**acme, "community": "globex", "timezone": "Europe/Madrid"}

    defs = written(project, acme, globex)

    assert {key.path[0] for key in defs.resolve_asset_graph().get_all_asset_keys()} == {"acme", "globex"}
    assert list(defs.resources or {}) == ["communities"]
    names = defs.get_repository_def().job_names
    assert {"acme__nightly_sync", "acme__weekly_full", "globex__nightly_sync", "globex__weekly_full"} <= set(names)
    done = defs.resolve_job_def("acme__nightly_sync").execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey(["acme", "challenges"])]
    )
    assert done.success
    assert Path(".ideas/acme/warehouse.db").exists()
    assert not Path(".ideas/globex").exists()


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"shedule_hour": 3}, "shedule_hour"),
        ({"client_id": None}, "client_id of acme in defs/acme/defs.yaml is not set, but its counterpart is"),
        ({"timezone": "canary-1"}, "timezone of acme in defs/acme/defs.yaml must be the name of a time zone"),
        (
            {"verify_days": 0},
            "verify_days of acme in defs/acme/defs.yaml must be a whole number of days greater than 0, not 0",
        ),
        ({"api_base_url": None}, "api_region of acme in defs/acme/defs.yaml is not set. Set it to the region"),
        ({"api_base_url": None, "api_region": "EX"}, "api_region of acme in defs/acme/defs.yaml must be a region of"),
        ({"contract": "none.yaml"}, "Correct contract of acme in defs/acme/defs.yaml"),
        ({"token_store": "warehouse", "token_key": None}, "token_key of acme in defs/acme/defs.yaml, which encrypts"),
    ],
)
def test_a_wrong_attribute_is_named_and_no_value_is(
    project: DefsFolderSandbox, acme: dict[str, Any], attributes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Exception, match=r"Error while (loading component|building definitions for) acme") as caught:
        written(project, {**acme, **attributes})

    text = "".join(messages(caught.value))
    assert sentence in text.replace(str(project.defs_folder_path.parent) + "/", "")
    assert "IDEAS_" not in text
    assert "canary" not in text
    assert acme["api_base_url"] not in text


def messages(error: BaseException | None) -> Iterator[str]:
    """The messages of an error and of those that caused it."""
    while error:
        yield str(error)
        error = error.__cause__


def test_a_community_without_a_name_keeps_its_state_under_the_default_one(
    project: DefsFolderSandbox, acme: dict[str, Any]
) -> None:
    contents = {"type": TYPE, "attributes": {name: value for name, value in acme.items() if name != "community"}}
    path = project.scaffold_component(IdeasCommunity, defs_path="nameless", defs_yaml_contents=contents)

    with project.load_component_and_build_defs(path) as (component, _):
        assert isinstance(component, IdeasCommunity)
        assert component.settings.community == "community"
        assert component.settings.state_dir == Path(".ideas/community")


def test_a_community_without_an_api_client_is_simulated_under_its_own_name(
    project: DefsFolderSandbox, unconfigured: Path
) -> None:
    defs = written(project, {"community": "acme"}, {"community": "globex"})

    assert {key.path[0] for key in defs.resolve_asset_graph().get_all_asset_keys()} == {"acme", "globex"}


def test_the_ui_shows_the_variables_that_the_attributes_name(project: DefsFolderSandbox, acme: dict[str, Any]) -> None:
    contents = {"type": TYPE, "attributes": acme}
    path = project.scaffold_component(IdeasCommunity, defs_path="acme", defs_yaml_contents=contents)

    with project.load_component_and_build_defs(path) as (component, _):
        assert isinstance(component, IdeasCommunity)
        assert component.settings.variable_of("client_secret") == "ACME_SECRET"
        assert component.settings.variable_of("api_base_url") is None


def test_the_attributes_are_the_settings() -> None:
    assert set(IdeasCommunity.get_model_cls().model_fields) == set(Settings.model_fields)
    assert ideas_pipeline.IdeasCommunity is IdeasCommunity
    assert "IdeasCommunity" in dir(ideas_pipeline)
    with pytest.raises(AttributeError):
        _ = ideas_pipeline.Community
