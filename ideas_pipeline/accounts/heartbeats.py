"""Heartbeats of Dagster's runs in the account store, by which others know whether the process of a run is alive."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ideas_pipeline.accounts.database import HEARTBEATS, SharedDatabase
from ideas_pipeline.errors import IdeasApiError
from ideas_pipeline.logs import logger

_log = logger(__name__)

_PER_PATIENCE = 12  # some of them may be late or lost
_KEPT_DAYS = 30
_NOW = sa.func.clock_timestamp()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The heartbeats of one run.

    Attributes:
        run_id: the run.
        beats: how many its process has written.
        process: the process and its machine, for people.
        given_up: whether the run was given up.
    """

    run_id: str
    beats: int
    process: str
    given_up: bool


class Heartbeats:
    """The table ``_heartbeats`` of a PostgreSQL database.

    Args:
        url: the database's URL.

    Raises:
        SettingsError: the URL cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._database = SharedDatabase(url, HEARTBEATS)

    def beat(self, run_id: str) -> bool:
        """Write a heartbeat of this process. False if the run was given up. Raises AuthenticationError, Unavailable."""
        values = {"process": f"process {os.getpid()} on {socket.gethostname()}", "beat_at": _NOW}
        first = postgresql.insert(HEARTBEATS).values(run_id=run_id, beats=1, **values)
        beat = first.on_conflict_do_update(
            index_elements=[HEARTBEATS.c.run_id],
            set_={"beats": HEARTBEATS.c.beats + 1, **values},
            where=HEARTBEATS.c.given_up_at.is_(None),
        ).returning(HEARTBEATS.c.beats)
        row = self._database.execute(beat)
        if row and row.beats == 1:
            old = HEARTBEATS.c.beat_at < _NOW - sa.func.make_interval(0, 0, 0, _KEPT_DAYS)
            self._database.execute(sa.delete(HEARTBEATS).where(old))
        return row is not None

    def of(self, run_ids: Sequence[str]) -> tuple[float, list[Heartbeat]]:
        """The database's time in seconds, and the heartbeats of those of the runs that have written any.

        Raises:
            AuthenticationError: the database cannot be used.
            Unavailable: likewise, for now.
        """
        rows = sa.select(HEARTBEATS).where(HEARTBEATS.c.run_id.in_(run_ids))
        with self._database.connection() as connection:
            found = connection.execute(rows).all()
            now = connection.scalar(sa.select(sa.cast(sa.func.extract("epoch", _NOW), sa.Double))) or 0.0
        return now, [Heartbeat(row.run_id, row.beats, row.process, row.given_up_at is not None) for row in found]

    def give_up(self, heartbeat: Heartbeat) -> bool:
        """Give a run up, unless it has written another heartbeat since. Raises AuthenticationError, Unavailable.

        Returns:
            Whether it was given up. Its process ends if it writes a heartbeat after all.
        """
        same = (
            HEARTBEATS.c.run_id == heartbeat.run_id,
            HEARTBEATS.c.beats == heartbeat.beats,
            HEARTBEATS.c.given_up_at.is_(None),
        )
        given_up = sa.update(HEARTBEATS).where(*same).values(given_up_at=_NOW).returning(HEARTBEATS.c.run_id)
        return self._database.execute(given_up) is not None

    def close(self) -> None:
        self._database.close()


@contextmanager
def beating(heartbeats: Heartbeats, run_id: str, patience: float) -> Iterator[None]:
    """Write heartbeats of a run until the block ends. If the run is given up meanwhile, this process ends at once.

    Args:
        heartbeats: where they are written.
        run_id: the run.
        patience: seconds without a heartbeat after which a run may be given up.
    """
    ended = threading.Event()

    def beat() -> None:
        while True:
            try:
                if not heartbeats.beat(run_id):
                    _end(run_id)
            except IdeasApiError as error:
                _log.warning("No heartbeat of this run was written: %s", error)
            if ended.wait(patience / _PER_PATIENCE):
                return

    thread = threading.Thread(target=beat, name="heartbeats", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()  # not waited for: the database may not answer


def _end(run_id: str) -> None:
    """End this process, which was frozen or cut off for so long that Dagster runs something in its place.

    Not by an exception: the steps' own handlers would go on, and Dagster would report the run's end a second time.
    """
    _log.error("The run %s was reported as failed, because it gave no sign of life. Its process ends.", run_id)
    os._exit(1)
