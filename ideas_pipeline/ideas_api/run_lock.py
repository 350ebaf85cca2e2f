"""Run lock: one run at a time uses an API account, and the others wait."""

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

# A full sync of a large community takes hours. A run that waits for longer would only meet the next night's run.
LONGEST_WAIT = 6 * 3600.0
SECONDS_BETWEEN_MESSAGES = 60.0
_POLL = 0.2


@contextmanager
def run_lock(
    folder: Path, account: str, what: str, say: Callable[[str], None], *, timeout: float = LONGEST_WAIT
) -> Iterator[None]:
    """Hold the run lock of an API account. Other runs, of this process or another, wait for it.

    The system frees the lock of a process that dies. A thread that holds the lock may take it again.

    Args:
        folder: the state folder.
        account: the account's fingerprint.
        what: the name of this run that waiting runs show, such as ``ideas-pipeline sync``. It contains no secret.
        say: gets a sentence at once, and then once per minute, while another run holds the lock.
        timeout: the longest wait, in seconds.

    Raises:
        Unavailable: another run held the lock until the timeout.
        AuthenticationError: the folder cannot be used.
    """
    path, holder = _files(folder, account)
    # One object per file, so that a thread recognizes its own lock.
    lock = private_file.lock(path, is_singleton=True)
    if lock.is_locked:
        yield
        return
    try:
        private_file.make_folder(folder)
        _acquire(lock, holder, say, timeout)
        _write_holder(holder, what)
    except OSError as error:
        lock.release()
        raise AuthenticationError(
            f"the run lock of the API account cannot be used: {path}: {error.strerror or 'unknown reason'}",
            hint=private_file.remedy(error, "Set IDEAS_STATE_DIR to a folder that this user may write to."),
        ) from None
    try:
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def run_lock_holder(folder: Path, account: str) -> str | None:
    """The run that holds the lock on this machine: ``ideas-pipeline sync (process 123, since …)``; None if none."""
    path, holder = _files(folder, account)
    if not path.exists():
        return None
    try:
        with private_file.lock(path).acquire(timeout=0):
            return None
    except Timeout:
        return _who(holder)


def waiting_for(holder: str) -> str:
    """The sentence about a run that waits for the lock."""
    return f"Waiting: this API account is used by {holder}. One run at a time uses an account."


def not_released(holder: str, timeout: float) -> Unavailable:
    """The error for a run that has waited ``timeout`` seconds for the lock."""
    return Unavailable(
        f"this API account is used by {holder}, and was not released within {duration(timeout)}",
        hint="If that run hangs, stop it. The next run reads what is missing.",
    )


def _files(folder: Path, account: str) -> tuple[Path, Path]:
    """The lock file, and the file that names its holder."""
    path = folder / f"account-{account[:16]}.lock"
    return path, path.with_suffix(".holder")


def _acquire(lock: FileLock, holder: Path, say: Callable[[str], None], timeout: float) -> None:
    ends = time.monotonic() + timeout
    wait = 0.0
    while True:
        with suppress(Timeout):
            lock.acquire(timeout=wait, poll_interval=_POLL)
            return
        left = ends - time.monotonic()
        if left <= 0:
            raise not_released(_who(holder), timeout)
        say(waiting_for(_who(holder)))
        wait = min(SECONDS_BETWEEN_MESSAGES, left)


def _write_holder(holder: Path, what: str) -> None:
    """Write the holder to a file of its own: every attempt to take the lock truncates the lock file."""
    holding = {"what": what, "process": os.getpid(), "since": time.time()}
    private_file.replace(holder, json.dumps(holding).encode())


def _who(holder: Path) -> str:
    try:
        noted = json.loads(private_file.read(holder))
        since = datetime.fromtimestamp(noted["since"], UTC)
        return f"{noted['what']} (process {noted['process']}, since {since:%Y-%m-%d %H:%M:%S} UTC)"
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return "another run"
