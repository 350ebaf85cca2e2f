"""``ideas-pipeline absences``: list held absences, or confirm that the rows were deleted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ideas_pipeline.cli import options

if TYPE_CHECKING:
    from ideas_pipeline.settings import Settings
    from ideas_pipeline.warehouse.absences import Held
    from ideas_pipeline.warehouse.warehouse import Warehouse

# More scopes than this with the same reason share one line.
_MANY_SCOPES = 10


@click.group()
def absences() -> None:
    """List the rows whose absence is held, or confirm that they were deleted.

    A row is absent when a complete sweep did not bring it. An absence is held when too many rows are absent at once, or
    when the API's account may have lost rights: nothing is marked as deleted until somebody confirms it.

    \b
    Examples:  ideas-pipeline absences list
               ideas-pipeline absences confirm --stream comments --dry-run
    """


@absences.command("list")
@options.as_json
@options.community
def list_(as_json: bool) -> None:
    """Count the held rows by stream, scope and reason.

    \b
    Example:  ideas-pipeline absences list
    """
    from ideas_pipeline.cli.output import console, table

    settings = options.load_settings()
    with _held(settings) as (_, found):
        pass
    counts = Counter((row.stream, row.scope, row.because) for row in found)
    if as_json:
        names = ("stream", "scope", "reason", "rows")
        print(json.dumps([dict(zip(names, (*what, n), strict=True)) for what, n in counts.items()], indent=2))
        return
    out = console()
    if not counts:
        out.print("No absence is held.")
        return
    out.print(table(("stream", "scope", "rows", "reason"), _lines(counts)))
    out.print("Held rows count as live. If the API's account lost rights, restore them and sync: the rows come back.")
    confirm_them = "If the rows were deleted:  ideas-pipeline absences confirm --stream STREAM"
    out.print(options.for_community(confirm_them, settings))


def _lines(counts: Counter[tuple[str, str, str]]) -> list[tuple[str, str, int, str]]:
    """One line per scope, or a single one if many scopes of a stream have the same reason."""
    scopes = Counter((stream, because) for stream, _, because in counts)
    rows: Counter[tuple[str, str, str]] = Counter()
    for (stream, scope, because), count in counts.items():
        n = scopes[stream, because]
        rows[stream, f"({n:,} scopes)" if n > _MANY_SCOPES else scope or "(all)", because] += count
    return [(stream, where, count, because) for (stream, where, because), count in rows.items()]


@absences.command()
@click.option(
    "--stream",
    metavar="STREAM",
    shell_complete=options.complete_stream,
    help="Held rows of this stream or embedded table, such as comments or idea_tags.",
)
@click.option("--scope", metavar="ID", help="Only rows of this scope: the id of a challenge or an idea.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only the row with this id. Repeatable.")
@click.option("--dry-run", is_flag=True, help="Show what would be marked, and change nothing.")
@options.as_json
@options.yes
@options.community
def confirm(stream: str | None, scope: str | None, ids: Sequence[str], dry_run: bool, as_json: bool, yes: bool) -> None:
    """Mark held rows as deleted, because you know that they were deleted.

    This also accepts the current role of the API's account: later runs believe what is absent under it. A row that is
    seen again comes back by itself.

    \b
    Examples:  ideas-pipeline absences confirm --stream comments --scope 4711
               ideas-pipeline absences confirm --id 815 --yes
    """
    from ideas_pipeline.app import confirm_held, rebuild_marts
    from ideas_pipeline.contract.load import load_contract

    if stream is None and not ids:
        raise click.UsageError("name the rows: --stream STREAM, with or without --scope ID, or --id ID.")
    if scope is not None and stream is None:
        raise click.UsageError("--scope needs --stream: scopes of different streams can have the same id.")
    options.check_confirmation(as_json=as_json, confirmed=yes or dry_run)
    settings = options.load_settings()
    contract = load_contract(settings.contract)
    if stream is not None:
        options.check_names([stream], contract.tables(), "--stream")
    with _held(settings) as (warehouse, found):
        chosen = [
            row
            for row in found
            if stream in (None, row.stream) and scope in (None, row.scope) and (not ids or row.id in ids)
        ]
        counts = Counter(row.stream for row in chosen)
        if unknown := set(ids) - {row.id for row in chosen}:
            raise click.BadParameter(f"no row {min(unknown)} is held there. See `absences list`.", param_hint="--id")
        if ids and len(counts) > 1:
            raise click.UsageError(f"rows of {' and '.join(counts)} have these ids. Add --stream STREAM.")
        if not chosen or dry_run:
            _print_chosen(settings, counts, as_json=as_json)
            return
        if not yes:
            click.confirm(f"Mark {_in_words(counts)} as deleted?", abort=True)
        marked = confirm_held(warehouse, contract, chosen)
        rebuild_marts(settings, warehouse)
    if as_json:
        print(json.dumps(options.which(settings) | {"rows": counts, "marked": marked}, indent=2))
        return
    click.echo(f"Marked as deleted: {marked:,}. The next sync handles what belongs to them, such as their comments.")


def _print_chosen(settings: Settings, counts: Counter[str], *, as_json: bool) -> None:
    """Print what would be marked."""
    if as_json:
        print(json.dumps(options.which(settings) | {"rows": counts, "marked": 0}, indent=2))
    elif counts:
        click.echo(f"{_in_words(counts)} would be marked as deleted. Nothing was changed.")
    else:
        click.echo("No such row is held: there is nothing to confirm.")


def _in_words(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} of {name}" for name, count in counts.items())


@contextmanager
def _held(settings: Settings) -> Iterator[tuple[Warehouse, list[Held]]]:
    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.warehouse.absences import held

    with open_warehouse(settings) as warehouse:
        with warehouse.reading() as tx:
            found = held(tx)
        yield warehouse, found
