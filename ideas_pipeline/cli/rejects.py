"""``ideas-pipeline rejects``: list, show and retry the values and records that could not be typed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ideas_pipeline.cli import options

if TYPE_CHECKING:
    from ideas_pipeline.settings import Settings
    from ideas_pipeline.warehouse.rejects import StoredReject
    from ideas_pipeline.warehouse.warehouse import Warehouse

_TABLE = click.option("--table", metavar="TABLE", help="Only rejects of this table, such as ideas.")


@click.group()
def rejects() -> None:
    """List, show or retry the values and records that could not be read.

    A value that cannot be read is null in its row. A record is rejected only if it has no usable key.

    \b
    Examples:  ideas-pipeline rejects list --table ideas
               ideas-pipeline rejects show ideas:4711
               ideas-pipeline rejects retry
    """


@rejects.command("list")
@_TABLE
@options.as_json
@options.community
def list_(table: str | None, as_json: bool) -> None:
    """Name the rejected values and records and what is wrong with each, without what they hold.

    \b
    Example:  ideas-pipeline rejects list --table ideas
    """
    from ideas_pipeline.cli.output import console
    from ideas_pipeline.cli.output import table as table_of

    settings = options.load_settings()
    with _stored_rejects(settings, table) as (_, found):
        pass
    rows = [
        (_name(reject), reject.column or "", reject.reason, f"{reject.first_seen_at:%Y-%m-%d %H:%M}")
        for reject in found
    ]
    if as_json:
        names = ("record", "column", "reason", "first_seen_at", "reason_code")
        coded = [(*row, reject.code) for row, reject in zip(rows, found, strict=True)]
        print(json.dumps([dict(zip(names, row, strict=True)) for row in coded], indent=2))
        return
    out = console()
    if not rows:
        out.print("There are no rejected values or records.")
        return
    out.print(table_of(("record", "column", "what is wrong with it", "first seen (UTC)"), rows))
    for line in (
        "Without a column, the whole record was rejected. To see one:  ideas-pipeline rejects show RECORD",
        "After correcting the contract:  ideas-pipeline rejects retry",
    ):
        out.print(options.for_community(line, settings))


@rejects.command()
@click.argument("records", nargs=-1, required=True, metavar="RECORD…")
@options.community
def show(records: Sequence[str]) -> None:
    """Show the rejects of records as JSON, with the values as received. These can be personal data.

    \b
    Example:  ideas-pipeline rejects show ideas:4711
    """
    with _stored_rejects(options.load_settings()) as (_, found):
        by_name: dict[str, list[StoredReject]] = {}
        for reject in found:
            by_name.setdefault(_name(reject), []).append(reject)
    if unknown := [name for name in records if name not in by_name]:
        raise click.BadParameter(
            f"there is no rejected record {unknown[0]}. `ideas-pipeline rejects list` names them.", param_hint="RECORD"
        )
    click.echo("This output can contain personal data: do not paste it where others read it.", err=True)
    shown = [
        {
            "record": name,
            "table": reject.table,
            "key": reject.key,
            "list": reject.scope,
            "column": reject.column,
            "reason": reject.reason,
            "reason_code": reject.code,
            "value": reject.value,
            "first_seen_at": reject.first_seen_at.isoformat(),
            "run_id": reject.run_id,
            "payload": reject.payload,
        }
        for name in records
        for reject in by_name[name]
    ]
    print(json.dumps(shown, indent=2, ensure_ascii=False))


@rejects.command()
@_TABLE
@options.as_json
@options.community
def retry(table: str | None, as_json: bool) -> None:
    """Read rejected values and records again, as the contract says today: from their archived pages.

    The whole list of a record is read, from the API if its pages are no longer archived. What can be read now is
    loaded; the rest stays, with the new reason.

    \b
    Example:  ideas-pipeline rejects retry --table ideas

    \b
    Exit codes:  0 all loaded, or there were none; 3 some still cannot be read.
    """
    from dataclasses import asdict

    from ideas_pipeline.app import rebuild_marts, retry_rejects
    from ideas_pipeline.cli.output import console, progress
    from ideas_pipeline.cli.output import table as table_of
    from ideas_pipeline.contract.load import load_contract
    from ideas_pipeline.sync.contract_fit import check_fit

    settings = options.load_settings()
    contract = load_contract(settings.contract)
    check_fit(contract)
    with _stored_rejects(settings, table) as (warehouse, found):
        with progress() as shown:
            results = retry_rejects(settings, contract, warehouse, found, shown)
        if any(result.loaded for result in results):
            rebuild_marts(settings, warehouse)
    if as_json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    elif not results:
        console().print("There are no rejected values or records to retry.")
    else:
        rows = [(result.table, result.loaded, result.left) for result in results]
        console().print(table_of(("table", "loaded", "left"), rows))
        if any(result.left for result in results):
            left = "What is left has the new reason: ideas-pipeline rejects list"
            console().print(options.for_community(left, settings))
    raise click.exceptions.Exit(3 if any(result.left for result in results) else 0)


@contextmanager
def _stored_rejects(settings: Settings, table: str | None = None) -> Iterator[tuple[Warehouse, list[StoredReject]]]:
    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.tables.community import TABLES
    from ideas_pipeline.warehouse.rejects import stored_rejects

    if table is not None:
        options.check_names([table], TABLES, "--table")
    with open_warehouse(settings) as warehouse:
        with warehouse.reading() as tx:
            found = stored_rejects(tx, table)
        yield warehouse, found


def _name(reject: StoredReject) -> str:
    """``ideas:4711``; or a fingerprint if the key cannot be typed or identifies a person: ``users:~1a2b3c4d5e``."""
    from hashlib import sha256

    from ideas_pipeline.tables.columns import own_keys, pii
    from ideas_pipeline.tables.community import TABLES
    from ideas_pipeline.visible import visible
    from ideas_pipeline.warehouse.rejects import values_of

    keys = own_keys(TABLES[reject.table])
    values = values_of(reject.key) if reject.key.endswith("]") else []
    personal = any(pii(c) for c in keys) or any(
        "[" in str(value) for value in values
    )  # a composite id can name a person
    name = f"{reject.table}:{'/'.join(map(str, values))}"
    if values and not personal and name == visible(name):
        return name
    return f"{reject.table}:~{sha256(reject.key.encode()).hexdigest()[:10]}"
