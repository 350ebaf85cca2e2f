"""Heartbeats of runs: counted by whoever watches, and the end of a process that was given up meanwhile."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.accounts.heartbeats import Heartbeat, Heartbeats, beating
from ideas_pipeline.errors import Unavailable
from ideas_pipeline_tests.processes import forked

RUN = "a-run"
PATIENCE = 0.6


@pytest.fixture
def heartbeats(postgresql_url: str) -> Heartbeats:
    return Heartbeats(postgresql_url)


def of_run(heartbeats: Heartbeats, run_id: str = RUN) -> Heartbeat | None:
    found = heartbeats.of([run_id])[1]
    return found[0] if found else None


def until(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def beat_for_ever(url: str) -> None:
    with beating(Heartbeats(url), RUN, PATIENCE):
        signal.pause()


def test_a_run_counts_its_heartbeats_and_names_its_process(heartbeats: Heartbeats) -> None:
    assert of_run(heartbeats) is None
    assert heartbeats.beat(RUN)
    assert heartbeats.beat(RUN)
    now, (found,) = heartbeats.of([RUN, "another"])
    assert (found.run_id, found.beats, found.given_up) == (RUN, 2, False)
    assert found.process.startswith(f"process {os.getpid()} on ")
    assert now > 1_600_000_000


def test_a_run_is_given_up_only_if_it_has_been_silent_since(heartbeats: Heartbeats) -> None:
    heartbeats.beat(RUN)
    seen = of_run(heartbeats)
    assert seen
    heartbeats.beat(RUN)
    assert not heartbeats.give_up(seen)
    assert heartbeats.beat(RUN)
    seen = of_run(heartbeats)
    assert seen
    assert heartbeats.give_up(seen)
    assert not heartbeats.beat(RUN)
    assert not heartbeats.give_up(seen)  # by another who watches
    last = of_run(heartbeats)
    assert last
    assert (last.beats, last.given_up) == (3, True)


def test_rows_of_old_runs_are_removed(heartbeats: Heartbeats, postgresql_url: str) -> None:
    heartbeats.beat("old")
    heartbeats.beat("recent")
    database = Heartbeats(postgresql_url)._database
    for run, days in (("old", 31), ("recent", 29)):
        database.execute(
            sa.text("UPDATE _heartbeats SET beat_at = beat_at - make_interval(days => :days) WHERE run_id = :run"),
            days=days,
            run=run,
        )
    heartbeats.beat(RUN)
    assert {beat.run_id for beat in heartbeats.of([RUN, "old", "recent"])[1]} == {RUN, "recent"}


def test_a_process_that_is_killed_falls_silent(heartbeats: Heartbeats, postgresql_url: str) -> None:
    with forked(beat_for_ever, postgresql_url) as process:
        until(lambda: (beat := of_run(heartbeats)) and beat.beats > 2)
        process.kill()
        process.join()
        last = of_run(heartbeats)
        time.sleep(PATIENCE / 4)
        assert of_run(heartbeats) == last


def test_a_frozen_process_goes_on_if_it_wakes_in_time_and_ends_if_it_was_given_up(
    heartbeats: Heartbeats, postgresql_url: str
) -> None:
    with forked(beat_for_ever, postgresql_url) as process:
        until(lambda: of_run(heartbeats))
        last = frozen(process, heartbeats)
        wake(process)
        until(lambda: (beat := of_run(heartbeats)) and beat.beats > last.beats)
        last = frozen(process, heartbeats)
        assert heartbeats.give_up(last)
        wake(process)
        process.join()
        assert process.exitcode == 1
    last_of_all = of_run(heartbeats)
    assert last_of_all
    assert last_of_all.beats == last.beats


def frozen(process: BaseProcess, heartbeats: Heartbeats) -> Heartbeat:
    """Freeze the process; its last heartbeat."""
    assert process.pid
    os.kill(process.pid, signal.SIGSTOP)
    until(lambda: _state(process) == "T")
    seen = None
    while seen is None or seen != of_run(heartbeats):  # the last one may be on its way
        seen = of_run(heartbeats)
        time.sleep(PATIENCE / 4)
    return seen


def wake(process: BaseProcess) -> None:
    assert process.pid
    os.kill(process.pid, signal.SIGCONT)


def _state(process: BaseProcess) -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_run_without_its_database_goes_on_and_beats_again_afterwards(
    heartbeats: Heartbeats, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, failures = Heartbeats.beat, iter([True, True])

    def sometimes(self: Heartbeats, run_id: str) -> bool:
        if next(failures, False):
            raise Unavailable("the account store cannot be used: it is being restarted")
        return real(self, run_id)

    monkeypatch.setattr(Heartbeats, "beat", sometimes)
    with beating(heartbeats, RUN, PATIENCE):
        until(lambda: of_run(heartbeats))
    assert caplog.text.count("No heartbeat of this run was written: the account store cannot be used") == 2
