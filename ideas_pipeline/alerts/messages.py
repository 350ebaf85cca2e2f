"""What alerts say: what happened, what it means for the numbers, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ideas_pipeline.times import clock, moment

_AGAIN = timedelta(days=1)

_RUNS_SHOWN = 3
_REASONS_SHOWN = 5
_REASON_LENGTH = 600
_SEE = "`ideas-pipeline status` says how things stand."


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that failed. ``name``: of what it was. ``at``: in UTC. ``reasons``: sentences that anybody may read."""

    run_id: str
    name: str
    at: datetime
    reasons: Sequence[str]


def runs_failed(community: str, runs: Sequence[FailedRun], proven: str) -> Alert:
    """One alert for all ``runs`` (at least one), the oldest first. ``proven``: what ``last_proven`` says."""
    what = f"{runs[0].name} failed" if len(runs) == 1 else f"{len(runs):,} runs failed"
    shown = [_told(run) for run in runs[:_RUNS_SHOWN]]
    if more := len(runs) - len(shown):
        shown.append(f"And {more:,} more: see the runs in Dagster.")
    parts = [
        *shown,
        f"What it means: what these runs had read is loaded, the rest is as old as before. {proven}",
        f"What to do: mend what is named above, then launch it again in Dagster; it goes on from there. {_SEE}",
    ]
    return Alert(f"[{community}] {what}", "\n\n".join(parts))


def stale(community: str, late: Mapping[str, datetime | None], hours: float, now: datetime) -> Alert:
    """No proof for longer than expected. ``late``: the streams, and when each was last proven; None is never."""
    lines = [f"- {stream}: {moment(at, now) if at else 'never'}" for stream, at in late.items()]
    parts = [
        f"These were not proven complete within the last {hours:g} hours. Last proven:\n" + "\n".join(lines),
        "What it means: new rows can be missing, and rows that are gone can still count as there.",
        "What to do: see in Dagster whether the schedules and the daemon run, and why the last runs did not prove it. "
        f"{_SEE} This is said again each day while it lasts.",
    ]
    return Alert(f"[{community}] not proven complete: {', '.join(late)}", "\n\n".join(parts))


def no_longer_stale(community: str, proven: str) -> Alert:
    return Alert(f"[{community}] all clear: proven complete again", f"Nothing is late any more. {proven}")


def last_proven(streams: Sequence[str], proven: Mapping[str, datetime], now: datetime) -> str:
    """A sentence: since when all ``streams`` are proven complete, or which never were."""
    if never := [stream for stream in streams if stream not in proven]:
        return f"Never proven complete: {', '.join(never)}."
    stream = min(streams, key=lambda name: proven[name])
    return f"Everything was last proven complete {moment(proven[stream], now)}."


def _told(run: FailedRun) -> str:
    reasons = [f"- {_cut(reason)}" for reason in run.reasons[:_REASONS_SHOWN]]
    if more := len(run.reasons) - len(reasons):
        reasons.append(f"- and {more:,} more")
    return "\n".join([f"{run.name} failed at {clock(run.at)} (run {run.run_id[:8]}):", *reasons])


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _REASON_LENGTH else f"{text[:_REASON_LENGTH]} …"


@dataclass(frozen=True, slots=True)
class Alert:
    """``subject``: one line that says it all. ``text``: what happened, what it means, what to do."""

    subject: str
    text: str


def late_streams(
    streams: Sequence[str], proven: Mapping[str, datetime], born: datetime, limit: timedelta, now: datetime
) -> dict[str, datetime | None]:
    """The ``streams`` that were proven longer than ``limit`` ago, and when; None is never.

    ``born``: when the warehouse was created. What was never proven is late so long after that.
    """
    return {stream: proven.get(stream) for stream in streams if now - proven.get(stream, born) > limit}


def due(is_late: bool, said: datetime | None, now: datetime) -> Literal["stale", "over"] | None:
    """What is to be said now. ``said``: when it was last said that it is late; None where it was not."""
    if not is_late:
        return "over" if said else None
    return "stale" if said is None or now - said >= _AGAIN else None
