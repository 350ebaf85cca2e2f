"""``ideas-pipeline absences``: rows that look gone, and the word of a person that they are."""

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

_BECAUSE = "gone (confirmed)"
# More lists than this, missing rows for the same reason, are told in one line.
_MANY_LISTS = 10


@click.group()
def absences() -> None:
    """List the rows whose absence is not believed, or confirm that they are gone.

    \b
    Examples:  ideas-pipeline absences list
               ideas-pipeline absences confirm --stream comments --dry-run
    """


@absences.command("list")
@options.as_json
def list_(as_json: bool) -> None:
    """Count the held rows by stream, list and reason.

    \b
    Example:  ideas-pipeline absences list
    """
    from ideas_pipeline.cli.output import console, table

    with _held() as (_, _, found):
        pass
    counts = Counter((row.stream, row.scope, row.because) for row in found)
    if as_json:
        names = ("stream", "scope", "reason", "rows")
        print(json.dumps([dict(zip(names, (*what, n), strict=True)) for what, n in counts.items()], indent=2))
        return
    out = console()
    if not counts:
        out.print("No row is held: whatever is missing at the source was believed, or came back.")
        return
    out.print(table(("stream", "list", "rows", "why it is not believed"), _lines(counts)))
    out.print(
        "They count as there. If the API's account lost rights, give them back and sync: the rows are seen again."
    )
    out.print("If they are gone:  ideas-pipeline absences confirm --stream STREAM")


def _lines(counts: Counter[tuple[str, str, str]]) -> list[tuple[str, str, int, str]]:
    """A line for each list; a single one where many lists of a stream have the same reason."""
    lists = Counter((stream, because) for stream, _, because in counts)
    rows: Counter[tuple[str, str, str]] = Counter()
    for (stream, scope, because), count in counts.items():
        n = lists[stream, because]
        rows[stream, f"({n:,} lists)" if n > _MANY_LISTS else scope or "(all)", because] += count
    return [(stream, where, count, because) for (stream, where, because), count in rows.items()]


@absences.command()
@click.option(
    "--stream",
    metavar="STREAM",
    shell_complete=options.complete_stream,
    help="Held rows of this stream, or table, such as comments or idea_tags.",
)
@click.option("--scope", metavar="LIST", help="Only those of this list: the id of a challenge, of an idea.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only the row with this id. Repeatable.")
@click.option("--dry-run", is_flag=True, help="Say what would be marked, and change nothing.")
@options.as_json
@click.option("--yes", is_flag=True, help="Do not ask.")
def confirm(stream: str | None, scope: str | None, ids: Sequence[str], dry_run: bool, as_json: bool, yes: bool) -> None:
    """Mark held rows as deleted, because you know that they are gone.

    The role that the API's account has now counts as the right one from then on: what is missing under it in later
    runs is believed again. A row that is seen again comes back by itself.

    \b
    Examples:  ideas-pipeline absences confirm --stream comments --scope 4711
               ideas-pipeline absences confirm --id 815 --yes
    """
    from ideas_pipeline.cli.marts import follow
    from ideas_pipeline.contract.load import load_contract
    from ideas_pipeline.settings import load_settings

    if stream is None and not ids:
        raise click.UsageError("Say which rows: --stream STREAM, with --scope LIST or not, or --id ID.")
    if scope is not None and stream is None:
        raise click.UsageError("--scope needs --stream: lists of different streams can have the same id.")
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json asks nothing: add --yes, or --dry-run.")
    contract = load_contract(load_settings().contract)
    if stream is not None:
        options.check_names([stream], contract.tables(), "--stream")
    with _held() as (settings, warehouse, found):
        chosen = [
            row
            for row in found
            if stream in (None, row.stream) and scope in (None, row.scope) and (not ids or row.id in ids)
        ]
        counts = Counter(row.stream for row in chosen)
        if unknown := set(ids) - {row.id for row in chosen}:
            raise click.BadParameter(f"no row {min(unknown)} is held there. See: absences list", param_hint="--id")
        if ids and len(counts) > 1:
            raise click.UsageError(f"Rows of {' and '.join(counts)} have such ids. Say which: --stream STREAM")
        if not chosen or dry_run:
            _print_chosen(counts, as_json=as_json)
            return
        if not yes:
            click.confirm(f"Mark {_in_words(counts)} as deleted?", abort=True)
        parts = {name: list(contract.streams[name].embedded) for name in counts if name in contract.streams}
        marked = _mark(warehouse, chosen, parts)
        follow(settings, warehouse)
    if as_json:
        print(json.dumps({"rows": counts, "marked": marked}, indent=2))
        return
    click.echo(f"Marked as deleted: {marked:,}. The next sync judges what hangs on them, such as their comments.")


def _print_chosen(counts: Counter[str], *, as_json: bool) -> None:
    """What would be marked. Nothing is."""
    if as_json:
        print(json.dumps({"rows": counts, "marked": 0}, indent=2))
    elif counts:
        click.echo(f"{_in_words(counts)} would be marked as deleted. Nothing was changed.")
    else:
        click.echo("No such row is held: nothing to confirm.")


def _in_words(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} of {name}" for name, count in counts.items())


def _mark(warehouse: Warehouse, rows: Sequence[Held], embedded: dict[str, list[str]]) -> int:
    """Marks the rows, as a run of its own, and accepts the account's present role. Returns how many were marked.

    ``embedded``: the embedded tables of each stream; a table that is none of these is one itself.
    """
    from datetime import UTC, datetime

    from ideas_pipeline.sync.engine import new_run_id
    from ideas_pipeline.warehouse.absences import confirm_absences, present_role
    from ideas_pipeline.warehouse.embedded import confirm_embedded
    from ideas_pipeline.warehouse.merge import Deletion
    from ideas_pipeline.warehouse.runs import RunStart, accept_role, finish_run, start_run

    now = datetime.now(UTC)
    run_id = new_run_id(now)
    deletion = Deletion(run_id, now, _BECAUSE)
    marked = 0
    with warehouse.writing() as tx:
        start_run(tx, RunStart(run_id, "(an operator)", now, mode="confirm"))
        for name in dict.fromkeys(row.stream for row in rows):
            ids = [row.id for row in rows if row.stream == name]
            if name in embedded:
                marked += sum(confirm_absences(tx, name, ids, embedded[name], deletion).values())
            else:
                marked += confirm_embedded(tx, name, ids, deletion)
        accept_role(tx, present_role(tx), now)
        finish_run(tx, run_id, "complete", None, now)
    return marked


@contextmanager
def _held() -> Iterator[tuple[Settings, Warehouse, list[Held]]]:
    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.settings import load_settings
    from ideas_pipeline.warehouse.absences import held

    settings = load_settings()
    with open_warehouse(settings) as warehouse:
        with warehouse.reading() as tx:
            found = held(tx)
        yield settings, warehouse, found
