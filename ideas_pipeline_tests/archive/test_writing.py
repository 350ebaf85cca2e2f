from __future__ import annotations

import os
import resource
import stat
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ideas_pipeline.archive.blocks import records
from ideas_pipeline.archive.files import pages_of
from ideas_pipeline.archive.writing import Writer
from ideas_pipeline_tests.cli.command import environment
from ideas_pipeline_tests.processes import started

WRITES_FOR_EVER = """
import itertools, sys
from pathlib import Path
from ideas_pipeline.archive.writing import Writer

with Writer(Path(sys.argv[1])) as writer:
    for number in itertools.count():
        writer.add({"number": number}, b"%d" % number * 1000)
"""


def header(number: int) -> dict[str, Any]:
    return {"stream": "ideas", "scope": "c1", "position": number, "status": 200, "headers": {}}


def archived(run: Path) -> list[tuple[dict[str, Any], bytes]]:
    return [(head, body) for file in pages_of(run) for _, head, body in records(file)]


def test_what_many_threads_hand_over_is_read_back_byte_by_byte(tmp_path):
    bodies = {n: os.urandom(n * 97) + b"\n{" for n in range(300)}
    with Writer(tmp_path / "run") as writer, ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: writer.add(header(n), bodies[n]), bodies))
    found = archived(tmp_path / "run")
    assert sorted((head["position"], body) for head, body in found) == list(bodies.items())
    assert all(head == header(head["position"]) for head, _ in found)


def test_an_empty_body_and_one_of_many_megabytes_are_kept(tmp_path):
    large = os.urandom(5_000_000)
    with Writer(tmp_path / "run") as writer:
        for number, body in enumerate((b"", large, b"")):
            writer.add(header(number), body)
    assert [body for _, body in archived(tmp_path / "run")] == [b"", large, b""]


def test_a_file_is_standard_zstd(tmp_path):
    with Writer(tmp_path / "run") as writer:
        for number in range(3):
            writer.add(header(number), b"x" * 700_000)
    (file,) = pages_of(tmp_path / "run")
    with pa.CompressedInputStream(str(file), "zstd") as stream:
        assert stream.read().count(b"x") == 2_100_000


def test_each_part_of_a_run_gets_a_file_of_its_own(tmp_path):
    for number in range(3):
        with Writer(tmp_path / "run") as writer:
            writer.add(header(number), b"")
    assert len(pages_of(tmp_path / "run")) == 3
    assert [head["position"] for head, _ in archived(tmp_path / "run")] == [0, 1, 2]


def test_nobody_but_the_owner_can_look_into_the_archive(tmp_path):
    with Writer(tmp_path / "archive" / "c" / "run") as writer:
        writer.add(header(1), b"")
    inside = [path for path in tmp_path.rglob("*") if path != tmp_path / "archive"]
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in inside} == {0}


def test_after_kill_9_everything_that_was_written_before_can_be_read(tmp_path):
    run = tmp_path / "run"
    with started([sys.executable, "-c", WRITES_FOR_EVER, str(run)], env=environment()) as process:
        while sum(file.stat().st_size for file in pages_of(run)) < 100_000:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    found = archived(run)
    assert len(found) > 100
    assert [(head["number"], body) for head, body in found] == [(n, b"%d" % n * 1000) for n in range(len(found))]


def test_wherever_a_file_is_torn_the_whole_records_before_are_read(tmp_path):
    for number in range(3):
        with Writer(tmp_path / "run") as writer:
            writer.add(header(number), b"%d" % number * 50)
    whole = tmp_path / "run" / "whole.zst"
    parts = [file.read_bytes() for file in pages_of(tmp_path / "run")]
    whole.write_bytes(b"".join(parts))
    torn = tmp_path / "torn.zst"
    ends = [len(b"".join(parts[: n + 1])) for n in range(3)]
    for length in range(ends[-1]):
        torn.write_bytes(whole.read_bytes()[:length])
        assert [head["position"] for _, head, _ in records(torn)] == list(range(sum(end <= length for end in ends)))
    torn.write_bytes(parts[0] + bytes(1000))
    assert [head["position"] for _, head, _ in records(torn)] == [0]


def test_a_disk_that_is_full_ends_the_archive_with_a_warning_and_nothing_else(tmp_path, caplog):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with Writer(tmp_path / "run") as writer:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
            for number in range(500):
                writer.add(header(number), os.urandom(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "no longer archived" in caplog.text
    assert archived(tmp_path / "run") == []


def test_a_folder_that_cannot_be_made_is_an_error_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), Writer(tmp_path / "file" / "c" / "run"):
        pass
