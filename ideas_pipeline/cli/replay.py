"""``ideas-pipeline replay``: rebuild the tables from the archived pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from ideas_pipeline.cli import options

if TYPE_CHECKING:
    from ideas_pipeline.settings import Settings
    from ideas_pipeline.sync.run import RunResult

_SHOWN = ("stream", "scopes", "seen", "inserted", "updated", "unchanged", "rejected")


@click.command()
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Use only pages received on or after this day, such as 2026-01-31.",
)
@options.only("Rebuild this stream alone, such as ideas.")
@options.as_json
@options.community
def replay(since: datetime | None, only: Sequence[str], as_json: bool) -> None:
    """Rebuild the tables from the archived pages, with today's contract. Sends nothing to the API.

    Use it after a change of the contract. The latest archived state of each list is loaded; nothing is marked as
    deleted, and the next sync continues as if there had been no replay. What is not archived stays as it is.

    \b
    Examples:  ideas-pipeline replay
               ideas-pipeline replay --only ideas --since 2026-01-31
    """
    from zoneinfo import ZoneInfo

    from ideas_pipeline.app import open_warehouse, privacy_of, rebuild_marts
    from ideas_pipeline.archive.convert import is_empty
    from ideas_pipeline.cli.output import progress
    from ideas_pipeline.cli.sync import EXIT_CODES
    from ideas_pipeline.errors import SettingsError
    from ideas_pipeline.privacy.archives import named
    from ideas_pipeline.sync.contract_fit import load_fitting_contract
    from ideas_pipeline.sync.replay import replay as replay_archive

    settings = options.load_settings()
    contract = load_fitting_contract(settings.contract)
    options.check_names(only, contract.streams, "--only")
    privacy = privacy_of(settings, contract)
    if is_empty(settings.archive):
        elsewhere = ""
        if settings.account_database:
            with open_warehouse(settings) as warehouse:
                places = privacy.other_archives(warehouse)
            elsewhere = f" Other machines have archives: {named(places)}. Replay there." if places else ""
        raise SettingsError(
            f"Nothing is archived in {settings.archive}. A sync archives what it reads, unless IDEAS_ARCHIVE_DAYS is 0."
            f"{elsewhere}"
        )
    with (
        open_warehouse(settings) as warehouse,
        progress() as shown,
    ):
        if places := privacy.other_archives(warehouse):
            shown.noted(
                f"Archives on other machines cannot be reached from here: {named(places)}. Lists whose latest sweep is"
                " archived there are left as they are. Replay there, too."
            )
        result = replay_archive(
            contract,
            warehouse,
            settings.archive,
            since=since and since.replace(tzinfo=ZoneInfo(settings.timezone)),
            streams=list(only) or None,
            progress=shown,
            privacy=privacy,
        )
        rebuild_marts(settings, warehouse)
    _print(settings, result, as_json=as_json)
    raise click.exceptions.Exit(EXIT_CODES[result.verdict])


def _print(settings: Settings, result: RunResult, *, as_json: bool) -> None:
    from ideas_pipeline.cli.output import console, problem, table

    if as_json:
        shown = options.which(settings) | {
            "run_id": result.run_id,
            "verdict": result.verdict,
            "streams": [s.shown() for s in result.streams],
        }
        print(json.dumps(shown, indent=2))
        return
    out = console()
    rows = [(*(s.shown()[name] for name in _SHOWN), "yes" if s.verdict == "complete" else "no") for s in result.streams]
    out.print(table((*_SHOWN, "complete?"), rows))
    for s in result.streams:
        if s.reason:
            out.print(options.for_community(problem(s.stream, s.verdict, s.reason), settings))
    if result.verdict == "complete" and not result.changed:
        out.print("Nothing changed: the tables are already as the contract says.")
