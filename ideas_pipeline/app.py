"""From settings to an API client and a warehouse."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ideas_pipeline.archive.files import sweep
from ideas_pipeline.archive.writing import Writer
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.callback import ListenerSettings
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.source import RunArchive
from ideas_pipeline.warehouse.warehouse import Warehouse

_log = logging.getLogger(__name__)


def api_of(settings: Settings, contract: Contract) -> IdeasApi:
    """The API that ``settings`` name. Nothing is sent yet. Raises SettingsError, ContractError."""
    secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
    listener = None
    if settings.callback_port is not None:
        listener = ListenerSettings(
            host=settings.callback_host,
            port=settings.callback_port,
            path=settings.callback_path,
            seconds=settings.callback_seconds,
        )
    return IdeasApi.connect(
        contract,
        settings.base_url(contract),
        Credentials(settings.client_id or "", secret),
        settings.token_store,
        settings.state_dir,
        listener,
    )


@contextmanager
def connect(settings: Settings, contract: Contract) -> Iterator[tuple[IdeasApi, Warehouse]]:
    """The API and the opened warehouse. Raises SettingsError, ContractError, WarehouseError."""
    api = api_of(settings, contract)
    with Warehouse.open(settings.warehouse_url.get_secret_value(), settings.community) as warehouse:
        yield api, warehouse


@contextmanager
def run_archive(
    folder: Path, run_id: str, days: int, contract: Contract, privacy: Privacy | None = None
) -> Iterator[RunArchive | None]:
    """The archive of one run; None if none is kept. First, remove the runs that are older than ``days`` days.

    A folder that cannot be written to is a warning: the run itself is worth more.

    Args:
        folder: the archive of the community.
        run_id: the run.
        days: how long pages are kept; 0 keeps none.
        contract: which headers of a response are needed to read it again.
        privacy: keeps erased people out.
    """
    sweep(folder, days)
    archive = None
    with ExitStack() as stack:
        if days:
            try:
                archive = RunArchive(stack.enter_context(Writer(folder / run_id)), contract, privacy)
            except OSError as error:
                _log.warning("This run is not archived: %s cannot be written to (%s).", folder, error.strerror)
        yield archive
