"""Rate limiter and concurrency limit."""

from __future__ import annotations

import json
import logging
import stat
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from ideas_pipeline.errors import ContractError, RateLimited
from ideas_pipeline.ideas_api.rate_limit import ConcurrencyLimit, RateLimiter
from ideas_pipeline.ideas_api.transport import Transport
from ideas_pipeline_tests.cli.command import environment
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, in_turn, limits, serving
from ideas_pipeline_tests.processes import at_the_same_time, started

HOUR = 3600


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "account.budget"


def rate(file: Path, per_second: float | None = None, per_hour: int | None = None) -> RateLimiter:
    return RateLimiter(limits(requests_per_second=per_second, requests_per_hour=per_hour), file)


def limited(base_url: str, file: Path, **changed: Any) -> Transport:
    return Transport(base_url, limits(**changed), RateLimiter(limits(**changed), file))


def noted_in(file: Path) -> dict[str, Any]:
    """The state in the file: its first line. After it may be the rest of a longer line before."""
    state: dict[str, Any] = json.loads(file.read_bytes().splitlines()[0])
    return state


def rewritten(file: Path, seconds: float) -> None:
    """What was noted, as if it had been noted that many seconds later."""
    noted = noted_in(file)
    minutes = {str(int(minute) + int(seconds // 60)): count for minute, count in noted["minutes"].items()}
    moments = {name: noted[name] + seconds for name in ("next", "written")}
    file.write_text(json.dumps(moments | {"minutes": minutes}))


def test_without_rates_no_request_waits_and_no_file_is_created(file: Path) -> None:
    unlimited = rate(file)
    assert {unlimited.wait(0) for _ in range(1000)} == {None}
    assert not file.exists()


@pytest.mark.parametrize("per_second", [20, 2.5, 0.5, 0.01])
def test_requests_are_evenly_spaced(file: Path, per_second: float) -> None:
    assert rate(file, per_second).wait(0) is None
    away = rate(file, per_second).wait(0)
    assert away == pytest.approx(1 / per_second, rel=0.5)


def test_a_moment_that_is_too_far_away_is_not_reserved(file: Path) -> None:
    slow = rate(file, per_second=0.1)
    slow.wait(0)
    first, second = slow.wait(1), slow.wait(1)
    assert first is not None
    assert second is not None
    assert second <= first


def _take(file: Path, per_second: float, permissions: int) -> list[float]:
    """One process: four threads that take permissions. The moments at which they had them."""
    shared = rate(file, per_second)

    def take(_: int) -> float:
        assert shared.wait(60) is None
        return time.time()

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(take, range(permissions)))


def test_threads_of_several_processes_keep_one_rate_together(file: Path) -> None:
    begun = time.time()
    moments = sorted(chain.from_iterable(at_the_same_time(_take, *[(file, 100, 40)] * 3)))
    assert len(moments) == 120
    # Whatever the machine does, nobody went ahead of its turn: the n-th not before n hundredths of a second.
    assert all(moment - begun >= 0.01 * n - 0.001 for n, moment in enumerate(moments))
    assert sum(noted_in(file)["minutes"].values()) == 120


def test_the_hourly_budget_is_shared_and_says_when_it_is_free_again(file: Path) -> None:
    assert [rate(file, per_hour=3).wait(0) for _ in range(3)] == [None] * 3
    away = rate(file, per_hour=3).wait(300)
    assert away is not None
    assert HOUR - 1 <= away <= HOUR + 60
    assert rate(file, per_hour=4).wait(0) is None, "a larger limit in the contract holds at once"


def test_the_budget_is_free_again_when_requests_expire_after_an_hour(file: Path) -> None:
    rate(file, per_hour=2).wait(0)
    rewritten(file, -30 * 60)
    rate(file, per_hour=2).wait(0)
    away = rate(file, per_hour=2).wait(0)
    assert away is not None
    assert away <= 31 * 60, "the first one's place"
    rewritten(file, -31 * 60)
    assert rate(file, per_hour=2).wait(0) is None
    assert rate(file, per_hour=2).wait(0) is not None


def test_both_rates_apply_together(file: Path) -> None:
    both = rate(file, per_second=1000, per_hour=5)
    assert [both.wait(1) for _ in range(5)] == [None] * 5
    assert (both.wait(1) or 0) > HOUR - 1


def test_setting_the_clock_back_neither_blocks_nor_frees_the_budget(file: Path) -> None:
    for _ in range(3):
        rate(file, per_second=1000, per_hour=3).wait(1)
    rewritten(file, 5 * HOUR)
    away = rate(file, per_second=1000, per_hour=3).wait(1)
    assert away is not None
    assert HOUR - 60 <= away <= HOUR + 120
    assert rate(file, per_second=1000, per_hour=4).wait(1) is None


def test_the_rest_of_a_longer_line_after_a_shorter_one_is_ignored(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    long_ago = {str(int(time.time() // 60) - minutes): 1 for minutes in range(100, 200)}
    file.parent.mkdir()
    file.write_text(json.dumps({"next": 0.0, "written": time.time(), "minutes": long_ago}) + "\n")
    assert rate(file, per_hour=1).wait(0) is None
    assert len(file.read_bytes().splitlines()) == 2, "the file has such a rest"
    assert rate(file, per_hour=1).wait(0) is not None
    assert not caplog.text


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null\n", b'{"next": "x"}', b"\x00" * 100, b"\xff\n"])
def test_a_corrupt_file_is_started_again(file: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert rate(file, per_hour=1).wait(0) is None
    assert rate(file, per_hour=1).wait(0) is not None
    assert ("is corrupt" in caplog.text) == bool(content)


def test_a_file_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ContractError, match="IDEAS_STATE_DIR"):
        rate(tmp_path / "file" / "account.budget", per_hour=1).wait(0)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ContractError, match="Is a directory"):
        rate(tmp_path / "folder", per_hour=1).wait(0)


HOLD = """
import sys
from pathlib import Path
from subprocess import PIPE
from ideas_pipeline.ideas_api.rate_limit import _opened
with _opened(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_killed_process_does_not_keep_the_lock_of_the_file(file: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(file)]
    with started(command, env=environment(), stdin=PIPE, stdout=PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(rate(file, per_hour=1).wait, 0)
            with pytest.raises(TimeoutError):
                waiting.result(0.05)
            holder.kill()
            assert waiting.result(10) is None


def test_a_used_up_budget_sends_nothing_and_says_when_to_try_again(file: Path) -> None:
    with serving(in_turn(Answer())) as server:
        sender = limited(server.base_url, file, requests_per_hour=3)
        for _ in range(3):
            sender.send("GET", "ideas")
        with pytest.raises(RateLimited, match=r"used up\. Try again after 20.* UTC, in \d+ minutes") as caught:
            sender.send("GET", "ideas")
    assert caught.value.retry_after == pytest.approx(HOUR, abs=60)
    assert caught.value.requests == 0
    assert len(server.requests) == 3


def test_each_retry_and_each_redirect_counts(file: Path) -> None:
    there = Answer(302, headers={"Location": "there"})
    with serving(in_turn(Answer(503), there, Answer(503, headers={"Retry-After": "0"}))) as server:
        sender = limited(server.base_url, file, requests_per_hour=3, attempts=10)
        with pytest.raises(RateLimited, match="requests_per_hour") as caught:
            sender.send("GET", "ideas")
    assert len(server.requests) == caught.value.requests == 3


def test_the_file_is_readable_by_its_owner_only_and_names_nobody(file: Path) -> None:
    rate(file, per_hour=1).wait(0)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert noted_in(file).keys() == {"next", "written", "minutes"}


def test_the_concurrency_limit_halves_once_per_overload_and_rises_again() -> None:
    limit = ConcurrencyLimit(8)
    together = time.monotonic()
    for _ in range(4):
        limit.overloaded(together)
    assert limit.current == 4, "four requests that were in flight together are one overload"
    for _ in range(20):
        limit.succeeded()
    assert limit.current == 5
    for _ in range(500):
        limit.succeeded()
    assert limit.current == 8


def test_the_concurrency_limit_is_at_least_one_and_waiting_times_out() -> None:
    limit = ConcurrencyLimit(1)
    assert limit.acquire(1)
    limit.overloaded(time.monotonic())
    assert limit.current == 1
    assert not limit.acquire(0.01)
    limit.release()
    assert limit.acquire(0.01)


def test_fewer_requests_are_in_flight_after_the_server_was_overloaded() -> None:
    inside = 0
    most = 0
    lock = threading.Lock()

    def count() -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.005)
        with lock:
            inside -= 1

    refused = Answer(503, headers={"Retry-After": "0"})
    with serving(in_turn(refused, Answer(body={}, before=count))) as server, ThreadPoolExecutor(16) as pool:
        sender = limited(server.base_url, Path("unused"), concurrency=8)
        sender.send("GET", "ideas")
        list(pool.map(lambda n: sender.send("GET", f"ideas/{n}"), range(15)))
    assert most <= 4
