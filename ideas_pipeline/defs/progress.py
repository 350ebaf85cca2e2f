"""A sign of life in the run's log: a large stream is read for hours."""

from __future__ import annotations

import logging
import time

from ideas_pipeline.sync.results import StreamResult

_SECONDS = 60.0


class LoggedProgress:
    """Logs how far a stream has come, once a minute (see ``sync.results.Progress``)."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._lists = self._done = self._rows = 0
        self._said = 0.0

    def stream_started(self, stream: str, scopes: int) -> None:
        self._lists, self._said = scopes, time.monotonic()
        self._log.info(f"{stream}: {scopes:,} lists to read.")

    def scope_done(self, stream: str, rows: int, requests: int) -> None:
        self._done += 1
        self._rows += rows
        if time.monotonic() - self._said >= _SECONDS:
            self._said = time.monotonic()
            self._log.info(f"{stream}: {self._done:,} of {self._lists:,} lists read, {self._rows:,} records.")

    def stream_finished(self, result: StreamResult) -> None:
        self._log.info(f"{result.stream}: {result.verdict}, {result.seen:,} records in {result.requests:,} requests.")
