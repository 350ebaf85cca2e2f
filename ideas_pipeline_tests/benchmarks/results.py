"""Measurements, as lines of JSON that are written one by one."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from ideas_pipeline_tests.benchmarks.dlt_environment import REQUIREMENTS


@dataclass(frozen=True)
class Measurement:
    """One command of a contestant.

    Attributes:
        run: The run of the harness: see ``this_run``.
        round: The number of the repetition, from 1.
        wall: Seconds from the start of the command to its end.
        cpu: Its seconds of CPU, those of its child processes included.
        database_cpu: The seconds of CPU that the database's server spent meanwhile.
        api_cpu: The seconds of CPU that the API's server spent meanwhile.
        peak_mb: The most memory of one of its processes, in MiB.
        requests: Its requests of lists.
        rows: The rows in its database in the end, of the five streams; 0 if it has none.
        records: The records of the API at that time, of the five streams.
    """

    run: str
    size: str
    shape: str
    engine: str
    round: int
    step: str
    contestant: str
    wall: float
    cpu: float
    database_cpu: float
    api_cpu: float
    peak_mb: float
    requests: int
    rows: int
    records: int


def this_run() -> str:
    """What identifies a run: its start in UTC, the commit, the machine, and the versions."""
    dlt = re.findall(r"(?m)^dlt==(.*)$", REQUIREMENTS.read_text())[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    git = ("git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD")
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip() or "no git"
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {commit}, {os.cpu_count()} cores ({platform.machine()}), "
        f"{memory:.0f} GiB, {platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"SQLAlchemy {version('sqlalchemy')}, pyarrow {version('pyarrow')}, dlt {dlt}"
    )


def append(file: Path, measurement: Measurement) -> None:
    """Add a measurement to a file."""
    with file.open("a") as out:
        out.write(json.dumps(asdict(measurement)) + "\n")


def read(file: Path) -> list[Measurement]:
    """The measurements of a file; of each size, shape and engine only those of its last run.

    A command that was interrupted has no line.
    """
    found = [Measurement(**json.loads(line)) for line in file.read_text().splitlines()]
    last = {(one.size, one.shape, one.engine): one.run for one in found}
    return [one for one in found if last[one.size, one.shape, one.engine] == one.run]


def of_rounds(measurements: Iterable[Measurement]) -> list[Measurement]:
    """One measurement for all rounds of the same: medians, and the most memory. They keep their order."""
    groups: dict[tuple[str, ...], list[Measurement]] = {}
    for one in measurements:
        groups.setdefault((one.size, one.shape, one.engine, one.step, one.contestant), []).append(one)
    medians = ("wall", "cpu", "database_cpu", "api_cpu", "requests")
    return [
        replace(
            group[0],
            **{name: median(getattr(one, name) for one in group) for name in medians},
            peak_mb=max(one.peak_mb for one in group),
        )
        for group in groups.values()
    ]
