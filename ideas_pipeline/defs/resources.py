"""Dagster resources: the Ideas API and the warehouse, each opened once per run, at first use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, PrivateAttr, SecretStr

from ideas_pipeline.app import open_client
from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.settings import Settings, variable
from ideas_pipeline.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from ideas_pipeline.simulator.simulator import Simulator


class ApiResource(dg.ConfigurableResource[IdeasApi], ABC):
    """A resource with a ``client`` of an Ideas API."""

    contract: str | None = Field(
        default=None, description="Path of a contract file. Default: the contract that comes with the package."
    )
    token_store: str = Field(description="Path of the file that holds the access tokens between runs.")
    state_dir: str = Field(
        description="Path of the folder in which runs share the account's request budget and run lock."
    )

    @property
    @abstractmethod
    def client(self) -> IdeasApi:
        """The client, one per run. Raises IdeasApiError."""

    def load_contract(self) -> Contract:
        """Load the contract. Raises ContractError."""
        return load_contract(Path(self.contract) if self.contract else None)


class IdeasApiResource(ApiResource):
    """The Ideas API of a community. The first request logs in."""

    # repr=False: they must not appear if an asset prints its resources.
    client_id: str = Field(repr=False, description="The API client's id.")
    client_secret: str = Field(repr=False, description="The API client's secret.")
    base_url: str = Field(description="The API's base URL, ending in a slash.")
    callback_host: str = Field(default="127.0.0.1", description="Address on which to listen for the auth code.")
    callback_port: int | None = Field(
        default=None, description="Port on which to listen. Default: the API returns the auth code in a response."
    )
    callback_path: str | None = Field(
        default=None, repr=False, description="Path at which the auth code is expected; nobody else must know it."
    )
    callback_public_host: str | None = Field(
        default=None, description="Host in the API client's endpoint, if it is a name."
    )
    callback_seconds: float = Field(default=120, description="Seconds to wait for the auth code.")
    _client: IdeasApi | None = PrivateAttr(default=None)

    @property
    def client(self) -> IdeasApi:
        if self._client is None:
            settings = Settings(
                client_id=self.client_id,
                client_secret=SecretStr(self.client_secret),
                api_base_url=self.base_url,
                token_store=Path(self.token_store),
                state_dir=Path(self.state_dir),
                callback_host=self.callback_host,
                callback_port=self.callback_port,
                callback_path=self.callback_path,
                callback_public_host=self.callback_public_host,
                callback_seconds=self.callback_seconds,
            )
            self._client = open_client(settings, self.load_contract())
        return self._client


class SimulatedIdeasApiResource(ApiResource):
    """The simulated community of ``make demo``, served by this process during a run."""

    _simulator: Simulator | None = PrivateAttr(default=None)
    _client: IdeasApi | None = PrivateAttr(default=None)

    @property
    def client(self) -> IdeasApi:
        if self._client is None:
            # Slow to import: only runs without an API client need them.
            from ideas_pipeline.simulator.community import demo_community
            from ideas_pipeline.simulator.simulator import Simulator

            contract = self.load_contract()
            self._simulator = Simulator(contract, demo_community()).__enter__()
            settings = Settings(
                client_id=self._simulator.client_id,
                client_secret=SecretStr(self._simulator.client_secret),
                api_base_url=self._simulator.base_url,
                token_store=Path(self.token_store),
                state_dir=Path(self.state_dir),
            )
            self._client = open_client(settings, contract)
        return self._client

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if self._simulator:
            self._simulator.__exit__(None, None, None)


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """The SQL warehouse of one community."""

    # repr=False: it can contain a password.
    url: str = Field(repr=False, description="The database's address, as SQLAlchemy writes it.")
    community: str = Field(description="The community whose rows are read and written.")
    _warehouse: Warehouse | None = PrivateAttr(default=None)

    @property
    def warehouse(self) -> Warehouse:
        """The open warehouse. Raises WarehouseError.

        It is opened here and not in Dagster's set-up of resources, so that the asset reports a failure in words.
        """
        if self._warehouse is None:
            self._warehouse = Warehouse.open(self.url, self.community)
        return self._warehouse

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if self._warehouse:
            self._warehouse.close()


def resources(settings: Settings, contract: Contract) -> dict[str, dg.ConfigurableResource[Any]]:
    """The configured resources by name. Raises SettingsError if neither region nor base URL is set.

    Secrets are given as the names of environment variables and read when a run starts: the UI would show a value, and
    Dagster's database would keep it.
    """
    override = str(settings.contract) if settings.contract else None
    folders = {"token_store": str(settings.token_store), "state_dir": str(settings.state_dir)}
    url: str = settings.warehouse_url.get_secret_value()
    if "warehouse_url" in settings.model_fields_set:
        url = dg.EnvVar(variable("warehouse_url"))
    api: ApiResource
    if settings.simulated:
        api = SimulatedIdeasApiResource(contract=override, **folders)
    else:
        api = IdeasApiResource(
            contract=override,
            **folders,
            client_id=dg.EnvVar(variable("client_id")),
            client_secret=dg.EnvVar(variable("client_secret")),
            base_url=settings.base_url(contract),
            callback_host=settings.callback_host,
            callback_port=settings.callback_port,
            callback_path=settings.callback_path,
            callback_public_host=settings.callback_public_host,
            callback_seconds=settings.callback_seconds,
        )
    return {"ideas_api": api, "warehouse": WarehouseResource(url=url, community=settings.community)}
