"""``ideas-pipeline grant-analyst``: a login that reads the warehouse, for people and tools that only look."""

from __future__ import annotations

import json
import os
import sys

import click

from ideas_pipeline.cli import options

_VARIABLE = "IDEAS_ANALYST_PASSWORD"


@click.command("grant-analyst")
@click.argument("name")
@options.as_json
def grant_analyst(name: str, as_json: bool) -> None:
    """Let the PostgreSQL role NAME read the warehouse, and no more. It is created if it is missing.

    It reads every table and mart, those that come later too, but not what was rejected nor who was erased; it writes
    label_classes alone. A new role's password is taken from the environment (IDEAS_ANALYST_PASSWORD), or asked for on
    a terminal. Set for a role that is there already, the variable changes its password. To run this again does no harm.

    \b
    Example:  ideas-pipeline grant-analyst ada
    """
    from dataclasses import asdict

    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.settings import load_settings
    from ideas_pipeline.warehouse import grants

    password = os.environ.get(_VARIABLE) or None
    settings = load_settings()
    with open_warehouse(settings) as warehouse:
        if not grants.has_role(warehouse.engine, name) and password is None:
            password = _asked(name)
        granted = grants.grant_analyst(warehouse.engine, name, password)
    if as_json:
        print(json.dumps(asdict(granted), indent=2))
        return
    done = "is created, and reads" if granted.created else "reads"
    click.echo(f"The role {name} {done} {len(granted.readable)} tables, and those that come later.")
    if password is not None and not granted.created:
        click.echo("Its password was changed.")
    click.echo(f"It writes {', '.join(granted.writable) or 'none'}. Not for it: {', '.join(granted.withheld)}.")


def _asked(name: str) -> str:
    from ideas_pipeline.errors import SettingsError

    if not sys.stdin.isatty():
        raise SettingsError(f"the role {name} is new and needs a password: set {_VARIABLE}, or run this on a terminal.")
    password: str = click.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True, err=True)
    return password
