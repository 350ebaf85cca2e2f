"""All Dagster objects of one community."""

from __future__ import annotations

from typing import Any

import dagster as dg

from ideas_pipeline.defs.alert_sensors import alert_sensors
from ideas_pipeline.defs.assets import community_assets
from ideas_pipeline.defs.checks import community_checks
from ideas_pipeline.defs.configuration import Community, Loaded
from ideas_pipeline.defs.freshness import freshness_sensor
from ideas_pipeline.defs.jobs import NIGHTLY, nightly, schedules, weekly
from ideas_pipeline.defs.lineage import WRITER, idea_history, sources
from ideas_pipeline.defs.marts import following, marts, report
from ideas_pipeline.defs.second_try import second_try_schedules
from ideas_pipeline.defs.specs import SIMULATED
from ideas_pipeline.logs import logger


def community_defs(community: Community, loaded: Loaded | None, common: dict[str, Any]) -> dg.Definitions:
    """The objects of one community.

    Args:
        community: the community.
        loaded: what all definitions are built from; None if that is not compared with our files.
        common: the resources and the executor, as arguments of ``dg.Definitions``.
    """
    if community.settings.simulated:
        to_set = community.settings.worded("Set IDEAS_CLIENT_ID and IDEAS_CLIENT_SECRET for a real one.")
        logger(__name__).warning(f"{SIMULATED} {to_set}")
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
        *sources(community),
        *community_assets(community),
        *([idea_history(community)] if WRITER in community.contract.streams else []),
        marts(community),
        report(community),
    ]
    checks = community_checks(community)
    # Resolved here: Dagster would look for the assets of each job among those of all communities.
    own = dg.Definitions(assets=assets, asset_checks=checks, jobs=[nightly(community)], **common)
    every_night = own.resolve_job_def(community.named(NIGHTLY))
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        jobs=[every_night, weekly(community, every_night)],
        schedules=[*schedules(community), *second_try_schedules(community)],
        sensors=[following(community), freshness_sensor(community), *alert_sensors(community, loaded)],
    )
