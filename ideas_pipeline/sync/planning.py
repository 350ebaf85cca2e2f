"""Which scopes of a stream a run reads, and why."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ideas_pipeline.contract.model import Bound, Contract, Stream
from ideas_pipeline.ideas_api.pagination import ALL, Bounds
from ideas_pipeline.ideas_api.references import REFERS, KnownRows, own_id, words_for
from ideas_pipeline.sync.run import VERIFY_DAYS, Full, Incremental, Mode, Retry, Window
from ideas_pipeline.warehouse.absences import undecided
from ideas_pipeline.warehouse.scopes import (
    ScopeState,
    any_id,
    distinct_values,
    parent_values,
    read_in_window,
    scope_states,
)
from ideas_pipeline.warehouse.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class ScopePlan:
    """One scope to read.

    Attributes:
        scope: its name: the parent's id, or "" for a stream that is one list.
        fingerprint: what its parent says now; None if it says nothing that would reveal a change.
        declared: how many records its parent declares.
        verifying: whether nothing says that it changed, and it is read because it was verified longest ago.
        bounds: request only the records of this time range.
    """

    scope: str
    fingerprint: str | None = None
    declared: int | None = None
    verifying: bool = False
    bounds: Bounds = ALL


@dataclass(frozen=True, slots=True)
class Times:
    """Moments by which a run plans. Both are timezone-aware.

    Attributes:
        goal_since: for a full run, see ``full_goal`` in ``warehouse/runs.py``; otherwise when the run began.
        now: the present.
    """

    goal_since: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run reads of a stream.

    Attributes:
        scopes: the scopes to read, by name.
        skipped: how many scopes are left alone.
        hidden: scopes that had changed although their parent did not show it.
        parents: all scopes of the stream, those that are left alone included.
    """

    scopes: dict[str, ScopePlan]
    skipped: int = 0
    hidden: list[str] = field(default_factory=list)
    parents: frozenset[str] = frozenset()


def plan(
    warehouse: Warehouse,
    stream: str,
    spec: Stream,
    mode: Mode,
    times: Times,
    verify_days: int = VERIFY_DAYS,
) -> Plan:
    """Decide which scopes of a stream a run reads. The scopes come from the parents' rows in the warehouse.

    Args:
        warehouse: knows the scopes, and when each was complete.
        stream: the stream.
        spec: the stream in the contract.
        mode: what the run sets out to read.
        times: the moments by which the run plans.
        verify_days: every scope is verified again within so many nightly runs.
    """
    goal_since = times.goal_since
    parents = _parents(warehouse, spec)
    with warehouse.reading() as tx:
        states = {scope: _until(state, times.now) for scope, state in scope_states(tx, stream).items()}
    scopes = [
        ScopePlan(
            scope,
            fingerprint=_fingerprint(spec, values),
            declared=values.get(spec.each.declared) if spec.each and spec.each.declared else None,
            bounds=_bounds(spec, mode, states.get(scope)),
        )
        for scope, values in parents.items()
    ]
    waiting = _absent_parents(warehouse, spec) & parents.keys()
    match mode:
        case Incremental():
            scopes = [scope for scope in scopes if scope.scope not in waiting]
            made = _incremental(scopes, states, _unjudged(warehouse, stream), verify_days, goal_since)
            return replace(made, skipped=made.skipped + len(waiting), parents=frozenset(parents))
        case Full():
            done = {s for s, state in states.items() if state.completed_at and state.completed_at >= goal_since}
            done = done - _unjudged(warehouse, stream) | waiting
        case Window(start, end):
            with warehouse.reading() as tx:
                done = read_in_window(tx, stream, start, end, goal_since)
        case Retry(rejected):
            done = {scope.scope for scope in scopes} - set(rejected.get(stream, ()))
    wanted = [scope for scope in scopes if scope.scope not in done]
    return Plan(_by_name(wanted), skipped=len(scopes) - len(wanted), parents=frozenset(parents))


def _incremental(
    scopes: list[ScopePlan], states: Mapping[str, ScopeState], unjudged: set[str], verify_days: int, began: datetime
) -> Plan:
    """The scopes that have changed by their parent's word, and the share that was verified longest ago.

    If a scope had changed although its parent did not show it, then or since, the parents of this stream cannot be
    trusted: all its scopes are read. Scopes that are verified are read from the start, because the records since a
    watermark do not show which rows are absent; so are scopes that were last complete more than ``verify_days`` ago.

    Args:
        scopes: all scopes of the stream.
        states: how far each has been read.
        unjudged: scopes with absent rows that no run has decided yet.
        verify_days: every scope is verified again within so many nightly runs.
        began: when the run began.
    """
    seem_quiet = [scope for scope in scopes if _unchanged(scope, states.get(scope.scope))]
    hidden = [scope.scope for scope in seem_quiet if states[scope.scope].suspect]
    if hidden:
        return Plan(_by_name(replace(scope, bounds=ALL) for scope in scopes), hidden=hidden)
    quiet = [scope for scope in seem_quiet if scope.scope not in unjudged]
    quiet.sort(key=lambda scope: (states[scope.scope].completed_at, scope.scope))
    share = -(-len(quiet) // verify_days)
    verify = {scope.scope for scope in quiet[:share]}
    skip = {scope.scope for scope in quiet[share:]}
    long_ago = began - timedelta(days=verify_days)
    whole = unjudged | verify | {name for name, state in states.items() if _last_complete(state) < long_ago}
    wanted = (
        replace(s, verifying=s.scope in verify, bounds=ALL if s.scope in whole else s.bounds)
        for s in scopes
        if s.scope not in skip
    )
    return Plan(_by_name(wanted), skipped=len(skip))


def _by_name(scopes: Iterable[ScopePlan]) -> dict[str, ScopePlan]:
    return {scope.scope: scope for scope in scopes}


def _until(state: ScopeState, now: datetime) -> ScopeState:
    """The state without moments in the future, as a run leaves them whose clock was ahead: they would hide changes."""
    complete_at, watermark = (at if at is None or at <= now else None for at in (state.completed_at, state.watermark))
    return replace(state, completed_at=complete_at, watermark=watermark)


def _last_complete(state: ScopeState) -> datetime:
    return state.completed_at or datetime.min.replace(tzinfo=UTC)


def _unchanged(scope: ScopePlan, state: ScopeState | None) -> bool:
    if scope.fingerprint is None or state is None or state.completed_at is None:
        return False
    return scope.fingerprint == state.fingerprint


def scopes_of(warehouse: Warehouse, spec: Stream) -> list[str]:
    """The names of all scopes that the stream has now, from the parents' rows in the warehouse."""
    if not spec.each:
        return [""]
    with warehouse.reading() as tx:
        return distinct_values(tx, spec.each.of)


def known_rows(warehouse: Warehouse, contract: Contract, stream: str, parents: Collection[str]) -> KnownRows:
    """The rows that records of a stream can name.

    Args:
        warehouse: has a row of each table that shows whether its ids are links.
        contract: the contract.
        stream: the stream.
        parents: the stream's scopes.
    """
    with warehouse.reading() as tx:
        examples = {table: any_id(tx, table) for table in set(REFERS.values()) & contract.tables().keys()}
    plain = [t for t, id_ in examples.items() if id_ is not None and own_id(id_, words_for(contract, t)) == id_]
    return KnownRows(parents if contract.streams[stream].each else (), plain)


def _parents(warehouse: Warehouse, spec: Stream) -> dict[str, dict[str, Any]]:
    """By scope, the values of the parent that tell whether it changed, and how many records it declares."""
    each = spec.each
    if not each:
        return {"": {}}
    columns = list(dict.fromkeys([*each.changed_when, *([each.declared] if each.declared else [])]))
    if len(each.of) == 1 and columns:
        with warehouse.reading() as tx:
            return parent_values(tx, each.of[0], columns)
    return {scope: {} for scope in scopes_of(warehouse, spec)}


def _unjudged(warehouse: Warehouse, stream: str) -> set[str]:
    """The scopes with absent rows that no run has decided yet."""
    with warehouse.reading() as tx:
        return {absence.scope for absence in undecided(tx, stream).values()}


def _absent_parents(warehouse: Warehouse, spec: Stream) -> set[str]:
    """The parents that are absent from their own list and whose deletion is not decided yet.

    An API that deletes or hides a record refuses the lists below it as well: reading them would show nothing.
    """
    each = spec.each
    if not each or len(each.of) > 1 or not each.of[0].endswith(".id"):
        return set()
    with warehouse.reading() as tx:
        return set(undecided(tx, each.of[0].removesuffix(".id")))


def _fingerprint(spec: Stream, values: Mapping[str, Any]) -> str | None:
    """The parent's values as text; None if all are null, because nothing would then reveal a change."""
    fingerprint = [values.get(column) for column in (spec.each.changed_when if spec.each else ())]
    if all(value is None for value in fingerprint):
        return None
    return json.dumps(fingerprint, default=str)


def _bounds(spec: Stream, mode: Mode, state: ScopeState | None) -> Bounds:
    match mode:
        case Window():
            return window_bounds(spec, mode)
        case Incremental() if spec.since and state and state.watermark:
            return Bounds(since=state.watermark - timedelta(seconds=spec.lookback))
        case _:
            return Bounds()


def window_bounds(spec: Stream, window: Window) -> Bounds:
    """The time range that a backfill requests from the API.

    Only a filter by the cursor is used. One by another column would leave out records of the window: those that were
    edited after it, or never.
    """

    def by_cursor(bound: Bound | None) -> bool:
        return bound is not None and bound.column == spec.cursor

    return Bounds(
        since=window.start if by_cursor(spec.since) else None, until=window.end if by_cursor(spec.until) else None
    )


def dated(contract: Contract) -> list[str]:
    """The streams with daily partitions, each after those that it depends on.

    They are the streams with a scope per parent whose records have a time (``cursor``).
    """
    lists = {name: s for name, s in contract.streams.items() if s.each and s.reads == "list"}
    return [name for name in contract.order() if name in lists and lists[name].cursor in lists[name].fields]


def window_of(first: date, last: date, zone: str) -> Window:
    """The window from the start of one day to the end of another.

    Args:
        first: the first day.
        last: the last day; it is included.
        zone: the time zone of both. A day on which the clock changes has 23 or 25 hours.
    """
    return Window(_midnight(first, zone), _midnight(last + timedelta(days=1), zone))


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))
