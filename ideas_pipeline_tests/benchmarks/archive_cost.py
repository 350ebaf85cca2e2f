"""What the archive of raw pages costs a full sync: with it and without it by turns, in one process.

The community has size S of ``harness``, its children are read per idea, and the warehouse is SQLite. CPU is this
process's own: on a busy machine it says more than the wall. The first pair warms up and is not counted.

Run by itself: python -m ideas_pipeline_tests.benchmarks.archive_cost [--pairs N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from ideas_pipeline.app import run_archive
from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.sync.run import Full
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.benchmarks.contestants import SHAPES
from ideas_pipeline_tests.benchmarks.harness import api_server
from ideas_pipeline_tests.end_to_end.pipeline import sync_with
from ideas_pipeline_tests.warehouse.batches import COMMUNITY


class Measured(NamedTuple):
    """One sync, in seconds, and what it archived, in megabytes."""

    wall: float
    cpu: float
    archived: float


def measure(api: IdeasApi, folder: Path, days: int) -> Measured:
    """A sync into a new warehouse in ``folder``, archived for ``days`` days; 0: not at all."""
    folder.mkdir()
    archived = folder / "archive"
    with Warehouse.open(f"sqlite:///{folder / 'warehouse.db'}", COMMUNITY) as warehouse:
        wall, cpu = time.perf_counter(), time.process_time()
        with run_archive(archived, "run", days, api.contract) as archive:
            verdict = sync_with(api, warehouse, mode=Full(), run_id="run", archive=archive).verdict
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if verdict != "complete":
        raise SystemExit(f"the sync did not complete: {verdict}")
    kept = sum(file.stat().st_size for file in archived.rglob("*") if file.is_file()) if days else 0
    return Measured(wall, cpu, kept / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=3)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "contract.yaml").write_text(SHAPES["children"])
        contract = load_contract(folder / "contract.yaml")
        with api_server("S", folder) as url:
            credentials = Credentials("benchmark", "any")
            api = IdeasApi.connect(contract, f"{url}v2/", credentials, FileHome(folder / "tokens.json", folder))
            without, with_it = list[Measured](), list[Measured]()
            for n in range(pairs + 1):
                without.append(measure(api, folder / f"without-{n}", 0))
                with_it.append(measure(api, folder / f"with-{n}", 30))
    print("             wall s   CPU s")
    for what, runs in (("without", without[1:]), ("with", with_it[1:])):
        wall, cpu = (statistics.median(r[i] for r in runs) for i in (0, 1))
        print(f"{what:<10}{wall:>9.2f}{cpu:>8.2f}")
    more = [statistics.median(b[i] / a[i] for a, b in zip(without[1:], with_it[1:], strict=True)) - 1 for i in (0, 1)]
    print(f"more      {more[0]:>9.1%}{more[1]:>8.1%}   ({with_it[-1].archived:.1f} MB archived)")


if __name__ == "__main__":
    main()
