"""Account states in the database only: keys, the upgrade from files, sessions that end."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from ideas_pipeline import private_file
from ideas_pipeline.accounts import budget as budget_module
from ideas_pipeline.accounts.budget import BudgetRow
from ideas_pipeline.accounts.home import AccountRow, DatabaseHome
from ideas_pipeline.accounts.run_lock import RunLockRow
from ideas_pipeline.errors import AuthenticationError, RunLockLost, SettingsError, Unavailable
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.account_store import Tokens
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.accounts.hosts import ACCOUNT, KEY, OTHER_KEY, Hosts
from ideas_pipeline_tests.ideas_api.scripted_server import limits
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

PAIR = Tokens(access_token="canary-a", refresh_token="canary-b", expires_at=12.5, issued_to=ACCOUNT)
HOUR = 3600


@pytest.fixture
def hosts(postgresql_url: str, tmp_path: Path) -> Hosts:
    return Hosts(tmp_path, postgresql_url)


def write(hosts: Hosts, *keys: str) -> None:
    store = hosts.store(1, *keys)
    with store.tokens.lock():
        store.tokens.write(PAIR)


def until(condition: Callable[[], bool]) -> None:
    patience = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < patience
        time.sleep(0.01)


# -- tokens and keys


def test_tokens_are_encrypted_and_nothing_shows_them(
    hosts: Hosts, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("sqlalchemy.engine").setLevel(logging.DEBUG)
        write(hosts)
        assert hosts.store(2).tokens.read() == PAIR
        with pytest.raises(AuthenticationError) as caught:
            hosts.store(2, OTHER_KEY).tokens.read()
    logging.getLogger("sqlalchemy.engine").setLevel(logging.NOTSET)
    row = str(hosts.row())
    for secret in ("canary", KEY, OTHER_KEY):
        assert secret not in row + caplog.text + str(caught.value) + repr(caught.value)


def test_a_wrong_key_is_a_sentence_that_says_what_to_do(hosts: Hosts) -> None:
    write(hosts)
    with pytest.raises(
        AuthenticationError, match=r"IDEAS_TOKEN_KEY has no key that encrypted them.*after a comma"
    ) as e:
        hosts.store(2, OTHER_KEY).tokens.read()
    assert f"account begins with {ACCOUNT[:16]}" in str(e.value)


def test_keys_rotate(hosts: Hosts) -> None:
    write(hosts, KEY)
    assert hosts.store(2, OTHER_KEY, KEY).tokens.read() == PAIR
    assert hosts.store(2, OTHER_KEY).tokens.read() == PAIR, "the first read with the new key encrypts again"
    with pytest.raises(AuthenticationError):
        hosts.store(2, KEY).tokens.read()


def test_a_token_file_of_this_machine_is_taken_over_once(hosts: Hosts, tmp_path: Path) -> None:
    file = tmp_path / "host-1" / "tokens.json"
    before = FileHome(file, file.parent).account(ACCOUNT)
    with before.tokens.lock():
        before.tokens.write(PAIR)
    store = hosts.store(1)
    with store.tokens.lock():
        assert store.tokens.read() == PAIR
    assert not file.exists(), "its refresh token must not be used again"
    assert hosts.store(2).tokens.read() == PAIR

    before.tokens.write(Tokens("old", "old", None, ACCOUNT))
    assert store.tokens.read() == PAIR, "the row has tokens: those of a file are older"
    assert not file.exists()


@pytest.mark.parametrize("content", [b"{", json.dumps({**vars(PAIR), "issued_to": "another account"}).encode()])
def test_a_damaged_token_file_or_that_of_another_account_is_left_alone(hosts: Hosts, content: bytes) -> None:
    store = hosts.store(1)
    file = hosts.folder / "host-1" / "tokens.json"
    private_file.create_once(file, content)
    assert store.tokens.read() is None
    assert file.read_bytes() == content


def test_a_session_that_was_ended_writes_no_tokens(hosts: Hosts) -> None:
    write(hosts)
    store = hosts.store(1)
    with store.tokens.lock():
        hosts.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()"
        )
        with pytest.raises(Unavailable, match="account store"):
            store.tokens.write(Tokens("lost", "lost", None, ACCOUNT))
    assert hosts.store(2).tokens.read() == PAIR


# -- run lock


def the_run_lock(hosts: Hosts, patience: float) -> RunLockRow:
    store = hosts.store(1, patience=patience)
    assert isinstance(store, AccountRow)
    return store._run_lock


def end_session(lock: RunLockRow) -> None:
    held = lock._held
    assert held is not None
    lock._database.execute(sa.text("SELECT pg_terminate_backend(:pid)"), pid=held.server)


def test_a_run_takes_its_lock_again_if_its_connection_breaks(hosts: Hosts) -> None:
    lock = the_run_lock(hosts, patience=1.2)
    with lock.hold("ours", print) as number:
        first = lock._held.server if lock._held else 0
        end_session(lock)
        until(lambda: lock._held is not None and lock._held.server not in (0, first))
        until(lambda: lock.holder() is not None)
        lock.check()
        assert hosts.row().fence == number
    assert lock.holder() is None


def test_a_run_takes_its_lock_again_once_another_session_gives_it_up(hosts: Hosts) -> None:
    lock = the_run_lock(hosts, patience=1.2)
    other = lock._database.own_connection()
    with lock.hold("ours", print), ThreadPoolExecutor(1) as pool:
        first = lock._held.server if lock._held else 0
        waiting = pool.submit(other.execute, sa.select(sa.func.pg_advisory_lock(lock._key)))
        until(lambda: hosts.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")[0] == 1)
        end_session(lock)
        waiting.result(20)
        until(lambda: lock._held is not None and lock._held.server not in (0, first))
        lock.check()
        other.close()
        until(lambda: lock.holder() is not None)
        lock.check()


def test_a_run_ends_its_old_session_if_the_server_has_not_noticed_that_its_connection_broke(hosts: Hosts) -> None:
    lock = the_run_lock(hosts, patience=1.2)
    broken = lock._database.own_connection()
    broken.close()
    with lock.hold("ours", print):
        held = lock._held
        assert held is not None
        old, held.connection = held.connection, broken
        until(lambda: held.connection is not broken and held.is_locked)
        with pytest.raises(sa.exc.OperationalError):
            old.execute(sa.text("SELECT 1"))
        assert lock.holder() is not None
    assert lock.holder() is None


def test_a_run_that_lost_its_lock_while_its_connection_was_broken_stops(hosts: Hosts) -> None:
    lock = the_run_lock(hosts, patience=1.2)
    with lock.hold("ours", print):
        hosts.execute("UPDATE _accounts SET fence = fence + 1 RETURNING fence")
        until(lambda: lock._held is not None and lock._held.lost is not None)
        with pytest.raises(RunLockLost, match="another run has taken this API account over"):
            lock.check()


def test_a_connection_that_changes_servers_is_refused(hosts: Hosts) -> None:
    lock = the_run_lock(hosts, patience=1.2)
    with lock.hold("ours", print):
        assert lock._held is not None
        lock._held.server = -1  # as if a pooler had given the session to another server process
        until(lambda: lock._held is not None and lock._held.lost is not None)
        with pytest.raises(RunLockLost, match="pooler in transaction mode"):
            lock.check()


def test_waiting_ends_with_an_error(hosts: Hosts) -> None:
    sentences: list[str] = []
    with (
        the_run_lock(hosts, patience=120).hold("ours", print),
        pytest.raises(Unavailable, match=r"used by ours \(process \d+ on .*was not released within 1 second"),
        the_run_lock(hosts, patience=120).hold("another", sentences.append, timeout=0),
    ):
        pass
    assert sentences == []


# -- budget


def test_requests_expire_after_an_hour_and_a_clock_that_was_set_back_blocks_nobody(hosts: Hosts) -> None:
    budget = hosts.store(1).budget(limits(requests_per_hour=2))
    assert [budget.wait(0), budget.wait(0)] == [None, None]
    later(hosts, 5 * HOUR)  # the database's clock was five hours ahead
    away = budget.wait(0)
    assert away is not None
    assert HOUR - 60 <= away <= HOUR + 120
    later(hosts, -5 * HOUR - 62 * 60)
    assert budget.wait(0) is None


def later(hosts: Hosts, seconds: int) -> None:
    """What was noted, as if it had been noted that many seconds later."""
    hosts.execute(
        f"UPDATE _accounts SET next_at = next_at + {seconds}, written_at = written_at + {seconds}, minutes = ("
        f"SELECT jsonb_object_agg(key::bigint + {seconds} / 60, value) FROM jsonb_each(minutes)) RETURNING account"
    )


def test_above_fifty_per_second_one_statement_reserves_for_all_who_wait(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(budget_module, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=waits.append))
    budget = hosts.store(1).budget(limits(requests_per_second=200))
    assert isinstance(budget, BudgetRow)
    with ThreadPoolExecutor(10) as pool:
        with budget._lock:
            waiting = [pool.submit(budget.wait, 60) for _ in range(10)]
            until(lambda: budget._waiting == 10)
        assert [one.result() for one in waiting] == [None] * 10
    minutes = hosts.row().minutes
    assert isinstance(minutes, dict)
    assert sum(minutes.values()) == 10, "a block of 10, of which none is lost"
    assert sorted(waits) == pytest.approx([0.005 * number for number in range(10)], abs=0.0001)


# -- the table and the URL


def test_the_table_can_be_there_before_the_warehouse_and_with_it(hosts: Hosts, postgresql_url: str) -> None:
    write(hosts)
    with Warehouse.open(postgresql_url, COMMUNITY), Warehouse.open(postgresql_url, COMMUNITY):
        assert hosts.store(2).tokens.read() == PAIR


def test_hosts_that_start_at_the_same_time_create_it_once(hosts: Hosts) -> None:
    together = threading.Barrier(4)

    def read(host: int) -> object:
        store = hosts.store(host)
        together.wait()
        return store.tokens.read()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(4))) == [None] * 4


def test_a_database_that_cannot_be_used_is_a_sentence_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://ideas:canary-password@127.0.0.1:1/ideas"
    store = DatabaseHome(url, [KEY], tmp_path / "tokens.json").account(ACCOUNT)
    with pytest.raises(Unavailable, match="the account store postgresql") as caught:
        store.tokens.read()
    assert "canary" not in str(caught.value)
    with pytest.raises(SettingsError, match="only PostgreSQL has the locks"):
        DatabaseHome(f"sqlite:///{tmp_path}/w.db", [KEY], tmp_path / "tokens.json").account(ACCOUNT)
