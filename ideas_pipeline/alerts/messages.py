"""The texts of alerts: what happened, what it means for the numbers, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ideas_pipeline.sync.finding import Finding
from ideas_pipeline.times import clock
from ideas_pipeline.visible import visible, visible_lines

_AGAIN = timedelta(days=1)

_RUNS_SHOWN = 3
_REASONS_SHOWN = 5
_REASON_LENGTH = 600
_SUBJECT_LENGTH, _TEXT_LENGTH = 150, 20_000
_SEE = "`ideas-pipeline status` shows all findings."


@dataclass(frozen=True, slots=True)
class Alert:
    """``subject``: one short line that says it all. ``text``: what happened, what it means, what to do.

    Both are cut and made visible, so that every outlet can send them. Only the line feeds of ``text`` stay: they are
    our own, because other people's texts lose theirs before they are put into it.
    """

    subject: str
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "subject", visible(_shortened(self.subject, _SUBJECT_LENGTH)))
        object.__setattr__(self, "text", visible_lines(_shortened(self.text, _TEXT_LENGTH)))


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that failed.

    Attributes:
        run_id: Dagster's id of it.
        name: what it ran, such as ``nightly_sync``.
        at: when it failed, in UTC.
        reasons: why, in sentences without personal data: the steps that failed, and the findings that are errors.
    """

    run_id: str
    name: str
    at: datetime
    reasons: Sequence[str]


def runs_failed(community: str, runs: Sequence[FailedRun], last_complete: str) -> Alert:
    """One alert for all ``runs`` (at least one), the oldest first. ``last_complete``: a sentence that says since when
    everything is complete.
    """
    what = f"{runs[0].name} failed" if len(runs) == 1 else f"{len(runs):,} runs failed"
    shown = [_described(run) for run in runs[:_RUNS_SHOWN]]
    if more := len(runs) - len(shown):
        shown.append(f"And {more:,} more: see the runs in Dagster.")
    return _alert(
        community,
        what,
        "\n\n".join(shown),
        f"what these runs had read is loaded, the rest is as old as before. {last_complete}",
        f"correct what is named above, then launch the run again in Dagster; it goes on from there. {_SEE}",
    )


def overdue(community: str, finding: Finding) -> Alert:
    """The alert of the finding ``overdue``."""
    what = f"not complete: {', '.join(finding.numbers)}"
    do = f"{finding.do} {_SEE} This alert comes once a day until everything is complete."
    return _alert(community, what, _cut(finding.what), finding.means, do)


def configuration_changed(community: str, finding: Finding) -> Alert:
    """The alert of the finding ``configuration``."""
    what = "the configuration is wrong" if finding.severity == "error" else "a changed configuration is waiting"
    return _alert(community, what, _cut(finding.what), finding.means, finding.do)


def no_longer_overdue(community: str, last_complete: str) -> Alert:
    """The alert that ends those of ``overdue``. ``last_complete``: since when everything is complete, a sentence."""
    return Alert(f"[{community}] all clear: complete again", f"Nothing is overdue any more. {_cut(last_complete)}")


def due(is_overdue: bool, sent: datetime | None, now: datetime) -> Literal["overdue", "over"] | None:
    """The alert to send now, if any.

    Args:
        is_overdue: whether a stream is overdue.
        sent: when the last alert of that was sent; None if there was none since everything was complete.
        now: timezone-aware.
    """
    if not is_overdue:
        return "over" if sent else None
    return "overdue" if sent is None or now - sent >= _AGAIN else None


def _alert(community: str, subject: str, what: str, means: str, do: str) -> Alert:
    return Alert(f"[{community}] {subject}", f"{what}\n\nWhat it means: {_cut(means)}\n\nWhat to do: {_cut(do)}")


def _described(run: FailedRun) -> str:
    reasons = [f"- {_cut(reason)}" for reason in run.reasons[:_REASONS_SHOWN]]
    if more := len(run.reasons) - len(reasons):
        reasons.append(f"- and {more:,} more")
    return "\n".join([f"{_cut(run.name)} failed at {clock(run.at)} (run {run.run_id[:8]}):", *reasons])


def _cut(text: str) -> str:
    return visible(_shortened(" ".join(text.split()), _REASON_LENGTH))


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]} …"
