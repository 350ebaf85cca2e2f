"""Writes down each page of a run as it was received, without holding up the threads that read."""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Self

from ideas_pipeline.archive.blocks import BLOCK_BYTES, Header, block, packed
from ideas_pipeline.archive.files import SUFFIX, lock_of, pages_of

_log = logging.getLogger(__name__)

_OWNER_ONLY = stat.S_IRUSR | stat.S_IWUSR
_FOLDER_OWNER_ONLY = stat.S_IRWXU

# A block is written when it is large, or after this long: a kill loses no more than that.
_BLOCK_SECONDS = 1.0
# Pages that wait to be written. Where the disk is slower than the API, the readers wait for it.
_WAITING = 64


class Writer:
    """A new file in ``folder``, the one of a run, for the length of a ``with`` block.

    A file that cannot be written any more (a full disk) is given up with a warning: the run itself is worth more.
    Raises OSError on entering where the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._queue: Queue[tuple[Header, bytes] | None] = Queue(_WAITING)
        self._thread = threading.Thread(target=self._write, name="archive", daemon=True)

    def __enter__(self) -> Self:
        # Pages hold personal data: nobody but their owner looks into them.
        for folder in (self._folder.parent, self._folder):
            folder.mkdir(mode=_FOLDER_OWNER_ONLY, parents=True, exist_ok=True)
            folder.chmod(_FOLDER_OWNER_ONLY)
        number = max((int(file.stem) for file in pages_of(self._folder)), default=0) + 1
        path = self._folder / f"{number:04}{SUFFIX}"
        self._lock = lock_of(path)
        self._lock.acquire(timeout=0)
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        self._thread.join()
        self._lock.release()

    def add(self, header: Header, body: bytes) -> None:
        """Keeps a page: ``header`` is what JSON can hold. May be called from many threads."""
        self._queue.put((header, body))

    def _write(self) -> None:
        try:
            with self._file:
                for records in self._blocks():
                    self._file.write(block(records))
                    self._file.flush()
        except OSError as error:
            _log.warning(
                "The pages of this run are no longer archived: %s cannot be written (%s). The run goes on.",
                self._file.name,
                error.strerror,
            )
            while self._queue.get() is not None:  # so that nobody waits for us
                pass

    def _blocks(self) -> Iterator[bytearray]:
        """The records of a block each, when it is time to write it, until the end."""
        waiting, due = bytearray(), 0.0
        while True:
            try:
                page = self._queue.get(timeout=max(0.0, due - time.monotonic()) if waiting else None)
            except Empty:
                yield waiting
                waiting = bytearray()
                continue
            if page is None:
                break
            if not waiting:
                due = time.monotonic() + _BLOCK_SECONDS
            waiting += packed(*page)
            if len(waiting) >= BLOCK_BYTES:
                yield waiting
                waiting = bytearray()
        if waiting:
            yield waiting
