"""``make bench``: our sync, a tuned dlt pipeline and a bare script, in turn, on the same lists of the same server.

    first       a first sync into an empty database
    unchanged   a night in which nothing changed
    changed     a night after 1 % of the ideas have changed, with their comments and votes
    full        everything is read again

Each measurement is a whole command, start-up included, and is appended to a file at once, so that an interrupted run
still gives a page. ``docs/performance.md`` is that page, and says what each contestant does.

Run by itself: python -m ideas_pipeline_tests.benchmarks.harness --sizes S L 2L [--shapes …] [--engines …] [--rounds N]
               python -m ideas_pipeline_tests.benchmarks.harness --from .bench/results.jsonl
"""

from __future__ import annotations

import argparse
import compileall
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from ideas_pipeline_tests.benchmarks.community import COMMUNITIES
from ideas_pipeline_tests.benchmarks.contestants import (
    CONTESTANTS,
    DLT,
    DLT_WHOLE,
    SHAPES,
    STEPS,
    Command,
    Place,
    command,
    rows,
)
from ideas_pipeline_tests.benchmarks.databases import ENGINES, Databases, databases
from ideas_pipeline_tests.benchmarks.dlt_environment import dlt_python
from ideas_pipeline_tests.benchmarks.page import write
from ideas_pipeline_tests.benchmarks.results import Measurement, append, read, this_run
from ideas_pipeline_tests.benchmarks.targets import LATENCY_MS
from ideas_pipeline_tests.processes import ROOT

KEPT = ROOT / ".bench"
PAGE = ROOT / "docs" / "performance.md"
MINUTES = {"tiny": 1, "S": 6, "L/5": 30, "L": 150, "2L": 300}
"""What a size takes with all shapes and engines, on two quiet cores."""


class Failed(Exception):
    """A contestant failed, or its database does not hold what the API has."""


class Cell:
    """All steps of all contestants with one shape of lists and one engine, against one server of the API."""

    def __init__(self, api: str, shape: str, places: Databases, folder: Path, dlt: Path | None) -> None:
        self._api = api
        self._shape = shape
        self._databases = places
        self._folder = folder
        self._dlt = dlt

    def measurements(self, steps: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The measurements, without what names the cell: for each step, one contestant after the other."""
        self._control("reset")
        places = {}
        for contestant in CONTESTANTS:
            folder = self._folder / contestant.replace(", ", "_").replace(" ", "_")
            folder.mkdir()
            places[contestant] = Place(folder, self._databases.new(), self._api, self._shape)
        places[DLT_WHOLE] = places[DLT]  # the same pipeline, and another way to spend a night
        for step in steps:
            if step == "changed":
                self._control("change")
            for contestant, place in places.items():
                if wanted := command(contestant, step, place, self._dlt):
                    yield {"step": step, "contestant": contestant} | self._measured(contestant, step, wanted, place)

    def _measured(self, contestant: str, step: str, wanted: Command, place: Place) -> dict[str, Any]:
        before, database = self._control("state"), self._databases.cpu()
        log = place.folder / "log"
        with log.open("w") as out:
            began = time.monotonic()
            process = subprocess.Popen(
                wanted.arguments, env=wanted.environment, cwd=place.folder, stdout=out, stderr=subprocess.STDOUT
            )
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                process.kill()
                raise
            wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Failed(f"{contestant}, {step}: exit code {process.returncode}\n{log.read_text()[-2000:]}")
        after = self._control("state")
        has = rows(contestant, place.database)
        _compare(contestant, step, has, after["records"])
        return {
            "wall": round(wall, 2),
            "cpu": round(usage.ru_utime + usage.ru_stime, 2),
            "database_cpu": round(self._databases.cpu() - database, 2),
            "api_cpu": round(after["cpu"] - before["cpu"], 2),
            "peak_mb": round(usage.ru_maxrss / 1024),
            "requests": after["requests"],
            "rows": sum(has.values()),
            "records": sum(after["records"].values()),
        }

    def _control(self, action: str) -> Any:
        return requests.post(f"{self._api}control/{action}", timeout=600).json()


def _compare(contestant: str, step: str, has: dict[str, int], records: dict[str, int]) -> None:
    """Raise Failed if a database has other rows than the API. dlt does not read people at night."""
    left_out = {"users"} if contestant in (DLT, DLT_WHOLE) and step in ("unchanged", "changed") else set[str]()
    wrong = {name: (has[name], records[name]) for name in has if has[name] != records[name] and name not in left_out}
    if wrong:
        raise Failed(f"{contestant}, {step}: rows in the database, and records of the API: {wrong}")


@contextmanager
def api_server(size: str, folder: Path, latency_ms: float = LATENCY_MS) -> Iterator[str]:
    """The base URL of the API's server, in a process of its own."""
    ready = folder / "ready.json"
    module = "ideas_pipeline_tests.benchmarks.api_server"
    process = subprocess.Popen([sys.executable, "-m", module, size, str(latency_ms), str(ready)], cwd=ROOT)
    try:
        while not ready.exists():
            if process.poll() is not None:
                raise Failed("the server of the API did not start")
            time.sleep(0.1)
        yield json.loads(ready.read_text())
    finally:
        process.terminate()
        process.wait()


def run(
    size: str, cells: Sequence[tuple[str, str]], rounds: int, dlt: Path | None, steps: Sequence[str] = STEPS
) -> Iterator[Measurement]:
    """The measurements of one size.

    Args:
        size: One of ``COMMUNITIES``.
        cells: Shapes of lists, each with an engine.
        rounds: How often everything is measured.
        dlt: The Python of dlt's environment; None leaves dlt out.
        steps: What is measured, in this order.
    """
    name = this_run()
    with tempfile.TemporaryDirectory(prefix="ideas-bench-") as temporary, api_server(size, Path(temporary)) as api:
        for number in range(1, rounds + 1):
            for shape, engine in cells:
                folder = Path(temporary) / f"{number}-{shape}-{engine}"
                folder.mkdir()
                with databases(engine, folder) as places:
                    for measured in Cell(api, shape, places, folder, dlt).measurements(steps):
                        yield Measurement(name, size, shape, engine, number, **measured)
                shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", nargs="+", choices=COMMUNITIES, default=["S"])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--results", type=Path, default=KEPT / "results.jsonl", help="The file to append to.")
    parser.add_argument("--from", type=Path, dest="rendered", help="Measure nothing; write the page of this file.")
    parser.add_argument("--page", type=Path, default=PAGE, help="The page whose figures are written.")
    arguments = parser.parse_args()
    if arguments.rendered is None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that servers and files are removed
        measure(arguments)
    write(arguments.page, read(arguments.rendered or arguments.results))


def measure(arguments: argparse.Namespace) -> None:
    """Measure what the arguments say, print each measurement, and append it to the file of results."""
    cells = list(itertools.product(arguments.shapes, arguments.engines))
    share = len(cells) / len(SHAPES) / len(ENGINES) * arguments.rounds
    minutes = round(sum(MINUTES[size] for size in arguments.sizes) * share)
    print(
        f"A first sync, an unchanged night, a night with 1 % changed and a full read, by our sync, dlt and a bare "
        f"script:\n{', '.join(arguments.sizes)} with {', '.join(arguments.shapes)} on {', '.join(arguments.engines)}; "
        f"about {max(1, minutes)} minutes on two quiet cores.\n"
        f"Results go to {arguments.results}, then to {arguments.page}.",
        flush=True,
    )
    arguments.results.parent.mkdir(exist_ok=True)
    dlt = dlt_python(KEPT / "dlt")
    compileall.compile_dir(ROOT / "ideas_pipeline", quiet=1)  # as pip does with what it installs
    print(f"{'size':<6}{'lists':<10}{'engine':<12}{'step':<11}{'contestant':<19}{'wall s':>8}{'CPU s':>8}{'DB s':>7}")
    for size in arguments.sizes:
        for one in run(size, cells, arguments.rounds, dlt):
            append(arguments.results, one)
            place = f"{one.size:<6}{one.shape:<10}{one.engine:<12}{one.step:<11}{one.contestant:<19}"
            print(f"{place}{one.wall:>8.1f}{one.cpu:>8.1f}{one.database_cpu:>7.1f}", flush=True)


if __name__ == "__main__":
    main()
