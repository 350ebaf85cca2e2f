"""``ideas-pipeline backfill``: read a range of days again, or estimate what that costs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from ideas_pipeline.cli import options
from ideas_pipeline.text import counted

if TYPE_CHECKING:
    from ideas_pipeline.contract.model import Contract
    from ideas_pipeline.settings import Settings
    from ideas_pipeline.sync.run import Window

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--from", "first", type=_DAY, required=True, metavar="DATE", help="First day, such as 2026-01-31.")
@click.option("--to", "last", type=_DAY, required=True, metavar="DATE", help="Last day, inclusive.")
@options.only("Backfill only this stream, such as votes.")
@click.option("--dry-run", is_flag=True, help="Estimate requests and duration, and send nothing.")
@options.as_json
@options.community
def backfill(first: datetime, last: datetime, only: Sequence[str], dry_run: bool, as_json: bool) -> None:
    """Read the ideas, comments and votes again that were created on these days.

    Days begin and end at midnight in IDEAS_TIMEZONE. Afterwards the warehouse holds the records of these days as they
    are at the source now. Nothing is marked as deleted, and the nightly sync is not affected.

    \b
    Examples:  ideas-pipeline backfill --from 2026-03-01 --to 2026-03-31 --dry-run
               ideas-pipeline backfill --from 2026-03-28 --to 2026-03-28 --only votes
    """
    from ideas_pipeline.cli.lines import say
    from ideas_pipeline.cli.sync import configured, run
    from ideas_pipeline.sync.planning import dated, window_of

    if last < first:
        raise click.BadParameter("the last day is before --from", param_hint="--to")
    settings, contract = configured()
    streams = dated(contract)
    options.check_names(only, streams, "--only")
    wanted = [name for name in streams if name in only] if only else streams
    try:
        window = window_of(first.date(), last.date(), settings.timezone)
        window.start.astimezone(UTC)
    except OverflowError:  # the calendar of Python has no other days
        raise click.UsageError("the days must be between 0001-01-02 and 9999-12-30.") from None
    if dry_run:
        _print_cost(settings, contract, window, wanted, as_json=as_json)
        return
    say(_in_words(window, settings.timezone))
    raise click.exceptions.Exit(
        run(settings, contract, "ideas-pipeline backfill", window, only=wanted, as_json=as_json)
    )


def _print_cost(settings: Settings, contract: Contract, window: Window, streams: list[str], *, as_json: bool) -> None:
    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.cli.output import console, table
    from ideas_pipeline.sync.estimate import estimate
    from ideas_pipeline.times import duration

    with open_warehouse(settings) as warehouse:
        cost = estimate(warehouse, contract, window, streams)
    if as_json:
        shown = {"from": window.start, "to": window.end, "requests": cost.requests} | asdict(cost)
        print(json.dumps(options.which(settings) | shown, indent=2, default=datetime.isoformat))
        return
    out = console()
    out.print(_in_words(window, settings.timezone))
    rows = [(s.stream, s.lists, s.requests, s.asked_for) for s in cost.streams]
    out.print(table(("stream", "scopes", "requests", "requested from the API"), rows))
    if any(s.asked_for == "everything" for s in cost.streams):
        out.print("If everything is requested, the contract has no since and until for the stream: all of it is read,")
        out.print("and records of other days are dropped.")
    out.print(f"About {counted(cost.requests, 'request')} and {duration(cost.seconds)}: {cost.because}.")
    out.print("Estimated from the last sweep of each scope, without new scopes and retries.")
    if guessed := sum(s.lists - s.known for s in cost.streams):
        out.print(f"Never swept: {counted(guessed, 'scope')}, estimated from the counts of their parents.")
    if not any(s.lists for s in cost.streams):
        first = "The warehouse knows no scopes yet. First run: ideas-pipeline sync"
        out.print(options.for_community(first, settings))


def _in_words(window: Window, zone: str) -> str:
    first, end = f"{window.start:%Y-%m-%d %H:%M}", f"{window.end:%Y-%m-%d %H:%M}"
    days = (window.end.date() - window.start.date()).days
    hours = (window.end.timestamp() - window.start.timestamp()) / 3600
    return f"From {first} up to {end} in {zone}: {days:,} day{'s' if days > 1 else ''}, {hours:,.10g} hours."
