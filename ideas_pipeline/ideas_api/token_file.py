"""Token pair on disk: readable by its owner only, replaced atomically, locked between processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from filelock import Timeout

from ideas_pipeline import private_file
from ideas_pipeline.errors import AuthenticationError
from ideas_pipeline.ideas_api.account_store import LONGEST_WAIT, Tokens, tokens_from
from ideas_pipeline.logs import logger
from ideas_pipeline.times import duration

_log = logger(__name__)

_POLL = 0.01


class TokenFile:
    """One file with one token pair. Hold ``lock`` from reading the pair until the new one is written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Tokens | None:
        """The stored pair; None if there is none, and, with a warning in the log, if the file is damaged.

        Raises:
            AuthenticationError: the file is a link or not a regular file, or must not be read.
        """
        try:
            stored = private_file.read(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable("read", error) from None
        try:
            tokens = tokens_from(json.loads(stored))
        except (ValueError, RecursionError):
            tokens = None
        if tokens is None:
            _log.warning("The token store %s is damaged and is not used: logging in again.", self.path)
        return tokens

    def write(self, tokens: Tokens) -> None:
        """Replace the pair. It is on disk when this returns. Raises AuthenticationError if it cannot be written."""
        try:
            private_file.replace(self.path, json.dumps(asdict(tokens)).encode())
        except OSError as error:
            raise self._unusable("written", error) from None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other threads and processes out. Raises AuthenticationError if the lock cannot be acquired."""
        lock = private_file.lock(self.path.with_name(f"{self.path.name}.lock"), poll_interval=_POLL)
        try:
            private_file.make_folder(self.path.parent)
            lock.acquire(timeout=LONGEST_WAIT)
        except Timeout:
            raise AuthenticationError(
                f"another process has held {self.path}.lock for {duration(LONGEST_WAIT)}",
                hint="Look for a run that hangs, and stop it.",
            ) from None
        except OSError as error:
            raise self._unusable("written", error) from None
        try:
            yield
        finally:
            lock.release()

    def _unusable(self, done: str, error: OSError) -> AuthenticationError:
        return AuthenticationError(
            f"the token store {self.path} cannot be {done}: {error.strerror or 'unknown reason'}",
            hint=private_file.remedy(error, "Set IDEAS_TOKEN_STORE to a file in a folder that this user may write to."),
        )
