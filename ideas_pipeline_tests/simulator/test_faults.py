from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import pytest
import requests

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.simulator.caller import Caller

TABLES = generate("small")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator(load_contract(None), TABLES) as simulator:
        yield simulator


@pytest.fixture
def caller(sim: Simulator) -> Caller:
    return Caller(sim)


def test_a_fault_strikes_the_next_requests_and_then_no_more(sim: Simulator, caller: Caller) -> None:
    sim.faults.add(Fault(kind="status", status=502, times=2))
    assert [caller.get("challenges").status_code for _ in range(3)] == [502, 502, 200]


def test_a_fault_strikes_every_third_request_for_ever(sim: Simulator, caller: Caller) -> None:
    sim.faults.add(Fault(kind="status", status=500, every=3, times=None))
    assert [caller.get("challenges").status_code for _ in range(6)] == [200, 200, 500, 200, 200, 500]


def test_a_fault_strikes_one_list_only(sim: Simulator, caller: Caller) -> None:
    sim.faults.add(Fault(kind="status", status=403, stream="ideas", scope="502", times=None))
    scopes = ("501", "502", "502", "503")
    assert [caller.get(f"challenges/{scope}/ideas").status_code for scope in scopes] == [200, 403, 403, 200]


def test_a_fault_strikes_a_path(sim: Simulator, caller: Caller) -> None:
    sim.faults.add(Fault(kind="status", status=404, path="/v2/challenges/501", times=None))
    assert caller.get("challenges/501/ideas").status_code == 404
    assert caller.get("challenges").status_code == 200


def test_the_login_fails_only_when_it_is_named(sim: Simulator, caller: Caller) -> None:
    sim.faults.add(Fault(kind="status", times=None))
    assert caller.post("auth/code", **caller.client).status_code == 200
    sim.faults.add(Fault(kind="status", stream="auth.code", status=500))
    assert caller.post("auth/code", **caller.client).status_code == 500


def test_retry_after_comes_in_each_form(sim: Simulator, caller: Caller) -> None:
    for form in ("seconds", "date", "unix", None):
        sim.faults.add(Fault(kind="status", status=429, retry_after=form, seconds=1000))
    answers = [caller.get("challenges") for _ in range(4)]
    assert [a.status_code for a in answers] == [429] * 4
    seconds, date, unix, none = (a.headers.get("Retry-After") for a in answers)
    assert seconds == "1000"
    assert parsedate_to_datetime(str(date)).timestamp() > time.time()
    assert int(str(unix)) > time.time()
    assert none is None


def test_requests_beyond_the_rate_limit_are_refused() -> None:
    with Simulator(load_contract(None), TABLES) as sim:
        caller = Caller(sim)
        sim.rate_limit = 0
        answer = caller.get("challenges")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        sim.rate_limit = 1_000_000
        assert caller.get("challenges").status_code == 200


def test_the_connection_is_reset(sim: Simulator, caller: Caller) -> None:
    sim.faults.add(Fault(kind="reset"))
    with pytest.raises(requests.ConnectionError):
        caller.get("challenges")
    assert sim.log[-1].status == 0
    assert caller.get("challenges").status_code == 200


def test_a_body_is_shorter_than_its_content_length(sim: Simulator, caller: Caller) -> None:
    sim.faults.add(Fault(kind="cut_short"))
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        caller.get("challenges")


def test_a_truncated_body_is_not_valid_json(sim: Simulator, caller: Caller) -> None:
    whole = caller.get("challenges").content
    sim.faults.add(Fault(kind="truncated_json"))
    assert caller.get("challenges").content == whole[: len(whole) // 2]


def test_a_truncated_gzip_stream_is_a_part_of_the_body(sim: Simulator, caller: Caller) -> None:
    whole = caller.get("challenges").content
    sim.faults.add(Fault(kind="truncated_gzip"))
    part = caller.get("challenges").content
    assert part == whole[: len(part)]
    assert len(part) < len(whole)


def test_other_bodies_come_with_status_200(sim: Simulator, caller: Caller) -> None:
    whole = caller.get("challenges").content
    for kind in ("html", "error_body", "empty_body", "bom", "slow_body"):
        sim.faults.add(Fault.model_validate({"kind": kind, "seconds": 0}))
    answers = [caller.get("challenges") for _ in range(5)]
    assert {a.status_code for a in answers} == {200}
    html, error, empty, bom, slow = answers
    assert html.headers["Content-Type"].startswith("text/html")
    assert "error" in error.json()
    assert empty.content == b""
    assert bom.content == b"\xef\xbb\xbf" + whole
    assert slow.content == whole


def test_a_redirect_leads_to_another_host(sim: Simulator, caller: Caller) -> None:
    sim.faults.add(Fault(kind="redirect", location="https://elsewhere.example/v2/"))
    answer = caller.get("challenges")
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://elsewhere.example/v2/")


def test_latency_and_another_fault_go_together(sim: Simulator, caller: Caller) -> None:
    sim.faults.add(Fault(kind="latency", seconds=0.001))
    sim.faults.add(Fault(kind="status", status=503))
    assert caller.get("challenges").status_code == 503


def test_a_list_is_cut_short_although_the_total_counts_all_rows(sim: Simulator, caller: Caller) -> None:
    sim.faults.add(Fault(kind="list_cut", stream="users", page=2, times=None))
    first, second = (caller.get("users", page=page).json() for page in (1, 2))
    assert (len(first["data"]), len(second["data"])) == (100, 0)
    assert first["total"] == second["total"] == 120


def test_a_page_is_served_twice(sim: Simulator, caller: Caller) -> None:
    first = caller.get("users", page=1, per_page=10).json()
    sim.faults.add(Fault(kind="page_twice"))
    assert caller.get("users", page=2, per_page=10).json() == first
    assert caller.get("users", page=2, per_page=10).json() != first


def test_the_total_is_wrong(sim: Simulator, caller: Caller) -> None:
    sim.faults.add(Fault(kind="wrong_total", off_by=-3))
    assert caller.get("users").json()["total"] == 117


def test_one_record_is_poisoned_and_its_neighbours_are_not(sim: Simulator, caller: Caller) -> None:
    healthy = caller.get("challenges").json()["data"]
    sim.faults.add(Fault(kind="poison_value", stream="challenges", record="503"))
    sim.faults.add(Fault(kind="poison_text", stream="challenges", record="503"))
    answer = caller.get("challenges")
    assert b"\\u0000" in answer.content
    assert b"\\ud800" in answer.content
    poisoned = answer.json()["data"]
    assert [p["id"] for p, h in zip(poisoned, healthy, strict=True) if p != h] == ["503"]
    assert "not what it should be" in poisoned[2].values()


def test_faults_come_through_the_control_route(sim: Simulator, caller: Caller) -> None:
    control = sim.base_url.replace("/v2/", "/_control/faults")
    rules = [{"kind": "status", "status": 500, "times": None}, {"kind": "bom"}]
    assert requests.post(control, json=rules).json() == {"rules": 2}
    assert caller.get("challenges").status_code == 500
    assert requests.delete(control).status_code == 200
    assert caller.get("challenges").status_code == 200


def test_an_invalid_rule_is_refused_with_the_reason(sim: Simulator) -> None:
    control = sim.base_url.replace("/v2/", "/_control/faults")
    assert "kind: Input should be" in requests.post(control, json={"kind": "gremlins"}).json()["error"]
    assert "a redirect needs location" in requests.post(control, json={"kind": "redirect"}).json()["error"]
    assert requests.post(control, data="{").status_code == 400


@pytest.fixture
def cursors() -> Iterator[Simulator]:
    """Pages of two records that name a cursor to the next page."""
    contract = load_contract(None).model_dump(by_alias=True)
    paging = {"style": "cursor", "cursor": ["next"], "size": 2}
    streams = {name: stream | {"paging": paging} for name, stream in contract["streams"].items()}
    with Simulator(Contract.model_validate(contract | {"streams": streams}), TABLES) as simulator:
        yield simulator


def test_a_cursor_is_repeated(cursors: Simulator) -> None:
    caller = Caller(cursors)
    second = caller.get("users").json()["next"]
    cursors.faults.add(Fault(kind="repeat_cursor"))
    assert caller.get("users", cursor=second).json()["next"] == second


def test_a_cursor_is_not_known(cursors: Simulator) -> None:
    caller = Caller(cursors)
    cursors.faults.add(Fault(kind="unknown_cursor"))
    assert caller.get("users", cursor=caller.get("users").json()["next"]).status_code == 400


def test_a_cursor_leads_to_another_list(cursors: Simulator) -> None:
    caller = Caller(cursors)
    first = caller.get("challenges/501/ideas").json()
    cursors.faults.add(Fault(kind="foreign_page", times=None))
    records = load_contract(None).streams["ideas"].records[0]
    second = caller.get("challenges/501/ideas", cursor=first["next"]).json()[records]
    of_501 = {key for key, row in TABLES["ideas"].items() if row["challenge_id"] == "501"}
    assert second
    assert not of_501 & {str(idea["id"]) for idea in second}
    assert caller.get("challenges/501/ideas").json() == first
