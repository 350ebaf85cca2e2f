"""The whole path, as a user's sync takes it, against a simulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.sync.engine import sync_community
from ideas_pipeline.sync.run import Full, Incremental, Mode, Progress, RunResult, StreamResult, SyncOptions
from ideas_pipeline.sync.source import RunArchive, Source
from ideas_pipeline.warehouse.warehouse import Warehouse


def contract_with(changes: Mapping[str, Any]) -> Contract:
    """The default contract, quick to give up and unlimited, with ``changes`` merged over it."""
    quick = {"limits": {"requests_per_second": None, "attempts": 3, "deadline": 20, "read_timeout": 5}}
    document = _merged(_merged(load_contract(None).model_dump(by_alias=True), quick), changes)
    return Contract.model_validate(document)


def paged(paging: Mapping[str, Any], **changes: Any) -> Contract:
    """A contract all of whose lists are paged in this way."""
    contract = load_contract(None)
    streams = {name: {"paging": {"!": paging}} | changes for name in contract.streams}
    return contract_with({"streams": streams})


def _merged(base: Any, changes: Any) -> Any:
    if isinstance(changes, Mapping) and "!" in changes:
        return changes["!"]
    if isinstance(base, Mapping) and isinstance(changes, Mapping):
        return {**base, **{k: _merged(base.get(k), v) for k, v in changes.items()}}
    return changes


def village(seed: int = 1) -> Tables:
    """A community that is just large enough for lists of several pages, and for many rows that vanish at once."""
    return generate(Size(challenges=4, ideas=24, comments=90, votes=220, users=50), seed)


def small_village(seed: int = 1) -> Tables:
    """A community for tests that need no more: each idea costs two requests per sync."""
    return generate(Size(challenges=4, ideas=14, comments=56, votes=130, users=50), seed)


@contextmanager
def api_of(simulator: Simulator, folder: Path, contract: Contract | None = None) -> Iterator[IdeasApi]:
    """A logged-out client of ``simulator`` whose tokens are kept in ``folder``."""
    yield IdeasApi.connect(
        contract or simulator.contract,
        simulator.base_url,
        Credentials(simulator.client_id, simulator.client_secret),
        FileHome(folder / "tokens.json", folder),
    )


def sync(simulator: Simulator, warehouse: Warehouse, folder: Path, **options: Any) -> RunResult:
    """One sync of the simulated community, of every list unless another mode is asked for."""
    options.setdefault("mode", Full())
    with api_of(simulator, folder, options.pop("contract", None)) as api:
        return sync_with(api, warehouse, **options)


def sync_with(
    api: IdeasApi,
    warehouse: Warehouse,
    *,
    mode: Mode = Incremental(),  # noqa: B008 - it is frozen
    privacy: Privacy | None = None,
    archive: RunArchive | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> RunResult:
    """One sync by a client, with the default policy unless another one is given."""
    source = Source(api, privacy or Privacy(api.contract, warehouse.community), archive)
    return sync_community(source, warehouse, mode, options=SyncOptions(**options), progress=progress)


def stream(result: RunResult, name: str) -> StreamResult:
    return next(s for s in result.streams if s.stream == name)
