"""The elements of a section. All texts are plain text: the page escapes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# The maximum length of a table, so that the report of a large community still fits into an e-mail.
_ROWS = 100


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row is its header. ``left``: the number of left-aligned columns."""

    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as SVG for narrow and for wide screens, with its figures as a table.

    ``summary``: its main figures in words, which is also the text alternative.
    """

    title: str
    summary: str
    narrow: str
    wide: str
    table: Table


@dataclass(frozen=True, slots=True)
class Number:
    """A single figure. ``change``: since the previous period. ``meaning``: what it counts, and its denominator."""

    name: str
    value: str
    meaning: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A section. ``meaning``: what it counts, and the denominators. ``notice``: a warning."""

    anchor: str
    title: str
    meaning: str
    notice: str = ""
    numbers: Sequence[Number] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()


def limited_table(
    caption: str, headers: Sequence[str], rows: Iterable[Sequence[str]], mart: str, *, left: int = 1
) -> Table:
    """A table of the first rows. If there are more, the caption names the mart that has them all."""
    every = list(rows)
    if len(every) > _ROWS:
        caption += f". The first {_ROWS} of {len(every):,}; all are in {mart}"
    return Table(caption, headers, every[:_ROWS], left)
