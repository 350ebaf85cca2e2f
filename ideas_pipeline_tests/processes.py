"""Processes that end with the test that starts them, also if the test fails, times out or its own process is killed."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

GRACE_SECONDS = 20
"""How long a process may take to end by itself after SIGTERM."""

# Ends the process groups that are still noted when its standard input ends, which is when the tests' process is gone.
_GUARDIAN = """
import os, signal, sys, time
groups = set()
for line in sys.stdin:
    what, group = line.split()
    (groups.add if what == "started" else groups.discard)(int(group))
for number in (signal.SIGTERM, signal.SIGKILL):
    for group in groups:
        try:
            os.killpg(group, number)
        except OSError:
            pass
    time.sleep(1 if groups else 0)
"""
_guardian: subprocess.Popen[str] | None = None

ROOT = Path(__file__).parents[1]
# Importing the program and its libraries takes a second, forking a process that has imported them a few milliseconds.
_PROGRAM = [
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for file in sorted((ROOT / "ideas_pipeline").rglob("*.py"))
    if file.stem not in ("__init__", "definitions") and file.parent.name != "defs"
]
_FORKSERVER = multiprocessing.get_context("forkserver")
_FORKSERVER.set_forkserver_preload(
    [
        "ideas_pipeline_tests",  # first, because of what it keeps out
        *_PROGRAM,
        # The program imports these when it first uses them.
        "pandas",
        "pyarrow.compute",
        "pyarrow.csv",
        "sqlalchemy.dialects.sqlite",
        "sqlalchemy.dialects.postgresql",
        "ideas_pipeline_tests.end_to_end.living",
    ]
)


def accept_interrupts() -> None:
    """Let Ctrl-C reach the processes that this one starts.

    A shell without job control starts background jobs with SIGINT ignored, and every process passes that on.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def started(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own. It and every process that it started have ended when the block ends.

    Args:
        command: The program and its arguments.
        options: Those of ``subprocess.Popen``. The process has no standard input unless ``stdin`` is given.
    """
    options = {"stdin": subprocess.DEVNULL, "text": True} | options
    with subprocess.Popen(command, start_new_session=True, **options) as process, group_ends(process.pid, process.poll):
        yield process


def run(command: Sequence[str | Path], *, timeout: float = 240, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a process to its end. The result's ``stdout`` and ``stderr`` hold what it wrote.

    Args:
        command: The program and its arguments.
        timeout: Seconds until it is killed, and ``subprocess.TimeoutExpired`` raised.
        options: Those of ``subprocess.Popen``.
    """
    with started(command, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options) as process:
        out, err = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@contextmanager
def forked(
    function: Callable[..., object], *arguments: Any, environment: Mapping[str, str] | None = None
) -> Iterator[BaseProcess]:
    """Call a function in a process that has imported the program already. It has ended when the block ends.

    Args:
        function: What to call, at the top level of a module.
        arguments: Its arguments, which are pickled.
        environment: The process's variables; those of this process unless given.
    """
    variables = dict(os.environ if environment is None else environment)
    process = _FORKSERVER.Process(target=_in_own_session, args=(variables, function, arguments), daemon=True)
    process.start()
    assert process.pid is not None
    try:
        with group_ends(process.pid, process.is_alive):
            yield process
    finally:
        process.kill()  # it may not have come as far as its own session
        process.join()


def at_the_same_time(function: Callable[..., Any], *calls: tuple[Any, ...]) -> list[Any]:
    """Call a function with each of these tuples of arguments at the same time, each in a process of its own.

    Returns:
        What the calls return. If one of them raises, ``EOFError`` is raised.
    """
    with ExitStack() as processes:
        answers = []
        for arguments in calls:
            ours, theirs = multiprocessing.Pipe(duplex=False)
            processes.enter_context(forked(_answer, theirs, function, arguments))
            theirs.close()  # so that a process that dies is noticed
            answers.append(ours)
        return [answer.recv() for answer in answers]


def _answer(pipe: Connection, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    pipe.send(function(*arguments))


def _in_own_session(variables: dict[str, str], function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    function(*arguments)


@contextmanager
def group_ends(group: int, reap: Callable[[], object] = lambda: None) -> Iterator[None]:
    """A block that no process of a process group outlives: SIGTERM first, SIGKILL after a grace.

    Args:
        group: The group's id.
        reap: Takes note of the end of the group's processes that are children of this one.
    """
    _note("started", group)
    try:
        yield
    finally:
        patience = time.monotonic() + GRACE_SECONDS
        there = _send(group, signal.SIGTERM)
        while there and time.monotonic() < patience:
            reap()
            time.sleep(0.005)
            there = _send(group, 0)
        if there:
            _send(group, signal.SIGKILL)
        _note("ended", group)


def _send(group: int, number: int) -> bool:
    """Whether there was a process to send the signal to."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS does not permit signals to zombies
        return False
    return True


def _note(what: str, group: int) -> None:
    """Tell the guardian, which outlives this process, even if SIGKILL ends it."""
    global _guardian
    if _guardian is None:
        command = [sys.executable, "-ISc", _GUARDIAN]
        _guardian = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)
        atexit.register(_guardian.communicate)
    assert _guardian.stdin is not None
    print(what, group, file=_guardian.stdin, flush=True)


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
