from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from ideas_pipeline.archive.blocks import Header, records
from ideas_pipeline.archive.files import pages_of
from ideas_pipeline.archive.rewriting import rewrite
from ideas_pipeline.archive.writing import Writer
from ideas_pipeline.errors import ArchiveInUse
from ideas_pipeline_tests.cli.command import environment
from ideas_pipeline_tests.processes import started

REWRITES_SLOWLY = """
import sys, time
from pathlib import Path
from ideas_pipeline.archive.rewriting import rewrite

def slowly(header, body):
    time.sleep(0.05)
    return body.replace(b"ann", b"***")

rewrite(Path(sys.argv[1]), slowly)
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two runs of two pages each."""
    for run in ("a", "b"):
        with Writer(tmp_path / "c" / run) as writer:
            writer.add({"scope": "1"}, b"by ann, of run " + run.encode())
            writer.add({"scope": "ann"}, b"by ben")
    return tmp_path


def bodies(archive: Path) -> list[bytes]:
    return [body for file in sorted(archive.rglob("*.zst")) for _, _, body in records(file)]


def test_every_page_of_every_run_goes_through_the_transformation(archive):
    assert rewrite(archive, lambda header, body: body.replace(b"ann", b"***")) == 2
    assert bodies(archive) == [b"by ***, of run a", b"by ben", b"by ***, of run b", b"by ben"]


def test_a_page_can_be_dropped(archive):
    assert rewrite(archive, lambda header, body: None if b"ann" in body else body) == 2
    assert bodies(archive) == [b"by ben", b"by ben"]


def test_a_header_can_be_changed_in_place(archive):
    def transform(header: Header, body: bytes) -> bytes:
        header["scope"] = header["scope"].replace("ann", "***")
        return body

    assert rewrite(archive, transform) == 2
    headers = [header for file in sorted(archive.rglob("*.zst")) for _, header, _ in records(file)]
    assert [header["scope"] for header in headers] == ["1", "***", "1", "***"]


def test_nothing_of_the_old_bytes_is_left_not_even_in_a_torn_end(archive):
    (file,) = pages_of(archive / "c" / "a")
    with file.open("ab") as torn:
        torn.write(b"ann, torn")
    rewrite(archive, lambda header, body: body)
    assert b"torn" not in file.read_bytes()
    assert len(bodies(archive)) == 4


def test_a_rewritten_file_is_kept_no_longer_for_it(archive):
    (file,) = pages_of(archive / "c" / "a")
    os.utime(file, (1_000_000, 1_000_000))
    rewrite(archive, lambda header, body: b"")
    assert file.stat().st_mtime == 1_000_000
    assert file.stat().st_mode & 0o077 == 0


def test_a_file_that_a_run_is_writing_is_left_alone_with_a_sentence(archive):
    with Writer(archive / "c" / "b"), pytest.raises(ArchiveInUse, match="Wait until it has ended"):
        rewrite(archive, lambda header, body: body)
    rewrite(archive, lambda header, body: b"")
    assert set(bodies(archive)) == {b""}


def test_a_transformation_that_fails_changes_nothing_and_leaves_no_copy(archive):
    before = {file: file.read_bytes() for file in archive.rglob("*.zst")}
    with pytest.raises(ZeroDivisionError):
        rewrite(archive, lambda header, body: bytes(1 // 0))
    assert {file: file.read_bytes() for file in archive.rglob("*.zst")} == before
    assert list(archive.rglob("*.new")) == []


def test_a_rewriting_that_is_killed_leaves_each_file_old_or_new_and_the_next_one_finishes(tmp_path):
    for run in range(5):
        with Writer(tmp_path / str(run)) as writer:
            for _ in range(4):
                writer.add({}, b"ann")
    with started([sys.executable, "-c", REWRITES_SLOWLY, str(tmp_path)], env=environment()) as process:
        while bodies(tmp_path).count(b"***") < 8:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    left = bodies(tmp_path).count(b"ann")
    assert (len(bodies(tmp_path)), left % 4) == (20, 0)
    assert left > 0
    assert rewrite(tmp_path, lambda header, body: body.replace(b"ann", b"***")) == left
    assert set(bodies(tmp_path)) == {b"***"}
    assert list(tmp_path.rglob("*.new")) == []


def test_a_file_in_use_keeps_no_other_from_being_rewritten(archive):
    with Writer(archive / "c" / "a"), pytest.raises(ArchiveInUse, match="0002"):
        rewrite(archive, lambda header, body: body.replace(b"ann", b"***"))
    assert bodies(archive) == [b"by ***, of run a", b"by ben", b"by ***, of run b", b"by ben"]
