"""The front page: the communities of a warehouse, one row each, with links to their reports."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.marts.communities import TABLE
from ideas_pipeline.report.formatting import clock, number, percent
from ideas_pipeline.report.page import environment, write_page
from ideas_pipeline.warehouse.warehouse import Warehouse

_HEADERS = (
    "Community",
    "Last complete",
    "People",
    "Ideas",
    "Comments",
    "Votes",
    "Contributions",
    "Change",
    "Active people",
    "Findings",
    "As of",
)


def write_front_page(
    warehouse: Warehouse, reports: Mapping[str, Path], path: Path, *, side_by_side: bool = False
) -> int:
    """Write the page from ``mart_communities``.

    Args:
        warehouse: The warehouse, opened for any of its communities.
        reports: The path of each community's report. Those that exist are linked, relative to ``path``.
        path: The file to write, for its owner alone; an existing one is replaced and keeps its rights.
        side_by_side: Whether copies of the page and of the reports will be in one folder: then links are file names.

    Returns:
        The size of the page in bytes.

    Raises:
        WarehouseError: The marts cannot be read or were never built; an existing page is kept.
        OSError: The file cannot be written; an existing page is kept.
    """
    with warehouse.reading() as tx:
        if not sa.inspect(tx.connection).has_table(TABLE.name):
            raise WarehouseError(
                "The front page of the report needs the marts, which are not built yet. Run: ideas-pipeline marts."
            )
        found = tx.execute(sa.select(TABLE).order_by(TABLE.c.community)).all()
    reports = {community: report for community, report in reports.items() if report.is_file()}
    links = {one: report.name if side_by_side else _relative(report, path) for one, report in reports.items()}
    rows = [(quote(links.get(row.community, "")), _cells(row)) for row in found]
    return write_page(path, environment().get_template("communities.html").render(headers=_HEADERS, rows=rows))


def _relative(report: Path, page: Path) -> str:
    return Path(os.path.relpath(report.resolve(), page.parent.resolve())).as_posix()


def _cells(row: sa.Row[Any]) -> list[str]:
    return [
        row.community,
        clock(row.last_complete_at, row.timezone),
        number(row.people),
        number(row.ideas),
        number(row.comments),
        number(row.votes),
        number(row.contributions_28d),
        _change(row.contributions_change),
        number(row.active_28d),
        number(row.findings),
        clock(row.as_of, row.timezone),
    ]


def _change(share: float | None) -> str:
    if share is None:
        return percent(None)
    return f"{'▲' if share > 0 else '▼' if share < 0 else ''} {percent(abs(share))}".strip()
