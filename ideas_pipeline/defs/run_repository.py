"""What a run process loads: the definitions of the communities that it runs, and not those of all the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any

import dagster as dg

from ideas_pipeline.defs.jobs import SELECTED_ASSETS


class CommunityAtATime(dg.RepositoryData):
    """Builds the definitions of one community if one of its jobs is asked for, and all of them for anything else."""

    def __init__(self, jobs: Mapping[str, str], build: Callable[..., dg.Definitions]) -> None:
        """Build nothing yet.

        Args:
            jobs: the names of all jobs, each with its community.
            build: the definitions of the communities that are its arguments; of all without arguments.
        """
        self._jobs = jobs
        self._build = build
        self._built: dict[tuple[str, ...], dg.RepositoryDefinition] = {}

    def of(self, *communities: str) -> dg.RepositoryDefinition:
        """The definitions of some communities; of all without arguments."""
        if communities not in self._built:
            self._built[communities] = self._build(*communities).get_repository_def()
        return self._built[communities]

    def of_assets(self, prefixes: AbstractSet[str]) -> dg.RepositoryDefinition:
        """The definitions of the communities whose assets begin with ``prefixes``."""
        known = set(self._jobs.values())
        return self.of(*sorted(prefixes)) if prefixes <= known else self.of()

    def get_job(self, job_name: str) -> dg.JobDefinition:
        if job_name == SELECTED_ASSETS:
            return _SelectedAssets(self)
        community = self._jobs.get(job_name)
        return (self.of(community) if community else self.of()).get_job(job_name)

    def has_job(self, job_name: str) -> bool:
        return job_name in self._jobs or self.of().has_job(job_name)

    def get_all_jobs(self) -> Sequence[dg.JobDefinition]:
        return self.of().get_all_jobs()

    def get_top_level_resources(self) -> Mapping[str, dg.ResourceDefinition]:
        return self.of().get_top_level_resources()

    def get_env_vars_by_top_level_resource(self) -> Mapping[str, AbstractSet[str]]:
        return self.of().get_env_vars_by_top_level_resource()

    def get_all_schedules(self) -> Sequence[dg.ScheduleDefinition]:
        return self.of().schedule_defs

    def get_all_sensors(self) -> Sequence[dg.SensorDefinition]:
        return self.of().sensor_defs

    def get_source_assets_by_key(self) -> Mapping[dg.AssetKey, dg.SourceAsset]:
        return self.of().source_assets_by_key

    def get_assets_defs_by_key(self) -> Mapping[dg.AssetKey, dg.AssetsDefinition]:
        return self.of().assets_defs_by_key

    def get_asset_checks_defs_by_key(self) -> Mapping[dg.AssetCheckKey, dg.AssetChecksDefinition]:
        return self.of().asset_checks_defs_by_key


class _SelectedAssets(dg.JobDefinition):
    """Dagster's job of selected assets, such as a backfill, which is built when the selection is known.

    A run process asks for the job by its name, and then for the subset that it runs. Anything else is that of the job
    of all assets, which has all attributes that this one lacks, because it is not initialized.
    """

    def __init__(self, repository: CommunityAtATime) -> None:
        self._repository = repository

    @cached_property
    def _of_all(self) -> dg.JobDefinition:
        return self._repository.of().get_job(SELECTED_ASSETS)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of_all, name)

    def get_subset(
        self,
        *,
        op_selection: Iterable[str] | None = None,
        asset_selection: AbstractSet[dg.AssetKey] | None = None,
        asset_check_selection: AbstractSet[dg.AssetCheckKey] | None = None,
    ) -> dg.JobDefinition:
        keys = {*(asset_selection or ()), *(check.asset_key for check in asset_check_selection or ())}
        if not keys:
            return super().get_subset(op_selection=op_selection)
        repository = self._repository.of_assets({key.path[0] for key in keys})
        return repository.get_job(SELECTED_ASSETS).get_subset(
            op_selection=op_selection, asset_selection=asset_selection, asset_check_selection=asset_check_selection
        )
