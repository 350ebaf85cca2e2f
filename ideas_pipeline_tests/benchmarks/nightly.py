"""How many requests a night takes when nothing changed, and when 1 % of the ideas did, and how few would do.

2,000 ideas, 10,000 comments, 30,000 votes, 3,000 people, children read per idea. Requests are counted by the simulator.

    minimum        the parent lists, and the lists of the ideas that changed, each as often as it takes to prove it
    verification   lists without a sign of a change that are read all the same: the configured share of them

Run by itself: python -m ideas_pipeline_tests.benchmarks.nightly
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.sync.planning import VERIFY_DAYS
from ideas_pipeline.sync.run import Full, Incremental
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, sync
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

CHILDREN = ("comments", "votes")
CONTRACT = contract_with({"limits": {"concurrency": 32}})


class Night(NamedTuple):
    """What one night cost."""

    requests: int
    verification: int
    minimum: int
    rows_written: int
    wall: float


def night(simulator: Simulator, warehouse: Warehouse, folder: Path, changed: set[str]) -> Night:
    """One incremental sync after the ideas ``changed`` have changed."""
    simulator.reset_log()
    started = time.monotonic()
    result = sync(simulator, warehouse, folder, mode=Incremental())
    wall = time.monotonic() - started
    if result.verdict != "complete":
        raise SystemExit(f"the night was not complete: {[s.reason for s in result.streams]}")
    lists = [r for r in simulator.log if r.stream in CONTRACT.streams]
    verification = sum(r.stream in CHILDREN and r.scope not in changed for r in lists)
    minimum = fewest_requests(CONTRACT, simulator.tables, changed)
    written = sum(s.counts.inserted + s.counts.updated + s.counts.embedded + s.counts.absent for s in result.streams)
    return Night(len(lists), verification, minimum, written, wall)


def fewest_requests(contract: Contract, tables: Tables, changed: set[str]) -> int:
    """One request a page of the parent lists, and of the lists of the ideas that changed."""
    requests = 0
    for stream, spec in contract.streams.items():
        size = getattr(spec.paging, "size", 100)
        scopes = changed if stream in CHILDREN else ({""} if not spec.each else set(tables["challenges"]))
        counts = dict.fromkeys(scopes, 0)
        for row in tables[stream].values():
            scope = row[spec.each.placeholder] if spec.each else ""
            if scope in counts:
                counts[scope] += 1
        for count in counts.values():
            sweeps = 2 if stream in CHILDREN and count > size else 1  # new rows on several pages take a second look
            requests += sweeps * (max(1, -(-count // size)) + (count > 0 and count % size == 0))
    return requests


def change(simulator: Simulator, share: float) -> set[str]:
    """Every so many ideas: an edit, a comment more, and what the parent says of it."""
    with simulator.changing() as tables:
        ideas = list(tables["ideas"])[:: round(1 / share)]
        for idea in ideas:
            row = tables["ideas"][idea]
            row["title"] = f"{row['title']} (edited)"
            row["updated_at"] = "2026-11-23T00:00:00Z"
            row["comment_count"] += 1
            tables["comments"][f"new-{idea}"] = {
                "id": f"new-{idea}",
                "idea_id": idea,
                "author_id": row["author_id"],
                "body": "One more",
                "created_at": "2026-11-23T00:00:00Z",
            }
        return set(ideas)


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        Warehouse.open(f"sqlite:///{Path(name) / 'warehouse.db'}", COMMUNITY) as warehouse,
        Simulator(CONTRACT, generate("medium", seed=1)) as simulator,
    ):
        folder = Path(name)
        sync(simulator, warehouse, folder, mode=Full())
        full = len([r for r in simulator.log if r.stream in CONTRACT.streams])
        print(f"a full first sync took {full} requests; every list is verified within {VERIFY_DAYS} nights")
        print(
            f"{'night':<22}requests  verification  minimum  (requests - verification) / minimum  rows written  wall s"
        )
        for title, share in (("nothing changed", 0.0), ("1 % of ideas changed", 0.01)):
            changed = change(simulator, share) if share else set[str]()
            cost = night(simulator, warehouse, folder, changed)
            ratio = (cost.requests - cost.verification) / cost.minimum
            print(
                f"{title:<22}{cost.requests:>8}{cost.verification:>14}{cost.minimum:>9}"
                f"{ratio:>37.2f}{cost.rows_written:>14}{cost.wall:>8.1f}"
            )


if __name__ == "__main__":
    main()
