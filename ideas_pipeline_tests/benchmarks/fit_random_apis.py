"""How many values of a contract a person still types when ``fit`` meets 200 APIs that nobody has seen before.

Run by itself: python -m ideas_pipeline_tests.benchmarks.fit_random_apis [--apis N] [--first SEED] [--places]

A value counts if the default contract has it wrong for the API. Paths and headers that no vocabulary has are apart.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from ideas_pipeline_tests.fit.measuring import Dialogue, dialogue
from ideas_pipeline_tests.fit.random_apis import RandomSimulator, random_api


def measured(seed: int, visit: bool) -> Dialogue:
    """The dialogue with one API."""
    api = random_api(seed)
    with RandomSimulator(api) as simulator, tempfile.TemporaryDirectory() as folder:
        return dialogue(api, simulator, Path(folder), visit=visit)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--apis", type=int, default=200)
    parser.add_argument("--first", type=int, default=1, help="The first seed.")
    parser.add_argument("--places", action="store_true", help="List the places that are typed most often.")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.apis)
    print(
        "evidence                  APIs   values  typed  share  none typed  unknown  spoiled  requests (median, most)"
    )
    for name, visit in (("credentials", False), ("credentials and a HAR", True)):
        with ProcessPoolExecutor(2) as pool:
            done = list(pool.map(partial(measured, visit=visit), seeds))
        needed, typed = (sum(len(getattr(d, what)) for d in done) for what in ("needed", "typed"))
        unknown, spoiled = (sum(len(getattr(d, what)) for d in done) for what in ("unknown", "spoiled"))
        none = sum(not d.typed for d in done)
        requests = sorted(count for d in done for count in d.requests)
        print(
            f"{name:<25}{len(done):>5}{needed:>9}{typed:>7}{typed / needed:>7.1%}{none:>12}{unknown:>9}{spoiled:>9}"
            f"{requests[len(requests) // 2]:>10}, {requests[-1]}"
        )
        if arguments.places:
            for what in ("typed", "spoiled"):
                counted = Counter(place for d in done for place in getattr(d, what))
                for place, count in counted.most_common(40):
                    print(f"    {what} {count:>4}  {place}")


if __name__ == "__main__":
    main()
