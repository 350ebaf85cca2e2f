"""The tokens on disk: for the owner alone, replaced whole, locked between processes."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import Timeout

from ideas_pipeline import private_file
from ideas_pipeline.errors import AuthenticationError
from ideas_pipeline.times import duration

# Longer than any login with all its retries takes: whoever holds the lock for longer hangs.
_LONGEST_WAIT = 1800.0
_POLL = 0.01


@dataclass(frozen=True)
class Tokens:
    """A token pair.

    ``refresh_token``: empty where there is none to use.
    ``expires_at``: seconds since 1970 from which the access token is not used any more; None where nobody knows.
    ``issued_to``: a fingerprint of the client id and the API's address.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float | None
    issued_to: str


class TokenStore:
    """One file with one token pair. ``write`` and what belongs to it happen under ``lock``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Tokens | None:
        """The stored pair; None where there is none, or the file makes no sense."""
        try:
            with self.path.open(encoding="utf-8") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & ~private_file.OWNER_ONLY:
                    self.path.chmod(private_file.OWNER_ONLY)
                return _tokens(json.load(file))
        except (OSError, ValueError, RecursionError):
            return None

    def write(self, tokens: Tokens) -> None:
        """Replace the pair. It is on disk when this returns. Raises AuthenticationError where that is not possible."""
        try:
            private_file.replace(self.path, json.dumps(asdict(tokens)).encode())
        except OSError as error:
            raise self._unusable(error) from None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes and threads out. Raises AuthenticationError where that is not possible."""
        lock = private_file.lock(self.path.with_name(f"{self.path.name}.lock"), poll_interval=_POLL)
        try:
            private_file.make_folder(self.path.parent)
            lock.acquire(timeout=_LONGEST_WAIT)
        except Timeout:
            raise AuthenticationError(
                f"another process has held {self.path}.lock for {duration(_LONGEST_WAIT)}",
                hint="Look for a run that hangs, and stop it.",
            ) from None
        except OSError as error:
            raise self._unusable(error) from None
        try:
            yield
        finally:
            lock.release()

    def _unusable(self, error: OSError) -> AuthenticationError:
        return AuthenticationError(
            f"the token store {self.path} cannot be written: {error.strerror or 'unknown reason'}",
            hint="Set IDEAS_TOKEN_STORE to a file in a folder that this user may write to.",
        )


def _tokens(stored: object) -> Tokens | None:
    match stored:
        case {
            "access_token": str(access),
            "refresh_token": str(refresh),
            "expires_at": float() | int() | None as expires_at,
            "issued_to": str(issued_to),
        }:
            return Tokens(access, refresh, expires_at, issued_to)
    return None
