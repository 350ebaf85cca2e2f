"""How often and how many at once: the contract's rates, and a bound on requests in flight that gives way."""

from __future__ import annotations

import math
import threading
import time
from typing import cast

from pyrate_limiter import Duration, InMemoryBucket, Rate, RateItem

from ideas_pipeline.ideas_api.contract import Limits

_ENTRIES_BETWEEN_CLEANINGS = 1000
_SUCCESSES_PER_STEP = 20


class RateLimit:
    """The contract's requests per second and per hour, for all threads of this process."""

    def __init__(self, limits: Limits) -> None:
        rates = _rates(limits)
        self._bucket = InMemoryBucket(rates) if rates else None
        self._lock = threading.Lock()
        self._permissions = 0

    def wait(self, longest: float) -> float | None:
        """Wait for permission to send one request, at most ``longest`` seconds.

        None: go ahead. A number: permission is that many seconds away, which is too long; nothing was waited for then.
        """
        if self._bucket is None:
            return None
        ends = time.monotonic() + longest
        while True:
            away = self._permission(self._bucket)
            if away == 0:
                return None
            if time.monotonic() + away > ends:
                return away
            time.sleep(away)

    def _permission(self, bucket: InMemoryBucket) -> float:
        """Take a permission and return 0, or return the seconds until there may be one."""
        with self._lock:
            now = time.monotonic_ns() // 1_000_000
            item = RateItem("request", now)
            if not bucket.put(item):
                # This bucket answers at once; its siblings on a server would not.
                return max(cast(int, bucket.waiting(item)), 1) / 1000
            self._permissions += 1
            if self._permissions % _ENTRIES_BETWEEN_CLEANINGS == 0:
                bucket.leak(now)
            return 0.0


def _rates(limits: Limits) -> list[Rate]:
    rates = []
    per_second, per_hour = limits.requests_per_second, limits.requests_per_hour
    if per_second:
        # Half a request per second is one in two seconds.
        whole = max(1, math.floor(per_second))
        rates.append(Rate(whole, math.ceil(1000 * whole / per_second)))
    if per_hour:
        hourly = Rate(per_hour, Duration.HOUR)
        # The library refuses a rate that can never bind beside the other one.
        rates = [rate for rate in rates if rate.limit < hourly.limit]
        if not rates or per_hour / hourly.interval <= rates[0].limit / rates[0].interval:
            rates.append(hourly)
    return rates


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

    def enter(self, longest: float) -> float | None:
        """Take a place: the moment of it, for ``overrun``. None where none came free in ``longest`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._inside < self._open, timeout=longest):
                return None
            self._inside += 1
        return time.monotonic()

    def leave(self) -> None:
        """Give the place back."""
        with self._changed:
            self._inside -= 1
            self._changed.notify()

    def overrun(self, entered: float) -> None:
        """The server refused, being overrun, a request that had entered at this moment."""
        with self._changed:
            self._successes = 0
            # Requests that were already under way at the last halving say nothing new.
            if entered > self._last_halved:
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
