"""What the archive holds: for each scope its sweeps, oldest first, and their pages."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from ideas_pipeline.archive.convert import convert
from ideas_pipeline.archive.files import ArchivedPage, connect, page_of, run_files
from ideas_pipeline.errors import ArchiveInUse, NotArchived

_OF_STREAM = """
SELECT number, scope, position, bounded, status, received_at
FROM pages
WHERE received_at >= ? AND stream = ?
ORDER BY number
"""
_OF_SCOPE = """
SELECT number, scope, position, bounded, status, received_at
FROM pages
WHERE received_at >= ? AND stream = ? AND scope = ?
ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class PageRef:
    """An archived page, without its body. ``received_at``: seconds since 1970."""

    run_id: str
    number: int
    status: int
    received_at: float


@dataclass(slots=True)
class Sweep:
    """One pass of a run over the pages of a scope, as far as it was archived.

    Attributes:
        run_id: the run.
        bounded: whether only the records of a time range were requested.
        began_at: seconds since 1970.
        pages: by position, in order of arrival.
    """

    run_id: str
    bounded: bool
    began_at: float
    pages: dict[int | str, PageRef] = field(default_factory=dict)


class ArchiveReader:
    """Reads the archive of a community. Use it in a ``with`` block, and from one thread.

    Archives of earlier versions are converted first.

    Args:
        community: the folder of the community.
        since: seconds since 1970; pages that were received before are left out.

    Raises:
        NotArchived: a file cannot be read.
    """

    def __init__(self, community: Path, since: float = 0.0) -> None:
        self._since = since
        self._opened: tuple[str, sqlite3.Connection] | None = None
        try:
            with suppress(ArchiveInUse):  # an earlier version writes to a run: the others can be read
                convert(community)
            self._files = {file.stem: file for file in run_files(community)}
            for run_id in self._files:  # a file that cannot be opened is noticed before anything is loaded
                self._open(run_id)
        except OSError as error:
            raise _unreadable(error.filename, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def __bool__(self) -> bool:
        return bool(self._files)

    def sweeps(self, stream: str, scope: str | None = None) -> dict[str, list[Sweep]]:
        """The archived sweeps of each scope of ``stream``, or of one scope, oldest first.

        A sweep ends when a page is requested again. Raises NotArchived.
        """
        found: dict[str, list[Sweep]] = {}
        query, of = (_OF_STREAM, (stream,)) if scope is None else (_OF_SCOPE, (stream, scope))
        for run_id in self._files:
            try:
                rows = self._open(run_id).execute(query, (self._since, *of))
                for number, of_scope, written, bounded, status, received_at in rows.fetchall():
                    position = orjson.loads(written)
                    sweeps = found.setdefault(of_scope, [])
                    last = sweeps[-1] if sweeps else None
                    if last is None or last.run_id != run_id or position in last.pages:
                        last = Sweep(run_id, bool(bounded), received_at)
                        sweeps.append(last)
                    last.pages[position] = PageRef(run_id, number, status, received_at)
            except (sqlite3.Error, OSError, TypeError, ValueError) as error:
                raise _unreadable(self._files[run_id], error) from None
        for sweeps in found.values():
            sweeps.sort(key=lambda sweep: sweep.began_at)  # the id of a run need not sort by time
        return found

    def page(self, ref: PageRef) -> ArchivedPage:
        """The page with its body. Raises NotArchived if it cannot be read, or was erased since."""
        try:
            page = page_of(self._open(ref.run_id), ref.number)
        except (sqlite3.Error, OSError) as error:
            raise _unreadable(self._files[ref.run_id], error) from None
        if page is None:
            raise NotArchived("the archive was changed while it was read", hint="Start the command again.")
        return page

    def _open(self, run_id: str) -> sqlite3.Connection:
        """The file of a run. One is open at a time: an archive can have more files than a process may open."""
        if self._opened is None or self._opened[0] != run_id:
            self._close()
            self._opened = run_id, connect(self._files[run_id])
        return self._opened[1]

    def _close(self) -> None:
        if self._opened:
            self._opened[1].close()
            self._opened = None


def _unreadable(file: object, error: Exception) -> NotArchived:
    what = "it is damaged"
    if isinstance(error, OSError):
        what = error.strerror or what
    elif isinstance(error, sqlite3.Error):
        what = str(error)
    return NotArchived(
        f"the archive's {file} cannot be read: {what}",
        hint="Have its rights corrected; if it is damaged, move it out of the archive, and start the command again.",
    )
