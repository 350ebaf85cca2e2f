"""``ideas-pipeline status``: how true the warehouse is, on one screen."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING

import click

from ideas_pipeline.cli import options

if TYPE_CHECKING:
    from ideas_pipeline.cli.health import Facts, Standing
    from ideas_pipeline.contract.model import Contract
    from ideas_pipeline.settings import Settings
    from ideas_pipeline.warehouse.status import StreamStatus

_COLOURS = {"well": "bold green", "attention": "bold red", "running": "bold yellow", "empty": "bold yellow"}


@click.command()
@options.as_json
def status(as_json: bool) -> None:
    """Say whether all is well, and if not, what needs you: the first line says it.

    Then, by stream, when it was last proven complete, its rows, records that could not be read, and rows that look
    gone and are held back; what is running; and what the last sync took. The exit code is 0 whatever it says.

    \b
    Examples:  ideas-pipeline status
               ideas-pipeline status --json
    """
    from datetime import UTC, datetime

    from ideas_pipeline.cli.health import Facts, standing
    from ideas_pipeline.cli.output import place
    from ideas_pipeline.settings import load_settings
    from ideas_pipeline.sync.contract_fit import load_fitting_contract
    from ideas_pipeline.warehouse.status import last_sync, marts_built_at, unfinished_run
    from ideas_pipeline.warehouse.status import status as stream_states
    from ideas_pipeline.warehouse.warehouse import Warehouse

    settings = load_settings()
    contract = load_fitting_contract(settings.contract)
    holder, holder_known = _holder(settings, contract)
    url = settings.warehouse_url.get_secret_value()
    with Warehouse.open(url, settings.community) as warehouse, warehouse.reading() as tx:
        facts = Facts(
            now=datetime.now(UTC),
            timezone=settings.timezone,
            stale_hours=settings.stale_hours,
            configured=not settings.simulated,
            expected=contract.order(),
            streams=stream_states(tx),
            unfinished=unfinished_run(tx),
            marts_built_at=marts_built_at(tx),
            last_sync=last_sync(tx),
            holder=holder,
            holder_known=holder_known,
        )
        where = place(warehouse.engine.url)
    found = standing(facts)
    if as_json:
        shown = asdict(found) | {
            "community": settings.community,
            "warehouse": where,
            "streams": facts.streams,
            "running": facts.holder,
            "unfinished": facts.unfinished,
            "last_sync": facts.last_sync,
        }
        print(json.dumps(shown, indent=2, default=_plain))
    else:
        _print(found, facts, f"Community {settings.community} in {where}")


def _holder(settings: Settings, contract: Contract) -> tuple[str | None, bool]:
    """Who uses the API account on this machine, and whether that can be known."""
    from ideas_pipeline.app import open_client
    from ideas_pipeline.errors import SettingsError
    from ideas_pipeline.ideas_api.run_lock import run_lock_holder

    if settings.simulated:
        return None, False
    try:
        api = open_client(settings, contract)
        return run_lock_holder(api.state, api.auth.account), True
    except (SettingsError, OSError):
        return None, False


def _print(found: Standing, facts: Facts, where: str) -> None:
    from itertools import zip_longest

    from rich.table import Table
    from rich.text import Text

    from ideas_pipeline.cli.output import console, table

    out = console()
    out.print(Text(found.summary, style=_COLOURS[found.verdict]))
    needs = Table.grid(padding=(0, 1, 0, 0))
    for number, (need, following) in enumerate(zip_longest(found.needs, found.needs[1:]), start=1):
        needs.add_row(f"{number}.", Text(need.what))
        if following is None or following.do != need.do:
            needs.add_row("", Text(f"→ {need.do}"))
    if found.needs:
        out.print(needs)
    out.print(where, markup=False)
    if found.verdict == "empty":
        return
    known = {s.stream: s for s in facts.streams}
    names = [*facts.expected, *(name for name in known if name not in facts.expected)]
    headers = ("stream", "last sync", "last proven complete (UTC)", "rows", "rejected", "held")
    out.print(table(headers, [_row(name, known.get(name), facts) for name in names]))
    for note in found.notes:
        out.print(note, markup=False)


def _row(name: str, s: StreamStatus | None, facts: Facts) -> tuple[object, ...]:
    from ideas_pipeline.cli.health import is_running
    from ideas_pipeline.times import ago

    if s is None:
        return (name, "never", "never", None, None, None)
    at = s.last_complete_at
    proven = f"{at:%Y-%m-%d %H:%M}, {ago(at, facts.now)}" if at else "never"
    verdict = "broke off" if s.verdict == "running" and not is_running(facts) else s.verdict
    return (name, verdict, proven, s.rows, s.rejects, s.held)


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
