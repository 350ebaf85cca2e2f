"""The report as one HTML page: no script, nothing from elsewhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

import jinja2
import sqlalchemy as sa
from markupsafe import Markup

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
from ideas_pipeline.report.words import clock

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


def render(figures: Figures) -> str:
    """The page. All text is escaped; the drawings are not, as they are ours and escape their own."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ideas_pipeline.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"drawing": Markup, "prose": _prose}
    return environment.get_template("report.html").render(
        community=figures.community,
        when=clock(figures.as_of, figures.timezone),
        timezone=figures.timezone,
        notice=completeness.notice(figures),
        sections=[section(figures) for section in _SECTIONS],
    )


def _prose(text: str) -> Markup:
    """The text, escaped, whose dates are not broken over lines."""
    parts = _DATE.split(text)  # every second one is a date
    return Markup().join(_UNBROKEN.format(part) if at % 2 else part for at, part in enumerate(parts))


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
