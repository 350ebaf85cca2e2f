"""How many requests are in flight."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ideas_pipeline.ideas_api.gate import Gate
from ideas_pipeline.ideas_api.transport import Transport
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, in_turn, limits, serving


def test_the_gate_halves_once_per_overrun_and_creeps_back() -> None:
    gate = Gate(8)
    together = time.monotonic()
    for _ in range(4):
        gate.overrun(together)
    assert gate.open == 4, "four requests that were under way together are one overrun"
    for _ in range(20):
        gate.succeeded()
    assert gate.open == 5
    for _ in range(500):
        gate.succeeded()
    assert gate.open == 8


def test_the_gate_never_closes_and_gives_up_waiting() -> None:
    gate = Gate(1)
    assert gate.enter(1)
    gate.overrun(time.monotonic())
    assert gate.open == 1
    assert not gate.enter(0.01)
    gate.leave()
    assert gate.enter(0.01)


def test_fewer_requests_are_in_flight_after_the_server_was_overrun() -> None:
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
        sender = Transport(server.base_url, limits(concurrency=8), Path("unused"))
        sender.send("GET", "ideas")
        list(pool.map(lambda n: sender.send("GET", f"ideas/{n}"), range(15)))
    assert most <= 4
