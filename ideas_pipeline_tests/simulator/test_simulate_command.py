from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from urllib.parse import urlsplit

import pytest
import requests
import trustme
from click.testing import CliRunner

from ideas_pipeline.cli.simulate import simulate
from ideas_pipeline.simulator.dialects import DIALECTS
from ideas_pipeline_tests.processes import run, started

COMMAND = [sys.executable, "-c", "from ideas_pipeline.cli.simulate import simulate; simulate()"]


@contextmanager
def running(ready: Path, *options: str) -> Iterator[tuple[Popen[str], dict[str, str]]]:
    """Run the command in a process; yield it and the content of its ready file when it is ready."""
    with started([*COMMAND, "--ready-file", str(ready), *options], stdout=PIPE) as process:
        while not ready.exists():
            assert process.poll() is None, "the command ended early"
            time.sleep(0.01)
        yield process, json.loads(ready.read_text())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_a_signal_stops_it(number: signal.Signals, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    fault = '{"kind": "status", "stream": "auth.code"}'
    with running(ready, "--client-id", "me", "--fault", fault) as (process, api):
        client = {"client_id": "me", "client_secret": api["client_secret"]}
        answers = [requests.post(api["base_url"] + "auth/code", data=client).status_code for _ in range(2)]
        process.send_signal(number)
        output, _ = process.communicate()
    assert process.returncode == 0
    lines = output.splitlines()
    assert answers == [503, 200]
    assert ready.stat().st_mode & 0o777 == 0o600
    assert all(value in lines[0] for value in api.values())
    assert "stand-in" in lines[1]
    assert f"export IDEAS_API_BASE_URL={api['base_url']}" in lines


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--from", "no/such/folder"], "is not a folder"),
        (["--fault", '{"kind": "gremlins"}'], "kind: Input should be"),
        (["--scale", "huge"], "'small', 'medium', 'large'"),
        (["--endpoint", "nowhere"], "the endpoint must be a URL such as"),
        (["--endpoint", "ftp://host/"], "the endpoint must be a URL such as"),
        (["--ready-file", "/nope/x"], "--ready-file: /nope/x cannot be written: No such file or directory."),
        (["--ready-file", "/tmp"], "--ready-file: /tmp cannot be written: Is a directory."),
        (["--dialect", "klingon"], "'klingon' is not one of"),
        (["--dialect", "no-total", "--dialect", "total-as-text"], "total-as-text and no-total contradict each other"),
        (["--hidden-changes"], "--hidden-changes has no effect without --living"),
        (["--living", "--dialect", "long-ids"], "--living makes ids, texts and times of its own"),
        (["--living", "--dialect", "restless"], "moves by its clock alone"),
        (["--dialect", "http-links"], "http-links needs an API behind TLS"),
        (["--tls", __file__], "is not a PEM file with a key and its certificate"),
        (["--living", "--from", "some/folder"], "--living makes its own community and cannot serve a folder"),
    ],
)
def test_options_that_cannot_be_used_are_refused_with_the_reason(options: list[str], sentence: str) -> None:
    result = CliRunner().invoke(simulate, options)
    assert result.exit_code == 2
    assert sentence in result.output


def test_a_living_community_prints_how_to_move_its_clock(tmp_path: Path) -> None:
    with running(tmp_path / "ready.json", "--living") as (process, api):
        clock = api["base_url"].replace("/v2/", "/_control/clock")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate()
    lines = output.splitlines()
    assert f"curl {clock} -d '{{\"days\": 1}}'" in lines
    assert any("clock shows 2026-01-05 06:00 UTC" in line for line in lines)


def test_dialects_are_listed_and_spoken_and_what_a_client_must_know_is_printed(tmp_path: Path) -> None:
    listed = CliRunner().invoke(simulate, ["--dialects"]).output.splitlines()
    assert [line.split()[0] for line in listed] == list(DIALECTS)
    ready = tmp_path / "ready.json"
    dialects = ["--dialect", "times-without-zone", "--dialect", "expired-as-200"]
    with running(ready, *dialects) as (process, api):
        refused = requests.get(api["base_url"] + "challenges")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate()
    assert (refused.status_code, refused.json()["error"]) == (200, "invalid_token")
    assert "The client's contract (IDEAS_CONTRACT) has to say:\n\ntimezone: Africa/Lagos\n" in output


def test_an_api_behind_tls_links_its_pages_with_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    tls = ["--tls", str(tmp_path / "server.pem"), "--dialect", "http-links"]
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with running(tmp_path / "ready.json", *tls) as (_, api), requests.Session() as session:
        base, client = api["base_url"], {name: api[name] for name in ("client_id", "client_secret")}
        assert base.startswith("https://")
        code = session.post(base + "auth/code", data=client).json()["auth_code"]
        token = session.post(base + "auth", data=client | {"auth_code": code}).json()["access_token"]
        users = session.get(base + "users", headers={"Authorization": f"Bearer {token}"}).json()
    assert users["links"]["next"].startswith(base.replace("https://", "http://"))


def test_a_port_in_use_is_an_error(tmp_path: Path) -> None:
    with running(tmp_path / "ready.json") as (_, api):
        port = str(urlsplit(api["base_url"]).port)
        second = run([*COMMAND, "--port", port])
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1, port {port}" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize("host", ["bogus..host", "192.0.2.1", "nowhere.invalid"])
def test_a_host_that_cannot_be_listened_on_is_an_error(host: str, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    done = run([*COMMAND, "--host", host, "--ready-file", str(ready)])
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: cannot listen on {host}, port 0: ")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_lines_to_paste_survive_a_shell_whatever_the_secret(tmp_path: Path) -> None:
    secret = """it's "$HOME" `date` \\ #1"""
    endpoint = ["--endpoint", "http://127.0.0.1:8765/code"]
    with running(tmp_path / "ready.json", "--client-secret", secret, *endpoint) as (process, _):
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate()
    lines = [line for line in output.splitlines() if line.startswith("export ")]
    show = 'printf "%s\\n" "$IDEAS_CLIENT_SECRET" "$IDEAS_CALLBACK_PORT" "$IDEAS_CALLBACK_PATH"'
    pasted = run(["sh", "-c", "\n".join([*lines, show])])
    assert pasted.stdout.splitlines() == [secret, "8765", "/code"]
