"""``ideas-pipeline status``: how true the warehouse is, stream by stream."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

if TYPE_CHECKING:
    from ideas_pipeline.warehouse.unfinished import Unfinished


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON, for machines.")
def status(as_json: bool) -> None:
    """Say when each stream was last proven complete, its rows, where a broken run stands, and what waits for a person.

    \b
    Examples:  ideas-pipeline status
               ideas-pipeline status --json
    """
    from datetime import UTC, datetime

    from ideas_pipeline.cli.output import came_to, console, place, table
    from ideas_pipeline.settings import load_settings
    from ideas_pipeline.times import ago
    from ideas_pipeline.warehouse.unfinished import unfinished_run
    from ideas_pipeline.warehouse.warehouse import Warehouse

    settings = load_settings()
    warehouse = Warehouse.open(settings.warehouse_url.get_secret_value())
    try:
        streams = warehouse.status(settings.community)
        unfinished = unfinished_run(warehouse.engine, settings.community)
        where = place(warehouse.engine.url)
    finally:
        warehouse.close()
    if as_json:
        shown = {"warehouse": where, "streams": streams, "unfinished": unfinished}
        print(json.dumps(shown, indent=2, default=_plain))
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
    if unfinished:
        out.print(_standing(unfinished, settings.timezone), markup=False)
    if any(s.rejects for s in streams):
        out.print("Rejected records wait in _rejected_records, with the reason.")
    if any(s.held for s in streams):
        out.print("Rows held in _absences are missing at the source, too many at once to be believed.")


def _standing(run: Unfinished, timezone: str) -> str:
    """What a run that has not ended was to read, how far it came, and what goes on from there."""
    name, next_one = {
        "full": ("sync --full", "The next full sync"),
        "replay": ("replay", "Another replay"),
        "window": ("backfill", "The same backfill"),
    }.get(run.mode, ("sync", "The next sync"))
    if run.window:
        first, end = (moment.astimezone(ZoneInfo(timezone)) for moment in run.window)
        name += f" from {first:%Y-%m-%d %H:%M} to before {end:%Y-%m-%d %H:%M}"
    # Why a stream failed is said with the stream.
    stopped = run.reason is not None and run.reason.startswith("stopped")
    ended = "still runs, or was killed" if run.reason is None else "was stopped" if stopped else "failed"
    lists = ", ".join(f"{stream} {count:,}" for stream, count in run.lists.items()) or "none"
    return (
        f"The {name} that began {run.started_at:%Y-%m-%d %H:%M} UTC {ended}. Lists that it has read: {lists}. "
        f"{next_one} goes on from there."
    )


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
