"""The warehouse as the rest of the pipeline sees it: each call is one transaction.

Times that come in know their zone. Whatever the database refuses is raised as WarehouseError, in words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError, is_retryable
from ideas_pipeline.warehouse import absences, embedded, runs, scopes
from ideas_pipeline.warehouse.absences import Candidate
from ideas_pipeline.warehouse.batch import Batch, Loaded
from ideas_pipeline.warehouse.database import Transaction, make_engine, reading, reading_one_moment, writing
from ideas_pipeline.warehouse.load import load
from ideas_pipeline.warehouse.runs import RunStart
from ideas_pipeline.warehouse.schema import prepare
from ideas_pipeline.warehouse.scopes import ScopeState


class Warehouse:
    """The open warehouse of one community. Threads may share it; ``close`` it, or use it in a ``with`` statement."""

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
        with reading_one_moment(self.engine, tables) as connection:
            yield Transaction(connection, self.community)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Open a transaction for writing: committed as a whole, or rolled back if the block raises.

        It waits until no other writer is active. Raises WarehouseError.
        """
        with writing(self.engine) as connection:
            yield Transaction(connection, self.community)

    @contextmanager
    def noting_failure(self, start: RunStart, *foreseen: type[Exception]) -> Iterator[None]:
        """Within the block, an error that was ``foreseen`` is noted as why the run failed, and raised again.

        Also before the run began: a night that could not log in is one that failed. Where the warehouse itself cannot
        be written, nothing is noted.
        """
        try:
            yield
        except foreseen as error:
            with suppress(WarehouseError), self.writing() as tx:
                runs.start_run(tx, start)
                at, retryable = datetime.now(UTC), is_retryable(error)
                runs.finish_run(tx, start.run_id, "failed", str(error), at, retryable=retryable)
            raise

    def values(self, community: str, sources: Sequence[str]) -> list[str]:
        """The distinct values of columns (``table.column``) among live rows, sorted, without null."""
        with reading(self.engine) as connection:
            return scopes.values(connection, community, sources)

    def parents(self, community: str, source: str, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
        """By the value of ``source`` (``ideas.id``), what the live row says in ``columns``."""
        with reading(self.engine) as connection:
            return scopes.parents(connection, community, source, columns)

    def scope_states(self, community: str, stream: str) -> dict[str, ScopeState]:
        """How far each of the stream's lists has been read."""
        with reading(self.engine) as connection:
            return scopes.states(connection, community, stream)

    def read_in_window(self, community: str, stream: str, start: datetime, end: datetime, at: datetime) -> set[str]:
        """The lists that a broken run for just this window has read already, and that still count ``at``."""
        with reading(self.engine) as connection:
            return scopes.read_in_window(connection, community, stream, start, end, at)

    def live_ids(self, community: str, stream: str, scope: str | None) -> set[str]:
        """The ids of the stream's live rows in ``scope``, or in all of its scopes where that is None."""
        with reading(self.engine) as connection:
            return scopes.live_ids(connection, community, stream, scope)

    def live_counts(self, community: str, stream: str) -> dict[str, int]:
        """The stream's live rows by scope; ``""`` is the scope of a stream that stands alone."""
        with reading(self.engine) as connection:
            return scopes.live_counts(connection, community, stream)

    def load(self, batch: Batch) -> Loaded:
        """Loads whole scopes, all or nothing, and says what that did.

        Rows missing from a judged scope become candidates (see ``candidates``), nothing more.
        """
        with writing(self.engine) as connection:
            return load(connection, batch)

    def note_orphans(self, community: str, stream: str, run_id: str, at: datetime) -> int:
        """Live rows whose parent is marked deleted become candidates. Returns how many are new."""
        with writing(self.engine) as connection:
            return absences.note_orphans(connection, community, stream, run_id, at)

    def candidates(self, community: str, stream: str) -> dict[str, Candidate]:
        """The rows that look absent, by id."""
        with reading(self.engine) as connection:
            return absences.candidates(connection, community, stream)

    def confirm_absences(
        self,
        community: str,
        stream: str,
        ids: Collection[str],
        run_id: str,
        at: datetime,
        embedded: Sequence[str],
        because: str = "gone",
    ) -> dict[str, int]:
        """Marks the candidates among ``ids`` deleted, and their rows in the tables ``embedded``, with the reason.

        Returns how many rows of the stream were marked, by scope.
        """
        with writing(self.engine) as connection:
            return absences.confirm(connection, community, stream, ids, run_id, at, embedded, because)

    def confirm_parts(
        self, community: str, table: str, ids: Collection[str], run_id: str, at: datetime, because: str
    ) -> int:
        """Marks the rows of an embedded table that are held under ``ids`` deleted; returns how many."""
        with writing(self.engine) as connection:
            return embedded.confirm_parts(connection, community, table, ids, run_id, at, because)

    def hold_absences(self, community: str, stream: str, ids: Collection[str], because: str) -> None:
        """The candidates among ``ids`` stay candidates, with the reason why they are not believed gone."""
        with writing(self.engine) as connection:
            absences.hold(connection, community, stream, ids, because)

    def told_apart(self, community: str, stream: str, run_id: str, at: datetime) -> dict[str, set[str]]:
        """Why candidates are missing, where the warehouse knows: reason → ids (see ``absences.told_apart``)."""
        with reading(self.engine) as connection:
            return absences.told_apart(connection, community, stream, run_id, at)
