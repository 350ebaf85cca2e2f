"""Archived pages for tests, and all pages of an archive."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ideas_pipeline.archive.files import ArchivedPage, connect, page_of, run_files
from ideas_pipeline.archive.writer import Writer


def page(body: bytes = b"", **changes: Any) -> ArchivedPage:
    """A page of the ideas of challenge ``c1``, received now."""
    values = {"stream": "ideas", "scope": "c1", "position": 1, "bounded": False, "status": 200}
    return ArchivedPage(**{**values, "received_at": time.time(), "body": body, **changes})


def write(community: Path, run_id: str, *pages: ArchivedPage) -> None:
    """Archive ``pages`` as (a part of) a run."""
    with Writer(community, run_id) as writer:
        for one in pages:
            writer.add(one)


def pages_in(file: Path) -> list[ArchivedPage]:
    """The pages of a run's file, in order of arrival."""
    connection = connect(file)
    try:
        numbers = [number for (number,) in connection.execute("SELECT number FROM pages ORDER BY number")]
        return [found for number in numbers if (found := page_of(connection, number))]
    finally:
        connection.close()


def archived(community: Path) -> list[ArchivedPage]:
    """The pages of all runs."""
    return [found for file in run_files(community) for found in pages_in(file)]
