from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.simulator.caller import Caller

MADRID = "Europe/Madrid"
TIMES = {
    "a": "2026-03-28T22:59:59Z",
    "b": "2026-03-28T23:00:00Z",  # midnight in Madrid, where this day has 23 hours
    "c": "2026-03-29T21:59:59Z",
    "d": "2026-03-29T22:00:00Z",  # midnight again
    "e": "2026-03-29T22:00:00Z",
    "none": None,
}


def contract(form: str, **changes: Any) -> Contract:
    since = {"parameter": "from", "column": "joined_at", "format": form}
    until = {"parameter": "to", "column": "joined_at", "format": form}
    return contract_with({"streams": {"users": {"timezone": MADRID, "since": since, "until": until, **changes}}})


def people() -> Tables:
    return {"users": {key: {"id": key, "joined_at": at} for key, at in TIMES.items()}}


@pytest.fixture
def sim(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    with Simulator(contract(request.param), people()) as simulator:
        yield simulator


def seen(simulator: Simulator, **bounds: object) -> tuple[str, int]:
    body = Caller(simulator).get("users", **bounds).json()
    return "".join(record["id"] for record in body["data"]), body["total"]


@pytest.mark.parametrize(
    ("sim", "midnight", "next_midnight"),
    [
        ("iso", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("iso", "2026-03-29T00:00:00", "2026-03-30T00:00:00+02:00"),
        ("epoch", 1774738800, "1774821600"),
        ("date", "2026-03-29", "2026-03-30"),
    ],
    indirect=["sim"],
)
def test_from_is_included_and_to_is_not_in_every_format(
    sim: Simulator, midnight: object, next_midnight: object
) -> None:
    assert seen(sim, **{"from": midnight}) == ("bcde", 4)
    assert seen(sim, to=next_midnight) == ("abc", 3)
    assert seen(sim, **{"from": midnight}, to=next_midnight) == ("bc", 2)
    assert seen(sim) == ("abcdenone", 6)


@pytest.mark.parametrize("sim", ["date"], indirect=True)
def test_a_bound_in_another_format_is_refused(sim: Simulator) -> None:
    answer = Caller(sim).get("users", to="29/03/2026")
    assert (answer.status_code, answer.json()["error"]) == (400, "the parameter to must be a time in the format date")


def test_a_next_link_keeps_the_bounds() -> None:
    paging = {"!": {"style": "next_link", "next": "next", "size_parameter": "per_page"}}
    with Simulator(contract("epoch", paging=paging), people()) as simulator:
        caller = Caller(simulator)
        body = caller.get("users", per_page=2, **{"from": 1774738800}).json()
        ids = [record["id"] for record in body["data"]]
        ids += [record["id"] for record in caller.session.get(body["next"]).json()["data"]]
    assert ids == ["b", "c", "d", "e"]


def test_a_contract_without_bounds_refuses_such_parameters() -> None:
    with Simulator(contract_with({}), people()) as simulator:
        assert Caller(simulator).get("users", since="2026-03-29").status_code == 400
