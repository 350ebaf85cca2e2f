"""One run at a time uses an API account: the others wait, and say for whom."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ideas_pipeline import private_file
from ideas_pipeline.errors import AuthenticationError, Unavailable
from ideas_pipeline.times import duration

# A full read of a large community takes hours; what waits for longer would only meet the next night's run.
_LONGEST_WAIT = 6 * 3600.0
_POLL = 0.2
_SECONDS_BETWEEN_SENTENCES = 60.0


@contextmanager
def account_lock(
    folder: Path, account: str, what: str, say: Callable[[str], None], *, longest: float = _LONGEST_WAIT
) -> Iterator[None]:
    """Keep other runs, of this process or another, away from an API account. The system ends it when the process dies.

    ``folder``: the state folder. ``account``: the account's fingerprint. ``what``: who we are, in words and without
    secrets, such as ``ideas-pipeline sync``; others are told. ``say`` gets a sentence at once and then each minute
    while another run holds the account. Taken again by the thread that holds it, it does nothing.
    Raises Unavailable after ``longest`` seconds of waiting, AuthenticationError where the folder cannot be used.
    """
    path, holder = _files(folder, account)
    # One object for each file, so that a thread knows its own lock again.
    lock = private_file.lock(path, is_singleton=True)
    if lock.is_locked:
        yield
        return
    try:
        private_file.make_folder(folder)
        _acquire(lock, holder, say, longest)
        _note(holder, what)
    except OSError as error:
        lock.release()
        raise AuthenticationError(
            f"the API account cannot be kept for one run alone: {path}: {error.strerror or 'unknown reason'}",
            hint="Set IDEAS_STATE_DIR to a folder that this user may write to.",
        ) from None
    try:
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def account_holder(folder: Path, account: str) -> str | None:
    """Who holds the account, on this machine: ``ideas-pipeline sync (process 123, since …)``; None is nobody."""
    path, holder = _files(folder, account)
    if not path.exists():
        return None
    try:
        with private_file.lock(path).acquire(timeout=0):
            return None
    except Timeout:
        return _who(holder)


def _files(folder: Path, account: str) -> tuple[Path, Path]:
    """The lock, and who holds it."""
    path = folder / f"account-{account[:16]}.lock"
    return path, path.with_suffix(".holder")


def _acquire(lock: FileLock, holder: Path, say: Callable[[str], None], longest: float) -> None:
    ends = time.monotonic() + longest
    patience = 0.0
    while True:
        with suppress(Timeout):
            lock.acquire(timeout=patience, poll_interval=_POLL)
            return
        left = ends - time.monotonic()
        if left <= 0:
            raise Unavailable(
                f"this API account is used by {_who(holder)}, and was not released within {duration(longest)}",
                hint="If it hangs, stop it. What is still to be read, the next run reads.",
            )
        say(f"Waiting: this API account is used by {_who(holder)}. One run at a time uses an account.")
        patience = min(_SECONDS_BETWEEN_SENTENCES, left)


def _note(holder: Path, what: str) -> None:
    """Say in a file who holds the lock. The lock's own file cannot: those who try the lock empty it."""
    holding = {"what": what, "process": os.getpid(), "since": time.time()}
    private_file.replace(holder, json.dumps(holding).encode())


def _who(holder: Path) -> str:
    try:
        noted = json.loads(holder.read_bytes())
        since = datetime.fromtimestamp(noted["since"], UTC)
        return f"{noted['what']} (process {noted['process']}, since {since:%Y-%m-%d %H:%M:%S} UTC)"
    except (OSError, ValueError, TypeError, KeyError):
        return "another run"
