"""``ideas-pipeline sync --all``: sync every community, several at once, and report one row for each."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from typing import Any

from ideas_pipeline.cli import several
from ideas_pipeline.cli.lines import say

# The worst first.
_VERDICTS = {1: "failed", 2: "failed", 3: "incomplete", 0: "complete"}
_COUNTS = ("requests", "seen", "inserted", "updated", "rejected")


def sync_all(command: Sequence[str], at_once: int, *, as_json: bool) -> int:
    """Sync every community, print the result, and return the exit code: of the community that is worst off.

    Ctrl-C ends it early: the result says which communities were stopped.

    Args:
        command: ``sync`` and its options.
        at_once: the most communities at a time.
        as_json: print the result as JSON.

    Raises:
        KeyboardInterrupt: it was interrupted; the result is printed.
    """
    from ideas_pipeline.communities import community_names

    importlib.import_module("ideas_pipeline.app")  # once, before the processes are copied from this one
    done = several.run(command, community_names(), at_once, say)
    code = next(code for code in _VERDICTS if any(one.exit_code == code for one in done))
    if as_json:
        print(json.dumps({"verdict": _VERDICTS[code], "communities": [_shown(one) for one in done]}, indent=2))
    else:
        _print(done)
    if any(one.stopped for one in done):
        raise KeyboardInterrupt
    return code


def _verdict(one: several.Done) -> str:
    return "stopped" if one.stopped else _VERDICTS[one.exit_code]


def _shown(one: several.Done) -> dict[str, Any]:
    error = {"error": one.error} if one.error else {}
    known = {"community": one.community, "exit_code": one.exit_code, "verdict": _verdict(one)}
    return known | dict(one.result or {}) | error


def _print(done: Sequence[several.Done]) -> None:
    from ideas_pipeline.cli.output import console, problem, table
    from ideas_pipeline.text import in_one_line
    from ideas_pipeline.times import duration

    out = console()
    rows = []
    for one in done:
        streams = one.result["streams"] if one.result else []
        counts = [sum(s[name] for s in streams) if one.result else None for name in _COUNTS]
        rows.append((one.community, _verdict(one), *counts, duration(one.seconds)))
    out.print(table(("community", "sync", *_COUNTS, "took"), rows))
    for one in done:
        for s in one.result["streams"] if one.result else []:
            if s["reason"]:
                out.print(f"{one.community}: {problem(s['stream'], s['verdict'], s['reason'])}")
        if one.error and not one.stopped:
            out.print(f"{one.community} failed: {in_one_line(one.error)}")
    if any(one.exit_code and not one.stopped for one in done):
        out.print("What needs attention: ideas-pipeline status --all")
