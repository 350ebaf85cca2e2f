"""Writing the report."""

from __future__ import annotations

import os
from pathlib import Path

import sqlalchemy as sa

from ideas_pipeline.report.figures import read_figures
from ideas_pipeline.report.page import render


def write_report(engine: sa.Engine, community: str, path: Path) -> int:
    """Writes the community's report to ``path``, in place of one that is there, and returns its size in bytes.

    Its folder is made where missing. It is made of the marts as they are: build them before.
    Raises WarehouseError where they cannot be read or were never built, OSError where the file cannot be written;
    a report that is there stays as it is.
    """
    page = render(read_figures(engine, community)).encode()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(page)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return len(page)
