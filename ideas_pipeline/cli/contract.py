"""``ideas-pipeline contract``: show, validate and compare the contract."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ideas_pipeline.cli import options
from ideas_pipeline.cli.lines import write

if TYPE_CHECKING:
    from ideas_pipeline.contract.model import Contract
    from ideas_pipeline.contract.types import Json

_FILE = click.argument("file", required=False, type=click.Path(path_type=Path))
_WIDEST = 160


@click.group()
def contract() -> None:
    """Show, validate or compare the contract: what the API looks like, as data.

    FILE is your contract file; without it, the file in IDEAS_CONTRACT. docs/contract.md explains how to write one.

    \b
    Examples:  ideas-pipeline contract show
               ideas-pipeline contract validate my-contract.yaml
               ideas-pipeline contract diff my-contract.yaml
    """


@contract.command()
@_FILE
@options.as_json
@options.community
def show(file: Path | None, as_json: bool) -> None:
    """Print the contract in force.

    Without a file of your own, this is the default with its comments. With one, a comment marks the origin of each
    value: stated (on the vendor's page), assumed (by us) or yours.

    \b
    Example:  ideas-pipeline contract show my-contract.yaml
    """
    from ideas_pipeline.contract.load import annotated

    file = file or _configured()
    in_force = _valid(file)
    if as_json:
        click.echo(json.dumps(in_force.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False))
    else:
        click.echo(annotated(file), nl=False)


@contract.command()
@_FILE
@options.as_json
@options.community
def validate(file: Path | None, as_json: bool) -> None:
    """Check the contract, and list every mistake with its line. Exit code 2 if there is one.

    \b
    Example:  ideas-pipeline contract validate my-contract.yaml
    """
    from ideas_pipeline.contract.load import differences

    file = file or _configured()
    in_force = _valid(file)
    streams = in_force.order()
    differing = len(differences(file)) if file else 0
    if as_json:
        click.echo(json.dumps({"usable": True, "streams": streams, "differences": differing}, indent=2))
        return
    order = f"Streams, in the order in which they are read: {', '.join(streams)}."
    write(f"{file or 'The default contract'} is valid. {order}")
    if file:
        click.echo(f"Values that differ from the default: {differing:,}. To list them: ideas-pipeline contract diff")


@contract.command()
@_FILE
@options.as_json
@options.community
def diff(file: Path | None, as_json: bool) -> None:
    """List the values that differ from the default, and whether the default is an assumption.

    \b
    Example:  ideas-pipeline contract diff my-contract.yaml
    """
    from dataclasses import asdict

    from ideas_pipeline.contract.load import differences

    file = file or _configured()
    _valid(file)
    found = differences(file) if file else []
    if as_json:
        as_json_text = json.dumps([asdict(difference) for difference in found], indent=2, ensure_ascii=False)
        click.echo(_without_passwords(as_json_text))
        return
    if not found:
        click.echo("The contract in force is the default. To change it, write a file and set IDEAS_CONTRACT to it.")
    for difference in found:
        write(difference.path)
        write(f"  default  {_shown(difference.default)}{'  (assumed)' if difference.assumed else ''}")
        write(f"  yours    {_shown(difference.new)}")


def _configured() -> Path | None:
    return options.load_settings().contract


def _valid(file: Path | None) -> Contract:
    from ideas_pipeline.sync.contract_fit import load_fitting_contract

    return load_fitting_contract(file)


def _without_passwords(text: str) -> str:
    """``text`` without the user and password of the URLs in it."""
    return re.sub(r"://[^/\s\"]*@", "://***@", text)


def _shown(value: Json) -> str:
    text = "–" if value is None else _without_passwords(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]} …"
