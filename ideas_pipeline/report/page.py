"""Render the report as one HTML page without scripts and without external resources."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import jinja2
from markupsafe import Markup

from ideas_pipeline import private_file
from ideas_pipeline.report import (
    activity,
    adoption,
    challenges,
    cohorts,
    completeness,
    funnels,
    glance,
    moderation,
    people,
    responses,
)
from ideas_pipeline.report.figures import Figures, read_figures
from ideas_pipeline.report.formatting import clock
from ideas_pipeline.warehouse.warehouse import Warehouse

_SECTIONS = (
    glance.section,
    activity.section,
    challenges.section,
    funnels.section,
    responses.section,
    people.engagement,
    cohorts.section,
    people.concentration,
    moderation.section,
    adoption.section,
    completeness.section,
)

_DATE = re.compile(r"(\d{4}-\d\d(?:-\d\d)?(?: \d\d:\d\d)?)")
_UNBROKEN = Markup('<span class="date">{}</span>')


def environment() -> jinja2.Environment:
    """The templates, which escape every text."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("ideas_pipeline.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"drawing": Markup, "prose": _prose}
    return made


def render(figures: Figures) -> str:
    """Render the page. All text is escaped, except the SVG drawings, which escape their own text."""
    return (
        environment()
        .get_template("report.html")
        .render(
            community=figures.community,
            when=clock(figures.as_of, figures.timezone),
            timezone=figures.timezone,
            notice=completeness.notice(figures),
            sections=[section(figures) for section in _SECTIONS],
        )
    )


def _prose(text: str) -> Markup:
    """Escape ``text``, and keep its dates on one line."""
    parts = _DATE.split(text)  # every second part is a date
    return Markup().join(_UNBROKEN.format(part) if at % 2 else part for at, part in enumerate(parts))


def write_report(warehouse: Warehouse, path: Path) -> int:
    """Write the community's report from its marts, which must be built before.

    Args:
        warehouse: The warehouse.
        path: The file to write, for its owner alone; an existing one is replaced and keeps its rights. A missing folder
            is created.

    Returns:
        The size of the report in bytes.

    Raises:
        WarehouseError: The marts cannot be read or were never built; an existing report is kept.
        OSError: The file cannot be written; an existing report is kept.
    """
    return write_page(path, render(read_figures(warehouse)))


def write_page(path: Path, text: str) -> int:
    """Write a page, completely or not at all, for its owner alone; return its size in bytes. Raises OSError."""
    page = text.encode()
    private_file.make_folder(path.parent)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    try:
        with private_file.create(unfinished) as file:
            file.write(page)
        if path.exists():
            shutil.copymode(path, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return len(page)
