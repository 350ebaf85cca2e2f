from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ideas_pipeline.archive.files import ArchivedPage, run_file, run_files
from ideas_pipeline.archive.rewrite import rewrite
from ideas_pipeline.archive.writer import Writer
from ideas_pipeline.errors import ArchiveInUse
from ideas_pipeline_tests.archive.pages import archived, page, write
from ideas_pipeline_tests.cli.command import environment

REWRITES_SLOWLY = """
import sys, time
from dataclasses import replace
from pathlib import Path
from ideas_pipeline.archive.rewrite import rewrite

def slowly(page):
    time.sleep(0.05)
    return replace(page, body=page.body.replace(b"ann", b"***"))

rewrite(Path(sys.argv[1]), slowly)
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two runs of two pages each."""
    for run in ("a", "b"):
        write(tmp_path, run, page(b"by ann, of run " + run.encode(), scope="1"), page(b"by ben", scope="ann"))
    return tmp_path


def without_ann(kept: ArchivedPage) -> ArchivedPage:
    return replace(kept, body=kept.body.replace(b"ann", b"***"))


def bodies(archive: Path) -> list[bytes]:
    return [kept.body for kept in archived(archive)]


def test_every_page_of_every_run_goes_through_the_transformation(archive):
    assert rewrite(archive, without_ann) == 2
    assert bodies(archive) == [b"by ***, of run a", b"by ben", b"by ***, of run b", b"by ben"]


def test_a_page_can_be_dropped(archive):
    assert rewrite(archive, lambda kept: None if b"ann" in kept.body else kept) == 2
    assert bodies(archive) == [b"by ben", b"by ben"]


def test_the_scope_of_a_page_can_be_changed(archive):
    assert rewrite(archive, lambda kept: replace(kept, scope=kept.scope.replace("ann", "***"))) == 2
    assert [kept.scope for kept in archived(archive)] == ["1", "***", "1", "***"]


def test_nothing_of_the_old_bytes_is_left_in_the_file(tmp_path):
    secret = os.urandom(3_000)  # which no compression changes
    for number in range(50):
        write(tmp_path, "a", page(secret, scope=f"ann-{number}"), page(b"ben", scope=str(number)))
    [file] = run_files(tmp_path)
    assert secret[1_000:1_100] in file.read_bytes()
    rewrite(tmp_path, lambda kept: None if "ann" in kept.scope else kept)
    assert b"ann" not in file.read_bytes()
    assert all(secret[n : n + 20] not in file.read_bytes() for n in range(0, 2_980, 20))
    assert len(archived(tmp_path)) == 50
    assert list(tmp_path.glob("*-journal")) == []


def test_a_rewritten_file_is_still_its_owners_alone(archive):
    rewrite(archive, without_ann)
    assert {file.stat().st_mode & 0o077 for file in run_files(archive)} == {0}


def test_a_file_that_a_run_is_writing_is_left_alone_with_a_sentence(archive):
    with Writer(archive, "b"), pytest.raises(ArchiveInUse, match="Wait until it has ended"):
        rewrite(archive, lambda kept: kept)
    rewrite(archive, lambda kept: replace(kept, body=b""))
    assert set(bodies(archive)) == {b""}


def test_a_transformation_that_fails_changes_nothing_and_leaves_no_copy(archive):
    before = bodies(archive)
    calls = []

    def fails_late(kept: ArchivedPage) -> ArchivedPage:
        calls.append(kept)
        return replace(kept, body=bytes(1 // (2 - len(calls))))

    with pytest.raises(ZeroDivisionError):
        rewrite(archive, fails_late)
    assert bodies(archive) == before
    assert sorted(file.suffix for file in archive.iterdir()) == [".lock", ".lock", ".sqlite", ".sqlite"]


def test_a_rewriting_that_is_killed_leaves_each_file_old_or_new_and_the_next_one_finishes(tmp_path):
    for run in range(5):
        write(tmp_path, str(run), *(page(b"ann") for _ in range(4)))
    with subprocess.Popen([sys.executable, "-c", REWRITES_SLOWLY, str(tmp_path)], env=environment()) as process:
        while bodies(tmp_path).count(b"***") < 8:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    left = bodies(tmp_path).count(b"ann")
    assert (len(bodies(tmp_path)), left % 4) == (20, 0)
    assert left > 0
    assert rewrite(tmp_path, without_ann) == left
    assert set(bodies(tmp_path)) == {b"***"}
    assert list(tmp_path.rglob("*-journal")) == []


def test_a_file_in_use_keeps_no_other_from_being_rewritten(archive):
    with Writer(archive, "a"), pytest.raises(ArchiveInUse, match=run_file(archive, "a").name):
        rewrite(archive, without_ann)
    assert bodies(archive) == [b"by ann, of run a", b"by ben", b"by ***, of run b", b"by ben"]
