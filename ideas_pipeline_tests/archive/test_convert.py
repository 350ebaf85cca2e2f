"""An archive of the format before is converted when it is first used (see ``blocks_76066a4/README.md``)."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ideas_pipeline.archive.convert import convert
from ideas_pipeline.archive.files import ArchivedPage, locked, run_file, run_files
from ideas_pipeline.archive.reader import ArchiveReader
from ideas_pipeline.archive.retention import prune
from ideas_pipeline.archive.rewrite import rewrite
from ideas_pipeline.errors import ArchiveInUse
from ideas_pipeline_tests.archive.pages import archived, pages_in
from ideas_pipeline_tests.cli.command import environment

OLD = Path(__file__).parent / "blocks_76066a4"
FIRST, SECOND = "20260101T020000-00000001", "20260102T020000-00000002"

CONVERTS_SLOWLY = """
import sys, time
from pathlib import Path
from ideas_pipeline.archive import convert

insert = convert.insert
def slowly(connection, page):
    time.sleep(0.02)
    insert(connection, page)

convert.insert = slowly
convert.convert(Path(sys.argv[1]))
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The folder of a community whose archive an earlier version wrote."""
    for run in (FIRST, SECOND):
        shutil.copytree(OLD / run, tmp_path / run)
    return tmp_path


def described(run: str, page: ArchivedPage) -> list[Any]:
    body = hashlib.sha256(page.body).hexdigest()[:16]
    return [run, page.stream, page.scope, page.position, page.bounded, page.status, page.received_at, body]


def converted(community: Path) -> list[list[Any]]:
    return [described(file.stem, page) for file in run_files(community) for page in pages_in(file)]


def test_every_page_is_what_the_earlier_version_read(old):
    convert(old)
    assert converted(old) == json.loads((OLD / "pages.json").read_text())
    users = [page for page in archived(old) if page.stream == "users"]
    assert all(page.address.endswith("/users") for page in users)
    assert {page.status for page in archived(old)} == {200, 404}


def test_nothing_of_the_old_files_is_left_and_the_new_ones_are_the_owners_alone(old):
    convert(old)
    assert sorted(path.name for path in old.iterdir()) == [
        f"{run}{suffix}" for run in (FIRST, SECOND) for suffix in (".lock", ".sqlite")
    ]
    assert {file.stat().st_mode & 0o077 for file in run_files(old)} == {0}


def test_whoever_uses_the_archive_first_converts_it(old, tmp_path_factory):
    expected = json.loads((OLD / "pages.json").read_text())
    for use in (ArchiveReader, lambda folder: rewrite(folder, lambda page: page), lambda folder: prune(folder, 36500)):
        community = tmp_path_factory.mktemp("c") / "archive"
        shutil.copytree(old, community)
        use(community)
        assert converted(community) == expected


def test_an_erasure_reaches_what_an_earlier_version_wrote(old):
    pages = len(json.loads((OLD / "pages.json").read_text()))
    gone = rewrite(old, lambda page: None if page.stream == "users" else page)
    assert gone > 0
    assert len(archived(old)) == pages - gone
    assert list(old.rglob("*.zst")) == []


def test_converting_a_run_does_not_keep_it_longer(old, monkeypatch):
    last = max(page[6] for page in json.loads((OLD / "pages.json").read_text()) if page[0] == FIRST)
    monkeypatch.setattr("ideas_pipeline.archive.retention.time.time", lambda: last + 30.01 * 86_400)
    assert prune(old, 31) == []
    assert run_file(old, FIRST).exists()
    assert FIRST in prune(old, 30)


def test_a_torn_end_is_left_out(old):
    file = old / SECOND / "0001.zst"
    whole = file.read_bytes()
    for torn in (whole + b"ann, torn", whole + bytes(1000), whole + whole[:500]):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(torn)
        convert(old)
        assert converted(old) == json.loads((OLD / "pages.json").read_text())


def test_files_of_one_run_become_one_file(old):
    shutil.copy(old / SECOND / "0001.zst", old / FIRST / "0002.zst")
    shutil.rmtree(old / SECOND)
    convert(old)
    assert [row[1:] for row in converted(old)] == [row[1:] for row in json.loads((OLD / "pages.json").read_text())]
    assert {row[0] for row in converted(old)} == {FIRST}


def test_a_conversion_that_was_killed_is_finished_by_the_next_one(old):
    with subprocess.Popen([sys.executable, "-c", CONVERTS_SLOWLY, str(old)], env=environment()) as process:
        while not run_file(old, SECOND).exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    convert(old)
    assert converted(old) == json.loads((OLD / "pages.json").read_text())


def test_one_that_was_killed_before_it_deleted_the_old_files_adds_no_page_twice(old):
    convert(old)
    for run in (FIRST, SECOND):
        shutil.copytree(OLD / run, old / run)
    convert(old)
    assert converted(old) == json.loads((OLD / "pages.json").read_text())


def test_a_run_that_an_earlier_version_still_writes_is_left_to_it(old):
    with locked(old / FIRST / "0001.zst"):
        with pytest.raises(ArchiveInUse, match=r"0001\.zst"):
            convert(old)
        with pytest.raises(ArchiveInUse, match=r"0001\.zst"):
            rewrite(old, lambda page: None)
        assert (old / FIRST / "0001.zst").exists()
        assert pages_in(run_file(old, SECOND)) == []
        assert prune(old, 36500) == []
    assert rewrite(old, lambda page: None) > 0
    assert archived(old) == []


def block(*headers: dict[str, Any]) -> bytes:
    """A block of pages without a body, as the earlier version wrote it."""
    records = b"".join(json.dumps(header | {"length": 0}).encode() + b"\n\n" for header in headers)
    compressed = pa.Codec("zstd").compress(records, asbytes=True)
    return struct.pack("<IIII", 0x184D2A50, 8, len(compressed), len(records)) + compressed


def test_a_page_that_was_archived_without_a_status_was_not_found(old):
    header = {"stream": "ideas", "scope": "c9", "position": 1, "bounded": False, "status": None, "received_at": 1.0}
    (old / FIRST / "0002.zst").write_bytes(block(header))
    convert(old)
    assert [page.status for page in archived(old) if page.scope == "c9"] == [404]


def test_a_run_that_cannot_be_converted_keeps_no_other_from_it_nor_from_an_erasure(old):
    (old / FIRST / "0001.zst").unlink()
    (old / FIRST / "0001.zst").mkdir()
    with pytest.raises(IsADirectoryError):
        rewrite(old, lambda page: None)
    assert (pages_in(run_file(old, SECOND)), (old / SECOND).exists()) == ([], False)


def test_folders_that_are_none_of_ours_are_left_alone(old):
    (old / "notes").mkdir()
    (old / "notes" / "mine.txt").write_text("keep")
    convert(old)
    assert (old / "notes" / "mine.txt").read_text() == "keep"
