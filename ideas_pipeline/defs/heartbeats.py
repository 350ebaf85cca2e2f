"""Heartbeats of a run of Dagster, written into the account store if that is a database. ``lost_runs`` counts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ideas_pipeline.accounts.heartbeats import Heartbeats, beating
from ideas_pipeline.defs.configuration import Community
from ideas_pipeline.errors import SettingsError
from ideas_pipeline.settings import Settings

# Seconds without a heartbeat after which a run counts as lost.
PATIENCE = 120.0


def databases(communities: Sequence[Community]) -> dict[str, Settings]:
    """The URLs of the databases that hold the state of accounts, each with the settings of one that names it."""
    return {url: one.settings for one in reversed(communities) if (url := one.settings.account_database)}


@contextmanager
def watched(communities: Sequence[Community], run_id: str) -> Iterator[None]:
    """Write heartbeats of a run, into the first of the databases; none if the accounts' state is kept in files."""
    url = next(iter(databases(communities)), None)
    heartbeats = None
    with suppress(SettingsError):  # the sync says what is wrong with the URL
        heartbeats = Heartbeats(url) if url else None
    if heartbeats is None:
        yield
        return
    with beating(heartbeats, run_id, PATIENCE):
        yield
