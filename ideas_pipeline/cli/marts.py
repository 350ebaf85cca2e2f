"""``ideas-pipeline marts``: rebuild the marts. A sync does so by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ideas_pipeline.cli import options

if TYPE_CHECKING:
    from ideas_pipeline.settings import Settings
    from ideas_pipeline.warehouse.warehouse import Warehouse


@click.command()
@options.as_json
def marts(as_json: bool) -> None:
    """Rebuild the marts (the analysts' tables, mart_…) from the tables of the warehouse.

    Every sync, backfill, replay and erasure does so by itself. Run this after you change label_classes or
    IDEAS_TIMEZONE. Readers see either all of the old marts or all of the new ones.

    \b
    Example:  ideas-pipeline marts
    """
    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.cli.output import console, place, table
    from ideas_pipeline.marts.build import build_marts
    from ideas_pipeline.settings import load_settings

    settings = load_settings()
    with open_warehouse(settings) as warehouse:
        with warehouse.writing() as tx:
            rows = build_marts(tx, settings.timezone)
        where = place(warehouse.url)
    if as_json:
        print(json.dumps({"warehouse": where, "rows": rows}, indent=2))
        return
    out = console()
    out.print(table(("mart", "rows"), list(rows.items())))
    out.print(f"Warehouse: {where}", markup=False)


def follow(settings: Settings, warehouse: Warehouse) -> None:
    """Rebuild the marts after their tables have changed, on engines that support them. Raises WarehouseError."""
    from ideas_pipeline.marts.build import build_marts
    from ideas_pipeline.marts.dialect import DIALECTS

    if warehouse.dialect.name in DIALECTS:
        with warehouse.writing() as tx:
            build_marts(tx, settings.timezone)
