"""What a run process loads: the definitions of the community whose job it runs, and not those of all the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property

import dagster as dg


class CommunityAtATime(dg.RepositoryData):
    """Builds the definitions of one community if one of its jobs is asked for, and all of them for anything else.

    Dagster says only by the name of the job what a process will run, so a job of selected assets, which all code
    locations have under one name, is built from all definitions.
    """

    def __init__(self, jobs: Mapping[str, str], build: Callable[..., dg.Definitions]) -> None:
        """Build nothing yet.

        Args:
            jobs: the names of all jobs, each with its community.
            build: the definitions of the communities that are its arguments; of all without arguments.
        """
        self._jobs = jobs
        self._build = build
        self._built: dict[str, dg.RepositoryDefinition] = {}

    @cached_property
    def _all(self) -> dg.RepositoryDefinition:
        return self._build().get_repository_def()

    def get_job(self, job_name: str) -> dg.JobDefinition:
        community = self._jobs.get(job_name)
        if community is None:
            return self._all.get_job(job_name)
        if community not in self._built:
            self._built[community] = self._build(community).get_repository_def()
        return self._built[community].get_job(job_name)

    def has_job(self, job_name: str) -> bool:
        return job_name in self._jobs or self._all.has_job(job_name)

    def get_all_jobs(self) -> Sequence[dg.JobDefinition]:
        return self._all.get_all_jobs()

    def get_top_level_resources(self) -> Mapping[str, dg.ResourceDefinition]:
        return self._all.get_top_level_resources()

    def get_env_vars_by_top_level_resource(self) -> Mapping[str, AbstractSet[str]]:
        return self._all.get_env_vars_by_top_level_resource()

    def get_all_schedules(self) -> Sequence[dg.ScheduleDefinition]:
        return self._all.schedule_defs

    def get_all_sensors(self) -> Sequence[dg.SensorDefinition]:
        return self._all.sensor_defs

    def get_source_assets_by_key(self) -> Mapping[dg.AssetKey, dg.SourceAsset]:
        return self._all.source_assets_by_key

    def get_assets_defs_by_key(self) -> Mapping[dg.AssetKey, dg.AssetsDefinition]:
        return self._all.assets_defs_by_key

    def get_asset_checks_defs_by_key(self) -> Mapping[dg.AssetCheckKey, dg.AssetChecksDefinition]:
        return self._all.asset_checks_defs_by_key
