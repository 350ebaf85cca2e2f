"""``ideas-pipeline export``: write tables and marts to Parquet files."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ideas_pipeline.cli import options


@click.command()
@click.option("--format", type=click.Choice(["parquet"]), default="parquet", show_default=True, expose_value=False)
@click.option(
    "--to", "folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the files."
)
@click.option("--table", "names", multiple=True, metavar="NAME", help="Export only this table or mart. Repeatable.")
@options.as_json
@options.community
def export(folder: Path, names: Sequence[str], as_json: bool) -> None:
    """Write each table and mart of the community to FOLDER/NAME.parquet, replacing existing files.

    All files show the same instant. Times are in UTC, and JSON is text. Rows marked as deleted are included: for live
    rows, filter on _deleted_at being null. The pipeline's bookkeeping tables are left out.

    \b
    Examples:  ideas-pipeline export --to community
               ideas-pipeline export --format parquet --to community --table ideas --table idea_history
    """
    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.cli.failures import Failed
    from ideas_pipeline.cli.lines import say
    from ideas_pipeline.cli.output import console, table
    from ideas_pipeline.warehouse import export as exporting

    settings = options.load_settings()
    with open_warehouse(settings) as warehouse:
        with warehouse.reading() as tx:
            known = exporting.exportable(tx)
        options.check_names(names, known, "--table")
        chosen = [known[name] for name in dict.fromkeys(names or known)]
        try:
            with console(sys.stderr).status("Writing …"):
                rows = exporting.export(warehouse, chosen, folder)
        except OSError as error:
            raise Failed(f"the files cannot be written to {folder}: {error.strerror}.") from None
    if as_json:
        print(json.dumps(options.which(settings) | {"folder": str(folder), "rows": rows}, indent=2))
    else:
        console().print(table(("file", "rows"), [(f"{folder / name}.parquet", count) for name, count in rows.items()]))
    if not any(rows.values()):
        say(f"The files are empty: the warehouse has no rows of community {settings.community} (IDEAS_COMMUNITY).")
        return
    say("`ideas-pipeline erase` does not reach the personal data in these files: export again after an erasure.")
