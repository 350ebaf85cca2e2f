"""``ideas-pipeline backfill``: some days anew, and what that would cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from ideas_pipeline.cli import options

if TYPE_CHECKING:
    from ideas_pipeline.contract.model import Contract
    from ideas_pipeline.settings import Settings
    from ideas_pipeline.sync.run import Window

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--from", "first", type=_DAY, required=True, metavar="DATE", help="The first day, such as 2026-01-31.")
@click.option("--to", "last", type=_DAY, required=True, metavar="DATE", help="The last day; it is included.")
@options.only("Backfill this stream alone, such as votes.")
@click.option("--dry-run", is_flag=True, help="Say how many requests it would take, and about how long. Sends nothing.")
@options.as_json
def backfill(first: datetime, last: datetime, only: Sequence[str], dry_run: bool, as_json: bool) -> None:
    """Read anew what belongs to these days: ideas, comments and votes by the time at which they were made.

    Days begin and end at midnight in IDEAS_TIMEZONE. Afterwards everything of these days is in the warehouse as it is
    at the source now. Nothing is marked as deleted, and the nightly sync goes on as if there had been no backfill.

    \b
    Examples:  ideas-pipeline backfill --from 2026-03-01 --to 2026-03-31 --dry-run
               ideas-pipeline backfill --from 2026-03-28 --to 2026-03-28 --only votes
    """
    from ideas_pipeline.cli.output import say
    from ideas_pipeline.cli.sync import configured, run
    from ideas_pipeline.sync.planning import dated, window_of

    if last < first:
        raise click.BadParameter("it is before --from", param_hint="--to")
    settings, contract = configured()
    streams = dated(contract)
    options.check_names(only, streams, "--only")
    wanted = [name for name in streams if name in only] if only else streams
    try:
        window = window_of(first.date(), last.date(), settings.timezone)
        window.start.astimezone(UTC)
    except OverflowError:  # the calendar ends there
        raise click.UsageError("the days lie between 0001-01-02 and 9999-12-30.") from None
    if dry_run:
        _say_cost(settings, contract, window, wanted, as_json=as_json)
        return
    say(_in_words(window, settings.timezone))
    raise click.exceptions.Exit(
        run(settings, contract, "ideas-pipeline backfill", window, only=wanted, as_json=as_json)
    )


def _say_cost(settings: Settings, contract: Contract, window: Window, streams: list[str], *, as_json: bool) -> None:
    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.cli.output import console, table
    from ideas_pipeline.sync.estimate import estimate
    from ideas_pipeline.times import duration

    with open_warehouse(settings) as warehouse:
        cost = estimate(warehouse, contract, window, streams)
    if as_json:
        shown = {"from": window.start, "to": window.end, "requests": cost.requests} | asdict(cost)
        print(json.dumps(shown, indent=2, default=datetime.isoformat))
        return
    out = console()
    out.print(_in_words(window, settings.timezone))
    rows = [(s.stream, s.lists, s.requests, s.asked_for) for s in cost.streams]
    out.print(table(("stream", "lists", "requests", "the API is asked for"), rows))
    if any(s.asked_for == "everything" for s in cost.streams):
        out.print("Where the API is asked for everything, the contract names no since and until: all is read, and")
        out.print("what is not of these days is left out here.")
    out.print(f"About {cost.requests:,} requests and {duration(cost.seconds)}: {cost.because}.")
    out.print("Told from the lists as they were last read. New lists, trouble and retries come on top.")
    if guessed := sum(s.lists - s.known for s in cost.streams):
        out.print(f"{guessed:,} lists were never read: counted by what their parent says.")
    if not any(s.lists for s in cost.streams):
        out.print("The warehouse knows no lists yet. Run first: ideas-pipeline sync")


def _in_words(window: Window, zone: str) -> str:
    first, end = f"{window.start:%Y-%m-%d %H:%M}", f"{window.end:%Y-%m-%d %H:%M}"
    days = (window.end.date() - window.start.date()).days
    hours = (window.end.timestamp() - window.start.timestamp()) / 3600
    return f"From {first} to before {end} in {zone}: {days:,} day{'s' if days > 1 else ''}, {hours:,.10g} hours."
