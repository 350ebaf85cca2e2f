"""Output for people: tables and progress bars on a terminal, plain lines elsewhere.

Each text becomes one line, or one cell of a table, whatever it contains: see ``visible``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from ideas_pipeline.cli.lines import say
from ideas_pipeline.text import counted
from ideas_pipeline.visible import visible

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ideas_pipeline.sync.run import Progress as SyncProgress
    from ideas_pipeline.sync.run import StreamResult

_PLAIN_WIDTH = 200
_SECONDS_BETWEEN_LINES = 10.0
COLOURS = {"complete": "green", "yes": "green", "incomplete": "yellow", "no": "yellow", "failed": "red", "never": "red"}


class _Console(Console):
    """Prints each text as one line, and ignores rich's markup. ``as_text`` makes a text that has a style."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(as_text(one) if isinstance(one, str) else one for one in objects), **options)


def console(stream: IO[str] | None = None) -> Console:
    """A console on ``stream`` (standard output by default) that does not truncate lines when the output is piped."""
    stream = stream or sys.stdout
    # Rich's own escape sequences must pass; every other text is made visible before it is printed.
    styled = getattr(stream, "styled", stream)
    return _Console(file=styled, highlight=False, width=None if stream.isatty() else _PLAIN_WIDTH)


def as_text(line: str, style: str = "") -> Text:
    """A line, or a cell of a table, to print on a console."""
    return Text(visible(line), style=style)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Rows under headers: numbers right-aligned with thousands separators, verdicts in colour, None as a dash."""
    rows = [list(row) for row in rows]
    # Nine columns of numbers fit in 80 characters; if space is short, only columns of words wrap.
    shown = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for position, header in enumerate(headers):
        cells = [row[position] for row in rows]
        numbers = any(isinstance(cell, int) for cell in cells)
        words = any(" " in str(cell) for cell in cells)
        shown.add_column(as_text(header), justify="right" if numbers else "left", no_wrap=not words)
    for row in rows:
        shown.add_row(*(_cell(value) for value in row))
    return shown


def _cell(value: object) -> Text:
    text = "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    return as_text(text, COLOURS.get(text, ""))


def place(url: sa.URL) -> str:
    """The address of a warehouse without its password, which can also be in the query string."""
    return str(url.database) if url.get_backend_name() == "sqlite" else url.set(query={}).render_as_string()


def problem(stream: str, verdict: str, reason: str) -> str:
    """Say in a sentence why a stream is ``incomplete`` or has ``failed``."""
    return f"{stream} {'failed' if verdict == 'failed' else 'is incomplete'}: {reason}"


@contextmanager
def progress() -> Iterator[SyncProgress]:
    """Show the progress of a sync on standard error: bars on a terminal, a line every few seconds elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<11}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("scopes {task.fields[rows]:>9,} rows {task.fields[requests]:>7,} requests"),
    )
    with Progress(*columns, console=console(sys.stderr)) as bars:
        yield _Bars(bars)


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def waiting(self, reason: str) -> None:
        self._bars.console.print(reason)

    def noted(self, sentence: str) -> None:
        self._bars.console.print(sentence)

    def stream_started(self, stream: str, scopes: int) -> None:
        self._tasks[stream] = self._bars.add_task(visible(stream), total=scopes, rows=0, requests=0)

    def scope_done(self, stream: str, rows: int, requests: int) -> None:
        task = self._bars.tasks[self._tasks[stream]]
        counts = {"rows": task.fields["rows"] + rows, "requests": task.fields["requests"] + requests}
        self._bars.update(task.id, advance=1, **counts)

    def stream_finished(self, result: StreamResult) -> None:
        task = self._tasks.get(result.stream)
        if task is not None:
            self._bars.update(task, rows=result.counts.seen, requests=result.counts.requests)
            self._bars.stop_task(task)


class _Lines:
    def __init__(self) -> None:
        self._scopes: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._written_at = time.monotonic()

    def waiting(self, reason: str) -> None:
        self._say(reason)

    def noted(self, sentence: str) -> None:
        self._say(sentence)

    def stream_started(self, stream: str, scopes: int) -> None:
        self._scopes[stream], self._done[stream] = scopes, 0
        self._say(f"{stream}: reading {counted(scopes, 'scope')}")

    def scope_done(self, stream: str, rows: int, requests: int) -> None:
        self._done[stream] += 1
        if time.monotonic() - self._written_at > _SECONDS_BETWEEN_LINES:
            self._say(f"{stream}: {self._done[stream]:,} of {self._scopes[stream]:,} scopes read")

    def stream_finished(self, result: StreamResult) -> None:
        requests = counted(result.counts.requests, "request")
        self._say(f"{result.stream}: {result.verdict}, {result.counts.seen:,} seen in {requests}")

    def _say(self, line: str) -> None:
        self._written_at = time.monotonic()
        say(line)
