"""The code location of ``test_celery``: a run counts as lost sooner, and each community is synced once, at once."""

# Without `from __future__ import annotations`: Dagster reads the types of a sensor's parameters.
from collections.abc import Sequence

import dagster as dg

from ideas_pipeline import definitions
from ideas_pipeline.defs import heartbeats, marts
from ideas_pipeline.defs.configuration import Community
from ideas_pipeline.defs.lost_runs import lost_runs_sensors

heartbeats.PATIENCE = 8.0
marts.FOLLOWS = None  # the job builds marts and report, and no run of their own


def _sensors(communities: Sequence[Community]) -> list[dg.SensorDefinition]:
    return [*lost_runs_sensors(communities), *(_starting(community.named("nightly_sync")) for community in communities)]


def _starting(job: str) -> dg.SensorDefinition:
    @dg.sensor(name=f"{job}_at_once", job_name=job, default_status=dg.DefaultSensorStatus.RUNNING)
    def start() -> dg.RunRequest:
        return dg.RunRequest(run_key="once")

    return start


definitions.lost_runs_sensors = _sensors
defs = definitions.defs
