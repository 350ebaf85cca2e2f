"""``ideas-pipeline grant-analyst``: a database role that may only read the warehouse."""

from __future__ import annotations

import json
import os
import sys

import click

from ideas_pipeline.cli import options
from ideas_pipeline.cli.lines import write

_VARIABLE = "IDEAS_ANALYST_PASSWORD"


@click.command("grant-analyst")
@click.argument("name")
@options.as_json
@options.community
def grant_analyst(name: str, as_json: bool) -> None:
    """Let the PostgreSQL role NAME read the warehouse, and nothing more. Create the role if it does not exist.

    The role can read the pipeline's tables and marts, including those that a later version adds, except rejected
    records and erased people. It cannot read anything else in the schema that belongs to the role of the syncs: a right
    to it is revoked. It can write to label_classes only. A new role's password is taken from IDEAS_ANALYST_PASSWORD, or
    asked for on a terminal; for an existing role, that variable changes the password. Running it again is safe.

    \b
    Example:  ideas-pipeline grant-analyst ada
    """
    from dataclasses import asdict

    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.marts.build import TABLES
    from ideas_pipeline.warehouse import grants

    password = os.environ.get(_VARIABLE) or None
    settings = options.load_settings()
    with open_warehouse(settings) as warehouse:
        with warehouse.reading() as tx:
            is_new = not grants.has_role(tx, name)
        if is_new and password is None:
            password = _ask_password(name)
        with warehouse.writing() as tx:
            granted = grants.grant_analyst(tx, name, password, TABLES)
    if as_json:
        print(json.dumps(options.which(settings) | asdict(granted), indent=2))
        return
    done = "was created. It can read" if granted.created else "can read"
    write(f"The role {name} {done} {len(granted.readable)} tables, and those that a later version adds.")
    if password is not None and not granted.created:
        write("Its password was changed.")
    write(f"It can write to {', '.join(granted.writable) or 'none'}.")
    write(f"Hidden from it: {', '.join(granted.withheld)}.")


def _ask_password(name: str) -> str:
    from ideas_pipeline.errors import SettingsError

    if not sys.stdin.isatty():
        raise SettingsError(f"the role {name} is new and needs a password. Set {_VARIABLE}, or run this on a terminal.")
    password: str = click.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True, err=True)
    return password
