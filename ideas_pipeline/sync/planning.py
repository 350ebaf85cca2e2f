"""Which lists of a stream a run reads, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ideas_pipeline.contract.model import Bound, Contract, Stream
from ideas_pipeline.ideas_api.pagination import ALL, Bounds
from ideas_pipeline.sync.run import Full, Incremental, Mode, Window
from ideas_pipeline.warehouse.scopes import ScopeState
from ideas_pipeline.warehouse.warehouse import Warehouse

VERIFY_DAYS = 14


@dataclass(frozen=True, slots=True)
class Task:
    """One list to read.

    ``fingerprint``: what its parent says now; None where it says nothing that betrays a change.
    ``verifying``: nothing says that it changed; it is read all the same, as it was verified longest ago.
    ``bounds``: the times between which the API is asked for records; none means: the whole list.
    """

    scope: str
    fingerprint: str | None = None
    declared: int | None = None
    verifying: bool = False
    bounds: Bounds = ALL


@dataclass(frozen=True, slots=True)
class Plan:
    """The lists to read, how many are left alone, and how many had changed without their parent saying so."""

    tasks: list[Task]
    skipped: int = 0
    hidden: list[str] = field(default_factory=list)


def plan(
    warehouse: Warehouse,
    community: str,
    stream: str,
    spec: Stream,
    mode: Mode,
    *,
    goal_since: datetime,
    verify_days: int = VERIFY_DAYS,
) -> Plan:
    """What a run of ``mode`` reads of ``stream``. Its scopes come from the warehouse's own rows.

    ``goal_since``: of a full run, see ``Warehouse.full_goal``; else when the run began. ``verify_days``: within how
    many nightly runs every list is verified anew.
    """
    parents = _parents(warehouse, community, spec)
    states = warehouse.scope_states(community, stream)
    tasks = [
        Task(
            scope,
            fingerprint=_fingerprint(spec, says),
            declared=says.get(spec.each.declared) if spec.each and spec.each.declared else None,
            bounds=_bounds(spec, mode, states.get(scope)),
        )
        for scope, says in parents.items()
    ]
    match mode:
        case Incremental():
            candidates = warehouse.candidates(community, stream).values()
            pending = {candidate.scope for candidate in candidates if not candidate.held_because}
            return _incremental(tasks, states, pending, verify_days, goal_since)
        case Full():
            done = {s for s, state in states.items() if state.completed_at and state.completed_at >= goal_since}
        case Window(start, end):
            done = warehouse.read_in_window(community, stream, start, end, goal_since)
        case _:
            done = set()
    wanted = [task for task in tasks if task.scope not in done]
    return Plan(wanted, skipped=len(tasks) - len(wanted))


def _incremental(
    tasks: list[Task], states: Mapping[str, ScopeState], pending: set[str], verify_days: int, began: datetime
) -> Plan:
    """What has changed by its parent's word, and the share that was verified longest ago.

    ``pending``: lists from which a run that broke off found rows missing, without judging them.

    A list that had changed although its parent said nothing, then or since, shows that the parents' word is not to be
    trusted in this stream: all its lists are read. What is verified is read whole, as what came since its watermark
    tells nothing of rows that are gone; so is a list that was last read whole more than ``verify_days`` ago.
    """
    quiet = [task for task in tasks if task.scope not in pending and _unchanged(task, states.get(task.scope))]
    hidden = [task.scope for task in quiet if states[task.scope].suspect]
    if hidden:
        return Plan([replace(task, bounds=ALL) for task in tasks], hidden=hidden)
    quiet.sort(key=lambda task: (states[task.scope].completed_at, task.scope))
    share = -(-len(quiet) // verify_days)
    verify = {task.scope for task in quiet[:share]}
    skip = {task.scope for task in quiet[share:]}
    long_ago = began - timedelta(days=verify_days)
    whole = pending | verify | {scope for scope, state in states.items() if _read_whole_at(state) < long_ago}
    wanted = [
        replace(t, verifying=t.scope in verify, bounds=ALL if t.scope in whole else t.bounds)
        for t in tasks
        if t.scope not in skip
    ]
    return Plan(wanted, skipped=len(skip))


def _read_whole_at(state: ScopeState) -> datetime:
    return state.completed_at or datetime.min.replace(tzinfo=UTC)


def _unchanged(task: Task, state: ScopeState | None) -> bool:
    if task.fingerprint is None or state is None or state.completed_at is None:
        return False
    return task.fingerprint == state.fingerprint


def scopes_of(warehouse: Warehouse, community: str, spec: Stream) -> list[str]:
    """Every scope that the stream has now, by the warehouse's own rows."""
    return warehouse.values(community, spec.each.of) if spec.each else [""]


def _parents(warehouse: Warehouse, community: str, spec: Stream) -> dict[str, dict[str, Any]]:
    """Every scope, with what its parent says in the columns that matter here."""
    each = spec.each
    if not each:
        return {"": {}}
    columns = list(dict.fromkeys([*each.changed_when, *([each.declared] if each.declared else [])]))
    if len(each.of) == 1 and columns:
        return warehouse.parents(community, each.of[0], columns)
    return {scope: {} for scope in scopes_of(warehouse, community, spec)}


def _fingerprint(spec: Stream, says: Mapping[str, Any]) -> str | None:
    """What the parent says, as text; None where it says nothing at all, as then nothing could betray a change."""
    values = [says.get(column) for column in (spec.each.changed_when if spec.each else ())]
    if all(value is None for value in values):
        return None
    return json.dumps(values, default=str)


def _bounds(spec: Stream, mode: Mode, state: ScopeState | None) -> Bounds:
    match mode:
        case Window():
            return window_bounds(spec, mode)
        case Incremental() if spec.since and state and state.watermark:
            return Bounds(since=state.watermark - timedelta(seconds=spec.lookback))
        case _:
            return Bounds()


def window_bounds(spec: Stream, window: Window) -> Bounds:
    """What a backfill asks the API for. A filter by another column than the cursor would leave out records of the
    window: one that was edited after it, or that never was."""

    def by_cursor(bound: Bound | None) -> bool:
        return bound is not None and bound.column == spec.cursor

    return Bounds(
        since=window.start if by_cursor(spec.since) else None, until=window.end if by_cursor(spec.until) else None
    )


def dated(contract: Contract) -> list[str]:
    """The streams whose lists grow from day to day, each after those that it depends on: those below others.

    One whose records say no time (``cursor``) has no days.
    """
    lists = {name: s for name, s in contract.streams.items() if s.each and s.reads == "list"}
    return [name for name in contract.order() if name in lists and lists[name].cursor in lists[name].fields]


def window_of(first: date, last: date, zone: str) -> Window:
    """From the beginning of ``first`` to the end of ``last`` in ``zone``; a day on which the clock is moved has 23 or
    25 hours.
    """
    return Window(_midnight(first, zone), _midnight(last + timedelta(days=1), zone))


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))
