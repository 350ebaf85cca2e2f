from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.living import LivingCommunity
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.simulator.caller import Caller


@pytest.fixture
def sim() -> Iterator[Simulator]:
    tables = generate("small")
    with Simulator(load_contract(None), tables, living=LivingCommunity(tables)) as simulator:
        yield simulator


@pytest.fixture
def clock(sim: Simulator) -> str:
    return sim.base_url.replace("/v2/", "/_control/clock")


def test_moving_the_clock_lets_events_happen_and_returns_their_counts(sim: Simulator, clock: str) -> None:
    same = copy.deepcopy(sim.tables)
    life = LivingCommunity(same)
    assert requests.get(clock).json() == {"now": "2026-01-05T06:00:00Z", "events": {}}
    answer = requests.post(clock, json={"days": 2})
    assert answer.status_code == 200
    events = Counter(life.advance(life.now + timedelta(days=2)))
    assert answer.json() == {"now": "2026-01-07T06:00:00Z", "events": events}
    assert sim.tables == same
    assert requests.get(clock).json()["now"] == "2026-01-07T06:00:00Z"


def test_the_api_shows_at_once_what_happened(sim: Simulator, clock: str) -> None:
    caller = Caller(sim)
    before = caller.get("users", page=2).json()["data"]
    assert requests.post(clock, json={"days": 5}).json()["events"]["join"]
    assert len(caller.get("users", page=2).json()["data"]) > len(before)


def test_the_clock_is_neither_logged_nor_counted_as_a_request_to_the_api(sim: Simulator, clock: str) -> None:
    requests.post(clock, json={"days": 1})
    assert not sim.log
    assert not sim.counters.requests


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("", 'POST a body such as {"days": 1}, from 1 to 366 days: body: Invalid JSON'),
        ("[1]", "body: Input should be an object"),
        ("{}", "days: Field required"),
        ('{"days": 0}', "days: Input should be greater than or equal to 1"),
        ('{"days": 367}', "days: Input should be less than or equal to 366"),
        ('{"days": "1"}', "days: Input should be a valid integer"),
        ('{"days": 1, "hours": 2}', "hours: Extra inputs are not permitted"),
    ],
)
def test_a_body_that_cannot_be_used_is_refused_with_the_reason_and_moves_nothing(
    body: str, sentence: str, sim: Simulator, clock: str
) -> None:
    before = copy.deepcopy(sim.tables)
    answer = requests.post(clock, data=body)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]
    assert requests.get(clock).json()["now"] == "2026-01-05T06:00:00Z"
    assert sim.tables == before


def test_another_method_is_refused(clock: str) -> None:
    answer = requests.delete(clock)
    assert answer.status_code == 405
    assert "POST" in answer.json()["error"]


def test_a_community_that_does_not_live_has_no_clock() -> None:
    with Simulator(load_contract(None), generate("small")) as simulator:
        answer = requests.post(simulator.base_url.replace("/v2/", "/_control/clock"), json={"days": 1})
    assert answer.status_code == 409
    assert "start the simulator with --living" in answer.json()["error"]
