"""What a section of the report is made of. All texts are plain: the page escapes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# No table is longer, whatever the community's size: the report must travel by mail.
_ROWS = 100


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, the first of each being what the row is about. ``left``: how many columns hold words."""

    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing for narrow screens and one for wide ones, as SVG.

    ``says``: what is to be seen in it, in figures, for those who cannot see it, and those who have no time to look.
    """

    title: str
    says: str
    narrow: str
    wide: str
    table: Table


@dataclass(frozen=True, slots=True)
class Number:
    """A figure by itself. ``change``: since the period before. ``meaning``: what it counts, of what."""

    name: str
    value: str
    meaning: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """``meaning``: what is counted, and of what. ``notice``: what must not be missed. The rest is shown in order."""

    anchor: str
    title: str
    meaning: str
    notice: str = ""
    numbers: Sequence[Number] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()


def bounded(caption: str, headers: Sequence[str], rows: Iterable[Sequence[str]], mart: str, *, left: int = 1) -> Table:
    """A table of the first rows; where there are more, the caption says so, and where to find them."""
    every = list(rows)
    if len(every) > _ROWS:
        caption += f". The first {_ROWS} of {len(every):,}: all are in {mart}"
    return Table(caption, headers, every[:_ROWS], left)
