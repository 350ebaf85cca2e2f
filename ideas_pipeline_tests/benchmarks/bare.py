"""The bare script: read what the dlt pipeline reads, decode it, and throw it away. No client can cost less CPU.

Run by itself: python -m ideas_pipeline_tests.benchmarks.bare BASE_URL SHAPE STATE_FILE [night]

Lists are flat unless SHAPE is ``children``. A night reads what changed since the latest time that the run before saw,
which the state file holds.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ideas_pipeline_tests.benchmarks.reading import Api, Row


def main(base_url: str, shape: str, state: str, night: str = "") -> None:
    api = Api(base_url)
    kept = Path(state)
    since = kept.read_text() if night else ""
    latest, ideas = since, list[str]()

    def take(records: list[Row]) -> None:
        nonlocal latest
        latest = max([latest, *(record["updated_at"] for record in records)])

    challenges = [record["id"] for page in api.pages("challenges") for record in page.records]
    if not night:
        for _ in api.pages("users"):
            pass
    if shape == "children":
        for page in api.children(challenges, "challenges/{}/ideas"):
            take(page.records)
            ideas += [record["id"] for record in page.records if record["updated_at"] > since]
        for name in ("comments", "votes"):
            for _ in api.children(ideas, f"ideas/{{}}/{name}"):
                pass
    else:
        for name in ("ideas", "comments", "votes"):
            for page in api.pages(name, since or None):
                take(page.records)
    kept.write_text(latest)


if __name__ == "__main__":
    main(*sys.argv[1:])
