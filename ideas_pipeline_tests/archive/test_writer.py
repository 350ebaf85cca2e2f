from __future__ import annotations

import os
import resource
import sqlite3
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from ideas_pipeline.archive.files import run_file
from ideas_pipeline.archive.writer import Writer
from ideas_pipeline_tests.archive.pages import archived, page, write
from ideas_pipeline_tests.cli.command import environment

WRITES_FOR_EVER = """
import itertools, sys
from pathlib import Path
from ideas_pipeline.archive.files import ArchivedPage
from ideas_pipeline.archive.writer import Writer

with Writer(Path(sys.argv[1]), "run") as writer:
    for n in itertools.count():
        writer.add(ArchivedPage("ideas", "c1", n, False, 200, 1.0, body=b"%d" % n * 1000))
"""


def test_what_many_threads_hand_over_is_read_back_byte_by_byte(tmp_path):
    pages = [page(os.urandom(n * 97) + b"\n{", position=n, received_at=n / 7) for n in range(300)]
    with Writer(tmp_path, "run") as writer, ThreadPoolExecutor(16) as pool:
        list(pool.map(writer.add, pages))
    assert sorted(archived(tmp_path), key=lambda p: p.received_at) == pages


def test_every_part_of_a_page_comes_back_as_it_was(tmp_path):
    pages = [
        page(position="https://api.example/ideas?after=1", address="https://api.example/ideas", headers={"Link": "é"}),
        page(position="12", bounded=True, scope="idea ø"),
        page(position=2**64 - 1, status=404),
    ]
    write(tmp_path, "run", *pages)
    assert archived(tmp_path) == pages


def test_an_empty_body_and_one_of_many_megabytes_are_kept(tmp_path):
    bodies = [b"", os.urandom(5_000_000), b""]
    write(tmp_path, "run", *(page(body) for body in bodies))
    assert [kept.body for kept in archived(tmp_path)] == bodies


def test_a_file_is_standard_sqlite_with_bodies_in_standard_zstd(tmp_path):
    write(tmp_path, "run", page(b"x" * 700_000, scope="c7"))
    database = sqlite3.connect(run_file(tmp_path, "run"))
    [(scope, body)] = database.execute("SELECT scope, body_zstd FROM pages").fetchall()
    with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
        assert (scope, stream.read()) == ("c7", b"x" * 700_000)
    database.close()


def test_all_parts_of_a_run_are_in_one_file(tmp_path):
    for number in range(3):
        write(tmp_path, "run", page(position=number))
    assert [file.name for file in tmp_path.glob("*.sqlite*")] == ["run.sqlite"]
    assert [kept.position for kept in archived(tmp_path)] == [0, 1, 2]


def test_nobody_but_the_owner_can_look_into_the_archive(tmp_path):
    community = tmp_path / "archive" / "c"
    with Writer(community, "run") as writer:
        writer.add(page(b"x"))
        deadline = time.monotonic() + 10
        while not list(community.glob("*-journal")):  # of the transaction that is not yet committed
            assert time.monotonic() < deadline
        inside = [community, *community.iterdir()]
        assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in inside} == {0}


def test_after_kill_9_everything_that_was_written_before_can_be_read(tmp_path):
    file = run_file(tmp_path, "run")
    with subprocess.Popen([sys.executable, "-c", WRITES_FOR_EVER, str(tmp_path)], env=environment()) as process:
        while not file.exists() or len(archived(tmp_path)) <= 100:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    found = archived(tmp_path)
    assert len(found) > 100
    assert [(kept.position, kept.body) for kept in found] == [(n, b"%d" % n * 1000) for n in range(len(found))]


def test_what_came_more_than_a_second_or_two_ago_is_on_disk(tmp_path):
    with Writer(tmp_path, "run") as writer:
        writer.add(page(b"x"))
        deadline = time.monotonic() + 10
        while not archived(tmp_path):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("pages", [500, 20], ids=["in mid-run", "at the last commit"])
def test_a_disk_that_is_full_ends_the_archive_with_a_warning_and_nothing_else(pages, tmp_path, caplog):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with Writer(tmp_path, "run") as writer:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
            for number in range(pages):
                writer.add(page(os.urandom(10_000), position=number))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "no longer archived" in caplog.text
    assert archived(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_an_error_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), Writer(tmp_path / "file" / "c", "run"):
        pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_whatever_ends_the_archive_no_thread_waits_for_it(tmp_path):
    with Writer(tmp_path, "run") as writer:
        writer.add(page(scope="a lone surrogate \ud800"))
        for _ in range(1_000):
            writer.add(page())
