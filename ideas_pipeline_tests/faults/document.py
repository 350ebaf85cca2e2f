"""Write ``docs/faults.md`` from the tables of faults: python -m ideas_pipeline_tests.faults.document"""

from __future__ import annotations

from ideas_pipeline_tests.faults.api_faults import CURSORS, LASTING, LISTS, PASSING, STREAMS, ApiFault
from ideas_pipeline_tests.faults.machine_faults import MACHINE_FAULTS
from ideas_pipeline_tests.processes import ROOT

FILE = ROOT / "docs" / "faults.md"
_INTRODUCTION = """# Faults

What a run does when something goes wrong, and what it says. This page is written from the tables of the tests
(`python -m ideas_pipeline_tests.faults.document`), which try every line of it against the simulator:
no row that exists at the source is lost or marked as deleted, and **one run after the fault makes the warehouse equal
to the source**.
`make test` tries a sample of the faults of the API, `make soak` each of them on each stream, on SQLite and PostgreSQL.
"""

_CLOCKS = """
## A clock that is wrong

The wall clock of the machine may be set forward or back, by hours or years, between two runs or while one reads
(`faults/test_clocks.py`): no row is lost, no deletion is hidden, tokens and request budget hold. A list, a full run or
a watermark that is dated in the future proves nothing: the next run reads it again, and says that an earlier run is
dated in the future. The finding `freshness` says so, too. The run lock does not depend on the wall clock.

What a wrong clock does all the same: rows and history keep the times at which they were seen by that clock, and later
times of an idea's history follow them. A clock that is ahead removes archived pages and old rows of `_sync_scopes`
early, and lets a run count as the second of the two, a day apart, that must miss a deleted account before it is erased.
"""

_NIGHTS = """## Nights without end

`make soak` runs 500 nights, and 200 with random faults of the API, a day apart, in one process
(`end_to_end/test_soak.py`). What the rules keep is complete after 90 days; from then on, memory, file descriptors,
threads, the archive and `_sync_scopes` must not grow. What grows for ever is one row of `_sync_runs` and five of
`_sync_streams` per night, and the history of what changed. Measured on 27 November 2026, on SQLite:

| night | memory | descriptors | threads | archive | rows of `_sync_scopes` | `warehouse.db` |
|---|---|---|---|---|---|---|
| 50 | 206 MiB | 14 | 5 | 600 KiB | 493 | 600 KiB |
| 100 | 208 MiB | 14 | 5 | 604 KiB | 865 | 720 KiB |
| 200 | 207 MiB | 14 | 5 | 604 KiB | 866 | 836 KiB |
| 300 | 216 MiB | 14 | 5 | 600 KiB | 844 | 944 KiB |
| 400 | 208 MiB | 14 | 5 | 608 KiB | 866 | 1,056 KiB |
| 500 | 208 MiB | 14 | 5 | 604 KiB | 869 | 1,156 KiB |
"""


def document() -> str:
    """The page."""
    parts = [
        _INTRODUCTION,
        "## Faults of the API that pass or cost nothing\n",
        "The stream is complete in the same run.\n",
        *_lines(
            "| fault | streams |",
            [f"| {f.title} | {_streams(f)} |" for f in [*PASSING, *LISTS, *CURSORS] if not f.says],
        ),
        "\n## Faults of the API that last for the whole run\n",
        *_lines(
            "| fault | streams | the stream is | the reason contains |",
            [
                f"| {f.title} | {_streams(f)} | {f.ends} | {f.says.strip()} |"
                for f in [*LISTS, *CURSORS, *LASTING]
                if f.says
            ],
        ),
        "\nIf every cursor leads to another list, rows move to the list that shows them. The next run moves them back, "
        "and still says so.",
        "\n## Faults of the machine and the database\n",
        *_lines(
            "| fault | exit code | the message contains |",
            [f"| {f.title} | {_exit_code(f.exit_code)} | {f.says} |" for f in MACHINE_FAULTS.values()],
        ),
        "\nTwo nightly runs and a backfill that begin at the same moment wait for each other, and all succeed.",
        "A process that is killed at any moment has its own tests (`end_to_end/test_kills.py`).",
        "If PostgreSQL crashes and starts again while a run reads, the run goes on and is complete; if it does so in",
        "the mart build, the marts stay as they were (`faults/test_database_restarts.py`).",
        "A server that is frozen, or whose machine is gone, is as silent as one at work on a long statement. So a run",
        "waits for a statement as long as the server answers anybody, which it tries every minute, and gives up after",
        "ten minutes without an answer. A server that is down ends the run at once.",
        _CLOCKS,
        _NIGHTS.rstrip(),
    ]
    return "\n".join(parts) + "\n"


def _lines(head: str, rows: list[str]) -> list[str]:
    return [head, "|---" * (head.count("|") - 1) + "|", *rows]


def _streams(fault: ApiFault) -> str:
    return "all" if tuple(fault.streams) == STREAMS else ", ".join(fault.streams)


def _exit_code(code: int | None) -> str:
    return "1 or 2" if code is None else str(code)


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
