"""Tests that start processes leave none behind, and do not depend on how they were started themselves."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from subprocess import CompletedProcess

from ideas_pipeline_tests.processes import ROOT, run

# A shell that ignores SIGTERM, a child of it, a forked process and a database server. Their ids are written to files.
RUNNING = """
import os, signal, sys, time
from pathlib import Path

import pytest

from ideas_pipeline_tests import processes
from ideas_pipeline_tests.test_processes import wait_for_end

processes.GRACE_SECONDS = 0.1
STUBBORN = "trap '' TERM; echo $$ > shell; sleep 1000 & echo $! > child; wait"

def sleeps(folder):
    Path(folder, "forked").write_text(f"{os.getpid()}\\n")
    time.sleep(1000)

def started():
    return [Path(name) for name in ("shell", "child", "forked")]

@pytest.fixture
def running(postgresql_server):
    (lock,) = Path(postgresql_server.query["host"]).glob(".s.*.lock")
    Path("postgresql").write_text(lock.read_text().splitlines()[0])
    with processes.started(["sh", "-c", STUBBORN]), processes.forked(sleeps, os.getcwd()):
        while not all(file.exists() and file.read_text().endswith("\\n") for file in started()):
            time.sleep(0.01)
        yield
"""
FAIL = """
def assert_ended():
    for file in started():
        wait_for_end(int(file.read_text()))
        file.unlink()

def test_fails(running):
    assert False

def test_none_is_left_of_one_that_fails():
    assert_ended()

@pytest.mark.timeout(1, func_only=True)
def test_hangs(running):
    time.sleep(1000)

def test_none_is_left_of_one_that_hangs():
    assert_ended()

def default():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

def test_interrupts():
    assert processes.run([sys.executable, "-c", "import signal; signal.raise_signal(2)"]).returncode == -2
    with processes.forked(default) as process:
        process.join()
    assert process.exitcode == 0
"""
KILLED = """
def test_is_killed(running):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def pytest_with(tests: str, folder: Path) -> CompletedProcess[str]:
    """Run these tests with our fixtures in a pytest of their own, in the background of a shell: SIGINT is ignored."""
    (folder / "test_inner.py").write_text(RUNNING + tests)
    options = ["-p", "ideas_pipeline_tests.conftest", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command = ["sh", "-c", "trap '' INT; exec \"$@\"", "-", sys.executable, "-m", "pytest", *options, "test_inner.py"]
    return run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)})


def wait_for_end(process: int) -> None:
    """Wait until there is no such process. One that goes on fails by pytest's time limit."""
    with suppress(ProcessLookupError):
        while True:
            os.kill(process, 0)
            time.sleep(0.05)


def test_a_process_ends_with_the_test_that_fails_or_hangs_and_can_be_interrupted(tmp_path: Path) -> None:
    done = pytest_with(FAIL, tmp_path)
    assert "2 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    wait_for_end(int((tmp_path / "postgresql").read_text()))


def test_a_process_ends_with_a_test_run_that_is_killed(tmp_path: Path) -> None:
    done = pytest_with(KILLED, tmp_path)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    for name in ("shell", "child", "forked", "postgresql"):
        wait_for_end(int((tmp_path / name).read_text()))
