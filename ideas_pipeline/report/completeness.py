"""About the figures: of when they are, and whether all that they count is there."""

from __future__ import annotations

from ideas_pipeline.report.elements import Section, Table
from ideas_pipeline.report.figures import Figures
from ideas_pipeline.report.words import clock, count, listed, number

# A source counts some that it hides, such as removed comments. Beyond this share, figures are far too low.
_HIDDEN = 0.1


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
        f"{said} The figures were counted on {clock(figures.built_at, zone)}, and how long something has lasted up to "
        f"{clock(figures.as_of, zone)}. Days, months and times are those of the time zone {zone}.",
        tables=[*([_streams(figures)] if figures.streams else []), *_declared(figures)],
    )


def notice(figures: Figures) -> str:
    """What must be said at the top, where something was not proven complete."""
    wrong = _unproven(figures)
    return f"Not everything was proven complete at the last sync: {listed(wrong)}." if wrong else ""


def unlisted(figures: Figures) -> str:
    """What must be known where the source counts far more of something than it lists."""
    far = [c for c in figures.declared.counts if c.declared - c.listed > c.declared * _HIDDEN]
    return " ".join(
        f"The source itself counts {count(c.declared, c.what[:-1])} on these ideas, and lists "
        f"{number(c.listed) if c.listed else 'none'}: only those are in this report."
        for c in far
    )


def _unproven(figures: Figures) -> list[str]:
    return [read.stream for read in figures.streams if read.verdict != "complete"]


def _streams(figures: Figures) -> Table:
    return Table(
        "What was read",
        ["Stream", "Last sync", "Last proven complete"],
        [[read.stream, read.verdict, clock(read.proven_at, figures.timezone)] for read in figures.streams],
        left=3,
    )


def _declared(figures: Figures) -> list[Table]:
    if not figures.declared.counts:
        return []
    rows = [[c.what.capitalize(), number(c.declared), number(c.listed)] for c in figures.declared.counts]
    caption = "What the source counts on ideas, and what it lists. It may count what it hides"
    return [Table(caption, ["What", "Counted by the source", "Listed"], rows)]
