"""The targets of the project, as ratios within one run, and what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ideas_pipeline_tests.benchmarks.contestants import DLT, DLT_WHOLE, OURS
from ideas_pipeline_tests.benchmarks.reading import IN_FLIGHT
from ideas_pipeline_tests.benchmarks.results import Measurement

LATENCY_MS = 40
"""What the API takes to respond, in milliseconds."""

_Of = dict[tuple[str, str, str, str, str], Measurement]


class Outcome(NamedTuple):
    """A target, where it was measured, the most that is allowed, and what was measured."""

    what: str
    where: str
    most: float
    measured: float


def ideal(one: Measurement) -> float:
    """The seconds that the network alone would take for a contestant's requests."""
    return one.requests * LATENCY_MS / 1000 / IN_FLIGHT


def all_cpu(one: Measurement) -> float:
    """The CPU of a contestant and of its database's server."""
    return one.cpu + one.database_cpu


def outcomes(measurements: Iterable[Measurement]) -> list[Outcome]:
    """The targets for which there are measurements."""
    found: _Of = {(one.size, one.shape, one.engine, one.step, one.contestant): one for one in measurements}
    engines = sorted({one.engine for one in found.values()}, reverse=True)
    result: list[Outcome] = []

    def add(what: str, most: float, ours: tuple[str, str, str], other: tuple[str, str], of: Ratio) -> None:
        size, shape, step = ours
        other_size, contestant = other
        for engine in engines:
            one = found.get((size, shape, engine, step, OURS))
            against = found.get((other_size, shape, engine, step, contestant))
            if one and against:
                result.append(Outcome(what, f"{size}, {shape}, {engine}", most, of(one, against)))

    first, night, whole = ("S", "children", "first"), ("S", "children", "changed"), ("S", DLT_WHOLE)
    add("first sync, wall ÷ dlt", 0.5, first, ("S", DLT), _wall)
    add("first sync, wall ÷ ideal", 1.4, first, ("S", OURS), lambda one, _: one.wall / ideal(one))
    add("1 % changed, wall ÷ dlt that reads all children", 0.25, night, whole, _wall)
    add("1 % changed, requests ÷ dlt that reads all children", 0.03, night, whole, _requests)
    for size in ("L/5", "L"):
        add("first sync, wall ÷ dlt", 1.0, (size, "flat", "first"), (size, DLT), _wall)
        add("first sync, wall ÷ dlt", 0.6, (size, "offsets", "first"), (size, DLT), _wall)
        for shape in ("flat", "offsets"):
            add("unchanged, wall ÷ dlt", 0.5, (size, shape, "unchanged"), (size, DLT), _wall)
            add("1 % changed, wall ÷ dlt", 1.0, (size, shape, "changed"), (size, DLT), _wall)
    for shape in ("children", "flat", "offsets"):
        large = ("2L", shape, "first")
        add("first sync, memory ÷ L", 1.1, large, ("L", OURS), lambda one, other: one.peak_mb / other.peak_mb)
        add("first sync, memory in MiB", 400, large, ("2L", OURS), lambda one, _: one.peak_mb)
        add("first sync, CPU per row ÷ L", 1.1, large, ("L", OURS), _cpu_per_row)
        add("first sync, CPU per row ÷ S", 1.2, large, ("S", OURS), _cpu_per_row)
    return result


Ratio = Callable[[Measurement, Measurement], float]


def _wall(one: Measurement, other: Measurement) -> float:
    return one.wall / other.wall


def _requests(one: Measurement, other: Measurement) -> float:
    return one.requests / other.requests


def _cpu_per_row(one: Measurement, other: Measurement) -> float:
    return (all_cpu(one) / one.records) / (all_cpu(other) / other.records)
