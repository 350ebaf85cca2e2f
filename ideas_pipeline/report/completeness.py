"""About the figures: their time, and whether the data is complete."""

from __future__ import annotations

from ideas_pipeline.report.elements import Section, Table
from ideas_pipeline.report.figures import Figures
from ideas_pipeline.report.formatting import clock, count, joined, number

# Sources count some items that they hide, such as removed comments. Beyond this share, figures are far too low.
_HIDDEN = 0.1


def section(figures: Figures) -> Section:
    zone = figures.timezone
    incomplete = _incomplete(figures)
    completed = [stream.completed_at for stream in figures.streams if stream.completed_at]
    if not figures.streams:
        verdict = "It is not known when this community was synced."
    elif incomplete:
        verdict = (
            f"The last sync was not complete: data may be missing from {joined(incomplete)}. "
            "ideas-pipeline status shows why."
        )
    else:
        verdict = f"All data was complete at the last sync, on {clock(min(completed), zone)}."
    return Section(
        "about",
        "About these figures",
        f"{verdict} The figures were computed on {clock(figures.built_at, zone)}; unfinished durations count up to "
        f"{clock(figures.as_of, zone)}. Days, months and times are in the time zone {zone}.",
        tables=[*([_streams(figures)] if figures.streams else []), *_declared(figures)],
    )


def notice(figures: Figures) -> str:
    """The warning at the top of the page if the last sync was not complete, or an empty text."""
    incomplete = _incomplete(figures)
    return f"The last sync was not complete. Data may be missing from {joined(incomplete)}." if incomplete else ""


def unlisted_notice(figures: Figures) -> str:
    """A warning if the source declares far more of something than it lists, or an empty text."""
    far = [c for c in figures.declared.counts if c.declared - c.listed > c.declared * _HIDDEN]
    return " ".join(
        f"The source declares {count(c.declared, c.what[:-1])} on these ideas but lists "
        f"{number(c.listed) if c.listed else 'none'}; this report contains only those listed."
        for c in far
    )


def _incomplete(figures: Figures) -> list[str]:
    return [stream.stream for stream in figures.streams if stream.verdict != "complete"]


def _streams(figures: Figures) -> Table:
    return Table(
        "Streams of the last sync",
        ["Stream", "Last sync", "Last complete"],
        [[stream.stream, stream.verdict, clock(stream.completed_at, figures.timezone)] for stream in figures.streams],
        left=3,
    )


def _declared(figures: Figures) -> list[Table]:
    if not figures.declared.counts:
        return []
    rows = [[c.what.capitalize(), number(c.declared), number(c.listed)] for c in figures.declared.counts]
    caption = "Counts that the source declares on ideas, and items that it lists. It may count hidden items"
    return [Table(caption, ["Items", "Declared", "Listed"], rows)]
