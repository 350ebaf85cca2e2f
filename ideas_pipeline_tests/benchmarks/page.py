"""The figures of ``docs/performance.md``: tables and charts of measurements, between two marks of the page."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import altair as alt

from ideas_pipeline_tests.benchmarks.community import COMMUNITIES
from ideas_pipeline_tests.benchmarks.contestants import BARE, CONTESTANTS, DLT, DLT_WHOLE, OURS
from ideas_pipeline_tests.benchmarks.results import Measurement, of_rounds
from ideas_pipeline_tests.benchmarks.targets import all_cpu, ideal, outcomes

BEGIN = "<!-- Written by make bench: what is changed here is lost. -->\n"
END = "<!-- End of what make bench writes. -->\n"

_STEPS = {"first": "first sync", "unchanged": "unchanged night", "changed": "1 % changed", "full": "full read"}
_SHAPES = {"children": "children per parent", "flat": "flat, numbered pages", "offsets": "flat, offsets"}
_ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_HEAD = (
    "| | wall s: ours | dlt | bare | ours ÷ dlt | ours ÷ ideal | CPU s: ours | dlt | bare | ours ÷ dlt "
    "| peak MiB: ours | dlt | requests: ours | dlt | bare |\n|---" + "|--:" * 14 + "|\n"
)
_COLORS = {OURS: "#2a6fbb", DLT: "#c96f2a", DLT_WHOLE: "#e5b48c", BARE: "#9a9a9a"}


def write(page: Path, measurements: Sequence[Measurement]) -> None:
    """Replace the figures of a page, and write its charts beside it."""
    measured = of_rounds(measurements)
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}{figures(measured, page.stem)}{END}{after}", encoding="utf-8")
    for size, group in _by_size(measured):
        chart(group).save(page.with_name(_chart_name(page.stem, size)))


def figures(measured: Sequence[Measurement], name: str) -> str:
    """The tables, as Markdown that shows the charts of the page ``name``."""
    parts = ["\n", *dict.fromkeys(f"- {one.size}: {one.run}\n" for one in measured), "\n"]
    if found := outcomes(measured):
        parts.append("### Targets\n\nThose of L are shown for a fifth of it, too.\n\n")
        parts.append("| | where | most | measured | |\n|---|---|--:|--:|---|\n")
        parts += [
            f"| {what} | {where} | {most:g} | {_short(value)} | {'met' if value <= most else '**missed**'} |\n"
            for what, where, most, value in found
        ]
        parts.append("\n")
    for size, group in _by_size(measured):
        counts = COMMUNITIES[size]._asdict().items()
        parts.append(f"### {size}\n\n{', '.join(f'{number:,} {kind}' for kind, number in counts)}.\n\n")
        parts.append(f"![Wall-clock seconds of each step]({_chart_name(name, size)})\n\n{_HEAD}")
        parts += [*_rows(group), "\n"]
    return "".join(parts)


def chart(measured: Sequence[Measurement]) -> alt.FacetChart:
    """Bars of the seconds of each step, by shape of the lists and engine."""
    values = [
        {"lists": _SHAPES[one.shape], "engine": _ENGINES[one.engine], "step": _STEPS[one.step], "seconds": one.wall}
        | {"contestant": one.contestant}
        for one in measured
    ]
    colors = alt.Scale(domain=list(CONTESTANTS), range=[_COLORS[name] for name in CONTESTANTS])
    bars = (
        alt.Chart(alt.Data(values=values), width=330, height=120)
        .mark_bar()
        .encode(
            x=alt.X("step:N", sort=list(_STEPS.values()), title=None, axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("contestant:N", sort=list(CONTESTANTS)),
            y=alt.Y("seconds:Q", title="wall s"),
            color=alt.Color("contestant:N", scale=colors, title=None),
        )
    )
    facets = bars.facet(
        row=alt.Row("lists:N", sort=list(_SHAPES.values()), title=None),
        column=alt.Column("engine:N", sort=list(_ENGINES.values()), title=None),
    )
    return facets.resolve_scale(y="independent")


def _rows(measured: Sequence[Measurement]) -> Iterator[str]:
    """A row per cell and step, and one more for nights in which dlt reads the children of all ideas."""
    places = list(itertools.product(_SHAPES, _ENGINES))
    in_order = sorted(measured, key=lambda one: places.index((one.shape, one.engine)))
    for (shape, engine), cell in itertools.groupby(in_order, key=lambda one: (one.shape, one.engine)):
        yield f"| **{_SHAPES[shape]}, {_ENGINES[engine]}** |" + " |" * 14 + "\n"
        found = {(one.step, one.contestant): one for one in cell}
        for step, title in _STEPS.items():
            if ours := found.get((step, OURS)):
                yield _row(title, ours, found.get((step, DLT)), found.get((step, BARE)))
                if whole := found.get((step, DLT_WHOLE)):
                    yield _row(f"{title}, dlt reads all children", ours, whole, None)


def _row(title: str, ours: Measurement, dlt: Measurement | None, bare: Measurement | None) -> str:
    three = (ours, dlt, bare)
    cells = [
        *(_short(one.wall) if one else "" for one in three),
        f"**{_short(ours.wall / dlt.wall)}**" if dlt else "",
        _short(ours.wall / ideal(ours)) if ours.step in ("first", "full") else "",
        *(_cpu(one) if one else "" for one in three),
        f"**{_short(all_cpu(ours) / all_cpu(dlt))}**" if dlt else "",
        *(f"{one.peak_mb:,.0f}" if one else "" for one in (ours, dlt)),
        *(f"{one.requests:,.0f}" if one else "" for one in three),
    ]
    return f"| {title} | {' | '.join(cells)} |\n"


def _cpu(one: Measurement) -> str:
    return f"{_short(one.cpu)} + {_short(one.database_cpu)}" if one.database_cpu >= 0.05 else _short(all_cpu(one))


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _by_size(measured: Sequence[Measurement]) -> Iterator[tuple[str, list[Measurement]]]:
    for size in COMMUNITIES:
        if group := [one for one in measured if one.size == size]:
            yield size, group


def _chart_name(name: str, size: str) -> str:
    return f"{name}-{size.replace('/', '-')}.svg"
