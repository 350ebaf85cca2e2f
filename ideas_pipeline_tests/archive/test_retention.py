from __future__ import annotations

import os
import time
from pathlib import Path

from ideas_pipeline.archive.files import pages_of, sweep
from ideas_pipeline.archive.writing import Writer

DAY = 86_400


def archived(run: Path, *, days_ago: float) -> Path:
    with Writer(run) as writer:
        writer.add({"stream": "ideas"}, b"x")
    age(run, days_ago)
    return run


def age(run: Path, days_ago: float) -> None:
    then = time.time() - days_ago * DAY
    for file in pages_of(run):
        os.utime(file, (then, then))


def test_runs_that_are_older_than_the_days_to_keep_are_removed(tmp_path):
    archived(tmp_path / "a", days_ago=31)
    archived(tmp_path / "b", days_ago=29)
    assert sweep(tmp_path, 30) == ["a"]
    assert [run.name for run in tmp_path.iterdir()] == ["b"]


def test_a_run_is_as_old_as_its_newest_file(tmp_path):
    run = archived(tmp_path / "a", days_ago=31)
    with Writer(run) as writer:
        writer.add({"stream": "votes"}, b"y")
    assert sweep(tmp_path, 30) == []
    assert len(pages_of(run)) == 2


def test_zero_days_keep_nothing(tmp_path):
    archived(tmp_path / "a", days_ago=0.001)
    assert sweep(tmp_path, 0) == ["a"]


def test_a_run_in_use_is_never_removed(tmp_path):
    with Writer(tmp_path / "a"):
        age(tmp_path / "a", days_ago=400)
        assert sweep(tmp_path, 30) == []
    assert sweep(tmp_path, 30) == ["a"]


def test_an_archive_that_does_not_exist_has_nothing_to_remove(tmp_path):
    assert sweep(tmp_path / "nowhere", 30) == []
