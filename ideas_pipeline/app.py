"""From settings to an API client and a warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.callback import ListenerSettings
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.settings import Settings
from ideas_pipeline.warehouse.warehouse import Warehouse


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
    with Warehouse.open(settings.warehouse_url.get_secret_value()) as warehouse:
        yield api, warehouse
