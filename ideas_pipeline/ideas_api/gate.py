"""How many requests at once: a bound that gives way when the server is overrun."""

from __future__ import annotations

import threading
import time

_SUCCESSES_PER_STEP = 20


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
