from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ideas_pipeline.archive.files import run_file
from ideas_pipeline.archive.reader import ArchiveReader
from ideas_pipeline.errors import NotArchived
from ideas_pipeline_tests.archive.pages import page, write


@pytest.mark.parametrize(
    "damage",
    ["body_zstd = X'00FF'", "body_zstd = substr(body_zstd, 1, 12)", "headers = '{'", "headers = NULL", "body_zstd = 7"],
)
def test_a_damaged_page_is_named_with_its_file(damage: str, tmp_path: Path) -> None:
    write(tmp_path, "1", page(b'{"data": ["Quirina"]}' * 20))
    with closing(sqlite3.connect(run_file(tmp_path, "1"))) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, 'headers TEXT NOT NULL', 'headers TEXT')")
    with closing(sqlite3.connect(run_file(tmp_path, "1"))) as connection, connection:
        connection.execute(f"UPDATE pages SET {damage}")
    with ArchiveReader(tmp_path) as archive:
        (sweep,) = archive.sweeps("ideas")["c1"]
        with pytest.raises(NotArchived, match=r"1\.sqlite cannot be read: its page 1 is damaged") as caught:
            archive.page(next(iter(sweep.pages.values())))
    assert "Quirina" not in str(caught.value)


def test_a_damaged_position_is_named_with_its_file(tmp_path: Path) -> None:
    write(tmp_path, "1", page(b"{}"))
    with closing(sqlite3.connect(run_file(tmp_path, "1"))) as connection, connection:
        connection.execute("UPDATE pages SET position = '{'")
    with ArchiveReader(tmp_path) as archive, pytest.raises(NotArchived, match=r"1\.sqlite cannot be read"):
        archive.sweeps("ideas")
