"""The files of the archive: a folder per community, in it an SQLite file per run."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from filelock import FileLock, Timeout

from ideas_pipeline import private_file
from ideas_pipeline.errors import ArchiveInUse
from ideas_pipeline.late.arrow import pa
from ideas_pipeline.plain_file import check_database

SUFFIX = ".sqlite"
_BUSY_SECONDS = 30.0
_ZSTD_LEVEL = 3
_DAMAGED = errno.EILSEQ

# ``position`` and ``headers`` are JSON: a position is a number or a text, and must come back as what it was.
# The body comes last, so that SQLite finds the columns before it without reading its pages.
_SCHEMA = """
CREATE TABLE pages (
    number INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    scope TEXT NOT NULL,
    position TEXT NOT NULL,
    bounded INTEGER NOT NULL,
    status INTEGER NOT NULL,
    received_at REAL NOT NULL,
    address TEXT NOT NULL,
    headers TEXT NOT NULL,
    body_zstd BLOB NOT NULL
);
CREATE INDEX pages_by_scope ON pages (stream, scope);
"""
_INSERT = """
INSERT INTO pages (stream, scope, position, bounded, status, received_at, address, headers, body_zstd)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = """
UPDATE pages
SET (stream, scope, position, bounded, status, received_at, address, headers, body_zstd) = (?, ?, ?, ?, ?, ?, ?, ?, ?)
WHERE number = ?
"""
_SELECT = """
SELECT stream, scope, position, bounded, status, received_at, address, headers, body_zstd
FROM pages
WHERE number = ?
"""


@dataclass(frozen=True, slots=True)
class ArchivedPage:
    """One response of the API.

    Attributes:
        stream: the stream that was requested.
        scope: its scope.
        position: where the page begins: a page number, an offset, a cursor or an address.
        bounded: whether only the records of a time range were requested.
        status: the HTTP status. A scope that does not exist is archived as 404 or 410, without a body.
        received_at: seconds since 1970.
        address: the URL without its query.
        headers: those that the contract reads, and the Content-Type if the body is not UTF-8.
        body: the bytes as received.
    """

    stream: str
    scope: str
    position: int | str
    bounded: bool
    status: int
    received_at: float
    address: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def run_file(community: Path, run_id: str) -> Path:
    """The file of the run ``run_id`` in the folder of its community."""
    return community / f"{run_id}{SUFFIX}"


def run_files(community: Path) -> list[Path]:
    """The files of all archived runs of a community, in order of their names."""
    return sorted(community.glob(f"*{SUFFIX}"))


def lock_of(file: Path) -> FileLock:
    """The lock that is held by whoever changes ``file``. It ends with the process that holds it."""
    return private_file.lock(file.with_suffix(".lock"))


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock of ``file``. Raises ArchiveInUse if a run holds it."""
    try:
        lock = lock_of(file).acquire(timeout=0)
    except Timeout:
        raise ArchiveInUse(f"A run is writing to {file}. Wait until it has ended, then start again.") from None
    with lock:
        yield


def create(file: Path, mark: int = 0) -> sqlite3.Connection:
    """Open the file of a run for writing, and create it if it does not exist. Only its owner can read it.

    The caller holds the file's lock.

    Args:
        file: the file.
        mark: the mark of a new file (see ``set_mark``).

    Raises:
        OSError: with the file's name, if it cannot be written.
    """
    private_file.make_folder(file.parent)
    file.parent.chmod(stat.S_IRWXU)  # the folder may be older than this rule
    if not file.exists():
        # Under another name first: whoever reads the archive meanwhile must not find a file without its table.
        new = file.with_suffix(".new")
        new.unlink(missing_ok=True)
        private_file.create(new).close()
        with closing(connect(new)) as connection:
            try:
                connection.executescript(_SCHEMA)
                set_mark(connection, mark)
            except sqlite3.Error as error:
                raise as_os_error(error, file) from None
        new.replace(file)
    return connect(file)


def connect(file: Path) -> sqlite3.Connection:
    """Open the file of a run. Another thread may use the connection, one at a time. Raises OSError."""
    check_database(file, os.O_RDONLY | os.O_NOFOLLOW)  # SQLite would follow a link, and not say what is wrong
    try:
        return sqlite3.connect(file, timeout=_BUSY_SECONDS, check_same_thread=False)
    except sqlite3.Error as error:
        raise as_os_error(error, file) from None


def as_os_error(error: sqlite3.Error, file: Path) -> OSError:
    """SQLite's ``error`` as an OSError that names the file."""
    # SQLite raises OperationalError for, say, a full or locked disk, and DatabaseError itself for a damaged file.
    is_damaged = type(error) is sqlite3.DatabaseError or "no such table" in str(error)
    return OSError(_DAMAGED if is_damaged else errno.EIO, str(error), str(file))


def unusable(error: OSError) -> str:
    """What is wrong with a file of the archive, and what to do about it, in two sentences."""
    what = f"{error.filename} cannot be used: {error.strerror}."
    if error.errno in (_DAMAGED, errno.ELOOP, errno.EINVAL, errno.EISDIR):
        return f"{what} Move it out of the archive, or delete it: only replays need its pages."
    return f"{what} Check its rights and the disk."


def mark_of(connection: sqlite3.Connection) -> int:
    """The mark of a file; 0 if it has none. Raises sqlite3.Error."""
    (mark,) = connection.execute("PRAGMA user_version").fetchone()
    return int(mark)


def set_mark(connection: sqlite3.Connection, mark: int) -> None:
    """Mark a file: a number for the policy to which its pages are held. Raises sqlite3.Error."""
    connection.execute(f"PRAGMA user_version = {mark}")


def insert(connection: sqlite3.Connection, page: ArchivedPage) -> None:
    """Add a page, in the connection's transaction. Raises sqlite3.Error."""
    connection.execute(_INSERT, _values(page))


def update(connection: sqlite3.Connection, number: int, page: ArchivedPage) -> None:
    """Replace the page ``number``, in the connection's transaction. Raises sqlite3.Error."""
    connection.execute(_UPDATE, (*_values(page), number))


def page_of(connection: sqlite3.Connection, number: int) -> ArchivedPage | None:
    """The page ``number``; None if there is none. Raises sqlite3.Error, and OSError for a damaged page."""
    row = connection.execute(_SELECT, (number,)).fetchone()
    if row is None:
        return None
    stream, scope, position, bounded, status, received_at, address, headers, body = row
    try:
        return ArchivedPage(
            stream,
            scope,
            orjson.loads(position),
            bool(bounded),
            status,
            received_at,
            address,
            orjson.loads(headers),
            pa.CompressedInputStream(pa.BufferReader(body), "zstd").read(),
        )
    except (pa.ArrowException, OSError, TypeError, ValueError):
        raise OSError(_DAMAGED, f"its page {number} is damaged") from None


def _values(page: ArchivedPage) -> tuple[object, ...]:
    return (
        page.stream,
        page.scope,
        orjson.dumps(page.position).decode(),
        page.bounded,
        page.status,
        page.received_at,
        page.address,
        orjson.dumps(dict(page.headers)).decode(),
        pa.Codec("zstd", _ZSTD_LEVEL).compress(page.body, asbytes=True),
    )
