"""``ideas-pipeline report``: write the community report, one HTML page of figures and charts."""

from __future__ import annotations

from pathlib import Path

import click

from ideas_pipeline.cli import options
from ideas_pipeline.cli.lines import write


@click.command()
@click.option(
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it. [default: report-COMMUNITY.html in IDEAS_STATE_DIR]",
)
@options.community
def report(file: Path | None) -> None:
    """Write the community report: one HTML file that needs no network and names no person, so it can be forwarded.

    The report shows the marts as they were last built. A sync builds them, and so does ideas-pipeline marts.

    \b
    Examples:  ideas-pipeline report
               ideas-pipeline report --output community.html
    """
    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.cli.failures import Failed
    from ideas_pipeline.report.page import write_report

    settings = options.load_settings()
    file = file or settings.report
    with open_warehouse(settings) as warehouse:
        try:
            write_report(warehouse, file)
        except OSError as error:
            raise Failed(f"the report cannot be written to {file}: {error.strerror}.") from None
    write(f"Wrote the report. Open {file} in a browser.")
