"""Archive the pages of a run without holding up the threads that fetch them."""

from __future__ import annotations

import errno
import sqlite3
import threading
import time
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Self

from filelock import Timeout

from ideas_pipeline.archive.files import ArchivedPage, create, insert, lock_of, run_file
from ideas_pipeline.late.arrow import pa
from ideas_pipeline.logs import logger
from ideas_pipeline.private_file import make_folder

_log = logger(__name__)

# A transaction is committed after this long: a kill loses no more than that.
_COMMIT_SECONDS = 1.0
# Pages that wait to be written. If the disk is slower than the API, the threads that fetch wait for it.
_QUEUE_PAGES = 64
# An erasure or an earlier part of the same run may hold the file for a moment.
_LOCK_SECONDS = 30.0


class Writer:
    """Adds pages to the file of a run, for the length of a ``with`` block, on a thread of its own.

    If the file cannot be written any more (a full disk), the rest of the run is not archived, with a warning: the run
    itself is worth more.

    Args:
        community: the folder of the community.
        run_id: the run, which may have been archived in part before.
        mark: the mark of a new file, for the policy to which its pages are held.
    """

    def __init__(self, community: Path, run_id: str, mark: int = 0) -> None:
        self._mark = mark
        self._file = run_file(community, run_id)
        self._lock = lock_of(self._file)
        self._queue: Queue[ArchivedPage | None] = Queue(_QUEUE_PAGES)
        self._has_ended = False
        self._thread = threading.Thread(target=self._write, name="archive", daemon=True)

    def __enter__(self) -> Self:
        """Raises OSError if the file cannot be written."""
        make_folder(self._file.parent)
        try:
            self._lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout:
            raise OSError(errno.EBUSY, "another process is changing it", str(self._file)) from None
        try:
            self._connection = create(self._file, self._mark)
        except BaseException:
            self._lock.release()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        self._thread.join()
        self._lock.release()

    def add(self, page: ArchivedPage) -> None:
        """Archive a page. May be called from many threads."""
        self._queue.put(page)

    def _write(self) -> None:
        try:
            self._write_all()
        except (sqlite3.Error, pa.ArrowException, ValueError) as error:
            _log.warning(
                "The pages of this run are no longer archived: %s cannot be written (%s). The run goes on.",
                self._file,
                error if isinstance(error, sqlite3.Error) else type(error).__name__,
            )
        finally:
            self._connection.close()
            while not self._has_ended:  # whatever happened, no thread may wait for this one
                self._has_ended = self._queue.get() is None

    def _write_all(self) -> None:
        """Insert pages as they come, and commit those of about a second at a time, until the end."""
        due: float | None = None
        while True:
            try:
                page = self._queue.get(timeout=None if due is None else max(0.0, due - time.monotonic()))
            except Empty:
                self._connection.commit()
                due = None
                continue
            if page is None:
                self._has_ended = True
                self._connection.commit()
                return
            insert(self._connection, page)
            if due is None:
                due = time.monotonic() + _COMMIT_SECONDS
            elif time.monotonic() >= due:
                self._connection.commit()
                due = None
