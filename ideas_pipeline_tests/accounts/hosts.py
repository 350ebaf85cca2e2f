"""Hosts that use one API account: machines that share a database, or processes that share the files of one machine."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from ideas_pipeline.accounts.home import DatabaseHome
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.account_store import AccountHome, AccountStore

ACCOUNT = "a" * 64
KEY = "a2V5IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgbG9uZyE="
OTHER_KEY = "b3RoZXIga2V5IG9mIHRlc3RzLCAzMiBieXRlcyBsbmc="


@dataclass(frozen=True)
class Hosts:
    """Where hosts keep the state of the account. ``url``: their database; None for files of one machine."""

    folder: Path
    url: str | None

    def home(self, host: int, *keys: str, patience: float = 120.0) -> AccountHome:
        if self.url is None:
            return FileHome(self.folder / "tokens.json", self.folder)
        own = self.folder / f"host-{host}"  # no host sees the folder of another
        own.mkdir(exist_ok=True)
        return DatabaseHome(self.url, keys or [KEY], own / "tokens.json", patience=patience)

    def store(self, host: int, *keys: str, patience: float = 120.0) -> AccountStore:
        return self.home(host, *keys, patience=patience).account(ACCOUNT)

    def set_clock(self, seconds: float) -> None:
        """Let this process have another time than the other hosts. Processes of one machine have the same."""
        real = time.time
        if self.url is not None:
            time.time = lambda: real() + seconds

    def next_moment(self) -> float:
        """The moment before which no further request may be sent."""
        if self.url is None:
            (file,) = self.folder.glob("*.budget")
            return float(json.loads(file.read_bytes().splitlines()[0])["next"])
        return float(self.row().next_at)

    def row(self) -> sa.Row[tuple[object, ...]]:
        """The account's row in the database."""
        return self.execute("SELECT * FROM _accounts")

    def execute(self, statement: str) -> sa.Row[tuple[object, ...]]:
        """The first row of what a statement returns."""
        assert self.url is not None
        engine = sa.create_engine(self.url)
        with engine.begin() as connection:
            row = connection.execute(sa.text(statement)).one()
        engine.dispose()
        return row
