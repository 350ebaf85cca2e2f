"""A whole run: every stream of a community, each after those that give it its scopes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.errors import AuthenticationError
from ideas_pipeline.sync.contract_fit import check_fit
from ideas_pipeline.sync.results import Progress, RunResult, Silence, StreamResult, worst
from ideas_pipeline.sync.stream import Run, sync_stream
from ideas_pipeline.warehouse.warehouse import Warehouse


def new_run_id(at: datetime) -> str:
    """An id that sorts by time: ``20260131T020000-1a2b3c4d``."""
    return f"{at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"


def sync_community(
    api: IdeasApi,
    warehouse: Warehouse,
    community: str,
    *,
    streams: Sequence[str] | None = None,
    mass_absence_percent: float = 10,
    progress: Progress | None = None,
    run_id: str | None = None,
) -> RunResult:
    """Read the community (or only ``streams``) and bring the warehouse in line with it.

    A stream that fails leaves the others' work in place, and the run goes on with the next, unless the API refuses the
    account. What a crash or a signal interrupts is kept up to the last batch. Raises ContractError, WarehouseError.
    ``run_id``: several calls with one id are one run, as the assets of a Dagster run are.
    """
    check_fit(api.contract)
    started = datetime.now(UTC)
    run_id = run_id or new_run_id(started)
    run = Run(api, warehouse, community, run_id, mass_absence_percent, progress or Silence())
    warehouse.start_run(run_id, community, api.base_url, started)
    results: list[StreamResult] = []
    try:
        for stream in api.contract.order():
            if streams is None or stream in streams:
                results.append(sync_stream(run, stream))
                if isinstance(results[-1].error, AuthenticationError):
                    break
    except BaseException as stop:
        warehouse.finish_run(run_id, "failed", f"stopped: {type(stop).__name__}", datetime.now(UTC))
        raise
    parts = warehouse.stream_verdicts(run_id)
    reasons = [f"{stream}: {reason}" for stream, (_, reason) in parts.items() if reason]
    whole = worst([verdict for verdict, _ in parts.values()])
    warehouse.finish_run(run_id, whole, "; ".join(reasons) or None, datetime.now(UTC))
    return RunResult(run_id, worst([r.verdict for r in results]), results)
