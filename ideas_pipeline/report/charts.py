"""Charts as SVG in two widths: horizontal bars, bars or a line over time, heat map.

Colours are variables of the page's style sheet (``var(--ink)``), so that a drawing works in light, dark and print.
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

# Upper limits of the shades of the heat map: under 5 %, under 10 %, …
_SHADES = (0.05, 0.10, 0.20, 0.40, 0.60)
# Pixels for the numbers of the vertical axis: the same in all panels, so that they align.
_COUNTS = 52


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar. ``text`` beside it shows its value; ``highlighted`` bars have the second colour."""

    label: str
    value: float
    text: str
    highlighted: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the heat map; ``share`` is a fraction."""

    row: str
    column: str
    share: float


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart over time, with one value per span."""

    title: str
    values: Sequence[int]
    mark: Mark = "bar"


def bars(rows: Sequence[Bar], whole: float | None = None) -> tuple[str, str]:
    """Draw horizontal bars.

    Args:
        rows: The bars from top to bottom.
        whole: The value of the full length, which is drawn as a track; None makes the largest bar full.

    Returns:
        SVG for narrow and for wide screens.
    """
    return _both(lambda width: _bars(rows, whole, width))


def _bars(rows: Sequence[Bar], whole: float | None, width: int) -> Drawing:
    narrow = width == NARROW
    labels, texts = (max(map(_width, words)) + 10 for words in zip(*((r.label, r.text) for r in rows), strict=True))
    # On narrow screens label and text are above the bar (only the label if there is no room for both); on wide
    # screens the label is left of the bar and the text right of it.
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
            "out": row.highlighted,
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
    """Shorten ``text`` to ``room`` pixels.

    Vega could do that itself, but it cuts emoji in half, and then rendering fails.
    """
    if _width(text) <= room:
        return text
    fitting = sum(width <= room - _width("…") for width in accumulate(map(_width, text)))
    return text[:fitting].rstrip() + "…"


def _width(text: str) -> float:
    """The approximate width of ``text`` in pixels, for a wide typeface because the reader's is not known."""

    def width_of(c: str) -> float:
        if unicodedata.east_asian_width(c) in "WF" or c in "mwMW%@…":
            return 14
        if c in " .,:;'|()[]!-ijlftrI\N{NO-BREAK SPACE}":
            return 5.5
        return 10 if c.isupper() else 8.5

    return sum(map(width_of, text))


def over_time(panels: Sequence[Panel], spans: Sequence[tuple[date, date]], form: str) -> tuple[str, str]:
    """Draw panels over time, one below the other, each with its own scale.

    Args:
        panels: The panels, each with one value per span.
        spans: The first day of each span, and the day after its last.
        form: The strftime format of the dates.

    Returns:
        SVG for narrow and for wide screens.
    """
    return _both(lambda width: _over_time(panels, spans, form, width))


def _over_time(panels: Sequence[Panel], spans: Sequence[tuple[date, date]], form: str, width: int) -> Drawing:
    # The axis has room for at least 14 spans, so that few spans do not become very wide bars.
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
        # Only the last panel has dates.
        dates = alt.Axis(format=form, tickCount=ticks, title=None, grid=False, labels=panel is panels[-1])
        scale, ticked = alt.Scale(domainMin=0), {"tickCount": 3}
        if (most := max(panel.values)) < 3:
            # Vega would have ticks at halves, which it writes as 1 and 2. Without any values, 0 is still at the bottom.
            scale, ticked = alt.Scale(domain=[0, max(most, 1)]), {"values": [*range(most + 1)]}
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
    """Draw a heat map of shares, each cell with its percentage.

    Args:
        cells: The cells; a missing one stays empty.
        rows: The labels of the rows from top to bottom.
        columns: The labels of the columns.
        title: The title of the columns.

    Returns:
        SVG for narrow and for wide screens.
    """
    return _both(lambda width: _heat_map(cells, rows, columns, title, width))


def _heat_map(cells: Sequence[Cell], rows: Sequence[str], columns: Sequence[str], title: str, width: int) -> Drawing:
    values = [{"row": c.row, "column": c.column, "share": c.share, "text": _percent(c.share)} for c in cells]
    narrow = width == NARROW
    # On narrow screens each word of a row's label has its own line.
    named = [line for row in rows for line in (row.split() if narrow else [row])]
    names = max(map(len, named)) * 7.5 + 8
    # Few columns do not become very wide.
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
    """The SVG for narrow and for wide screens."""
    return _svg(draw(NARROW)), _svg(draw(WIDE))


def _svg(chart: Drawing) -> str:
    soft: dict[str, Any] = {"labelColor": "var(--soft)", "titleColor": "var(--soft)", "titleFontWeight": "normal"}
    lines: dict[str, Any] = {"domainColor": "var(--line)", "tickColor": "var(--line)", "gridColor": "var(--line)"}
    styled = chart.configure(
        aria=False,  # the page has the text alternative
        background="transparent",
        padding=2,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(labelFontSize=12, titleFontSize=12, **soft, **lines),
        title=alt.TitleConfig(color="var(--ink)", fontSize=13, fontWeight=600, anchor="start", frame="group"),
    )
    written = io.StringIO()
    styled.save(written, format="svg")
    return written.getvalue()
