"""Remove archived runs that are older than the archive keeps them."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from ideas_pipeline.archive.convert import convert
from ideas_pipeline.archive.files import connect, locked, run_files
from ideas_pipeline.errors import ArchiveInUse
from ideas_pipeline.logs import logger

_log = logger(__name__)

_DAY = 86_400


def prune(community: Path, days: int) -> list[str]:
    """Remove the runs whose last page is older than ``days`` days. A run in use stays.

    Archives of earlier versions are converted first.

    Args:
        community: the folder of the community.
        days: 0 removes every run.

    Returns:
        The ids of the removed runs.
    """
    oldest = time.time() - days * _DAY
    try:
        convert(community)
    except ArchiveInUse:
        pass
    except OSError as error:
        _log.warning("The archive of an earlier version is not converted: %s: %s.", error.filename, error.strerror)
    removed = []
    for file in run_files(community):
        try:
            if _newest(file) >= oldest:
                continue
            with locked(file):
                file.unlink()
                file.with_name(f"{file.name}-journal").unlink(missing_ok=True)
            file.with_suffix(".lock").unlink(missing_ok=True)
        except ArchiveInUse:
            continue
        except OSError as error:
            _log.warning("%s is due to be removed and cannot be (%s). Remove it by hand.", file, error.strerror)
            continue
        removed.append(file.stem)
    return removed


def _newest(file: Path) -> float:
    """When the last page was received, in seconds since 1970; the file's own date if it has no readable page.

    An erasure changes the file's date, and must not let the other pages stay longer.
    """
    try:
        with closing(connect(file)) as connection:
            row = connection.execute("SELECT received_at FROM pages ORDER BY number DESC LIMIT 1").fetchone()
    except (OSError, sqlite3.Error):
        row = None
    return float(row[0]) if row else file.stat().st_mtime
