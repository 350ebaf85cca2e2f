"""Changes what is archived: for a person who must be erased from it."""

from __future__ import annotations

import copy
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO

from filelock import Timeout

from ideas_pipeline.archive.blocks import BLOCK_BYTES, Header, block, packed, records
from ideas_pipeline.archive.files import SUFFIX, lock_of
from ideas_pipeline.errors import ArchiveInUse

_OWNER_ONLY = stat.S_IRUSR | stat.S_IWUSR

Transform = Callable[[Header, bytes], bytes | None]


def rewrite(folder: Path, transform: Transform) -> int:
    """Puts every page under ``folder`` (an archive, a community's, a run's) through ``transform``.

    ``transform(header, body)`` returns the body to keep, or None to drop the page; it may change the header in place.
    A file is replaced whole, once its new version is on disk, and keeps its date, so that it is kept no longer for it.
    What a kill had torn is gone for good, and so is what an earlier, killed rewriting left.
    Returns how many pages were changed or dropped. Raises OSError, and ArchiveInUse, once all other files are done:
    the run that is under way need not be the last one by its name.
    """
    changed = 0
    in_use: ArchiveInUse | None = None
    for file in sorted(folder.rglob(f"*{SUFFIX}")):
        try:
            changed += _rewrite(file, transform)
        except ArchiveInUse as error:
            in_use = in_use or error
    if in_use:
        raise in_use
    return changed


def _rewrite(file: Path, transform: Transform) -> int:
    try:
        lock = lock_of(file).acquire(timeout=0)
    except Timeout:
        raise ArchiveInUse(f"A run is writing to {file}. Wait until it has ended, then start again.") from None
    new = file.with_name(f"{file.name}.new")
    with lock:
        new.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as opened:
                changed = _transformed(file, transform, opened)
                opened.flush()
                os.fsync(opened.fileno())
            times = file.stat()
            os.utime(new, (times.st_atime, times.st_mtime))
            new.replace(file)
        finally:
            new.unlink(missing_ok=True)
    return changed


def _transformed(file: Path, transform: Transform, new: IO[bytes]) -> int:
    """Writes what becomes of ``file`` to ``new``. Returns how many pages differ."""
    changed = 0
    waiting = bytearray()
    for _, header, body in records(file):
        before = copy.deepcopy(header)
        kept = transform(header, body)
        changed += kept != body or header != before
        if kept is not None:
            waiting += packed(header, kept)
        if len(waiting) >= BLOCK_BYTES:
            new.write(block(waiting))
            waiting = bytearray()
    if waiting:
        new.write(block(waiting))
    return changed
