from __future__ import annotations

import os
import time
from pathlib import Path

from ideas_pipeline.archive.files import run_file, run_files
from ideas_pipeline.archive.retention import prune
from ideas_pipeline.archive.rewrite import rewrite
from ideas_pipeline.archive.writer import Writer
from ideas_pipeline_tests.archive.pages import archived, page, write

DAY = 86_400


def received(*, days_ago: float) -> float:
    return time.time() - days_ago * DAY


def test_runs_that_are_older_than_the_days_to_keep_are_removed(tmp_path):
    write(tmp_path, "a", page(received_at=received(days_ago=31)))
    write(tmp_path, "b", page(received_at=received(days_ago=29)))
    assert prune(tmp_path, 30) == ["a"]
    assert run_files(tmp_path) == [run_file(tmp_path, "b")]
    assert list(tmp_path.glob("a*")) == []


def test_a_run_is_as_old_as_its_last_page(tmp_path):
    write(tmp_path, "a", page(received_at=received(days_ago=31)))
    write(tmp_path, "a", page(received_at=received(days_ago=1)))
    assert prune(tmp_path, 30) == []
    assert len(archived(tmp_path)) == 2


def test_an_erasure_keeps_nothing_longer(tmp_path):
    write(tmp_path, "a", page(b"ann", received_at=received(days_ago=31)), page(b"ben", received_at=1.0))
    rewrite(tmp_path, lambda kept: None if kept.body == b"ann" else kept)
    assert prune(tmp_path, 30) == ["a"]


def test_zero_days_keep_nothing(tmp_path):
    write(tmp_path, "a", page(received_at=received(days_ago=0.001)))
    assert prune(tmp_path, 0) == ["a"]


def age(file: Path, *, days_ago: float) -> None:
    then = received(days_ago=days_ago)
    os.utime(file, (then, then))


def test_a_run_in_use_is_never_removed(tmp_path):
    with Writer(tmp_path, "a"):
        age(run_file(tmp_path, "a"), days_ago=400)
        assert prune(tmp_path, 30) == []
    assert prune(tmp_path, 30) == ["a"]


def test_a_file_that_nobody_can_read_is_as_old_as_its_own_date(tmp_path):
    file = run_file(tmp_path, "a")
    file.write_bytes(b"no database" * 1000)
    assert prune(tmp_path, 30) == []
    age(file, days_ago=31)
    assert prune(tmp_path, 30) == ["a"]


def test_an_archive_that_does_not_exist_has_nothing_to_remove(tmp_path):
    assert prune(tmp_path / "nowhere", 30) == []
