"""Dagster's entry point, named in ``workspace.yaml``."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import dagster as dg

# Not exported by Dagster, but documented for definitions that are built from what may change:
# https://github.com/dagster-io/dagster/blob/1.13.27/python_modules/dagster/dagster/_core/definitions/definitions_load_context.py
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME

from ideas_pipeline.defs.alert_sensors import invalid_sensor
from ideas_pipeline.defs.community import community_defs
from ideas_pipeline.defs.configuration import Community, Loaded, Snapshot, as_text, load
from ideas_pipeline.defs.jobs import job_names
from ideas_pipeline.defs.lost_runs import lost_runs_sensors
from ideas_pipeline.defs.resources import resources
from ideas_pipeline.defs.run_repository import CommunityAtATime
from ideas_pipeline.logs import logger

_KEY = "ideas_pipeline/configuration"


def build_defs(resource_overrides: Mapping[str, dg.ResourceDefinition] | None = None) -> dg.Definitions:
    """Build all Dagster objects from the current configuration.

    Args:
        resource_overrides: resources that replace the configured ones, by name.

    Raises:
        SettingsError: the configuration is invalid. Dagster shows its sentences instead of the code location.
        ContractError: likewise for the contract.
    """
    communities, invalid = load()
    return _built_from(communities, invalid, Loaded(communities), resource_overrides)


def _built_from(
    communities: Sequence[Community],
    invalid: Mapping[str, str],
    loaded: Loaded | None,
    resource_overrides: Mapping[str, dg.ResourceDefinition] | None = None,
) -> dg.Definitions:
    """Build the objects of the communities.

    Args:
        communities: the communities.
        invalid: those that are left out, and why.
        loaded: what the sensors compare with the files; None in a run, which evaluates no sensor.
        resource_overrides: resources that replace the configured ones of the same name.
    """
    for name, problem in invalid.items():
        logger(__name__).error(f"{name} is left out, because its configuration is not valid: {problem}")
    opened = {**resources(communities, is_watched=True), **(resource_overrides or {})}
    # One process per step would cost seconds and a login per step; a sync has its own concurrency anyway.
    common: dict[str, Any] = {"resources": opened, "executor": dg.in_process_executor}
    parts = [community_defs(community, loaded, common) for community in communities]
    return dg.Definitions(
        assets=[asset for part in parts for asset in part.assets or ()],
        asset_checks=[check for part in parts for check in part.asset_checks or ()],
        jobs=[job for part in parts for job in part.jobs or ()],
        schedules=[schedule for part in parts for schedule in part.schedules or ()],
        sensors=[
            *(sensor for part in parts for sensor in part.sensors or ()),
            *([invalid_sensor(communities, invalid)] if invalid else []),
            *lost_runs_sensors(communities),
        ],
        **common,
        metadata=_about(communities, invalid),
    )


def _about(communities: Sequence[Community], invalid: Mapping[str, str]) -> dict[str, dg.RawMetadataValue]:
    """What the UI shows of the code location."""
    one = communities[0]
    if not one.is_alone:
        versions = {f"configuration of {community.name}": community.version for community in communities}
        return versions | {f"configuration of {name}": f"not valid: {why}" for name, why in invalid.items()}
    return {"community": one.name, "simulated": one.settings.simulated, "configuration": one.version}


@dg.definitions
def defs() -> dg.Definitions:
    """All Dagster objects, from the current configuration when Dagster loads them, and from that one in each run."""
    with _without_garbage_collection():
        context = DefinitionsLoadContext.get()
        known = context.reconstruction_metadata if context.load_type is DefinitionsLoadType.RECONSTRUCTION else {}
        if _KEY in known:
            # Dagster accepts a repository, too, but does not say so in its types.
            return cast("dg.Definitions", _of_run(Snapshot(known[_KEY])))
        communities, invalid = load()
        context.add_to_pending_reconstruction_metadata(_KEY, as_text(communities))
        return _built_from(communities, invalid, Loaded(communities))


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Do not look for garbage among objects that live as long as the process: it would take a third of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _of_run(snapshot: Snapshot) -> dg.Definitions | dg.RepositoryDefinition:
    """What a run process needs, from the configuration that its definitions were built from."""
    if snapshot.is_alone:
        return _built_from(snapshot.communities(), {}, None)
    return dg.RepositoryDefinition(
        SINGLETON_REPOSITORY_NAME,
        repository_data=CommunityAtATime(
            {job: name for name in snapshot.names for job in job_names(name, is_alone=False)},
            lambda *names: _built_from(snapshot.communities(*names), {}, None),
        ),
    )
