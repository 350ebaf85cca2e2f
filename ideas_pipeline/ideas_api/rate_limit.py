"""How often: the contract's requests per second and per hour, shared by all processes of this machine.

A small file holds what was used. Each request takes the next free moment from it, under a lock, and is sent at that
moment: so the requests of many threads and processes are evenly spaced, and nobody asks twice. (pyrate-limiter's SQLite
bucket keeps a row for each request of the last hour, answers "try again" to all who wait at the same moment, and waits
for hours after the clock was set back.)
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from filelock import lock_descriptor, unlock_descriptor

from ideas_pipeline import private_file
from ideas_pipeline.contract.model import Limits
from ideas_pipeline.errors import ContractError

_SUCCESSES_PER_STEP = 20

_log = logging.getLogger(__name__)
_MINUTE, _HOUR = 60, 3600
# The lock is held for a tenth of a millisecond.
_POLL = 0.002
_LARGEST_FILE = 1 << 16


class RateLimit:
    """The contract's rates, for all threads and processes that name the same ``file``. No rates: no file, no cost.

    In any hour no more requests are permitted than ``requests_per_hour``; as requests are counted by the minute, it can
    be a minute longer until they are forgotten. A request whose permission was taken counts, whether it is sent or not.
    """

    def __init__(self, limits: Limits, file: Path) -> None:
        self._gap = 1 / limits.requests_per_second if limits.requests_per_second else 0.0
        self._per_hour = limits.requests_per_hour
        self._file = file
        self._lock = threading.Lock()

    def wait(self, longest: float) -> float | None:
        """Wait for permission to send one request, at most ``longest`` seconds.

        None: go ahead. A number: permission is that many seconds away, which is too long; nothing was waited for then,
        and nothing used. Raises ContractError where the file cannot be used.
        """
        if not self._gap and self._per_hour is None:
            return None
        with self._lock, _opened(self._file) as file:
            now = time.time()
            used = _read(file, now, self._file)
            moment = self._free(used, now)
            away = moment - now
            if away > longest:
                return away
            _write(file, used.with_one_more(moment, self._gap, now))
        time.sleep(away)
        return None

    def _free(self, used: _Used, now: float) -> float:
        """The first moment at which one more request is allowed."""
        moment = max(now, used.next)
        if self._per_hour is None:
            return moment
        too_many = used.since(moment - _HOUR) + 1 - self._per_hour
        for minute in sorted(used.minutes):
            if too_many <= 0:
                break
            if _forgotten_at(minute) > moment:
                too_many -= used.minutes[minute]
                moment = _forgotten_at(minute)
        return moment


@dataclass(frozen=True)
class _Used:
    """``next``: seconds since 1970 before which nothing more is sent. ``minutes``: requests by minute since 1970.

    ``written``: seconds since 1970.
    """

    next: float = 0.0
    written: float = 0.0
    minutes: dict[int, int] = field(default_factory=dict)

    def since(self, start: float) -> int:
        return sum(count for minute, count in self.minutes.items() if (minute + 1) * _MINUTE > start)

    def with_one_more(self, moment: float, gap: float, now: float) -> _Used:
        minutes = {minute: count for minute, count in self.minutes.items() if _forgotten_at(minute) > now}
        minute = int(moment // _MINUTE)
        minutes[minute] = minutes.get(minute, 0) + 1
        return _Used(moment + gap, now, minutes)

    def moved_back(self, seconds: float) -> _Used:
        minutes: dict[int, int] = {}
        for minute, count in self.minutes.items():
            # Rounded to the later minute: a request is never forgotten too early.
            earlier = minute - int(seconds // _MINUTE)
            minutes[earlier] = minutes.get(earlier, 0) + count
        return _Used(self.next - seconds, self.written - seconds, minutes)


def _forgotten_at(minute: int) -> float:
    return (minute + 1) * _MINUTE + _HOUR


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The file, locked. The system frees the lock of a process that dies. Raises ContractError."""
    try:
        descriptor = private_file.open_or_create(path)
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        lock_descriptor(descriptor, poll_interval=_POLL)
        try:
            yield descriptor
        finally:
            unlock_descriptor(descriptor)
    except OSError as error:
        raise _unusable(path, error) from None
    finally:
        os.close(descriptor)


def _read(file: int, now: float, path: Path) -> _Used:
    """What was used. Where the file makes no sense: nothing, and the log says so."""
    os.lseek(file, 0, os.SEEK_SET)
    line = os.read(file, _LARGEST_FILE).partition(b"\n")[0]
    if not line:
        return _Used()
    try:
        stored = orjson.loads(line)
        minutes = {int(minute): int(count) for minute, count in stored["minutes"].items()}
        used = _Used(float(stored["next"]), float(stored["written"]), minutes)
    except (ValueError, TypeError, KeyError, AttributeError):
        _log.warning("%s makes no sense: the requests of the last hour are counted anew.", path)
        return _Used()
    # Where the clock was set back, what was noted moves with it, or nothing would be sent until it has caught up.
    return used.moved_back(used.written - now) if used.written > now else used


def _write(file: int, used: _Used) -> None:
    # One call, so a killed process leaves the old or the new; what is left of a longer one is behind the line's end.
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, orjson.dumps(used, option=orjson.OPT_NON_STR_KEYS) + b"\n")


def _unusable(path: Path, error: OSError) -> ContractError:
    return ContractError(
        f"the contract's limits cannot be kept, as {path} cannot be written: {error.strerror or 'unknown reason'}",
        hint="Set IDEAS_STATE_DIR to a folder that this user may write to.",
    )


class Gate:
    """At most ``most`` requests in flight: half as many when the server is overrun, one more after a good run."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = most
        self._inside = 0
        self._successes = 0
        self._last_halved = 0.0
        self._changed = threading.Condition()

    @property
    def open(self) -> int:
        """How many may be in flight now."""
        return self._open

    def enter(self, longest: float) -> bool:
        """Take a place. False where none came free in ``longest`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._inside < self._open, timeout=longest):
                return False
            self._inside += 1
        return True

    def leave(self) -> None:
        """Give the place back."""
        with self._changed:
            self._inside -= 1
            self._changed.notify()

    def overrun(self, sent: float) -> None:
        """The server refused, being overrun, a request that was sent at this moment (``time.monotonic``)."""
        with self._changed:
            self._successes = 0
            # Requests that were already under way at the last halving say nothing new.
            if sent > self._last_halved:
                self._open = max(1, self._open // 2)
                self._last_halved = time.monotonic()

    def succeeded(self) -> None:
        """A request went through."""
        if self._open == self._most:
            return
        with self._changed:
            self._successes += 1
            if self._successes >= _SUCCESSES_PER_STEP and self._open < self._most:
                self._open += 1
                self._successes = 0
                self._changed.notify()
