"""``ideas-pipeline``: the command group. Each command is a module of its own, imported when it is called."""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

import click
from click.shell_completion import CompletionItem

from ideas_pipeline.visible import visible, visible_lines

# The short help is here, so that listing the commands imports none of them.
COMMANDS = {
    "init": "Write a commented .env to fill in.",
    "fit": "Write the contract file: from the live API, and from files that describe it.",
    "check": "Compare the live API with the contract, step by step.",
    "sync": "Bring the warehouse up to date.",
    "backfill": "Read a range of days again, or estimate what that costs.",
    "status": "Show what needs attention, and when each stream was last complete.",
    "rejects": "List, show or retry rejected records.",
    "absences": "List held absences, or confirm that the rows were deleted.",
    "replay": "Rebuild the tables from archived pages, without the API.",
    "erase": "Erase a person everywhere, and keep the person out.",
    "report": "Write the community report, one page of figures and charts.",
    "export": "Write the tables and marts to Parquet files.",
    "grant-analyst": "Let a database role read the warehouse, and nothing more.",
    "marts": "Rebuild the marts; a sync does so by itself.",
    "contract": "Show, validate or compare the contract.",
    "dictionary": "Write the data dictionary: what every table and column means.",
    "simulate": "Serve a simulated community to try things out.",
    "demo": "Sync two simulated communities into .demo/warehouse.db.",
}

_GARBAGE_AFTER = 10_000


class _Commands(click.Group):
    """Loads ``sync`` from ``ideas_pipeline.cli.sync`` when it is called, and turns exceptions into sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = importlib.import_module(f"ideas_pipeline.cli.{name}")
        command: click.Command = getattr(module, name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete without importing every command, which makes Tab eight times slower."""
        names = [CompletionItem(name, help=what) for name, what in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, *args: Any, **extra: Any) -> Any:
        # By default Python collects garbage after 700 new objects, and once more, over all modules, at exit. Most
        # objects here live on, so that took a third of a short command's time, and a sixth of a full sync's.
        gc.set_threshold(_GARBAGE_AFTER)
        atexit.register(gc.freeze)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # as standard error has it: an encoding can lack letters
        # With `>&-` the shell closes standard output: nothing is to be written.
        output = _Output(sys.stdout or io.StringIO())
        sys.stdout = cast("TextIO", _Visible(cast("TextIO", output)))
        sys.stderr = cast("TextIO", _Visible(sys.stderr or io.StringIO()))
        try:
            return super().main(*args, **extra)
        finally:
            if output.refused:  # Python flushes once more at exit, and would print a traceback
                os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())

    def invoke(self, ctx: click.Context) -> Any:
        _log_in_lines()
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError:
            raise  # its message is our own help, with its line feeds
        except click.ClickException as error:
            from ideas_pipeline.cli.failures import worded

            # Click never changes the message, so its type says that it is final.
            vars(error)["message"] = worded(visible(error.message))
            raise
        except (click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click handles them; a closed pipe is not a failure: its reader has seen enough
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place that turns errors into sentences
            from ideas_pipeline.cli.failures import failure

            raise failure(error) from None


class _Visible:
    """An output that makes all that is written visible, except line feeds.

    ``styled``: the output as it is, for rich, which writes escape sequences of its own.
    """

    def __init__(self, styled: TextIO) -> None:
        self.styled = styled

    def __getattr__(self, name: str) -> Any:
        return getattr(self.styled, name)

    def write(self, text: str) -> int:
        self.styled.write(visible_lines(text))
        return len(text)


def _log_in_lines() -> None:
    """Write warnings, also those of libraries, to standard error, one line each."""
    import logging

    from ideas_pipeline.logs import one_line

    # Python's own handler for programs that set up no logging.
    if logging.lastResort:
        logging.lastResort.addFilter(one_line)


class _Output:
    """Standard output whose write errors, such as a full disk, name the output as their cause."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.refused = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._naming_the_output():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._naming_the_output():
            self._stream.flush()

    @contextmanager
    def _naming_the_output(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            self.refused = True
            raise click.ClickException(f"the output cannot be written: {error.strerror}.") from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="ideas_pipeline")
def main() -> None:
    """Keep a SQL warehouse true to a Medallia Ideas (formerly Crowdicity) community.

    \b
    First time:   ideas-pipeline init      write .env with your API client's id and secret
                  ideas-pipeline fit       write the contract file, as the live API shows it
                  ideas-pipeline check     compare the live API with the contract
                  ideas-pipeline sync      fill the warehouse
    No API yet:   ideas-pipeline demo      the same against a simulated community

    \b
    Exit codes:   0 done, 1 failed, 2 usage or configuration, 3 done but incomplete.
    IDEAS_DEBUG=1 adds the traceback to an error.

    \b
    Tab completion, for zsh and fish with their names in place of bash:
                  eval "$(_IDEAS_PIPELINE_COMPLETE=bash_source ideas-pipeline)"
    """
