"""The open warehouse of one community, and its transactions."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.warehouse import fences
from ideas_pipeline.warehouse.database import Transaction, building, make_engine, reading, reading_snapshot, writing
from ideas_pipeline.warehouse.fences import Fence
from ideas_pipeline.warehouse.schema import prepare


class Warehouse:
    """The open warehouse of one community. Threads may share it; ``close`` it, or use it in a ``with`` statement.

    ``engine`` is shared by all communities in the database, and is for this package only.
    """

    def __init__(self, engine: sa.Engine, community: str, fence: Fence | None = None) -> None:
        self.engine = engine
        self.community = community
        self._fence = fence

    @classmethod
    def open(cls, url: str, community: str) -> Warehouse:
        """Open the warehouse at ``url`` for one community, and create or migrate its tables.

        The tables are shared by all communities that have the same ``url``.

        Args:
            url: The database's address, in SQLAlchemy's form.
            community: The community whose rows every transaction reads and writes.

        Raises:
            WarehouseError: The database cannot be opened, or its tables cannot be migrated by adding to them.
        """
        engine = make_engine(url, secrets.token_hex(8))
        try:
            prepare(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, community)

    @property
    def url(self) -> sa.URL:
        """The database's URL. Its text form masks the password, unless that is in the query string."""
        return self.engine.url

    @property
    def dialect(self) -> sa.Dialect:
        """The SQL dialect of the database."""
        return self.engine.dialect

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Open a transaction for reading. It never waits for a writer. Raises WarehouseError."""
        with reading(self.engine) as connection:
            yield Transaction(connection, self.community)

    @contextmanager
    def reading_snapshot(self, tables: Iterable[sa.Table]) -> Iterator[Transaction]:
        """Open a transaction that sees all ``tables`` as of one instant. Raises WarehouseError."""
        with reading_snapshot(self.engine, tables) as connection:
            yield Transaction(connection, self.community)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Open a transaction for writing: committed as a whole, or rolled back if the block raises.

        It waits until no other writer of the community is active. Raises WarehouseError, also if the run that writes
        has lost its run lock (see ``fenced``).
        """
        with writing(self.engine, self.community) as connection:
            tx = Transaction(connection, self.community)
            if self._fence:
                fences.check(tx, self._fence)
            yield tx

    @contextmanager
    def building(self) -> Iterator[Transaction]:
        """Open a transaction for building the community's marts, which sees the tables as of one instant.

        On PostgreSQL, it does not block those who write the tables. Raises WarehouseError.
        """
        with building(self.engine, self.community) as connection:
            yield Transaction(connection, self.community)

    @contextmanager
    def changing_tables(self) -> Iterator[Transaction]:
        """Open a transaction that may change tables. Meanwhile, writers and builders of all communities wait.

        Raises WarehouseError.
        """
        with writing(self.engine) as connection:
            yield Transaction(connection, self.community)

    @contextmanager
    def fenced(self, account: str, number: int | None) -> Iterator[Warehouse]:
        """This warehouse for one run: once a run with a later run lock has begun, its transactions write nothing.

        Args:
            account: the fingerprint of the API account.
            number: the fencing number of the run lock; None if the lock cannot be taken from a living run.

        Raises:
            WarehouseError: a later run has begun, or the warehouse cannot be written.
        """
        if number is None:
            yield self
            return
        fence = Fence(account, number)
        with self.reading() as tx:
            fences.end_sessions_before(tx, fence)
        with self.writing() as tx:
            fences.take(tx, fence)
        fenced = Warehouse(self.engine, self.community, fence)
        try:
            yield fenced
        finally:
            with suppress(WarehouseError), fenced.writing() as tx:
                fences.release(tx)
