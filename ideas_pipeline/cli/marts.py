"""``ideas-pipeline marts``: rebuild the marts. A sync does so by itself."""

from __future__ import annotations

import json

import click

from ideas_pipeline.cli import options


@click.command()
@options.as_json
@options.community
def marts(as_json: bool) -> None:
    """Rebuild the marts (the analysts' tables, mart_…) from the tables of the warehouse.

    Every sync, backfill, replay and erasure does so by itself. Run this after you change label_classes or
    IDEAS_TIMEZONE. Readers see either all of the old marts or all of the new ones.

    \b
    Example:  ideas-pipeline marts
    """
    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.cli.output import console, place, table
    from ideas_pipeline.marts.build import refresh

    settings = options.load_settings()
    with open_warehouse(settings) as warehouse:
        rows = refresh(warehouse, settings.timezone, everything=True)
        where = place(warehouse.url)
    if as_json:
        print(json.dumps(options.which(settings) | {"warehouse": where, "rows": rows}, indent=2))
        return
    out = console()
    out.print(table(("mart", "rows"), list(rows.items())))
    out.print(f"Warehouse: {where}")
