"""A sync of a community: every stream, each after those that tell its scopes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.errors import AuthenticationError, is_retryable
from ideas_pipeline.sync.contract_fit import check_fit
from ideas_pipeline.sync.planning import dated
from ideas_pipeline.sync.run import (
    Full,
    Incremental,
    Mode,
    Progress,
    Run,
    RunResult,
    Silence,
    StreamResult,
    SyncOptions,
    Verdict,
    Window,
    now,
    worst,
)
from ideas_pipeline.sync.source import Source
from ideas_pipeline.sync.stream import sync_stream
from ideas_pipeline.times import CLOCKS_DIFFER, clock
from ideas_pipeline.warehouse import runs
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.runs import RunStart
from ideas_pipeline.warehouse.scopes import prune_sweeps
from ideas_pipeline.warehouse.warehouse import Warehouse

# Rows of `_sync_scopes` are kept this long; of older ones, the last of each scope and verdict stays.
_SWEEPS_KEPT = timedelta(days=90)


def new_run_id(at: datetime) -> str:
    """An id that sorts by time: ``20260131T020000-1a2b3c4d``."""
    return f"{at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"


def sync_community(
    source: Source,
    warehouse: Warehouse,
    mode: Mode = Incremental(),  # noqa: B008 - it is frozen, so all callers may share it
    *,
    options: SyncOptions = SyncOptions(),  # noqa: B008 - likewise
    progress: Progress | None = None,
) -> RunResult:
    """Read the community, and bring the warehouse in line with it.

    A stream that fails leaves the others' work in place, and the run goes on with the next one, unless the API rejects
    the account. After a crash or a signal, all work up to the last batch is kept, and the next run goes on from there.

    Args:
        source: where pages come from.
        warehouse: the warehouse of the community.
        mode: what to read.
        options: which streams, as which run, and with which limits.
        progress: hears what the run does.

    Raises:
        ContractError: the contract does not fit the tables.
        WarehouseError: the warehouse cannot be read or written; PrivacyError among others.
    """
    check_fit(source.contract)
    client, privacy = source.client, source.privacy
    started = options.clock()
    run_id = options.run_id or new_run_id(started)
    role = client.account_role() if mode.moves_state else None
    distrust = _distrust(warehouse, role, started) if mode.moves_state else None
    # What was read under another role may be hidden from the account now: that does not count as read.
    goes_on = isinstance(mode, Full) and not distrust
    with warehouse.writing() as tx:
        goal = runs.full_goal(tx, run_id, started) if goes_on else started
        start = RunStart(
            run_id,
            client.base_url,
            started,
            mode=mode.name,
            window=mode.window,
            goal_since=goal if isinstance(mode, Full) else None,
            account_role=role,
        )
        runs.start_run(tx, start)
    run = Run(source, warehouse, run_id, mode, options, goal, distrust, progress or Silence())
    _note_clock(run, started)
    results: list[StreamResult] = []
    with noting_stop(warehouse, run_id, options.clock):
        for sentence in privacy.begin(warehouse):
            run.progress.noted(sentence)
        for stream in _wanted(source.contract, mode, options.streams):
            results.append(sync_stream(run, stream))
            if isinstance(results[-1].error, AuthenticationError):
                break
    with warehouse.writing() as tx:
        whole, read = finish_run(tx, run_id, options.clock())
        everything = isinstance(mode, Full) and read >= set(source.contract.streams)
        if distrust and everything and whole == "complete":
            # Everything was read under the new role, and no row was absent.
            runs.accept_role(tx, role, options.clock())
    if everything and whole == "complete":
        privacy.erase_deleted(warehouse)
    privacy.finish(warehouse)
    if whole == "complete" and mode.moves_state:
        for result in results:
            prune_sweeps(warehouse, result.stream, started - _SWEEPS_KEPT)
    return RunResult(run_id, worst([r.verdict for r in results]), results)


def _note_clock(run: Run, at: datetime) -> None:
    """Say so if an earlier run is dated after ``at``: the machine's clock is wrong now, or was then."""
    with run.warehouse.reading() as tx:
        ahead = runs.run_ahead(tx, at + CLOCKS_DIFFER)
    if ahead:
        other, began = ahead
        run.progress.noted(
            f"It is {clock(at)} by this machine's clock, and the run {other} began {clock(began)}: the clock is wrong "
            "now, or was wrong then. Lists that are dated in the future are read again. Check the clock (timedatectl)."
        )


@contextmanager
def noting_stop(warehouse: Warehouse, run_id: str, clock: Callable[[], datetime] = now) -> Iterator[None]:
    """Record a run as failed if an exception, whichever, ends the ``with`` block."""
    try:
        yield
    except BaseException as stop:
        with warehouse.writing() as tx:
            reason = f"stopped: {type(stop).__name__}"
            runs.finish_run(tx, run_id, "failed", reason, clock(), retryable=is_retryable(stop))
        raise


def finish_run(tx: Transaction, run_id: str, at: datetime) -> tuple[Verdict, set[str]]:
    """Record the verdict of a run that ends ``at``, from those of its streams so far. Returns it, and the streams."""
    streams = {
        # The run lock is held, so a part of the run that is still "running" was killed.
        stream: ("failed", "it was interrupted", True) if verdict == "running" else (verdict, reason, retryable)
        for stream, (verdict, reason, retryable) in runs.stream_verdicts(tx, run_id).items()
    }
    reasons = [f"{stream}: {reason}" for stream, (_, reason, _) in streams.items() if reason]
    verdict = worst([verdict for verdict, _, _ in streams.values()])
    # One stream that another run can complete is worth another run.
    retryable = None if verdict == "complete" else any(part for _, _, part in streams.values())
    runs.finish_run(tx, run_id, verdict, "; ".join(reasons) or None, at, retryable=retryable)
    return verdict, set(streams)


def _wanted(contract: Contract, mode: Mode, streams: Sequence[str] | None) -> list[str]:
    """The streams to read, in order. Unless streams are named, a window covers those with daily partitions."""
    order = contract.order()
    if streams is not None:
        return [s for s in order if s in streams]
    if isinstance(mode, Window):
        return dated(contract)
    return order


def _distrust(warehouse: Warehouse, role: str | None, at: datetime) -> str | None:
    """Why no absence can be believed: the account has another role, and may see less. The first role is accepted."""
    with warehouse.writing() as tx:
        known, accepted = runs.accepted_role(tx)
        if not known:
            runs.accept_role(tx, role, at)
    if not known or role == accepted:
        return None
    return (
        f"the API's account is now {role or 'of unknown role'} and was {accepted or 'of unknown role'}: "
        "absent rows may be hidden from it. They are kept until the account has its old role, or an operator confirms"
    )
