"""Run lock."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from ideas_pipeline.errors import AuthenticationError, Unavailable
from ideas_pipeline.ideas_api.run_lock import run_lock, run_lock_holder
from ideas_pipeline_tests.cli.command import environment
from ideas_pipeline_tests.processes import started

ACCOUNT, OTHER = "a" * 64, "b" * 64
HOLD = """
import sys
from pathlib import Path
from ideas_pipeline.ideas_api.run_lock import run_lock_holder, run_lock
with run_lock(Path(sys.argv[1]), sys.argv[2], "ideas-pipeline backfill", print):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process_holds(folder: Path, account: str = ACCOUNT) -> Iterator[Popen[str]]:
    """Until its standard input ends, or it is killed."""
    command = [sys.executable, "-c", HOLD, str(folder), account]
    with started(command, env=environment(), stdin=PIPE, stdout=PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder


def silent(sentence: str) -> None:
    raise AssertionError(f"nobody is waited for, but the lock reports: {sentence}")


def test_no_run_waits_for_a_free_account_or_for_another_account(tmp_path: Path) -> None:
    with another_process_holds(tmp_path, OTHER), run_lock(tmp_path, ACCOUNT, "us", silent):
        pass
    with run_lock(tmp_path, ACCOUNT, "us again", silent):
        pass


def test_a_second_run_waits_and_names_the_process_and_its_start(tmp_path: Path) -> None:
    sentences: list[str] = []
    with another_process_holds(tmp_path) as holder:

        def say(sentence: str) -> None:
            sentences.append(sentence)
            assert holder.stdin is not None
            holder.stdin.close()

        with run_lock(tmp_path, ACCOUNT, "us", say):
            assert holder.wait(10) == 0
    (sentence,) = sentences
    who = f"this API account is used by ideas-pipeline backfill (process {holder.pid}, since 20"
    assert sentence.startswith(f"Waiting: {who}")
    assert sentence.endswith("UTC). One run at a time uses an account.")
    assert ACCOUNT not in sentence


def test_a_killed_process_frees_the_lock(tmp_path: Path) -> None:
    with another_process_holds(tmp_path) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with run_lock(tmp_path, ACCOUNT, "us", silent):
            pass


def test_waiting_ends_with_an_error(tmp_path: Path) -> None:
    sentences: list[str] = []
    with (
        another_process_holds(tmp_path) as holder,
        pytest.raises(Unavailable, match=rf"process {holder.pid}, .* was not released within 1 second") as caught,
        run_lock(tmp_path, ACCOUNT, "us", sentences.append, timeout=0.1),
    ):
        pass
    assert len(sentences) == 1
    assert "If that run hangs, stop it." in str(caught.value)


def test_two_threads_of_one_process_are_two_runs(tmp_path: Path) -> None:
    waits = threading.Event()
    order: list[str] = []

    def second() -> None:
        with run_lock(tmp_path, ACCOUNT, "the second", lambda _: waits.set()):
            order.append("second")

    with run_lock(tmp_path, ACCOUNT, "the first", silent):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(10)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_the_thread_that_holds_it_may_take_it_again(tmp_path: Path) -> None:
    refused: list[str] = []
    with run_lock(tmp_path, ACCOUNT, "a backfill", silent):
        with run_lock(tmp_path, ACCOUNT, "its first day", silent):
            pass
        thread = threading.Thread(target=_refused, args=(tmp_path, refused))
        thread.start()
        thread.join()
    assert "used by a backfill" in refused[0], "it is still held, and still says by whom"


def _refused(folder: Path, refused: list[str]) -> None:
    with pytest.raises(Unavailable) as caught, run_lock(folder, ACCOUNT, "another", silent, timeout=0):
        pass
    refused.append(str(caught.value))


def test_an_error_inside_is_passed_on_and_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="ours"), run_lock(tmp_path, ACCOUNT, "us", silent):
        raise OSError("ours")
    with run_lock(tmp_path, ACCOUNT, "us", silent):
        pass


def test_a_folder_that_cannot_be_used_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(AuthenticationError, match="IDEAS_STATE_DIR"),
        run_lock(tmp_path / "file" / "state", ACCOUNT, "us", silent),
    ):
        pass


@pytest.mark.parametrize("note", ["[]", "{", '{"what": "x", "process": 1, "since": "y"}', None])
def test_a_corrupt_holder_file_does_no_harm(tmp_path: Path, note: str | None) -> None:
    with another_process_holds(tmp_path):
        (holder,) = tmp_path.glob("*.holder")
        assert stat.S_IMODE(holder.stat().st_mode) == 0o600
        holder.write_text(note) if note else holder.unlink()
        with (
            pytest.raises(Unavailable, match="used by another run"),
            run_lock(tmp_path, ACCOUNT, "us", silent, timeout=0),
        ):
            pass


def test_the_holder_can_be_read_without_waiting(tmp_path: Path) -> None:
    assert run_lock_holder(tmp_path, ACCOUNT) is None
    with another_process_holds(tmp_path) as holder:
        holds = run_lock_holder(tmp_path, ACCOUNT)
        assert str(holds).startswith(f"ideas-pipeline backfill (process {holder.pid}, since 20")
        assert run_lock_holder(tmp_path, OTHER) is None
    assert run_lock_holder(tmp_path, ACCOUNT) is None


def test_a_killed_run_is_not_the_holder(tmp_path: Path) -> None:
    with another_process_holds(tmp_path) as holder:
        holder.kill()
        holder.wait(10)
        assert run_lock_holder(tmp_path, ACCOUNT) is None
