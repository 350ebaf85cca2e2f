"""Run lock of one account across machines: a session advisory lock with a heartbeat and a fencing number.

The server frees the lock when the holder's session ends, as it does at once if its process is killed. A process or a
machine that is frozen keeps its session, so the holder writes a heartbeat to the account's row. If that is too old,
another run ends the holder's sessions, takes the lock, and with it the next fencing number. The old holder notices that
before its next request, and every transaction of the warehouse compares the numbers (``warehouse/fences.py``).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.accounts.database import ACCOUNTS, AccountDatabase, close_quietly
from ideas_pipeline.errors import AuthenticationError, IdeasApiError, RunLockLost
from ideas_pipeline.ideas_api.run_lock import LONGEST_WAIT, SECONDS_BETWEEN_MESSAGES, not_released, waiting_for
from ideas_pipeline.logs import logger
from ideas_pipeline.times import duration
from ideas_pipeline.warehouse.database import advisory_key

_log = logger(__name__)

_ENDING_SECONDS = 0.1
_LAST_HEARTBEAT_SECONDS = 10.0
_HEARTBEATS = 12  # per patience: some of them may be late or lost

_NOW = sa.func.clock_timestamp()
# A fencing number is at least the time, so that it is higher than the earlier ones even if `_accounts` was lost since.
_MILLISECONDS = sa.cast(sa.func.extract("epoch", _NOW) * 1000, sa.BigInteger)
_AGE = sa.func.extract("epoch", _NOW - ACCOUNTS.c.heartbeat_at)
_IS_HELD = sa.text("""
SELECT EXISTS (
    SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND granted AND datname = current_database()
    AND objsubid = 1 AND classid = CAST(:high AS bigint) AND objid = CAST(:low AS bigint)
)
""")
# The view shows the sessions of the same role; those of others can only be ended by an administrator.
_END_SESSIONS = sa.text("""
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity JOIN _accounts ON application_name = session
WHERE account = :account AND pid <> pg_backend_pid() AND heartbeat_at < clock_timestamp() - make_interval(secs => :age)
""")
_END_SESSION = sa.text("""
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE pid = :server AND application_name = current_setting('application_name')
""")


@dataclass
class _Held:
    """The lock that this process holds.

    Attributes:
        connection: the session that holds it.
        server: the process of the server that serves the session.
        fence: the fencing number.
        thread: the thread that took it.
        beaten: a moment before the last heartbeat was written (``time.monotonic``).
        is_locked: False until the session that replaces a broken one has taken the lock.
        lost: why the lock was lost.
        ended: set when the run ends.
    """

    connection: sa.Connection
    server: int
    fence: int
    thread: int
    beaten: float
    is_locked: bool = True
    lost: str | None = None
    ended: threading.Event = field(default_factory=threading.Event)


class RunLockRow:
    """The run lock of one account.

    Args:
        database: where the account's row is.
        patience: seconds without a heartbeat after which a holder counts as frozen.
    """

    def __init__(self, database: AccountDatabase, patience: float) -> None:
        self._database = database
        self._patience = patience
        self._key = advisory_key("run", database.account)
        self._mine = ACCOUNTS.c.account == database.account
        self._held: _Held | None = None

    @contextmanager
    def hold(self, what: str, say: Callable[[str], None], timeout: float = LONGEST_WAIT) -> Iterator[int]:
        """Hold the lock, and yield its fencing number. See ``AccountStore.run_lock``.

        A thread that holds the lock may take it again.

        Raises:
            Unavailable: another run held the lock until ``timeout`` seconds had passed.
            AuthenticationError: the connection cannot hold a lock.
        """
        if self._held and self._held.thread == threading.get_ident():
            yield self._held.fence
            return
        held = self._acquired(what, say, timeout)
        self._held = held
        beating = threading.Thread(target=self._beat, args=(held,), name="run-lock", daemon=True)
        beating.start()
        try:
            yield held.fence
        finally:
            held.ended.set()
            beating.join(_LAST_HEARTBEAT_SECONDS)
            self._held = None
            if not beating.is_alive():  # else it waits for a server that does not answer, and so would this thread
                self._release(held)

    def holder(self) -> str | None:
        """The run that holds the lock, on whatever machine; None if none does."""
        row = self._database.execute(_IS_HELD, high=self._key >> 32, low=self._key & 0xFFFFFFFF)
        return self._who() if row and row[0] else None

    def check(self) -> None:
        """Check that this process has not lost the lock, if it took it.

        It asks the database only if no heartbeat was written for a long time.

        Raises:
            RunLockLost: another run has taken the lock over.
            Unavailable: the database cannot be asked.
        """
        held = self._held
        if held is None:
            return
        if held.lost is None and time.monotonic() - held.beaten > self._patience:
            query = sa.select(ACCOUNTS.c.fence).where(self._mine)
            row = self._database.execute(query)
            if row is None or row.fence != held.fence:
                held.lost = self._taken_over()
        if held.lost:
            raise RunLockLost(held.lost, hint="Nothing more is written. Run it again.")

    # -- taking the lock

    def _acquired(self, what: str, say: Callable[[str], None], timeout: float) -> _Held:
        connection = self._database.own_connection()
        try:
            ends, next_message = time.monotonic() + timeout, 0.0
            frozen: str | None = None
            while not self._try(connection):
                if ended := self._end_frozen_holder(connection):
                    if ended != frozen:  # the server takes a moment to end its sessions
                        say(f"{ended}. This run takes its API account over.")
                    frozen = ended
                    time.sleep(_ENDING_SECONDS)
                    continue
                now = time.monotonic()
                if now >= ends:
                    raise not_released(self._who(), timeout)
                if now >= next_message:
                    say(waiting_for(self._who()))
                    next_message = now + SECONDS_BETWEEN_MESSAGES
                time.sleep(min(0.5, self._patience / _HEARTBEATS))
            sent = time.monotonic()
            with self._database.errors():
                server = connection.scalar(sa.select(sa.func.pg_backend_pid()))
                taken = sa.update(ACCOUNTS).where(self._mine)
                named = f"{what} (process {os.getpid()} on {socket.gethostname()}"
                row = connection.execute(
                    taken.values(
                        fence=sa.func.greatest(ACCOUNTS.c.fence + 1, _MILLISECONDS),
                        holder=named,
                        session=sa.func.current_setting("application_name"),
                        held_since=_NOW,
                        heartbeat_at=_NOW,
                    ).returning(ACCOUNTS.c.fence, sa.func.pg_backend_pid())
                ).one()
            _check_server(server, row[1])
            return _Held(connection, row[1], row[0], threading.get_ident(), sent)
        except BaseException:
            close_quietly(connection)
            raise

    def _try(self, connection: sa.Connection) -> bool:
        with self._database.errors():
            return bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(self._key))))

    def _end_frozen_holder(self, connection: sa.Connection) -> str | None:
        """End the sessions of a holder that gives no sign of life. A clause about it; None if it had no sessions."""
        with self._database.errors():
            age = connection.scalar(sa.select(_AGE).where(self._mine))
            if age is None or age < self._patience:
                return None
            who = self._who()
            values = {"account": self._database.account, "age": self._patience}
            if not connection.scalar(_END_SESSIONS, values):
                return None
        return f"{who} has given no sign of life for {duration(self._patience)}"

    def _who(self) -> str:
        row = self._database.execute(sa.select(ACCOUNTS.c.holder, ACCOUNTS.c.held_since).where(self._mine))
        if row is None or row.holder is None:
            return "another run"
        return f"{row.holder}, since {row.held_since:%Y-%m-%d %H:%M:%S} UTC)"

    # -- keeping it

    def _beat(self, held: _Held) -> None:
        """Write a heartbeat at intervals until the run ends or the lock is lost."""
        while not held.ended.wait(self._patience / _HEARTBEATS):
            try:
                self._heartbeat(held)
            except IdeasApiError as error:
                _log.warning("The run lock's connection failed: %s", error)
                self._again(held)
            if held.lost:
                _log.warning("The run lock is lost: %s.", held.lost)
                return

    def _heartbeat(self, held: _Held) -> None:
        sent = time.monotonic()
        ours = sa.update(ACCOUNTS).where(self._mine, ACCOUNTS.c.fence == held.fence)
        with self._database.errors():
            beat = ours.values(heartbeat_at=_NOW).returning(sa.func.pg_backend_pid())
            server = held.connection.scalar(beat)
        if server is None:
            held.lost = self._taken_over()
            return
        if server != held.server:
            held.lost = _pooled().message
            return
        held.beaten = sent
        if not held.is_locked:
            held.is_locked = self._try(held.connection)

    def _again(self, held: _Held) -> None:
        """Take the lock again after its connection broke, unless another run has taken it meanwhile."""
        close_quietly(held.connection)
        try:
            connection = self._database.own_connection()
        except IdeasApiError:
            return  # the next attempt may succeed; `check` lets no request through meanwhile
        held.is_locked, held.connection = False, connection
        with suppress(IdeasApiError, sa.exc.SQLAlchemyError):
            # The server may not have noticed that the connection broke: the lock would stay with the old session.
            connection.execute(_END_SESSION, {"server": held.server})
            held.server = connection.scalar(sa.select(sa.func.pg_backend_pid())) or 0
            self._heartbeat(held)  # if the old session has not ended yet, a later heartbeat takes the lock

    def _taken_over(self) -> str:
        return (
            "another run has taken this API account over, because this one gave no sign of life for"
            f" {duration(self._patience)}"
        )

    def _release(self, held: _Held) -> None:
        free: dict[str, Any] = {"holder": None, "session": None, "held_since": None, "heartbeat_at": None}
        with suppress(sa.exc.SQLAlchemyError):  # the server frees the lock of a session that ends
            ours = sa.update(ACCOUNTS).where(self._mine, ACCOUNTS.c.fence == held.fence)
            held.connection.execute(ours.values(**free))
            held.connection.execute(sa.select(sa.func.pg_advisory_unlock(self._key)))
        close_quietly(held.connection)


def _check_server(first: int | None, second: int) -> None:
    if first != second:
        raise _pooled()


def _pooled() -> AuthenticationError:
    return AuthenticationError(
        "the run lock cannot be held: the connection to the account store changes between sessions of the server, as"
        " it does through a connection pooler in transaction mode",
        hint="Let IDEAS_TOKEN_STORE name the server itself, or a pooler in session mode.",
    )
