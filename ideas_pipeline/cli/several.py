"""Run a command for several communities at once, each in its own process: one that fails leaves the others alone."""

from __future__ import annotations

import json
import multiprocessing
import os
import selectors
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from ideas_pipeline.cli.failures import STOPPED

# A copy of this process has imported the program already. macOS does not support that for its own libraries.
if sys.platform == "linux":
    _CONTEXT = multiprocessing.get_context("fork")
else:
    _CONTEXT = multiprocessing.get_context("spawn")
_CHUNK = 2**16
# Seconds that a stopped command has to end.
_GRACE = 10.0
_ERROR = "Error: "


@dataclass(frozen=True, slots=True)
class Done:
    """How the command ended for one community.

    Attributes:
        community: its name.
        exit_code: 0 done, 1 failed, 2 configuration, 3 incomplete.
        result: what the command printed as JSON; None if it printed nothing.
        error: the sentence that it printed instead; empty if there is none.
        seconds: how long it took.
        stopped: whether it ended early, or did not begin, because this process was interrupted.
    """

    community: str
    exit_code: int
    result: Mapping[str, Any] | None
    error: str
    seconds: float
    stopped: bool = False


@dataclass(slots=True)
class _Running:
    community: str
    process: BaseProcess
    started_at: float
    open: int = 2
    output: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)
    lines: list[str] = field(default_factory=list)


def run(command: Sequence[str], communities: Sequence[str], at_once: int, say: Callable[[str], None]) -> list[Done]:
    """Run ``ideas-pipeline COMMAND --community NAME --json`` for each community.

    Args:
        command: the command and its options.
        communities: their names.
        at_once: the most processes at a time.
        say: receives each line that a process writes to standard error, with the community's name before it.

    Returns:
        How each ended, in the order of ``communities``. Ctrl-C stops those that run, and no other begins.
    """
    waiting = deque(communities)
    running: list[_Running] = []
    done: dict[str, Done] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    running.append(_start(selector, command, waiting.popleft()))
                for one in _read(selector, None, say):
                    running.remove(one)
                    done[one.community] = _ended(one)
        except KeyboardInterrupt:  # the terminal sends it to all of them
            patience = time.monotonic() + _GRACE
            while running and (left := patience - time.monotonic()) > 0:
                for one in _read(selector, left, say):
                    running.remove(one)
                    done[one.community] = _ended(one)
        finally:
            _stop(running)
    return [done.get(name) or _stopped(name, begun=name not in waiting) for name in communities]


def _read(selector: selectors.BaseSelector, seconds: float | None, say: Callable[[str], None]) -> list[_Running]:
    """Wait for output of the processes, at most for so many seconds; return those that have closed it."""
    closed = []
    for key, _ in selector.select(seconds):
        one, kept, pipe = key.data
        if chunk := os.read(key.fd, _CHUNK):
            kept += chunk
            _say_lines(one, say)
            continue
        selector.unregister(pipe)
        pipe.close()
        one.open -= 1
        if not one.open:
            closed.append(one)
    return closed


def _start(selector: selectors.BaseSelector, command: Sequence[str], community: str) -> _Running:
    pipes = [_CONTEXT.Pipe(duplex=False) for _ in range(2)]
    theirs = [pipe[1] for pipe in pipes]
    arguments = [*command, "--community", community, "--json"]
    sys.stdout.flush()  # what is not written yet would be written by both processes
    process = _CONTEXT.Process(target=_be, args=(arguments, *theirs), daemon=True)
    process.start()
    one = _Running(community, process, time.monotonic())
    for (ours, other), kept in zip(pipes, (one.output, one.errors), strict=True):
        other.close()  # so that the end of the process is noticed
        selector.register(ours, selectors.EVENT_READ, (one, kept, ours))
    return one


def _be(arguments: Sequence[str], output: Connection, errors: Connection) -> None:
    """Be the process of ``ideas-pipeline ARGUMENTS``."""
    from ideas_pipeline.cli.main import main

    os.dup2(output.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    main(arguments, prog_name="ideas-pipeline")


def _say_lines(one: _Running, say: Callable[[str], None]) -> None:
    """Pass on the lines that are complete."""
    *lines, rest = bytes(one.errors).split(b"\n")
    one.errors[:] = rest
    for line in lines:
        text = line.decode("utf-8", "replace")
        one.lines.append(text)
        say(f"{one.community}: {text}")


def _stopped(community: str, *, begun: bool) -> Done:
    return Done(community, 1, None, STOPPED if begun else "stopped before it began.", 0.0, stopped=True)


def _ended(one: _Running) -> Done:
    one.process.join()
    code = one.process.exitcode or 0
    try:
        result = json.loads(bytes(one.output))
    except ValueError:
        result = None
    starts = [number for number, line in enumerate(one.lines) if line.startswith(_ERROR)]
    error = "\n".join(one.lines[starts[-1] :]).removeprefix(_ERROR) if starts else ""
    if code < 0:  # a signal ended it
        code, error = 1, f"its process was ended by signal {-code}"
    return Done(one.community, code, result, error, time.monotonic() - one.started_at, stopped=error == STOPPED)


def _stop(running: Sequence[_Running]) -> None:
    """End what still runs because this process is ending."""
    for one in running:
        one.process.terminate()
    for one in running:
        one.process.join()
