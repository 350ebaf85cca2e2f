"""The database of account states: its tables, its sessions and its errors."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ideas_pipeline.errors import AuthenticationError, SettingsError, Unavailable, WarehouseMisconfigured
from ideas_pipeline.warehouse.database import make_engine
from ideas_pipeline.warehouse.database_errors import described, is_of_database

ACCOUNTS = sa.Table(
    "_accounts",
    sa.MetaData(),
    sa.Column("account", sa.Text, primary_key=True, comment="Fingerprint of the client id and the API's address."),
    sa.Column("tokens", sa.Text, comment="The token pair, encrypted with IDEAS_TOKEN_KEY."),
    sa.Column("next_at", sa.Double, nullable=False, server_default="0", comment="When the next request may be sent."),
    sa.Column("written_at", sa.Double, nullable=False, server_default="0", comment="When the budget was written."),
    sa.Column(
        "minutes",
        postgresql.JSONB,
        nullable=False,
        server_default="{}",
        comment="Requests of the last hour by minute since 1970.",
    ),
    sa.Column("fence", sa.BigInteger, nullable=False, server_default="0", comment="Number of the last run lock."),
    sa.Column("holder", sa.Text, comment="The run that holds the run lock; null if none does."),
    sa.Column("session", sa.Text, comment="The application_name of the holder's sessions."),
    sa.Column("held_since", sa.DateTime(timezone=True), comment="When the holder took the run lock."),
    sa.Column("heartbeat_at", sa.DateTime(timezone=True), comment="When the holder last gave a sign of life."),
    comment="One row per API account: its tokens, request budget and run lock. All moments are the database's.",
    # Every request updates its row: with free space in the page, no index has to change.
    postgresql_with={"fillfactor": 50},
)
HEARTBEATS = sa.Table(
    "_heartbeats",
    ACCOUNTS.metadata,
    sa.Column("run_id", sa.Text, primary_key=True, comment="The id of a run of Dagster."),
    sa.Column("beats", sa.BigInteger, nullable=False, comment="How many heartbeats the run's process has written."),
    sa.Column("process", sa.Text, nullable=False, comment="The run's process, and its machine."),
    sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False, comment="When the last one was written."),
    sa.Column(
        "given_up_at", sa.DateTime(timezone=True), comment="When the silent run was given up; null if it was not."
    ),
    comment="One row per run of Dagster: the heartbeats of its process. All moments are the database's.",
)
# The advisory lock under which a table is created. The number is arbitrary.
_CREATING = 4_922_716_036


class SharedDatabase:
    """Sessions of one process with the database, for one table. Every statement is a transaction of its own.

    Args:
        url: the URL of a PostgreSQL database.
        table: the table, which is created if necessary.

    Raises:
        SettingsError: the URL cannot be used.
    """

    def __init__(self, url: str, table: sa.Table) -> None:
        self._table = table
        try:
            self._engine = make_engine(url, secrets.token_hex(8)).execution_options(isolation_level="AUTOCOMMIT")
        except WarehouseMisconfigured as error:
            raise SettingsError(f"The database in IDEAS_TOKEN_STORE cannot be used. {error}") from None
        if self._engine.dialect.name != "postgresql":
            raise SettingsError(
                f"IDEAS_TOKEN_STORE names a database of the type {self._engine.dialect.name}, but only PostgreSQL has"
                " the locks that account states need. Use a URL such as postgresql+psycopg://user:password@host/"
                "database, or a file for one machine."
            )
        self._lock = Lock()
        self._is_ready = False

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """A connection from the pool. Raises AuthenticationError, Unavailable."""
        with self.errors(), self._engine.connect() as connection:
            self._prepare(connection)
            yield connection

    def own_connection(self) -> sa.Connection:
        """A connection outside the pool, for session locks; the caller closes it. Raises as ``connection`` does."""
        with self.errors():
            connection = self._engine.connect()
            try:
                connection.detach()
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            return connection

    def execute(self, statement: sa.Executable, **values: Any) -> sa.Row[Any] | None:
        """Execute one statement; the first row that it returns. Raises AuthenticationError, Unavailable."""
        with self.connection() as connection:
            result = connection.execute(statement, values)
            return result.first() if result.returns_rows else None

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise errors of the database as AuthenticationError if a person must act, else as Unavailable."""
        try:
            yield
        except WarehouseMisconfigured as error:
            raise AuthenticationError(f"the account store cannot be used: {str(error).rstrip('.')}") from None
        except Exception as error:
            if not is_of_database(self._engine, error):
                raise
            kind, place, what, advice = described(self._engine, error)
            failure = AuthenticationError if issubclass(kind, WarehouseMisconfigured) else Unavailable
            raise failure(f"the account store {place} cannot be used: {what}", hint=advice) from None

    def _prepare(self, connection: sa.Connection) -> None:
        """Create the table and what must be in it, once."""
        with self._lock:
            if self._is_ready:
                return
            if connection.scalar(sa.select(sa.func.to_regclass(self._table.name))) is None:
                _create(connection, self._table)
            self._fill(connection)
            self._is_ready = True

    def _fill(self, connection: sa.Connection) -> None:
        """Write the rows that must be in the table."""


class AccountDatabase(SharedDatabase):
    """Sessions of one process with the database, for one account, which has a row. See ``SharedDatabase``.

    Args:
        url: the URL of a PostgreSQL database.
        account: the account's fingerprint.

    Raises:
        SettingsError: the URL cannot be used.
    """

    def __init__(self, url: str, account: str) -> None:
        super().__init__(url, ACCOUNTS)
        self.account = account

    def _fill(self, connection: sa.Connection) -> None:
        connection.execute(postgresql.insert(ACCOUNTS).values(account=self.account).on_conflict_do_nothing())


def close_quietly(connection: sa.Connection) -> None:
    """Close a connection that may be broken."""
    with suppress(sa.exc.SQLAlchemyError):
        connection.close()


def _create(connection: sa.Connection, table: sa.Table) -> None:
    connection.execute(sa.select(sa.func.pg_advisory_lock(_CREATING)))
    try:
        table.create(connection, checkfirst=True)
    finally:
        connection.execute(sa.select(sa.func.pg_advisory_unlock(_CREATING)))
