"""The real command on a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ideas_pipeline_tests.cli.command import COMMAND, command, environment
from ideas_pipeline_tests.processes import forked, started

COLUMNS, LINES = 80, 24


def on_a_terminal(*arguments: str, folder: Path, **variables: str) -> list[str]:
    """The lines that ``ideas-pipeline ARGUMENTS`` shows on a terminal of 80 × 24, without their colours."""
    shown, exit_code = _shown_on_a_terminal(arguments, folder, variables)
    assert exit_code == 0, shown
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).splitlines()


def all_on_a_terminal(*arguments: str, folder: Path, **variables: str) -> str:
    """All that ``ideas-pipeline ARGUMENTS`` sends to a terminal of 80 × 24."""
    return _shown_on_a_terminal(arguments, folder, variables)[0]


def _shown_on_a_terminal(arguments: tuple[str, ...], folder: Path, variables: dict[str, str]) -> tuple[str, int | None]:
    with _terminal() as (ours, theirs):
        files = (Path(os.devnull), Path(os.ttyname(theirs)), Path(os.ttyname(theirs)))
        with forked(command, arguments, folder, files, environment=environment(TERM="xterm", **variables)) as process:
            shown = b"".join(_output(ours, process.is_alive)).decode()
    return shown, process.exitcode


def dialogue(*arguments: str, typed: Sequence[str], folder: Path, **variables: str) -> str:
    """All that a terminal shows while a person types a line whenever ``ideas-pipeline ARGUMENTS`` asks for one."""
    shown = b""
    with _terminal() as (ours, theirs):
        files = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        with started([*COMMAND, *arguments], cwd=folder, env=environment(**variables), **files) as process:
            output = _output(ours, lambda: process.poll() is None)
            for line in typed:
                while not shown.endswith(b": "):
                    shown += next(output)
                shown += b"\n"
                os.write(ours, f"{line}\n".encode())
            shown += b"".join(output)
    return shown.decode()


@contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    """The end of a terminal at which a person sits, and that at which a program runs."""
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        yield ours, theirs
    finally:
        os.close(theirs)
        os.close(ours)


def _output(terminal: int, runs: Callable[[], bool]) -> Iterator[bytes]:
    """What a terminal shows until the program has ended."""
    seconds = 0.02
    while seconds:
        seconds = 0.02 if runs() else 0  # what was written just before the end is still to be read
        while select.select([terminal], [], [], seconds)[0]:
            yield os.read(terminal, 4096)
