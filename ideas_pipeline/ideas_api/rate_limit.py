"""Rate limiter shared by all processes of this machine, and the concurrency limit of one process.

The rate limiter's state is a small file. Each request reserves the next free moment in it, under a lock, and is sent at
that moment, so the requests of many threads and processes are evenly spaced. (pyrate-limiter's SQLite bucket was
weighed: it keeps one row per request of the last hour, answers "try again" to all waiting requests at the same moment,
and waits for hours after the clock was set back.)
"""

from __future__ import annotations

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
from ideas_pipeline.logs import logger

_SUCCESSES_PER_STEP = 20

_log = logger(__name__)
_MINUTE, _HOUR = 60, 3600
# The lock is held for a tenth of a millisecond.
_POLL = 0.002
_LARGEST_FILE = 1 << 16


class RateLimiter:
    """Rate limiter for all threads and processes that name the same ``file``. Without rates it costs nothing.

    At most ``requests_per_hour`` requests are allowed in any hour. They are counted per minute, so a request can count
    for up to a minute longer. A reserved request counts whether it is sent or not.
    """

    def __init__(self, limits: Limits, file: Path) -> None:
        self._gap = 1 / limits.requests_per_second if limits.requests_per_second else 0.0
        self._per_hour = limits.requests_per_hour
        self._file = file
        self._lock = threading.Lock()

    def wait(self, longest: float) -> float | None:
        """See ``RequestBudget.wait``. Raises ContractError if the file cannot be used."""
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
        """The first moment, in seconds since 1970, at which one more request is allowed."""
        moment = max(now, used.next)
        if self._per_hour is None:
            return moment
        too_many = used.since(moment - _HOUR) + 1 - self._per_hour
        for minute in sorted(used.minutes):
            if too_many <= 0:
                break
            if _expires_at(minute) > moment:
                too_many -= used.minutes[minute]
                moment = _expires_at(minute)
        return moment


@dataclass(frozen=True)
class _Used:
    """Reserved requests.

    Attributes:
        next: the moment before which no other request may be sent, in seconds since 1970.
        written: when this was written, in seconds since 1970.
        minutes: the number of requests by minute since 1970.
    """

    next: float = 0.0
    written: float = 0.0
    minutes: dict[int, int] = field(default_factory=dict)

    def since(self, start: float) -> int:
        """The number of requests in the minutes that end after ``start`` (seconds since 1970)."""
        return sum(count for minute, count in self.minutes.items() if (minute + 1) * _MINUTE > start)

    def with_one_more(self, moment: float, gap: float, now: float) -> _Used:
        minutes = {minute: count for minute, count in self.minutes.items() if _expires_at(minute) > now}
        minute = int(moment // _MINUTE)
        minutes[minute] = minutes.get(minute, 0) + 1
        return _Used(moment + gap, now, minutes)

    def moved_back(self, seconds: float) -> _Used:
        minutes: dict[int, int] = {}
        for minute, count in self.minutes.items():
            # Rounded to the later minute, so that no request expires too early.
            earlier = minute - int(seconds // _MINUTE)
            minutes[earlier] = minutes.get(earlier, 0) + count
        return _Used(self.next - seconds, self.written - seconds, minutes)


def _expires_at(minute: int) -> float:
    return (minute + 1) * _MINUTE + _HOUR


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open and lock the file. The system frees the lock of a process that dies. Raises ContractError."""
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
    """Read the reserved requests. A corrupt file counts as empty, with a warning in the log."""
    os.lseek(file, 0, os.SEEK_SET)
    line = os.read(file, _LARGEST_FILE).partition(b"\n")[0]
    if not line:
        return _Used()
    try:
        stored = orjson.loads(line)
        minutes = {int(minute): int(count) for minute, count in stored["minutes"].items()}
        used = _Used(float(stored["next"]), float(stored["written"]), minutes)
    except (ValueError, TypeError, KeyError, AttributeError):
        _log.warning("%s is corrupt: the count of the last hour's requests starts again at zero.", path)
        return _Used()
    # If the clock was set back, the moments move back too. Otherwise nothing would be sent until it catches up.
    return used.moved_back(used.written - now) if used.written > now else used


def _write(file: int, used: _Used) -> None:
    # A single write, so a killed process leaves the old line or the new one. The rest of a longer old line is ignored.
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, orjson.dumps(used, option=orjson.OPT_NON_STR_KEYS) + b"\n")


def _unusable(path: Path, error: OSError) -> ContractError:
    return ContractError(
        f"the contract's limits cannot be kept: {path} cannot be written: {error.strerror or 'unknown reason'}",
        hint=private_file.remedy(error, "Set IDEAS_STATE_DIR to a folder that this user may write to."),
    )


class ConcurrencyLimit:
    """Adaptive concurrency limit: halved on 429 and 503, raised by one after every 20 successes.

    Args:
        maximum: how many requests may be in flight at once.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._current = maximum
        self._in_flight = 0
        self._successes = 0
        self._last_halved = 0.0
        self._changed = threading.Condition()

    @property
    def current(self) -> int:
        """How many requests may be in flight now."""
        return self._current

    def acquire(self, timeout: float) -> bool:
        """Take a slot. False if none became free within ``timeout`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._in_flight < self._current, timeout=timeout):
                return False
            self._in_flight += 1
        return True

    def release(self) -> None:
        """Give the slot back."""
        with self._changed:
            self._in_flight -= 1
            self._changed.notify()

    def overloaded(self, sent: float) -> None:
        """Halve the limit: the server refused a request that was sent at this moment (``time.monotonic``)."""
        with self._changed:
            self._successes = 0
            # Requests that were in flight at the last halving say nothing new.
            if sent > self._last_halved:
                self._current = max(1, self._current // 2)
                self._last_halved = time.monotonic()

    def succeeded(self) -> None:
        """Count a success, and raise the limit again after enough of them."""
        if self._current == self._maximum:
            return
        with self._changed:
            self._successes += 1
            if self._successes >= _SUCCESSES_PER_STEP and self._current < self._maximum:
                self._current += 1
                self._successes = 0
                self._changed.notify()
