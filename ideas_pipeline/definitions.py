"""Dagster's entry point, named in ``workspace.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from ideas_pipeline.communities import load_settings
from ideas_pipeline.defs.alert_sensors import alert_sensors
from ideas_pipeline.defs.assets import community_assets
from ideas_pipeline.defs.checks import community_checks
from ideas_pipeline.defs.freshness import freshness_sensor
from ideas_pipeline.defs.jobs import jobs, schedules
from ideas_pipeline.defs.lineage import WRITER, idea_history, sources
from ideas_pipeline.defs.marts import following, marts, report
from ideas_pipeline.defs.resources import resources
from ideas_pipeline.defs.second_try import second_try_schedules
from ideas_pipeline.defs.specs import SIMULATED
from ideas_pipeline.logs import logger
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.contract_fit import load_fitting_contract

# The settings of `make demo`, so that the UI shows the same warehouse.
_DEMO: dict[str, Any] = {"community": "demo", "state_dir": Path(".demo")}


def build_defs(resource_overrides: Mapping[str, dg.ConfigurableResource[Any]] | None = None) -> dg.Definitions:
    """Build all Dagster objects from the current configuration.

    Args:
        resource_overrides: resources that replace the configured ones, by name.

    Raises:
        SettingsError: the configuration is invalid. Dagster shows its sentences instead of the code location.
        ContractError: likewise for the contract.
    """
    settings = load_settings()
    contract = load_fitting_contract(settings.contract)
    if settings.simulated:
        own = {*_DEMO, "warehouse_url", "token_store"}
        settings = Settings(**_DEMO, **settings.model_dump(exclude=own))
        logger(__name__).warning(f"{SIMULATED} Set IDEAS_CLIENT_ID and IDEAS_CLIENT_SECRET for a real one.")
    history = [idea_history(settings)] if WRITER in contract.streams else []
    return dg.Definitions(
        assets=[
            *sources(settings, contract),
            *community_assets(settings, contract),
            *history,
            marts(settings, contract),
            report(settings),
        ],
        asset_checks=community_checks(settings, contract),
        jobs=jobs(),
        schedules=[*schedules(settings), *second_try_schedules(settings)],
        sensors=[following(), freshness_sensor(settings, contract), *alert_sensors(settings, contract)],
        resources={**resources(settings, contract), **(resource_overrides or {})},
        # One process per step would cost seconds and a login per step; a sync has its own concurrency anyway.
        executor=dg.in_process_executor,
        metadata={"community": settings.community, "simulated": settings.simulated},
    )


@dg.definitions
def defs() -> dg.Definitions:
    """All Dagster objects of the configured community."""
    return build_defs()
