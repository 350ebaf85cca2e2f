from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.auth import ApiClient
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.simulator.caller import Caller, contract_with


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator(load_contract(None), generate("small")) as simulator:
        yield simulator


def test_a_login_gives_a_token_that_opens_the_lists(sim: Simulator) -> None:
    caller = Caller(sim)
    assert caller.get("challenges").status_code == 200
    assert (sim.counters.logins, sim.counters.refreshes) == (1, 0)


def test_a_call_without_the_header_or_with_another_format_is_refused(sim: Simulator) -> None:
    caller = Caller(sim, login=False)
    token = caller.login()["access_token"]
    assert caller.get("challenges").status_code == 401
    for value in (token, f"bearer {token}", f"Bearer {token}x", "Bearer "):
        assert requests.get(sim.base_url + "challenges", headers={"Authorization": value}).status_code == 401


def test_wrong_credentials_are_refused(sim: Simulator) -> None:
    caller = Caller(sim, login=False)
    assert caller.post("auth/code", client_id=sim.client_id, client_secret="wrong").status_code == 401
    assert caller.post("auth/code", client_id="wrong", client_secret=sim.client_secret).status_code == 401


def test_an_auth_code_is_good_for_one_login(sim: Simulator) -> None:
    caller = Caller(sim, login=False)
    code = caller.code()
    assert caller.post("auth", auth_code=code, **caller.client).status_code == 200
    assert caller.post("auth", auth_code=code, **caller.client).status_code == 400


def test_a_refresh_token_is_good_once_and_its_reuse_is_counted(sim: Simulator) -> None:
    caller = Caller(sim, login=False)
    old = caller.login()
    new = caller.post("auth/refresh", refresh_token=old["refresh_token"])
    assert new.status_code == 200
    assert new.json()["refresh_token"] != old["refresh_token"]
    assert caller.post("auth/refresh", refresh_token=old["refresh_token"]).status_code == 400
    assert (sim.counters.refreshes, sim.counters.refresh_reuses) == (1, 1)
    assert caller.post("auth/refresh", refresh_token="never issued").status_code == 400
    assert sim.counters.refresh_reuses == 1


def test_a_token_is_good_for_a_number_of_calls() -> None:
    with Simulator(load_contract(None), generate("small"), client=ApiClient(token_uses=2)) as sim:
        caller = Caller(sim)
        assert [caller.get("challenges").status_code for _ in range(3)] == [200, 200, 401]


def test_expired_tokens_are_refused_and_a_refresh_helps(sim: Simulator) -> None:
    caller = Caller(sim, login=False)
    pair = caller.login()
    caller.use(pair)
    sim.auth.expire_tokens()
    assert caller.get("challenges").status_code == 401
    caller.use(caller.post("auth/refresh", refresh_token=pair["refresh_token"]).json())
    assert caller.get("challenges").status_code == 200


def test_a_revoked_client_is_refused_everywhere(sim: Simulator) -> None:
    caller = Caller(sim, login=False)
    pair = caller.login()
    caller.use(pair)
    sim.auth.revoked = True
    assert caller.get("challenges").status_code == 401
    assert caller.post("auth/refresh", refresh_token=pair["refresh_token"]).status_code == 400
    assert caller.post("auth/code", **caller.client).status_code == 401


def test_validation_says_whether_a_token_is_good(sim: Simulator) -> None:
    caller = Caller(sim, login=False)
    assert caller.post("auth/validate", access_token=caller.login()["access_token"]).json() == {"valid": True}
    assert caller.post("auth/validate", access_token="made up").json() == {"valid": False}


def test_a_wrong_method_form_field_or_content_type_is_refused(sim: Simulator) -> None:
    caller = Caller(sim)
    url = sim.base_url + "auth/code"
    assert requests.get(url, params=caller.client).status_code == 405
    assert requests.post(url, json=caller.client).status_code == 400
    assert requests.post(url, params=caller.client).status_code == 400
    assert caller.post("auth/code", clientId=sim.client_id, client_secret=sim.client_secret).status_code == 400
    assert caller.post("auth/code", **caller.client, scope="all").status_code == 400
    assert caller.post("challenges").status_code == 405
    assert caller.get("no/such/place").status_code == 404


def test_the_code_goes_to_the_endpoint_and_is_not_returned() -> None:
    received: list[str] = []
    arrived = threading.Event()

    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            received.append(self.path)
            self.send_response(204)
            self.end_headers()
            arrived.set()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}/code?tenant=7"
    with Simulator(load_contract(None), generate("small"), client=ApiClient(endpoint=endpoint)) as sim:
        caller = Caller(sim, login=False)
        answer = caller.post("auth/code", **caller.client)
        assert arrived.wait(10)
        code = parse_qs(urlsplit(received[0]).query)["auth_code"][0]
        assert answer.status_code == 200
        assert code not in answer.text
        assert caller.post("auth", auth_code=code, **caller.client).status_code == 200
    server.shutdown()
    server.server_close()


def test_the_login_follows_the_contract(tmp_path: Path) -> None:
    contract = contract_with(
        tmp_path,
        {
            "auth": {
                "code": {
                    "method": "GET",
                    "path": "oauth",
                    "send_as": "query",
                    "fields": {"client_id": None, "client_secret": None, "key": "{client_id}:{client_secret}"},
                    "auth_code": "@body",
                },
                "token": {
                    "path": "oauth/token",
                    "send_as": "json",
                    "fields": {"auth_code": None, "code": "{auth_code}", "grant_type": "code"},
                    "access_token": "result.token",
                    "refresh_token": "result.refresh",
                },
                # The same address as the login, distinguished by its fields.
                "refresh": {
                    "path": "oauth/token",
                    "send_as": "json",
                    "fields": {"refresh_token": "{refresh_token}", "grant_type": "refresh"},
                },
                "header": {"name": "X-Api-Token", "format": "{access_token}"},
            }
        },
    )
    with Simulator(contract, generate("small")) as sim:
        code = requests.get(sim.base_url + "oauth", params={"key": f"{sim.client_id}:{sim.client_secret}"}).text
        login = {"code": code, "grant_type": "code", "client_id": sim.client_id, "client_secret": sim.client_secret}
        result = requests.post(sim.base_url + "oauth/token", json=login).json()["result"]
        refresh = {"refresh_token": result["refresh"], "grant_type": "refresh"}
        assert requests.post(sim.base_url + "oauth/token", json=refresh).json()["access_token"]
        lists = requests.get(sim.base_url + "challenges", headers={"X-Api-Token": result["token"]})
        assert lists.status_code == 200


def test_issued_secrets_are_kept_and_none_is_logged(sim: Simulator) -> None:
    caller = Caller(sim, login=False)
    pair = caller.login()
    caller.use(pair)
    caller.get("challenges", page=1)
    assert {pair["access_token"], pair["refresh_token"]} < set(sim.issued_secrets)
    log = str(sim.log)
    assert not [secret for secret in (*sim.issued_secrets, sim.client_secret, sim.client_id) if secret in log]
    assert [(request.stream, request.status) for request in sim.log] == [
        ("auth.code", 200),
        ("auth.token", 200),
        ("challenges", 200),
    ]
