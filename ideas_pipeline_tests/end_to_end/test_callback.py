"""Call-back mode: the API client has an endpoint, so the auth code is sent there and a sync listens for it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from ideas_pipeline_tests.cli.command import ideas_pipeline, simulate

PATH = "/ideas/code"


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def api(port: int, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables that lead a sync to a simulated API that sends its codes to the port."""
    with sending_codes_to(port, tmp_path) as variables:
        yield variables


@contextmanager
def sending_codes_to(port: int, folder: Path, *options: str) -> Iterator[dict[str, str]]:
    with simulate(folder, "--endpoint", f"http://127.0.0.1:{port}{PATH}", *options) as served:
        yield {
            "IDEAS_API_BASE_URL": served["base_url"],
            "IDEAS_CLIENT_ID": served["client_id"],
            "IDEAS_CLIENT_SECRET": served["client_secret"],
            "IDEAS_CALLBACK_PATH": PATH,
            "IDEAS_CALLBACK_PORT": str(port),
        }


def only_challenges(folder: Path, **variables: str) -> CompletedProcess[str]:
    return ideas_pipeline("sync", "--only", "challenges", folder=folder, **variables)


def test_a_sync_that_listens_at_the_endpoint_gets_its_code_and_fills_the_warehouse(
    api: dict[str, str], tmp_path: Path
) -> None:
    done = only_challenges(tmp_path, **api)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "challenges: complete" in done.stderr


def test_a_login_whose_state_the_api_returns_fills_the_warehouse(port: int, tmp_path: Path) -> None:
    (tmp_path / "contract.yaml").write_text(
        'auth: {code: {fields: {state: "{state}"}}, callback: {state: state}}\nlimits: {requests_per_second: null}\n'
    )
    with sending_codes_to(port, tmp_path, "--contract", str(tmp_path / "contract.yaml")) as variables:
        done = only_challenges(tmp_path, **variables, IDEAS_CONTRACT="contract.yaml")
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_port_without_a_path_is_refused_with_a_path_that_nobody_can_guess(
    api: dict[str, str], tmp_path: Path
) -> None:
    suggested = set()
    for _ in range(2):
        done = only_challenges(tmp_path, **(api | {"IDEAS_CALLBACK_PATH": ""}))
        assert done.returncode == 2
        assert "IDEAS_CALLBACK_PORT is set, but IDEAS_CALLBACK_PATH is not." in done.stderr
        (path,) = re.findall(r"such as /([\w-]{22}),", done.stderr)
        suggested.add(path)
    assert len(suggested) == 2


def test_a_check_listens_too(api: dict[str, str], tmp_path: Path) -> None:
    done = ideas_pipeline("check", folder=tmp_path, **api)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_port_in_use_is_named(api: dict[str, str], port: int, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", port)):
        done = only_challenges(tmp_path, **api)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in done.stdout + done.stderr
    assert "Choose another port with IDEAS_CALLBACK_PORT" in done.stdout + done.stderr


def test_a_code_that_is_sent_elsewhere_is_waited_for_no_longer_than_the_time_limit(
    api: dict[str, str], port: int, tmp_path: Path
) -> None:
    elsewhere = api | {"IDEAS_CALLBACK_PATH": "/elsewhere", "IDEAS_CALLBACK_SECONDS": "0.5"}
    done = only_challenges(tmp_path, **elsewhere)
    assert done.returncode == 2
    output = done.stdout + done.stderr
    assert f"no auth code arrived on 127.0.0.1 port {port} at IDEAS_CALLBACK_PATH within 0.5 seconds" in output
    assert "A request for another path was refused" in output


def test_a_sync_that_does_not_listen_reports_that_the_code_went_to_the_endpoint(
    api: dict[str, str], tmp_path: Path
) -> None:
    done = only_challenges(tmp_path, **(api | {"IDEAS_CALLBACK_PORT": ""}))
    assert done.returncode == 2
    assert "it was probably sent to the API client's endpoint" in done.stdout + done.stderr
    assert "set IDEAS_CALLBACK_PORT" in done.stdout + done.stderr
