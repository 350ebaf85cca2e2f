"""Database engine and transactions. Readers never wait; there is one writer."""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVarTuple, overload

import sqlalchemy as sa
from sqlalchemy.sql.selectable import TypedReturnsRows
from tenacity import retry, retry_if_exception_message, stop_after_delay, wait_random

from ideas_pipeline import private_file
from ideas_pipeline.errors import WarehouseMisconfigured
from ideas_pipeline.plain_file import check_database
from ideas_pipeline.tables.bookkeeping import WAREHOUSE
from ideas_pipeline.tables.columns import is_live
from ideas_pipeline.warehouse.database_errors import translated
from ideas_pipeline.warehouse.postgresql import set_up_session

_GROWN = """
    SELECT pg_relation_size(oid) / current_setting('block_size')::integer > 2 * greatest(relpages, 0) + 64
    FROM pg_class WHERE oid = to_regclass(:name)
"""

# Seconds: how long a writer waits for another writer, and how long to wait for a connection.
_WRITER_WAITS = 300
_CONNECTING_WAITS = 10
# The network finds out within two minutes that the machine of a PostgreSQL server is gone, and another has its address.
_KEEPALIVES = {"keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 6}
# The advisory lock of a PostgreSQL database: shared by writers, exclusive for changes of tables. Earlier versions took
# it for every transaction that writes. The number is arbitrary.
_ADVISORY_LOCK = 4_922_716_035


_Ts = TypeVarTuple("_Ts")
_Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
_AnyResult = sa.CursorResult[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Transaction:
    """One database transaction on the rows of one community.

    ``Warehouse.reading()`` and ``Warehouse.writing()`` open it, and commit it or roll it back.
    """

    connection: sa.Connection
    community: str

    @property
    def dialect(self) -> sa.Dialect:
        """The SQL dialect of the database."""
        return self.connection.dialect

    @overload
    def execute(self, statement: TypedReturnsRows[*_Ts], parameters: _Parameters = None) -> sa.CursorResult[*_Ts]: ...

    @overload
    def execute(self, statement: sa.Executable, parameters: _Parameters = None) -> _AnyResult: ...

    def execute(self, statement: sa.Executable, parameters: _Parameters = None) -> _AnyResult:
        """Execute ``statement``, once per mapping if ``parameters`` is a sequence."""
        return self.connection.execute(statement, parameters)

    def scalar(self, statement: sa.Executable) -> Any:
        """Return the first column of the first row, or None if there is no row."""
        return self.connection.scalar(statement)

    def scalars(self, statement: sa.Executable) -> sa.ScalarResult[Any]:
        """Return the first column of every row."""
        return self.connection.scalars(statement)

    def owns(self, table: sa.FromClause) -> sa.ColumnElement[bool]:
        """Condition that selects the community's rows of ``table``."""
        return table.c.community == self.community

    def live(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Condition that selects the community's rows of ``table`` that are not marked deleted."""
        return is_live(table, self.community)


def make_engine(url: str, session: str | None = None) -> sa.Engine:
    """Create an engine for the database at ``url``, without connecting.

    ``postgresql://`` and ``postgres://`` use psycopg. SQLite's folder and file are created, private to their owner.

    Args:
        url: the database's address, in SQLAlchemy's form.
        session: on PostgreSQL, the end of the application_name of the sessions.

    Raises:
        WarehouseMisconfigured: the URL cannot be used.
    """
    # At DEBUG, SQLAlchemy logs each row that it reads; `hide_parameters` hides only what is written.
    logging.getLogger("sqlalchemy.engine.Engine").addFilter(_without_rows)
    parsed = _parsed(url)
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed)
        return _postgresql(parsed, session) if parsed.get_backend_name() == "postgresql" else _other(parsed)
    except sa.exc.NoSuchModuleError:
        raise WarehouseMisconfigured(
            f"Unknown database type {parsed.drivername!r}. Use a URL such as sqlite:///warehouse.db"
            " or postgresql+psycopg://user:password@host/database."
        ) from None
    except (sa.exc.ArgumentError, ValueError):
        raise _unreadable() from None
    except ModuleNotFoundError as error:
        command = "pip install 'ideas_pipeline[postgres]'" if error.name == "psycopg" else f"pip install {error.name}"
        raise WarehouseMisconfigured(
            f"The driver for {parsed.drivername} is not installed ({error.name}). Install it: {command}."
        ) from None


def _without_rows(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _parsed(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise _unreadable() from None
    # With a second @, part of the password would be parsed as the host, and be shown.
    if parsed.get_backend_name() != "sqlite" and url.count("@") > 1:
        raise WarehouseMisconfigured(
            "The warehouse's URL has more than one @. Write %40 for each that is part of a user name"
            " or a password; keep the one before the host."
        )
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise WarehouseMisconfigured("The port in the warehouse's URL must be a number from 1 to 65535.")
    return parsed


def _unreadable() -> WarehouseMisconfigured:
    # The message does not show the URL: it can contain a password.
    return WarehouseMisconfigured(
        "The warehouse's URL cannot be read. Write it as sqlite:///warehouse.db"
        " or postgresql+psycopg://user:password@host/database; percent-encode : / @ in a password."
    )


def _postgresql(url: sa.URL, session: str | None) -> sa.Engine:
    named = url.query.get("application_name", "ideas_pipeline")
    name = {"application_name": f"{str(named)[:40]} {session}"} if session else {}
    # The encoding is set here, too: with one that Python does not know, no statement could be sent at all.
    engine = _other(url, connect_timeout=_CONNECTING_WAITS, client_encoding="UTF8", **name, **_KEEPALIVES)
    if engine.dialect.driver == "psycopg":
        from ideas_pipeline.warehouse.silence import ImpatientConnection  # psycopg is an extra

        @sa.event.listens_for(engine, "do_connect")
        def _connect(_dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
            return ImpatientConnection.connect(*arguments, **options)

    @sa.event.listens_for(engine, "connect", insert=True)  # before SQLAlchemy's own listener reads the server's version
    def _set_up(connection: Any, _record: Any) -> None:
        try:
            set_up_session(connection, url)
        except BaseException:
            connection.close()
            raise

    return engine


def _other(url: sa.URL, **arguments: object) -> sa.Engine:
    # A connection can be idle for minutes while the API is read, and the server may have closed it meanwhile.
    return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=arguments)


def _sqlite(url: sa.URL) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise WarehouseMisconfigured("A SQLite warehouse needs a file: for example sqlite:///warehouse.db.")
    if url.query or url.host:
        raise WarehouseMisconfigured(
            "The URL of a SQLite warehouse is sqlite:/// and the file's path, without a host or parameters."
        )
    _create_for_its_owner(Path(url.database))
    engine = sa.create_engine(url, hide_parameters=True, connect_args={"timeout": _WRITER_WAITS})

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        # The driver starts its own transactions too late for consistent reads; ours start below.
        connection.isolation_level = None
        _use_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")  # in WAL mode, a power cut can lose the last commits only

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A writer takes the lock before it reads, so that nobody changes what it read before it writes.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _create_for_its_owner(file: Path) -> None:
    """Create the file and its folder if necessary. SQLite gives its auxiliary files the same permissions.

    Raises WarehouseMisconfigured if the folder cannot be created, and if the file is a pipe or a device.
    """
    try:
        private_file.make_folder(file.parent)
    except OSError as error:
        raise WarehouseMisconfigured(
            f"The folder of the warehouse {file} cannot be created: {error.strerror}. Choose another place."
        ) from None
    # An existing file keeps its permissions. If it cannot be created, opening it fails with a message.
    with suppress(OSError):
        private_file.create(file).close()
    try:
        check_database(file)
    except OSError as error:
        if error.errno == errno.EINVAL:  # SQLite would speak of the disk
            raise WarehouseMisconfigured(
                f"The warehouse {file} cannot be used: {error.strerror}. Choose another place."
            ) from None


@retry(
    retry=retry_if_exception_message(match="database is locked"),
    wait=wait_random(0, 0.05),
    stop=stop_after_delay(_CONNECTING_WAITS),
    reraise=True,
)
def _use_wal(connection: Any) -> None:
    """Switch to WAL mode, in which readers and the writer do not wait for each other.

    It fails at once if several processes open a new file at the same time: SQLite's busy timeout does not apply to it.
    A database of another program is left as it is: the mode is stored in its file.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables or WAREHOUSE.name in tables:
        connection.execute("PRAGMA journal_mode=WAL")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction for reading. It never waits for a writer. Raises WarehouseError."""
    with translated(engine, "read"), engine.begin() as connection:
        yield connection


@contextmanager
def reading_snapshot(engine: sa.Engine, tables: Iterable[sa.Table]) -> Iterator[sa.Connection]:
    """Open a transaction that sees ``tables`` as of one instant, even if one is dropped and created again meanwhile."""
    with reading(engine) as connection:
        if connection.dialect.name == "postgresql":  # on SQLite, every transaction does
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            # Before the first query sets the instant: a table that is created again after it would look empty.
            names = ", ".join(connection.dialect.identifier_preparer.format_table(table) for table in tables)
            connection.exec_driver_sql(f"LOCK TABLE {names} IN ACCESS SHARE MODE")
        yield connection


@contextmanager
def writing(engine: sa.Engine, community: str | None = None) -> Iterator[sa.Connection]:
    """Open a transaction for writing; it waits for other writers, and is rolled back if the block raises.

    Args:
        engine: the database.
        community: whose rows are written: writers of other communities do not wait for it. None if tables are changed,
            or the rows of several communities: then it waits for all writers, and all wait for it. A SQLite file has
            one writer.
    """
    with translated(engine, "written"), engine.execution_options(writes=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            if community is None:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            else:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_ADVISORY_LOCK)))
                key = advisory_key("writer", community)
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
            # A batch changes few rows of a large table: favour index lookups over scans.
            connection.exec_driver_sql("SET LOCAL random_page_cost = 1.1")
        yield connection


@contextmanager
def building(engine: sa.Engine, community: str) -> Iterator[sa.Connection]:
    """Open a transaction for building a community's marts, which sees the tables as of one instant.

    On PostgreSQL, it does not block those who write the tables, only other builders of the same marts. Do not open a
    transaction for writing meanwhile.
    """
    if engine.dialect.name != "postgresql":
        with writing(engine, community) as connection:
            yield connection
        return
    with translated(engine, "written"), engine.connect() as connection:
        try:
            # Locks of the session: a transaction that waited for a lock would not see what was committed meanwhile.
            connection.execute(sa.select(sa.func.pg_advisory_lock_shared(_ADVISORY_LOCK)))
            connection.execute(sa.select(sa.func.pg_advisory_lock(advisory_key("marts", community))))
            connection.commit()
            with connection.begin():
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                yield connection
        finally:
            # The server frees the locks of a session that ends.
            with suppress(sa.exc.SQLAlchemyError):
                connection.rollback()
                connection.execute(sa.select(sa.func.pg_advisory_unlock_all()))
                connection.commit()


def wait_for_builder(connection: sa.Connection, community: str) -> None:
    """Wait until nobody builds the community's marts, and keep builders out until this transaction ends."""
    if connection.dialect.name == "postgresql":
        key = advisory_key("marts", community)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def advisory_key(purpose: str, name: str) -> int:
    """The number of an advisory lock for one purpose and name: 60 bits, as PostgreSQL takes 63."""
    return int(hashlib.sha256(f"{purpose} {name}".encode()).hexdigest()[:15], 16)


def refresh(connection: sa.Connection, table: sa.Table) -> None:
    """Update PostgreSQL's statistics of a table that has doubled in size; other engines do not need this.

    Autovacuum runs once a minute (https://www.postgresql.org/docs/current/routine-vacuuming.html). Meanwhile a first
    sync loads many batches, and the planner, which takes the table for a small one, would scan it for each batch
    instead of using the index.
    """
    if connection.dialect.name != "postgresql":
        return
    name = connection.dialect.identifier_preparer.format_table(table)
    if connection.scalar(sa.text(_GROWN), {"name": name}):
        # If a writer of another community is analysing the table, its result will do.
        connection.exec_driver_sql(f"ANALYZE (SKIP_LOCKED) {name}")
