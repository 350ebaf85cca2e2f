"""``ideas-pipeline status``: how true the warehouse is, stream by stream."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON, for machines.")
def status(as_json: bool) -> None:
    """Say when each stream was last proven complete, its rows, and what waits for a person.

    \b
    Examples:  ideas-pipeline status
               ideas-pipeline status --json
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from ideas_pipeline.cli.output import ago, came_to, console, place, table
    from ideas_pipeline.settings import load_settings
    from ideas_pipeline.warehouse.warehouse import Warehouse

    settings = load_settings()
    warehouse = Warehouse.open(settings.warehouse_url.get_secret_value())
    try:
        streams = warehouse.status(settings.community)
        where = place(warehouse.engine.url)
    finally:
        warehouse.close()
    if as_json:
        print(json.dumps({"warehouse": where, "streams": [asdict(s) for s in streams]}, indent=2, default=str))
        return
    out = console()
    out.print(f"Community {settings.community} in {where}", markup=False)
    if not streams:
        out.print("Nothing was synced yet. Run: ideas-pipeline sync")
        return
    now = datetime.now(UTC)
    headers = ("stream", "last run", "last proven complete (UTC)", "rows", "deleted", "rejected", "held")
    rows = []
    for s in streams:
        last = s.last_complete_at
        proven = f"{last:%Y-%m-%d %H:%M}, {ago(last, now)}" if last else "never"
        rows.append((s.stream, s.verdict, proven, s.rows, s.deleted, s.rejects, s.held))
    out.print(table(headers, rows))
    for s in streams:
        if s.reason:
            out.print(came_to(s.stream, s.verdict, s.reason), markup=False)
    if any(s.rejects for s in streams):
        out.print("Rejected records wait in _rejected_records, with the reason.")
    if any(s.held for s in streams):
        out.print("Rows held in _absences are missing at the source, too many at once to be believed.")
