"""Findings about a community as a whole: runs that did not end, streams that are overdue, and old marts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.sync.finding import Finding, Severity
from ideas_pipeline.sync.findings import Expectations, reference_findings, stream_findings
from ideas_pipeline.times import ago, clock, clock_time_between, moment
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.status import (
    LastSync,
    StreamStatus,
    Unfinished,
    created_at,
    last_complete,
    last_sync,
    marts_built_at,
    status,
    unfinished_run,
)

# The marts are built within this time after a sync.
_MARTS_TAKE = timedelta(hours=1)
# Without a sign of life for this long, a run that cannot be observed counts as killed.
_LONGEST_SILENCE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a community's runs. ``marts_built_at``: of the oldest mart, in UTC; None without marts."""

    streams: Sequence[StreamStatus]
    unfinished: Unfinished | None
    last_sync: LastSync | None
    marts_built_at: datetime | None
    last_complete: Mapping[str, datetime]
    created_at: datetime


def state(tx: Transaction) -> State:
    """Read the state of the community's runs."""
    return State(
        streams=status(tx),
        unfinished=unfinished_run(tx),
        last_sync=last_sync(tx),
        marts_built_at=marts_built_at(tx),
        last_complete=last_complete(tx),
        created_at=created_at(tx),
    )


def is_running(unfinished: Unfinished | None, *, holder: str | None, holder_known: bool, now: datetime) -> bool:
    """Whether a run is under way, or may be, if that cannot be known and it showed a sign of life not long ago.

    Args:
        unfinished: the last run, if it has not ended.
        holder: who uses the API account on this machine; None if nobody does.
        holder_known: whether ``holder`` can be known.
        now: timezone-aware.
    """
    if holder or holder_known:
        return holder is not None
    return unfinished is not None and unfinished.reason is None and now - unfinished.last_sign_at < _LONGEST_SILENCE


def overdue(contract: Contract, known: State, expected: Expectations, now: datetime) -> Finding | None:
    """The finding about the streams that were not complete for too long; None if there are none.

    ``numbers`` has the hours per stream. They are hours on the clocks of the community, so that a night always comes 24
    hours after the last one. A stream that never was complete counts from the creation of the warehouse.
    """
    limit = timedelta(hours=expected.stale_hours)
    since = {stream: known.last_complete.get(stream, known.created_at) for stream in contract.order()}
    passed = {stream: clock_time_between(at, now, expected.timezone) for stream, at in since.items()}
    late = {stream: at for stream, at in since.items() if passed[stream] > limit}
    if not late:
        return None
    when = [
        f"{stream} ({moment(at, now) if stream in known.last_complete else 'never'})" for stream, at in late.items()
    ]
    return Finding(
        "overdue",
        None,
        "error",
        f"Not complete within the last {expected.stale_hours:g} hours; last complete: {', '.join(when)}.",
        "New rows can be missing from the warehouse, and deleted ones can still count.",
        "See in Dagster whether the schedules and the daemon run, and why the last runs are not complete; or run "
        "`ideas-pipeline sync`.",
        {stream: int(passed[stream] / timedelta(hours=1)) for stream in late},
    )


def last_complete_in_words(streams: Sequence[str], complete: Mapping[str, datetime], now: datetime) -> str:
    """A sentence: since when all ``streams`` are complete, or which never were.

    Args:
        streams: the streams of the contract.
        complete: when each was last complete; timezone-aware.
        now: timezone-aware.
    """
    if never := [stream for stream in streams if stream not in complete]:
        return f"Never complete: {', '.join(never)}."
    return f"Everything was last complete {moment(min(complete[stream] for stream in streams), now)}."


def community_findings(
    tx: Transaction, contract: Contract, expected: Expectations, known: State, *, running: bool, now: datetime
) -> list[Finding]:
    """All findings about a community, errors first, without notes.

    Args:
        tx: a transaction that reads.
        contract: the contract in force.
        expected: what the settings promise.
        known: the state of the runs.
        running: whether a run is under way; what it has not read yet is then not an error.
        now: timezone-aware.
    """
    cut = set(known.unfinished.interrupted) if known.unfinished else set()
    found = [_interrupted(known, expected, running=running, now=now), overdue(contract, known, expected, now)]
    for stream in contract.order():
        for finding in stream_findings(tx, contract, stream, expected, now):
            # What a run has not finished is reported once, with the run itself.
            unread = finding.code == "completeness" and (stream in cut or _verdict(known, stream) in (None, "running"))
            if not (unread and (running or stream in cut)):
                found.append(finding)
        found += reference_findings(tx, contract, stream)
    found.append(_late_marts(known, running=running, now=now))
    order: list[Severity] = ["error", "warning"]
    return sorted(
        (finding for finding in found if finding and finding.severity in order),
        key=lambda finding: (order.index(finding.severity), finding.severity == "warning" and not finding.is_doubt),
    )


def named(run: Unfinished, timezone: str) -> str:
    """A run in words: what it does, for which days, and when it began."""
    name = {"full": "sync --full", "replay": "replay", "window": "backfill"}.get(run.mode, "sync")
    if run.window:
        first, end = (at.astimezone(ZoneInfo(timezone)) for at in run.window)
        name += f" from {first:%Y-%m-%d %H:%M} to before {end:%Y-%m-%d %H:%M}"
    return f"The {name} that began {clock(run.started_at)}"


def scopes_read(run: Unfinished) -> str:
    """What a run has read so far, in words."""
    read = [f"{stream} {count:,}" for stream, count in run.lists.items() if count]
    return f"scopes of {', '.join(read)}" if read else "nothing yet"


def _verdict(known: State, stream: str) -> str | None:
    return next((s.verdict for s in known.streams if s.stream == stream), None)


def _interrupted(known: State, expected: Expectations, *, running: bool, now: datetime) -> Finding | None:
    run = known.unfinished
    if run is None or (run.reason is None and running):
        return None
    name, read = named(run, expected.timezone), f"Read: {scopes_read(run)}."
    means = "What it read is loaded, the rest is as old as before."
    if run.reason is None:
        sign = ago(run.last_sign_at, now)
        what = f"{name} was killed, or runs on another machine (last sign of life {sign}). {read}"
    elif run.mode in ("window", "replay"):
        what = f"{name} did not end: {run.reason.rstrip('.')}. {read}"
    elif run.interrupted:
        what = f"{name} was interrupted ({run.reason.rstrip('.')}). {read}"
    elif any(s.stream in run.ended and s.verdict in ("failed", "incomplete") for s in known.streams):
        return None  # the findings of these streams say why
    else:
        do = f"Run `ideas-pipeline check`; once it passes, `{_command(run)}`."
        return Finding("interrupted", None, "error", f"{name} failed: {run.reason.rstrip('.')}.", means, do)
    again = f"Run {'the same ' if run.mode == 'window' else ''}`{_command(run)}`, which goes on from there."
    return Finding("interrupted", None, "error", what, means, again, {"scopes": sum(run.lists.values())})


def _command(run: Unfinished) -> str:
    commands = {"full": "sync --full", "replay": "replay", "window": "backfill"}
    return f"ideas-pipeline {commands.get(run.mode, 'sync')}"


def _late_marts(known: State, *, running: bool, now: datetime) -> Finding | None:
    last, built = known.last_sync, known.marts_built_at
    if last is None or built is None or last.verdict == "failed" or running:
        return None
    if built >= last.finished_at or now - last.finished_at < _MARTS_TAKE:
        return None
    return Finding(
        "marts",
        None,
        "error",
        f"The analysts' tables (mart_…) are older than the last sync: they were built {moment(built, now)}.",
        "Reports and queries on them do not show what came since.",
        "Run `ideas-pipeline marts`.",
    )
