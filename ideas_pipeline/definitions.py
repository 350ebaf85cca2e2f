"""The one entry point of Dagster: ``workspace.yaml`` names this module."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from ideas_pipeline.defs.assets import SIMULATED, community_assets
from ideas_pipeline.defs.checks import community_checks
from ideas_pipeline.defs.jobs import nightly_schedule, nightly_sync
from ideas_pipeline.defs.resources import resources
from ideas_pipeline.ideas_api.contract_file import load_contract
from ideas_pipeline.settings import Settings, load_settings

# What `make demo` uses, so that the UI shows the same warehouse.
_DEMO: dict[str, Any] = {"community": "demo", "state_dir": Path(".demo")}


def build_defs(resource_overrides: Mapping[str, dg.ConfigurableResource[Any]] | None = None) -> dg.Definitions:
    """Everything that Dagster is to know, for the configuration in force. ``resource_overrides``: by name.

    Raises SettingsError or ContractError with sentences, which Dagster shows where the location does not load.
    """
    settings = load_settings()
    contract = load_contract(settings.contract)
    if settings.simulated:
        kept = {"contract", "schedule_hour", "timezone", "mass_absence_percent"}
        settings = Settings(**_DEMO, **settings.model_dump(include=kept))
        logging.getLogger(__name__).warning(f"{SIMULATED} Set IDEAS_CLIENT_ID and IDEAS_CLIENT_SECRET for a real one.")
    return dg.Definitions(
        assets=community_assets(settings, contract),
        asset_checks=community_checks(settings, contract),
        jobs=[nightly_sync()],
        schedules=[nightly_schedule(settings)],
        resources={**resources(settings, contract), **(resource_overrides or {})},
        # A process for each step would cost seconds and a login each, and a sync has its own concurrency.
        executor=dg.in_process_executor,
        metadata={"community": settings.community, "simulated": settings.simulated},
    )


@dg.definitions
def defs() -> dg.Definitions:
    return build_defs()
