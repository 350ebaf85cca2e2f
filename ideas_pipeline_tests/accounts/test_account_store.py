"""State of an API account: the same behaviour in files of one machine and in a database of several machines."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import pytest

from ideas_pipeline.accounts import budget as budget_module
from ideas_pipeline.errors import IdeasApiError, WarehouseError
from ideas_pipeline.ideas_api import rate_limit
from ideas_pipeline.ideas_api.account_store import Tokens
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.accounts.hosts import ACCOUNT, Hosts
from ideas_pipeline_tests.ideas_api.scripted_server import limits
from ideas_pipeline_tests.processes import forked
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, idea, live, load

HOUR = 3600
PAIR = Tokens(access_token="canary-a", refresh_token="canary-b", expires_at=12.5, issued_to=ACCOUNT)


@pytest.fixture(params=["files", "database"])
def hosts(request: pytest.FixtureRequest, tmp_path: Path) -> Hosts:
    return Hosts(tmp_path, request.getfixturevalue("postgresql_url") if request.param == "database" else None)


def silent(sentence: str) -> None:
    raise AssertionError(f"nobody is waited for, but the lock reports: {sentence}")


@contextmanager
def in_a_process(function: Callable[..., object], *arguments: object) -> Iterator[tuple[int, Connection]]:
    """A process that calls ``function`` with a pipe, and the other end of the pipe."""
    ours, theirs = multiprocessing.Pipe()
    with forked(function, theirs, *arguments) as process:
        theirs.close()
        assert process.pid is not None
        yield process.pid, ours


# -- tokens


def test_one_host_reads_the_tokens_that_another_wrote(hosts: Hosts) -> None:
    one, other = hosts.store(1), hosts.store(2)
    assert one.tokens.read() is None
    with one.tokens.lock():
        one.tokens.write(PAIR)
        assert one.tokens.read() == PAIR
    assert other.tokens.read() == PAIR
    shown = f"{one!r} {vars(one)!r} {one.tokens!r} {vars(one.tokens)!r} {PAIR!r}"
    assert "canary" not in shown


def test_the_lock_of_the_tokens_keeps_hosts_and_threads_apart(hosts: Hosts) -> None:
    stores = [hosts.store(1), hosts.store(2)]

    def add_one(number: int) -> None:
        tokens = stores[number % 2].tokens
        with tokens.lock():
            before = tokens.read()
            count = float(before.expires_at or 0) if before else 0.0
            tokens.write(Tokens("a", "b", count + 1, ACCOUNT))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_one, range(40)))
    after = stores[0].tokens.read()
    assert after is not None
    assert after.expires_at == 40


# -- run lock


def _hold(pipe: Connection, hosts: Hosts) -> None:
    with hosts.store(1).run_lock("ideas-pipeline sync", silent):
        pipe.send("held")
        pipe.recv()


def test_a_second_run_waits_and_names_the_first_until_that_is_killed(hosts: Hosts) -> None:
    sentences: list[str] = []
    store = hosts.store(2)
    assert store.holder() is None
    with in_a_process(_hold, hosts) as (process, pipe):
        assert pipe.recv() == "held"
        holder = store.holder()

        def say(sentence: str) -> None:
            sentences.append(sentence)
            os.kill(process, signal.SIGKILL)

        with store.run_lock("ideas-pipeline backfill", say):
            assert str(store.holder()).startswith(f"ideas-pipeline backfill (process {os.getpid()}")
    assert str(holder).startswith(f"ideas-pipeline sync (process {process}")
    assert sentences == [f"Waiting: this API account is used by {holder}. One run at a time uses an account."]
    assert store.holder() is None


def test_two_runs_of_one_account_never_overlap(hosts: Hosts) -> None:
    stores = [hosts.store(1), hosts.store(2)]
    inside: list[int] = []
    numbers: list[int | None] = []

    def run(number: int) -> None:
        with stores[number % 2].run_lock(f"run {number}", lambda _: None) as fence:
            inside.append(number)
            numbers.append(fence)
            assert inside == [number]
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    if hosts.url is None:
        assert numbers == [None] * 4
    else:
        fences = [number or 0 for number in numbers]
        assert len(fences) == 4
        assert all(later > earlier > 0 for earlier, later in pairwise(fences)), "each holder has a higher number"


def test_the_thread_that_holds_the_lock_may_take_it_again(hosts: Hosts) -> None:
    store = hosts.store(1)
    with store.run_lock("a backfill", silent) as first:
        with store.run_lock("its first day", silent) as second:
            assert second == first
        assert "a backfill" in str(hosts.store(2).holder())


def _run_that_freezes(pipe: Connection, hosts: Hosts, url: str) -> None:
    """A run that is stopped while it holds the run lock and the lock of the tokens, and goes on later."""
    store = hosts.store(1, patience=1)
    outcomes: list[str] = []

    def attempt(action: Callable[[], object]) -> None:
        try:
            action()
            outcomes.append("done")
        except (IdeasApiError, WarehouseError) as error:
            outcomes.append(type(error).__name__)

    with (
        Warehouse.open(url, COMMUNITY) as opened,
        store.run_lock("ideas-pipeline sync", silent) as number,
        opened.fenced(ACCOUNT, number) as warehouse,
    ):
        load(warehouse, "ideas", [idea("1")], on=1)
        with store.tokens.lock():
            pipe.send("held")
            pipe.recv()
            attempt(lambda: store.budget(limits()).wait(1))
            attempt(lambda: store.tokens.write(PAIR))
        attempt(lambda: load(warehouse, "ideas", [idea("2")], on=2))
    pipe.send(outcomes)


def test_a_holder_that_wakes_after_its_lock_was_taken_writes_nothing(postgresql_url: str, tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, postgresql_url)
    newer = Tokens("newer", "newer", None, ACCOUNT)
    sentences: list[str] = []
    store = hosts.store(2, patience=1)
    with (
        Warehouse.open(postgresql_url, COMMUNITY) as opened,
        in_a_process(_run_that_freezes, hosts, postgresql_url) as (process, pipe),
    ):
        assert pipe.recv() == "held"
        os.kill(process, signal.SIGSTOP)
        with (
            store.run_lock("ideas-pipeline sync", sentences.append) as number,
            opened.fenced(ACCOUNT, number) as warehouse,
        ):
            load(warehouse, "ideas", [idea("3")], on=3)
            with store.tokens.lock():
                store.tokens.write(newer)
            os.kill(process, signal.SIGCONT)
            pipe.send("awake")
            assert pipe.recv() == ["RunLockLost", "Unavailable", "WarehouseError"]
            load(warehouse, "ideas", [idea("4")], on=4)
            assert store.budget(limits()).wait(1) is None
        assert live(opened, "ideas") == [("1",), ("3",), ("4",)]
    assert store.tokens.read() == newer
    assert f"process {process} on " in sentences[-1]
    takes_over = [one for one in sentences if "has given no sign of life for 1 second. This run takes" in one]
    assert takes_over == sentences[-1:], "only one sentence is about it"


def test_runs_go_on_after_the_row_of_the_account_was_lost(postgresql_url: str, tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, postgresql_url)
    with Warehouse.open(postgresql_url, COMMUNITY) as opened:
        for host in (1, 2, 3):
            with hosts.store(host).run_lock("ideas-pipeline sync", silent) as number, opened.fenced(ACCOUNT, number):
                pass
        hosts.execute("DELETE FROM _accounts RETURNING account")
        with (
            hosts.store(4).run_lock("ideas-pipeline sync", silent) as number,
            opened.fenced(ACCOUNT, number) as warehouse,
        ):
            load(warehouse, "ideas", [idea("1")], on=1)
        assert live(opened, "ideas") == [("1",)]


def test_a_frozen_run_on_the_same_machine_keeps_its_lock(tmp_path: Path, sqlite_url: str) -> None:
    hosts = Hosts(tmp_path, None)
    with in_a_process(_run_that_freezes, hosts, sqlite_url) as (process, pipe):
        assert pipe.recv() == "held"
        os.kill(process, signal.SIGSTOP)
        assert f"process {process}" in str(hosts.store(2).holder())
        os.kill(process, signal.SIGCONT)
        pipe.send("awake")
        assert pipe.recv() == ["done", "done", "done"]


# -- budget


@pytest.fixture
def without_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests get their moments, and nobody waits for them."""
    for module in (budget_module, rate_limit):
        fake = SimpleNamespace(**{**vars(module.time), "sleep": lambda _: None})
        monkeypatch.setattr(module, "time", fake)


@pytest.mark.usefixtures("without_sleep")
def test_the_requests_of_all_hosts_are_evenly_spaced(hosts: Hosts) -> None:
    budgets = [hosts.store(host).budget(limits(requests_per_second=0.5)) for host in (1, 2)]
    moments = []
    for number in range(12):
        assert budgets[number % 2].wait(60) is None
        moments.append(hosts.next_moment())
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert gaps == pytest.approx([2.0] * 11, abs=0.001), "so no second has more requests than allowed, plus one"
    away = budgets[0].wait(5)
    assert away is not None
    assert away > 5
    assert hosts.next_moment() == moments[-1], "a moment that is too far away is not reserved"


def test_all_hosts_share_the_hourly_budget_to_the_last_request(hosts: Hosts) -> None:
    budgets = [hosts.store(host).budget(limits(requests_per_hour=60)) for host in (1, 2)]
    refused: list[float] = []

    def use_up(number: int) -> int:
        granted = 0
        while (away := budgets[number % 2].wait(1)) is None:
            granted += 1
        refused.append(away)
        return granted

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(use_up, range(12))) == 60
    assert all(HOUR - 60 <= away <= HOUR + 60 for away in refused)
    assert hosts.store(3).budget(limits(requests_per_hour=61)).wait(1) is None, "a larger limit holds at once"


def test_without_rates_no_request_waits(hosts: Hosts) -> None:
    budget = hosts.store(1).budget(limits())
    assert {budget.wait(0) for _ in range(100)} == {None}
