"""``ideas-pipeline status``: the findings and the state of the streams, on one screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, is_dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import click

from ideas_pipeline.cli import options
from ideas_pipeline.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from ideas_pipeline.contract.model import Contract
    from ideas_pipeline.settings import Settings
    from ideas_pipeline.sync.community_findings import State
    from ideas_pipeline.sync.finding import Finding
    from ideas_pipeline.warehouse.database import Transaction
    from ideas_pipeline.warehouse.status import StreamStatus

COLOURS = {
    "well": "bold green",
    "attention": "bold red",
    **dict.fromkeys(("doubtful", "running", "empty"), "bold yellow"),
}
# So that everything fits on one screen, even if each stream has a finding.
_LENGTH, _LENGTH_OF_MANY = 200, 100
_NOT_CONFIGURED = (
    "No API client is named in .env of this folder: go to the folder of your .env, or run: ideas-pipeline init"
)


@dataclass(frozen=True, slots=True)
class Report:
    """What the command prints.

    Attributes:
        now: when it was made; timezone-aware.
        verdict: ``attention`` if there are errors, ``doubtful`` if warnings say that numbers can be wrong, ``well``,
            ``running`` during the first sync, or ``empty``.
        summary: the verdict as a sentence.
        findings: errors and warnings.
        notes: good to know.
        known: the state of the runs.
        running: whether a run is under way.
    """

    now: datetime
    verdict: str
    summary: str
    findings: list[Finding]
    notes: list[str]
    known: State
    running: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """The state of one community.

    Attributes:
        community: its name.
        warehouse: the warehouse's address, without its password.
        streams: the contract's streams, in the order in which they are read.
        holder: who uses the API account; None if nobody does, or if that is not known.
        report: what is to be said.
    """

    community: str
    warehouse: str
    streams: list[str]
    holder: str | None
    report: Report

    def as_json(self) -> dict[str, object]:
        """What ``--json`` prints."""
        return {
            "verdict": self.report.verdict,
            "summary": self.report.summary,
            "findings": self.report.findings,
            "notes": self.report.notes,
            "community": self.community,
            "warehouse": self.warehouse,
            "streams": self.report.known.streams,
            "running": self.holder,
            "unfinished": self.report.known.unfinished,
            "last_sync": self.report.known.last_sync,
        }


@click.command()
@click.option(
    "--all", "every", is_flag=True, help="Show every community of ideas_pipeline.yaml, also if one is chosen."
)
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON, for machines.")
@options.community
def status(every: bool, as_json: bool) -> None:
    """Say whether all is well, and if not, what to do: the first line says it.

    Then, per stream, the last sync, when it was last complete, its rows, rejects and held rows; what is running; and
    how long the last sync took. If there are several communities and none is chosen, it shows one row for each. The
    exit code is 0 whatever it says.

    \b
    Examples:  ideas-pipeline status
               ideas-pipeline status --json
    """
    from ideas_pipeline.communities import community_names, is_one_chosen

    chosen = options.chosen_community()
    if every and chosen:
        raise click.UsageError("--all and --community exclude each other.")
    if every or not is_one_chosen(chosen):
        from ideas_pipeline.cli.status_all import status_all

        raise click.exceptions.Exit(status_all(as_json=as_json))
    seen = look(options.load_settings())
    if as_json:
        print(json.dumps(seen.as_json(), indent=2, default=plain))
        return
    _print(seen)
    if chosen is None and len(community_names()) > 1:  # IDEAS_COMMUNITY has chosen, perhaps long ago, in .env
        from ideas_pipeline.cli.output import console

        console().print("The other communities: ideas-pipeline status --all")


def look(settings: Settings) -> Seen:
    """The state of a community. Raises SettingsError, ContractError, WarehouseError."""
    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.cli.output import place
    from ideas_pipeline.sync.contract_fit import load_fitting_contract

    contract = load_fitting_contract(settings.contract)
    holder, holder_known = _holder(settings, contract)
    with open_warehouse(settings) as warehouse, warehouse.reading() as tx:
        report = _report(tx, settings, contract, holder, holder_known=holder_known)
        report = replace(
            report,
            summary=options.for_community(report.summary, settings),
            findings=[
                replace(one, what=settings.worded(one.what), do=options.for_community(one.do, settings))
                for one in report.findings
            ],
        )
        return Seen(settings.community, place(warehouse.url), contract.order(), holder, report)


def _holder(settings: Settings, contract: Contract) -> tuple[str | None, bool]:
    """Who uses the API account, and whether that can be known."""
    from ideas_pipeline.app import open_client
    from ideas_pipeline.errors import IdeasApiError, SettingsError

    if settings.simulated:
        return None, False
    try:
        return open_client(settings, contract).store.holder(), True
    except (IdeasApiError, SettingsError, OSError):
        return None, False


def _report(
    tx: Transaction, settings: Settings, contract: Contract, holder: str | None, *, holder_known: bool
) -> Report:
    from datetime import UTC

    from ideas_pipeline.app import expectations_of
    from ideas_pipeline.sync.community_findings import community_findings, is_running, state

    now = datetime.now(UTC)
    known = state(tx)
    running = is_running(known.unfinished, holder=holder, holder_known=holder_known, now=now)
    if not (known.streams or known.unfinished or holder):
        # In another folder than that of .env, an empty warehouse must not be taken for one's own.
        do = _not_configured(settings) if settings.simulated else "Run: ideas-pipeline sync"
        return Report(now, "empty", f"Nothing was synced yet. {do}", [], [], known, running)
    findings = community_findings(tx, contract, expectations_of(settings), known, running=running, now=now)
    notes = list(_notes(known, settings.timezone, holder, running=running, now=now))
    verdict, summary = _verdict(contract.order(), findings, known, now)
    return Report(now, verdict, summary, findings, notes, known, running)


def _not_configured(settings: Settings) -> str:
    return _NOT_CONFIGURED if settings.file is None else f"{'. '.join(options.without_client(settings))}."


def _verdict(streams: Sequence[str], findings: list[Finding], known: State, now: datetime) -> tuple[str, str]:
    from ideas_pipeline.times import ago, clock

    alike = grouped(findings)
    errors = sum(finding.severity == "error" for finding, _ in alike)
    if errors:
        return "attention", f"Attention: {'1 thing needs' if errors == 1 else f'{errors} things need'} you."
    if not set(streams) <= known.last_complete.keys():
        return "running", "A first sync is under way: not everything is complete yet."
    since = min(known.last_complete[stream] for stream in streams)
    when = f"{ago(since, now)} ({clock(since)})"
    if doubts := sum(finding.is_doubt for finding, _ in alike):
        first = "the first warning" if doubts == 1 else f"the first {doubts} warnings"
        return "doubtful", f"Complete {when}, but numbers can be wrong: see {first}."
    warnings = f" {counted(len(alike), 'warning')}." if alike else ""
    return "well", f"All is well: everything was complete {when}.{warnings}"


def _notes(known: State, timezone: str, holder: str | None, *, running: bool, now: datetime) -> Iterator[str]:
    from ideas_pipeline.sync.community_findings import named, scopes_read
    from ideas_pipeline.times import ago, clock, duration

    run = known.unfinished
    if holder:
        yield f"Running: {holder}."
    if run and run.reason is None and running:
        ended = "is still running" if holder else "is still running, or was killed"
        sign = ago(run.last_sign_at, now)
        yield f"{named(run, timezone)} {ended} (last sign of life {sign}). Read: {scopes_read(run)}."
    if last := known.last_sync:
        took = duration((last.finished_at - last.started_at).total_seconds())
        what = "full sync" if last.mode == "full" else "sync"
        yield f"Last {what}: {clock(last.started_at)}, {took}, {counted(last.requests, 'request')}, {last.verdict}."


def _print(seen: Seen) -> None:
    from ideas_pipeline.cli.output import as_text, console, table

    out = console()
    report = seen.report
    out.print(as_text(report.summary, COLOURS[report.verdict]))
    if report.findings:
        out.print(_listed(report.findings))
    out.print(f"Community {seen.community} in {seen.warehouse}")
    if report.verdict == "empty":
        return
    known = {s.stream: s for s in report.known.streams}
    names = [*seen.streams, *(name for name in known if name not in seen.streams)]
    headers = ("stream", "last sync", "last complete (UTC)", "rows", "rejects", "bad values", "held")
    out.print(table(headers, [_row(name, known.get(name), report) for name in names]))
    for note in report.notes:
        out.print(note)


def _listed(findings: list[Finding]) -> Table:
    """The findings, numbered."""
    from itertools import zip_longest

    from rich.table import Table

    from ideas_pipeline.cli.output import as_text

    alike = grouped(findings)
    longest = _LENGTH if len(alike) <= 2 else _LENGTH_OF_MANY
    listed = Table.grid(padding=(0, 1, 0, 0))
    for number, ((finding, streams), following) in enumerate(zip_longest(alike, alike[1:]), start=1):
        kind = "Warning: " if finding.severity == "warning" else ""
        of = f"{', '.join(streams)}: " if streams else ""
        listed.add_row(f"{number}.", as_text(f"{kind}{of}{_cut(finding.what, longest)}"))
        if following is None or following[0].do != finding.do:
            listed.add_row("", as_text(f"→ {finding.do}"))
    return listed


def grouped(findings: list[Finding]) -> list[tuple[Finding, list[str]]]:
    """The findings that say the same of several streams as one, each with its streams."""
    alike: dict[tuple[str, str, str], tuple[Finding, list[str]]] = {}
    for finding in findings:
        _, streams = alike.setdefault((finding.code, finding.what, finding.do), (finding, []))
        if finding.stream:
            streams.append(finding.stream)
    return list(alike.values())


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest].rstrip()} …"


def _row(name: str, s: StreamStatus | None, report: Report) -> tuple[object, ...]:
    from ideas_pipeline.times import ago

    if s is None:
        return (name, "never", "never", None, None, None, None)
    at = s.last_complete_at
    complete = f"{at:%Y-%m-%d %H:%M}, {ago(at, report.now)}" if at else "never"
    verdict = "interrupted" if s.verdict == "running" and not report.running else s.verdict
    return (name, verdict, complete, s.rows, s.rejects, s.rejected_values, s.held)


def plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
