"""The Dagster resource: the API clients and the warehouses of the communities, each opened once per run, at first use.

One resource for all of them, because Dagster allows only one of each name in a code location.
"""

# Without `from __future__ import annotations`: Dagster reads the type of `context` and does not evaluate a text.
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import dagster as dg

from ideas_pipeline.app import Pipeline, open_client, open_warehouse
from ideas_pipeline.defs.configuration import Community
from ideas_pipeline.defs.heartbeats import watched
from ideas_pipeline.errors import SettingsError
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.settings import Settings
from ideas_pipeline.warehouse.warehouse import Warehouse

COMMUNITIES = "communities"


class OpenCommunity:
    """One community of a run."""

    def __init__(self, community: Community, opened: ExitStack) -> None:
        self._community = community
        self._opened = opened
        self._client: IdeasApi | None = None
        self._warehouse: Warehouse | None = None

    @property
    def client(self) -> IdeasApi:
        """The client of the API, one per run. The first request logs in. Raises IdeasApiError."""
        if self._client is None:
            settings = self._community.settings
            if settings.simulated:
                settings = self._simulate()
            self._client = open_client(settings, self._community.contract)
        return self._client

    @property
    def warehouse(self) -> Warehouse:
        """The open warehouse. Raises WarehouseError.

        It is opened here and not in Dagster's set-up of resources, so that the asset reports a failure in words.
        """
        if self._warehouse is None:
            self._warehouse = self._opened.enter_context(open_warehouse(self._community.settings))
        return self._warehouse

    def pipeline(self) -> Pipeline:
        """Everything that a sync needs. Raises IdeasApiError, WarehouseError."""
        return Pipeline(self._community.settings, self._community.contract, self.client, self.warehouse)

    def _simulate(self) -> Settings:
        """Start the simulated community of ``make demo`` in this process; the settings that lead to it."""
        # Slow to import: only runs without an API client need them.
        from ideas_pipeline.simulator.community import demo_community
        from ideas_pipeline.simulator.simulator import Simulator

        running = self._opened.enter_context(Simulator(self._community.contract, demo_community(self._community.name)))
        settings = self._community.settings
        return Settings.model_validate(
            {
                "client_id": running.client_id,
                "client_secret": running.client_secret,
                "api_base_url": running.base_url,
                "token_store": settings.account_database or settings.token_file,
                "token_key": settings.token_key,
                "state_dir": settings.state_dir,
            }
        )


class Communities:
    """The communities of a run, by name."""

    def __init__(self, configured: Sequence[Community]) -> None:
        self._opened = ExitStack()
        self._by_name = {one.name: OpenCommunity(one, self._opened) for one in configured}

    def of(self, community: str) -> OpenCommunity:
        """One community. Raises SettingsError if the configuration has none of that name."""
        if community not in self._by_name:
            raise SettingsError(f"The configuration has no community {community}. It has {', '.join(self._by_name)}.")
        return self._by_name[community]

    def close(self) -> None:
        """Close what was opened."""
        self._opened.close()


def resources(configured: Sequence[Community], *, is_watched: bool = False) -> dict[str, dg.ResourceDefinition]:
    """The resource by its name.

    Args:
        configured: the communities.
        is_watched: whether a run writes heartbeats while the resource is open. That must be the whole run, as it is if
            one process executes all its steps.

    Raises:
        SettingsError: neither region nor base URL of a community is set.
    """

    @dg.resource(description="\n\n".join(_described(one) for one in configured))
    def communities(context: dg.InitResourceContext) -> Iterator[Communities]:
        with ExitStack() as stack:
            if is_watched and context.run:
                stack.enter_context(watched(configured, context.run.run_id))
            opened = Communities(configured)
            stack.callback(opened.close)
            yield opened

    return {COMMUNITIES: communities}


def _described(community: Community) -> str:
    """What the UI says of a community's client and warehouse, with the names of the variables that have secrets."""
    settings = community.settings
    api = "the simulator" if settings.simulated else settings.base_url(community.contract)
    secrets = [
        name for field in ("client_id", "client_secret", "warehouse_url") if (name := settings.variable_of(field))
    ]
    named = f" Secrets: {', '.join(secrets)}." if secrets and not settings.simulated else ""
    return f"**{settings.community}**: {api}, state in {settings.state_dir}, version {community.version}.{named}"
