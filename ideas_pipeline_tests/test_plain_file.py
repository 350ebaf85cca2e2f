from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ideas_pipeline.plain_file import check_database, read


def test_a_file_is_read_up_to_its_limit_also_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read(tmp_path / "file", 5) == b"12345"
    assert read(tmp_path / "link", 5) == b"12345"
    with pytest.raises(OSError, match="it has more than") as refused:
        read(tmp_path / "file", 4)
    assert refused.value.filename == str(tmp_path / "file")


def test_a_link_is_refused_on_request(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(OSError, match="it is a link"):
        read(tmp_path / "link", 5, os.O_RDONLY | os.O_NOFOLLOW)


def test_a_pipe_a_device_and_a_folder_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for file in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/zero")):
            with pytest.raises(OSError, match="it is not a regular file"):
                read(file, 5)
    with pytest.raises(IsADirectoryError):
        read(tmp_path, 5)


def test_a_database_is_checked_without_freeing_the_locks_that_sqlite_has_on_it(tmp_path: Path) -> None:
    file = tmp_path / "database"
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    with closing(sqlite3.connect(file, isolation_level=None)) as ours:
        ours.execute("CREATE TABLE a (b)")
        ours.execute("BEGIN IMMEDIATE")
        check_database(file)
        other = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True)
    assert "database is locked" in other.stderr


def test_what_cannot_be_a_database_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is not a regular file"):
        check_database(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is a link"):
        check_database(tmp_path / "link", os.O_NOFOLLOW)
    with pytest.raises(FileNotFoundError):
        check_database(tmp_path / "missing")
