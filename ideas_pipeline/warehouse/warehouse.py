"""The open warehouse of one community, and its transactions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ideas_pipeline.warehouse.database import Transaction, make_engine, reading, reading_snapshot, writing
from ideas_pipeline.warehouse.schema import prepare


class Warehouse:
    """The open warehouse of one community. Threads may share it; ``close`` it, or use it in a ``with`` statement.

    ``engine`` is shared by all communities in the database, and is for this package only.
    """

    def __init__(self, engine: sa.Engine, community: str) -> None:
        self.engine = engine
        self.community = community

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
        engine = make_engine(url)
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

        It waits until no other writer is active. Raises WarehouseError.
        """
        with writing(self.engine) as connection:
            yield Transaction(connection, self.community)
