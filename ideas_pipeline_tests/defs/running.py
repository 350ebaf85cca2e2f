"""Running what the definitions define, in this process, and reading what Dagster recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.definitions import build_defs
from ideas_pipeline.defs.assets import GROUP as COMMUNITY
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.end_to_end.pipeline import small_village


@contextmanager
def configured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A running API whose account is configured, so that the pipeline takes it for a real one."""
    # The API's rate limit would only make the tests wait.
    contract = folder / "contract.yaml"
    contract.write_text("limits: {requests_per_second: null}")
    monkeypatch.setenv("IDEAS_CONTRACT", str(contract))
    with Simulator(load_contract(None), small_village(), page_cap=20) as running:
        monkeypatch.setenv("IDEAS_COMMUNITY", "acme")
        monkeypatch.setenv("IDEAS_CLIENT_ID", running.client_id)
        monkeypatch.setenv("IDEAS_CLIENT_SECRET", running.client_secret)
        monkeypatch.setenv("IDEAS_API_BASE_URL", running.base_url)
        yield running


def nightly_sync(
    instance: dg.DagsterInstance, job: str = "nightly_sync", *, what_follows: bool = False
) -> dg.ExecuteInProcessResult:
    """The job; without the marts and the report, which take longer than all the rest, unless they are asked for."""
    defs = build_defs()
    graph = defs.resolve_asset_graph()
    community = [key for key in graph.materializable_asset_keys if graph.get(key).group_name == COMMUNITY]
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance, raise_on_error=False, asset_selection=None if what_follows else community
    )


def days(instance: dg.DagsterInstance, first: date, last: date, *streams: str) -> dg.ExecuteInProcessResult:
    """One run for the days from ``first`` to ``last`` of some streams of the community ``acme``, as a backfill has."""
    tags = {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }
    return some_assets(instance, *streams, tags=tags)


def some_assets(
    instance: dg.DagsterInstance,
    *assets: str,
    community: str = "acme",
    job: str = "nightly_sync",
    tags: Mapping[str, str] | None = None,
) -> dg.ExecuteInProcessResult:
    """A run of some assets of a community by a job, which has these tags beside its own."""
    defs = build_defs()
    keys = [dg.AssetKey([community, asset]) for asset in assets]
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance, raise_on_error=False, asset_selection=keys, tags=dict(tags or {})
    )


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, object]]:
    """The metadata of each asset that was materialized, by stream."""
    return {
        event.materialization.asset_key.path[-1]: _plain(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
    }


def failures(result: dg.ExecuteInProcessResult) -> dict[str, tuple[str, dict[str, object]]]:
    """The sentence of each step that failed, and its metadata, by step."""
    found = {}
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data.user_failure_data
            assert data is not None, event.step_failure_data.error
            found[str(event.step_key)] = (str(data.description), _plain(data.metadata))
    return found


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """Each check that was evaluated, by ``stream check``."""
    return {f"{c.asset_key.path[-1]} {c.check_name}": c for c in result.get_asset_check_evaluations()}


def failed_checks(result: dg.ExecuteInProcessResult) -> set[str]:
    """The checks that did not pass, as ``stream check SEVERITY``."""
    return {f"{name} {c.severity.value}" for name, c in checks(result).items() if not c.passed}


def _plain(shown: Mapping[str, dg.MetadataValue]) -> dict[str, object]:
    return {name: value.value for name, value in shown.items()}
