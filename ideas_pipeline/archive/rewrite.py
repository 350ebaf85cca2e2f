"""Change archived pages: a person is erased from them, or a stricter policy for personal data is applied."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ideas_pipeline.archive.convert import convert
from ideas_pipeline.archive.files import (
    ArchivedPage,
    as_os_error,
    connect,
    locked,
    mark_of,
    page_of,
    run_files,
    set_mark,
    update,
)
from ideas_pipeline.errors import ArchiveInUse

Transform = Callable[[ArchivedPage], ArchivedPage | None]


def rewrite(community: Path, transform: Transform, mark: int | None = None) -> int:
    """Put every archived page of a community through ``transform``.

    Each file is changed in one transaction, and nothing of what a page was before is left in it. A run that is under
    way need not be the last one by its name, so all other files are done before an error is raised.

    Args:
        community: the folder of the community.
        transform: returns the page to keep (the same one if nothing changes), or None to delete the page.
        mark: the mark of changed files. Those that have it already are left alone. None changes every file, and marks
            none.

    Returns:
        How many pages were changed or deleted.

    Raises:
        ArchiveInUse: a run is writing to one of the files.
        OSError: a file cannot be read or written.
    """
    problem: ArchiveInUse | OSError | None = None
    changed = 0
    try:
        convert(community)
    except (ArchiveInUse, OSError) as error:
        problem = error
    for file in run_files(community):
        try:
            if mark is not None and _has_mark(file, mark):
                continue
            with locked(file):
                changed += _rewrite(file, transform, mark)
        except (ArchiveInUse, OSError) as error:
            problem = problem or error
    if problem:
        raise problem
    return changed


def _has_mark(file: Path, mark: int) -> bool:
    try:
        with closing(connect(file)) as connection:
            return mark_of(connection) == mark
    except sqlite3.Error as error:
        raise as_os_error(error, file) from None


def _rewrite(file: Path, transform: Transform, mark: int | None) -> int:
    try:
        with closing(connect(file)) as connection:
            # Deleted content is overwritten with zeros: https://sqlite.org/pragma.html#pragma_secure_delete
            connection.execute("PRAGMA secure_delete = ON")
            with connection:
                changed = _transform_all(connection, transform)
                if mark is not None:
                    set_mark(connection, mark)
            if changed:
                connection.execute("VACUUM")
            return changed
    except sqlite3.Error as error:
        raise as_os_error(error, file) from None
    except OSError as error:
        error.filename = error.filename or str(file)
        raise


def _transform_all(connection: sqlite3.Connection, transform: Transform) -> int:
    changed = 0
    numbers = [number for (number,) in connection.execute("SELECT number FROM pages ORDER BY number").fetchall()]
    for number in numbers:
        page = page_of(connection, number)
        kept = page and transform(page)
        if kept == page:
            continue
        changed += 1
        if kept is None:
            connection.execute("DELETE FROM pages WHERE number = ?", (number,))
        else:
            update(connection, number, kept)
    return changed
