"""``ideas-pipeline dictionary``: write the data dictionary."""

from __future__ import annotations

from pathlib import Path

import click

from ideas_pipeline.cli import options
from ideas_pipeline.cli.lines import write


@click.command()
@click.argument("file", default="docs/warehouse.md", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if the file is out of date.")
@options.community
def dictionary(file: Path, check: bool) -> None:
    """Write the data dictionary to FILE (default: docs/warehouse.md).

    It states the meaning of each column, and which field of your contract fills it.

    \b
    Examples:  ideas-pipeline dictionary our-warehouse.md
               ideas-pipeline dictionary --check
    """
    from ideas_pipeline.dictionary.document import document
    from ideas_pipeline.sync.contract_fit import load_fitting_contract

    override = options.load_settings().contract
    current = document(load_fitting_contract(override), override)
    if not check:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(current, encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"{file} cannot be written: {error.strerror}.") from None
        write(f"Wrote {file}.")
    elif not file.is_file() or file.read_text(encoding="utf-8") != current:
        what = "is out of date" if file.exists() else "does not exist"
        raise click.ClickException(f"{file} {what}. Write it: ideas-pipeline dictionary {file}")
    else:
        write(f"{file} is up to date.")
