"""``ideas-pipeline erase``: erase a person from the warehouse and the archive, for ever."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from ideas_pipeline.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ideas_pipeline.privacy.privacy import Privacy
    from ideas_pipeline.settings import Settings
    from ideas_pipeline.warehouse.warehouse import Warehouse

_INCOMPLETE = 3
_NOTHING = "Nothing is stored of this person"


@click.command()
@click.option("--user", metavar="ID", help="The person's id at the source.")
@click.option(
    "--email", metavar="ADDRESS", help="Or the e-mail address, if addresses are stored; - reads it from a prompt."
)
@click.option("--texts", is_flag=True, help="Also erase what the person wrote: titles, bodies, comments, answers.")
@click.option("--dry-run", is_flag=True, help="Count the rows that would change, and change nothing.")
@options.as_json
@options.yes
@options.community
def erase(user: str | None, email: str | None, texts: bool, dry_run: bool, as_json: bool, yes: bool) -> None:
    """Erase a person from every table, rejected record and archived page, and keep the person out from now on.

    A surrogate replaces the person's id everywhere, so that counts stay right. What the person wrote stays, as it does
    at the source, unless --texts is given. Syncs, replays and restored backups do not bring the person back, as long as
    you keep the key, and the state folder or the warehouse. An erasure cannot be undone.

    \b
    Examples:  ideas-pipeline erase --user 4711 --dry-run
               ideas-pipeline erase --email - --texts
    """
    from ideas_pipeline.app import open_warehouse, privacy_of, rebuild_marts
    from ideas_pipeline.cli.failures import Failed
    from ideas_pipeline.cli.lines import say
    from ideas_pipeline.cli.output import console
    from ideas_pipeline.contract.load import load_contract

    if (user is None) == (email is None):
        raise click.UsageError("Say who: either --user ID or --email ADDRESS.")
    if not (user or email or "").strip():
        raise click.UsageError("The id or the address is empty.")
    options.check_confirmation(as_json=as_json, confirmed=yes or dry_run)
    address = click.prompt("E-mail address", hide_input=True, err=True) if email == "-" else email
    settings = options.load_settings()
    privacy = privacy_of(settings, load_contract(settings.contract))
    with open_warehouse(settings) as warehouse:
        for sentence in privacy.begin(warehouse):
            say(settings.worded(sentence))
        person = user if address is None else privacy.person_with(warehouse, address)
        if person is None:
            raise Failed(
                "nobody is stored with this e-mail address. Addresses are stored only if IDEAS_PII_EMAIL is keep or"
                f" hash (it is {settings.pii_email}). Name the person with --user ID."
            )
        known = [address] if address else []
        if dry_run:
            _print_dry_run(settings, privacy.would_erase(warehouse, person, texts=texts), as_json)
            return
        if not yes:
            _ask(privacy, warehouse, person, texts)
        with console(sys.stderr).status("Erasing …"):
            erasure = privacy.erase(warehouse, person, texts=texts, also_known_as=known)
        rebuild_marts(settings, warehouse)
    if as_json:
        result = options.which(settings) | {
            "surrogate": erasure.surrogate,
            "rows": dict(erasure.rows),
            "archived_pages": erasure.pages,
            "left": list(erasure.left),
        }
        print(json.dumps(result, indent=2))
    else:
        _print(erasure.rows)
        if erasure.rows or erasure.pages:
            pages = f"Archived pages changed: {erasure.pages:,}."
            click.echo(f"Erased. {erasure.surrogate} stands for the person now. {pages}")
        else:
            spaced = " (it begins or ends with a space)" if person != person.strip() else ""
            click.echo(
                f"{_NOTHING}, neither in tables nor in archived pages: is the id right{spaced}? The person is kept out"
                f" from now on. {erasure.surrogate} stands for the person."
            )
        for sentence in erasure.left:
            say(settings.worded(sentence))
    if erasure.left:
        raise click.exceptions.Exit(_INCOMPLETE)


def _ask(privacy: Privacy, warehouse: Warehouse, person: str, texts: bool) -> None:
    rows = privacy.would_erase(warehouse, person, texts=texts)
    _print(rows)
    what = "Erase the person from these rows for ever" if rows else f"{_NOTHING}. Keep the person out for ever"
    click.confirm(f"{what}?", abort=True)


def _print_dry_run(settings: Settings, rows: Mapping[str, int], as_json: bool) -> None:
    if as_json:
        print(json.dumps(options.which(settings) | {"rows": dict(rows)}, indent=2))
        return
    _print(rows)
    what = "These rows would change" if rows else f"{_NOTHING} in tables"
    click.echo(f"Nothing was changed. {what}; archived pages are not counted.")


def _print(rows: Mapping[str, int]) -> None:
    from ideas_pipeline.cli.output import console, table

    if rows:
        console().print(table(("table", "rows"), list(rows.items())))
