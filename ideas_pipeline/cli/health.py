"""How a community stands, in words: whether all is well, and if not, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ideas_pipeline.cli.output import came_to
from ideas_pipeline.times import ago, clock, duration, moment
from ideas_pipeline.warehouse.status import LastSync, StreamStatus, Unfinished

_SYNC = "ideas-pipeline sync"
# So that all fits on one screen, also where every stream has a reason of its own.
_REASON_LENGTH, _ONE_OF_MANY, _WHY_ALL_FAILED_LENGTH = 200, 100, 400
_NOT_CONFIGURED = (
    "No API client is named in .env of this folder: go to the folder of your .env, or run: ideas-pipeline init"
)
# So long after a sync, its marts are built.
_MARTS_TAKE = timedelta(hours=1)
_LONGEST_SILENCE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known. ``expected``: the contract's streams. ``streams``: those that were ever synced.

    ``configured``: whether an API client is named. ``marts_built_at``: when the oldest mart was; None: there is none.
    ``holder``: who uses the API account on this machine; None is nobody. ``holder_known``: whether that can be known.
    """

    now: datetime
    timezone: str
    stale_hours: float
    configured: bool
    expected: Sequence[str]
    streams: Sequence[StreamStatus]
    unfinished: Unfinished | None
    last_sync: LastSync | None
    marts_built_at: datetime | None
    holder: str | None
    holder_known: bool


@dataclass(frozen=True, slots=True)
class Need:
    """Something for a person to do. ``do``: the command that helps, or shows more."""

    what: str
    do: str


@dataclass(frozen=True, slots=True)
class Standing:
    """``verdict``: well, attention, running or empty. ``summary``: that as a sentence. ``notes``: good to know."""

    verdict: str
    summary: str
    needs: list[Need]
    notes: list[str]


def standing(facts: Facts) -> Standing:
    needs = list(_needs(facts))
    notes = list(_notes(facts))
    if not (facts.streams or facts.unfinished or facts.holder):
        # Whoever stands in another folder than that of .env must not take its empty warehouse for theirs.
        do = f"Run: {_SYNC}" if facts.configured else _NOT_CONFIGURED
        return Standing("empty", f"Nothing was synced yet. {do}", [], [])
    if needs:
        count = "1 thing needs" if len(needs) == 1 else f"{len(needs)} things need"
        return Standing("attention", f"Attention: {count} you.", needs, notes)
    proven = [s.last_complete_at for s in facts.streams if s.stream in facts.expected and s.last_complete_at]
    if len(proven) < len(facts.expected):
        return Standing("running", "A first sync is under way: not everything is proven complete yet.", [], notes)
    since = min(proven)
    if _is_late(facts, since):
        said = f"A sync is under way: everything was last proven complete {moment(since, facts.now)}."
        return Standing("running", said, [], notes)
    said = f"All is well: everything was proven complete {ago(since, facts.now)} ({clock(since)})."
    return Standing("well", said, [], notes)


def is_running(facts: Facts) -> bool:
    """Whether a run is under way; or may be, where that cannot be known and it showed a sign of life not long ago."""
    if facts.holder or facts.holder_known:
        return facts.holder is not None
    run = facts.unfinished
    return run is not None and run.reason is None and facts.now - run.last_sign_at < _LONGEST_SILENCE


def _needs(facts: Facts) -> Iterator[Need]:
    told: set[str] = set()
    unproven = _by_reason(facts)
    for (verdict, reason), streams in unproven.items():
        told |= {s.stream for s in streams}
        if any(s.held for s in streams):
            do = "ideas-pipeline absences list"
        else:
            do = f"{_SYNC}; if it stays: ideas-pipeline check"
        said = came_to(", ".join(s.stream for s in streams), verdict, reason)
        yield Need(_sentence(said, _REASON_LENGTH if len(unproven) <= 2 else _ONE_OF_MANY), do)
    broken = _broken_off(facts)
    if broken:
        yield broken
    if not is_running(facts):
        known = {s.stream: s.last_complete_at for s in facts.streams}
        late = {s: known.get(s) for s in facts.expected if s not in told and _is_late(facts, known.get(s))}
        never = [stream for stream, at in late.items() if at is None and not (broken and stream in known)]
        if never:
            yield Need(f"Never proven complete: {', '.join(never)}.", _SYNC)
        if old := {stream: at for stream, at in late.items() if at}:
            since = moment(min(old.values()), facts.now)
            what = f"Not proven complete within {facts.stale_hours:g} hours: {', '.join(old)} (oldest: {since})."
            yield Need(what, f"{_SYNC}; and see in Dagster whether the schedules run")
    for s in facts.streams:
        if s.held and s.stream not in told:
            what = f"{s.held:,} of {s.stream} are missing at the source, too many at once to be believed."
            yield Need(what, "ideas-pipeline absences list")
    if late_marts := _late_marts(facts):
        yield late_marts
    if rejects := {s.stream: s.rejects for s in facts.streams if s.rejects}:
        counted = ", ".join(f"{stream} {count:,}" for stream, count in rejects.items())
        yield Need(f"Records that could not be read: {counted}.", "ideas-pipeline rejects list")


def _by_reason(facts: Facts) -> dict[tuple[str, str], list[StreamStatus]]:
    """The streams whose last sync is not complete, those together for which that has the same reason."""
    found: dict[tuple[str, str], list[StreamStatus]] = {}
    for s in facts.streams:
        if s.verdict in ("failed", "incomplete"):
            found.setdefault((s.verdict, s.reason or "no reason was noted"), []).append(s)
    return found


def _broken_off(facts: Facts) -> Need | None:
    run = facts.unfinished
    if run is None:
        # The runs after it came to their end, and it is still the last that read these.
        cut = [s.stream for s in facts.streams if s.verdict == "running" and not is_running(facts)]
        return Need(f"The last sync of {', '.join(cut)} did not end.", _SYNC) if cut else None
    if run.reason is None and is_running(facts):
        return None
    stopped = run.reason is not None and run.reason.startswith("stopped")
    if run.reason is None:
        ended = f"was killed, or runs on another machine (last sign of life {ago(run.last_sign_at, facts.now)})"
    elif stopped:
        ended = "was stopped"
    elif run.mode in ("window", "replay"):
        ended = f"did not come to its end: {run.reason}"
    elif any(s.stream in run.lists and s.verdict in ("failed", "incomplete") for s in facts.streams):
        return None  # why it failed is said with the streams
    else:
        what = f"{_named(run, facts)} failed: {_sentence(run.reason, _WHY_ALL_FAILED_LENGTH)}"
        return Need(what, f"ideas-pipeline check; once that passes: {_SYNC}")
    goes_on = {
        "full": f"{_SYNC} --full",
        "replay": "ideas-pipeline replay",
        "window": "the same ideas-pipeline backfill",
    }
    do = f"{goes_on.get(run.mode, _SYNC)}, which goes on from there"
    return Need(f"{_named(run, facts)} {_sentence(ended)} Read: {_read(run)}.", do)


def _late_marts(facts: Facts) -> Need | None:
    last, built = facts.last_sync, facts.marts_built_at
    if last is None or built is None or last.verdict == "failed" or is_running(facts):
        return None
    if built >= last.finished_at or facts.now - last.finished_at < _MARTS_TAKE:
        return None
    what = f"The analysts' tables (mart_…) are older than the last sync: they were built {moment(built, facts.now)}."
    return Need(what, "ideas-pipeline marts")


def _notes(facts: Facts) -> Iterator[str]:
    run = facts.unfinished
    if facts.holder:
        yield f"Running: {facts.holder}."
    if run and run.reason is None and is_running(facts):
        ended = "still runs" if facts.holder else "still runs, or was killed"
        sign = ago(run.last_sign_at, facts.now)
        yield f"{_named(run, facts)} {ended} (last sign of life {sign}). Read: {_read(run)}."
    if last := facts.last_sync:
        took = duration((last.finished_at - last.started_at).total_seconds())
        what = "full sync" if last.mode == "full" else "sync"
        yield f"Last {what}: {clock(last.started_at)}, {took}, {last.requests:,} requests, {last.verdict}."
        if last.hidden_changes:
            yield f"It found {last.hidden_changes:,} changes that nothing had announced."


def _is_late(facts: Facts, proven: datetime | None) -> bool:
    return proven is None or facts.now - proven > timedelta(hours=facts.stale_hours)


def _named(run: Unfinished, facts: Facts) -> str:
    name = {"full": "sync --full", "replay": "replay", "window": "backfill"}.get(run.mode, "sync")
    if run.window:
        first, end = (at.astimezone(ZoneInfo(facts.timezone)) for at in run.window)
        name += f" from {first:%Y-%m-%d %H:%M} to before {end:%Y-%m-%d %H:%M}"
    return f"The {name} that began {clock(run.started_at)}"


def _read(run: Unfinished) -> str:
    lists = [f"{stream} {count:,}" for stream, count in run.lists.items() if count]
    return f"lists of {', '.join(lists)}" if lists else "nothing yet"


def _sentence(text: str, longest: int = _REASON_LENGTH) -> str:
    return f"{text.rstrip('.')}." if len(text) <= longest else f"{text[:longest].rstrip()} …"
