"""Dagster's entry point, named in ``workspace.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

# Not exported by Dagster, but documented for definitions that are built from what may change:
# https://github.com/dagster-io/dagster/blob/1.13.27/python_modules/dagster/dagster/_core/definitions/definitions_load_context.py
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType

from ideas_pipeline.defs.alert_sensors import alert_sensors
from ideas_pipeline.defs.assets import community_assets
from ideas_pipeline.defs.checks import community_checks
from ideas_pipeline.defs.configuration import Configuration, Loaded, as_text, from_text, load
from ideas_pipeline.defs.freshness import freshness_sensor
from ideas_pipeline.defs.jobs import jobs, schedules
from ideas_pipeline.defs.lineage import WRITER, idea_history, sources
from ideas_pipeline.defs.marts import following, marts, report
from ideas_pipeline.defs.resources import resources
from ideas_pipeline.defs.second_try import second_try_schedules
from ideas_pipeline.defs.specs import SIMULATED
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
    return _built_from(load(), resource_overrides)


def _built_from(
    configurations: Sequence[Configuration], resource_overrides: Mapping[str, dg.ResourceDefinition] | None = None
) -> dg.Definitions:
    (configuration,) = configurations
    settings, contract = configuration.settings, configuration.contract
    if settings.simulated:
        logger(__name__).warning(f"{SIMULATED} Set IDEAS_CLIENT_ID and IDEAS_CLIENT_SECRET for a real one.")
    history = [idea_history(settings)] if WRITER in contract.streams else []
    loaded = Loaded(configurations)
    return dg.Definitions(
        assets=[
            *sources(settings, contract),
            *community_assets(settings, contract),
            *history,
            marts(settings, contract),
            report(settings),
        ],
        asset_checks=community_checks(settings, contract),
        jobs=jobs(configuration.version),
        schedules=[*schedules(settings), *second_try_schedules(settings)],
        sensors=[following(), freshness_sensor(settings, contract), *alert_sensors(settings, contract, loaded)],
        resources={**resources(configurations), **(resource_overrides or {})},
        # One process per step would cost seconds and a login per step; a sync has its own concurrency anyway.
        executor=dg.in_process_executor,
        metadata={
            "community": settings.community,
            "simulated": settings.simulated,
            "configuration": configuration.version,
        },
    )


@dg.definitions
def defs() -> dg.Definitions:
    """All Dagster objects, from the current configuration when Dagster loads them, and from that one in each run."""
    context = DefinitionsLoadContext.get()
    known = context.reconstruction_metadata if context.load_type is DefinitionsLoadType.RECONSTRUCTION else {}
    configurations = from_text(known[_KEY]) if _KEY in known else load()
    context.add_to_pending_reconstruction_metadata(_KEY, as_text(configurations))
    return _built_from(configurations)
