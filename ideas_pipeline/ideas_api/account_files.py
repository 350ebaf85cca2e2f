"""State of an API account in files of one machine: the default home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ideas_pipeline.contract.model import Limits
from ideas_pipeline.ideas_api.rate_limit import RateLimiter
from ideas_pipeline.ideas_api.run_lock import run_lock, run_lock_holder
from ideas_pipeline.ideas_api.token_file import TokenFile


@dataclass(frozen=True)
class FileHome:
    """Files of one machine, which its processes share. Other machines do not see them.

    Args:
        token_file: keeps the tokens.
        folder: the folder of the request budget and the run lock.
    """

    token_file: Path
    folder: Path

    def account(self, fingerprint: str) -> AccountFiles:
        """The files of the account. None is created yet."""
        return AccountFiles(self, fingerprint)


class AccountFiles:
    """The files of one account. See ``AccountStore``."""

    def __init__(self, home: FileHome, fingerprint: str) -> None:
        self.tokens = TokenFile(home.token_file)
        self._folder = home.folder
        self._account = fingerprint

    def budget(self, limits: Limits) -> RateLimiter:
        return RateLimiter(limits, self._folder / f"account-{self._account[:16]}.budget")

    @contextmanager
    def run_lock(self, what: str, say: Callable[[str], None]) -> Iterator[int | None]:
        with run_lock(self._folder, self._account, what, say):
            yield None  # only the end of the holder's process frees a lock on a file

    def holder(self) -> str | None:
        return run_lock_holder(self._folder, self._account)
