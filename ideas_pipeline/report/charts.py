"""The drawings: bars, bars over time, a line over time, a heat map. Each as SVG, in two widths.

Colours are variables of the page's style sheet (``var(--ink)``), so that one drawing is right in light, dark and print.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import Any, Literal

import altair as alt

NARROW, WIDE = 330, 700

Drawing = alt.LayerChart | alt.FacetChart | alt.VConcatChart
Mark = Literal["bar", "line"]

# Shares of each shade of the heat map: under 5 %, under 10 %, …
_SHADES = (0.05, 0.10, 0.20, 0.40, 0.60)
# Room for the numbers of the vertical axis: the same for all, so that the drawings stand one below the other.
_COUNTS = 52


@dataclass(frozen=True, slots=True)
class Bar:
    """``text`` stands beside it, and says its value. ``stands_out``: in the second colour."""

    label: str
    value: float
    text: str
    stands_out: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    row: str
    column: str
    share: float


@dataclass(frozen=True, slots=True)
class Panel:
    """A value for each span of time."""

    title: str
    values: Sequence[int]
    mark: Mark = "bar"


def bars(rows: Sequence[Bar], whole: float | None = None) -> tuple[str, str]:
    """Horizontal bars, one below the other. ``whole``: what a full length is, and is shown; else it is the largest."""
    return _both(lambda width: _bars(rows, whole, width))


def _bars(rows: Sequence[Bar], whole: float | None, width: int) -> Drawing:
    narrow = width == NARROW
    labels, texts = (max(map(_width, words)) + 10 for words in zip(*((r.label, r.text) for r in rows), strict=True))
    # On a phone the words stand above their bar, or the label alone where there is no room for both; elsewhere the
    # label stands before the bar, and the text after it.
    begin, step, above = (0, 44, -12) if narrow else (min(max(256, labels), 380), 30, 0)
    both_above = narrow and labels + texts <= width
    end = width if both_above else width - texts
    room = width if narrow else begin - 10
    full = whole or max(row.value for row in rows) or 1
    values = [
        {
            "at": at,
            "label": _cut(row.label, room),
            "value": row.value,
            "text": row.text,
            "full": full,
            "out": row.stands_out,
        }
        for at, row in enumerate(rows)
    ]
    base = alt.Chart(alt.InlineData(values=values)).encode(y=alt.Y("at:O", axis=None, scale=alt.Scale(padding=0)))
    length = alt.Scale(domain=[0, full], range=[begin, end])
    below = -above / 1.5
    bar = base.mark_bar(height=12, yOffset=below)
    word: dict[str, Any] = {"baseline": "middle", "fontSize": 13, "color": "var(--ink)"}
    colour = alt.condition("datum.out", alt.value("var(--second)"), alt.value("var(--accent)"))
    track = bar.encode(x=alt.X("full:Q", scale=length, axis=None), color=alt.value("var(--track)"))
    drawn = [
        bar.encode(x=alt.X("value:Q", scale=length, axis=None), color=colour),
        base.mark_text(align="left", yOffset=above, **word).encode(text="label:N", x=alt.value(0)),
        base.mark_text(align="right", yOffset=above if both_above else below, **word).encode(
            text="text:N", x=alt.value(width)
        ),
    ]
    return alt.layer(*([track, *drawn] if whole else drawn)).properties(width=width, height=step * len(rows))


def _cut(text: str, room: float) -> str:
    """What fits of ``text`` in ``room`` pixels.

    The drawing could cut it, too, but in the middle of an emoji, and then fails.
    """
    if _width(text) <= room:
        return text
    fitting = sum(width <= room - _width("…") for width in accumulate(map(_width, text)))
    return text[:fitting].rstrip() + "…"


def _width(text: str) -> float:
    """The pixels that ``text`` takes, about, in a wide typeface: which one the reader has is not known."""

    def of(c: str) -> float:
        if unicodedata.east_asian_width(c) in "WF" or c in "mwMW%@…":
            return 14
        if c in " .,:;'|()[]!-ijlftrI\N{NO-BREAK SPACE}":
            return 5.5
        return 10 if c.isupper() else 8.5

    return sum(map(of, text))


def over_time(panels: Sequence[Panel], spans: Sequence[tuple[date, date]], form: str) -> tuple[str, str]:
    """One drawing a panel, one below the other, each with its own scale.

    ``spans``: the first day of each, and the day after its last. ``form``: of the dates, for strftime.
    """
    return _both(lambda width: _over_time(panels, spans, form, width))


def _over_time(panels: Sequence[Panel], spans: Sequence[tuple[date, date]], form: str, width: int) -> Drawing:
    # A few days do not become a few walls: there is room for as many spans as a fortnight has days.
    (first, _), (last, end) = spans[0], spans[-1]
    domain = [min(first, end - 14 * (end - last)).isoformat(), end.isoformat()]
    when = alt.Scale(type="utc", domain=domain)
    ticks = 4 if width == NARROW else 8
    drawn = []
    ticked: dict[str, Any]
    for panel in panels:
        values = [
            {"from": start.isoformat(), "to": stop.isoformat(), "value": value}
            for (start, stop), value in zip(spans, panel.values, strict=True)
        ]
        # One line of dates is enough for all.
        dates = alt.Axis(format=form, tickCount=ticks, title=None, grid=False, labels=panel is panels[-1])
        # Where there was nothing, 0 is at the bottom all the same.
        scale, ticked = alt.Scale(domainMin=0), {"tickCount": 3, "tickMinStep": 1}
        if not any(panel.values):
            scale, ticked = alt.Scale(domain=[0, 1]), {"values": [0]}
        counts = alt.Axis(format=",d", title=None, minExtent=_COUNTS, maxExtent=_COUNTS, **ticked)
        y = alt.Y("value:Q", axis=counts, scale=scale)
        chart = alt.Chart(alt.InlineData(values=values))
        if panel.mark == "bar":
            bar = chart.mark_rect(color="var(--accent)", stroke="var(--page)", strokeWidth=0.5)
            marked = bar.encode(x=alt.X("from:T", scale=when, axis=dates), x2="to:T", y=y, y2=alt.datum(0))
        else:
            line = chart.mark_line(color="var(--accent)", strokeWidth=2.5, point=len(spans) == 1)
            marked = line.encode(x=alt.X("to:T", scale=when, axis=dates), y=y)
        drawn.append(alt.layer(marked).properties(width=width - _COUNTS - 12, height=90, title=panel.title))
    return alt.vconcat(*drawn, spacing=14)


def heat_map(cells: Sequence[Cell], rows: Sequence[str], columns: Sequence[str], title: str) -> tuple[str, str]:
    """Shares by row and column, from light to strong, each with its percentage in it. ``title``: of the columns."""
    return _both(lambda width: _heat_map(cells, rows, columns, title, width))


def _heat_map(cells: Sequence[Cell], rows: Sequence[str], columns: Sequence[str], title: str, width: int) -> Drawing:
    values = [{"row": c.row, "column": c.column, "share": c.share, "text": _percent(c.share)} for c in cells]
    narrow = width == NARROW
    # On a phone each word of a row's name has a line of its own.
    named = [line for row in rows for line in (row.split() if narrow else [row])]
    names = max(map(len, named)) * 7.5 + 8
    # A few months do not become walls either.
    across = min(width - names, 60 * len(columns))
    to_right = alt.Axis(orient="top", title=title, titleAnchor="start", labelAngle=0, ticks=False, domain=False)
    lines: dict[str, Any] = {"labelExpr": "split(datum.label, ' ')", "labelOffset": -7} if narrow else {}
    down = alt.Axis(title=None, minExtent=names, maxExtent=names, ticks=False, domain=False, **lines)
    x = alt.X("column:O", axis=to_right, scale=alt.Scale(domain=list(columns), padding=0))
    y = alt.Y("row:O", axis=down, scale=alt.Scale(domain=list(rows), padding=0))
    base = alt.Chart(alt.InlineData(values=values)).encode(x=x, y=y)
    text = base.mark_text(fontSize=11 if narrow else 13).encode(text="text:N", color=_shade("on-heat"))
    cell = base.mark_rect(stroke="var(--page)", strokeWidth=1).encode(color=_shade("heat"))
    layers: Drawing = alt.layer(cell, text).resolve_scale(color="independent")
    return layers.properties(width=across, height=(34 if narrow else 26) * len(rows))


def _percent(share: float) -> str:
    return "<1" if 0 < share < 0.005 else f"{share * 100:.0f}"


def _shade(variable: str) -> alt.Color:
    colours = [f"var(--{variable}-{number})" for number in range(1, len(_SHADES) + 2)]
    return alt.Color("share:Q", legend=None, scale=alt.Scale(type="threshold", domain=list(_SHADES), range=colours))


def _both(draw: Callable[[int], Drawing]) -> tuple[str, str]:
    """The drawing for narrow screens and the one for wide ones."""
    return _svg(draw(NARROW)), _svg(draw(WIDE))


def _svg(chart: Drawing) -> str:
    soft: dict[str, Any] = {"labelColor": "var(--soft)", "titleColor": "var(--soft)", "titleFontWeight": "normal"}
    lines: dict[str, Any] = {"domainColor": "var(--line)", "tickColor": "var(--line)", "gridColor": "var(--line)"}
    styled = chart.configure(
        aria=False,  # the page says what is to be seen
        background="transparent",
        padding=2,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(labelFontSize=12, titleFontSize=12, **soft, **lines),
        title=alt.TitleConfig(color="var(--ink)", fontSize=13, fontWeight=600, anchor="start", frame="group"),
    )
    written = io.StringIO()
    styled.save(written, format="svg")
    return written.getvalue()
