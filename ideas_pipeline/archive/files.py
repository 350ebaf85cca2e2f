"""Where the archive is and what it holds: a folder a community, in it a folder a run, in it numbered files."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from filelock import FileLock, Timeout

_log = logging.getLogger(__name__)

SUFFIX = ".zst"
_DAY = 86_400


def pages_of(run: Path) -> list[Path]:
    """The files of a run's folder, in the order in which they were begun."""
    return sorted(run.glob(f"*{SUFFIX}"))


def runs_in(community: Path) -> list[Path]:
    """The folders of the runs that are archived for a community, in order of their names."""
    return sorted(folder for folder in community.iterdir() if folder.is_dir()) if community.is_dir() else []


def lock_of(file: Path) -> FileLock:
    """The lock that whoever writes ``file`` holds. A killed process holds none."""
    return FileLock(file.with_suffix(".lock"), mode=0o600)


def sweep(community: Path, days: int) -> list[str]:
    """Removes the runs to which nothing was written for ``days`` days. Returns their names. One in use stays."""
    oldest = time.time() - days * _DAY
    removed = []
    for run in runs_in(community):
        written = [file.stat().st_mtime for file in pages_of(run)]
        if max(written, default=0.0) >= oldest or _in_use(run):
            continue
        try:
            shutil.rmtree(run)
        except OSError as error:
            _log.warning("%s is due to be removed and cannot be (%s). Remove it by hand.", run, error.strerror)
            continue
        removed.append(run.name)
    return removed


def _in_use(run: Path) -> bool:
    return any(_is_locked(file) for file in pages_of(run))


def _is_locked(file: Path) -> bool:
    try:
        with lock_of(file).acquire(timeout=0):
            return False
    except Timeout:
        return True
