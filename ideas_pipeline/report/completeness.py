"""About the figures: of when they are, and whether all that they count was proven complete."""

from __future__ import annotations

from ideas_pipeline.report.figures import Figures
from ideas_pipeline.report.parts import Section, Table
from ideas_pipeline.report.words import clock, listed


def section(figures: Figures) -> Section:
    zone = figures.timezone
    wrong = _unproven(figures)
    proven = [read.proven_at for read in figures.streams if read.proven_at]
    if not figures.streams:
        said = "What was synced, and when, is not known."
    elif wrong:
        said = (
            f"The last sync did not prove everything complete: {listed(wrong)} may lack something. "
            "ideas-pipeline status says why."
        )
    else:
        said = f"Everything was read and proven complete, last on {clock(min(proven), zone)}."
    return Section(
        "about",
        "About these figures",
        f"{said} The figures were counted on {clock(figures.built_at, zone)}; what lasts is counted up to "
        f"{clock(figures.as_of, zone)}. Days, months and times are those of the time zone {zone}.",
        tables=[_streams(figures)] if figures.streams else [],
    )


def notice(figures: Figures) -> str:
    """What must be said at the top, where something was not proven complete."""
    wrong = _unproven(figures)
    return f"Not everything was proven complete at the last sync: {listed(wrong)}." if wrong else ""


def _unproven(figures: Figures) -> list[str]:
    return [read.stream for read in figures.streams if read.verdict != "complete"]


def _streams(figures: Figures) -> Table:
    return Table(
        "What was read",
        ["Stream", "Last run", "Last proven complete"],
        [[read.stream, read.verdict, clock(read.proven_at, figures.timezone)] for read in figures.streams],
        left=3,
    )
