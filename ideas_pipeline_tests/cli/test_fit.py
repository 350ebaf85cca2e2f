"""The command that writes the contract file, as an operator runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.shape import Quirks, email_of
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.cli.command import QUICK, ideas_pipeline, settings_of
from ideas_pipeline_tests.cli.terminal import dialogue
from ideas_pipeline_tests.fit.evidence import entry, har

OTHER = """\
auth:
  token: {path: auth/token, access_token: data.token}
  header: {name: X-Access-Token, format: "{access_token}"}
  refresh: {path: auth/token/refresh}
streams:
  challenges: {path: campaigns, records: [result.rows]}
  ideas:
    path: campaigns/{challenge_id}/posts
    fields: {title: subject, author_id: {paths: creator.uid}}
  comments: {path: "posts/{idea_id}/replies"}
  votes: {path: "posts/{idea_id}/votes", paging: {page_parameter: pageNumber, size_parameter: limit}}
  users: {path: members, paging: {total: {header: X-Total-Count}}}
"""
OURS = f"""\
# What we know of our API.
{QUICK}
streams:
  users:
    hidden_by_rights: true  # our account is not an administrator
"""


@pytest.fixture
def other_api(tmp_path: Path) -> Iterator[Simulator]:
    """An API that is not as the default contract says, whose records name people."""
    file = tmp_path / "other.yaml"
    file.write_text(OTHER, encoding="utf-8")
    tables = generate("small", seed=1)
    with Simulator(load_contract(file), tables, quirks=Quirks(extra_fields=True)) as simulator:
        (tmp_path / "contract.yaml").write_text(OURS, encoding="utf-8")
        yield simulator


def fit(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    done = ideas_pipeline("fit", *arguments, folder=folder, **variables)
    return done.returncode, done.stdout, done.stderr


def test_the_file_that_it_writes_agrees_with_the_api_and_keeps_our_own_lines(
    other_api: Simulator, tmp_path: Path
) -> None:
    named = settings_of(other_api) | {"IDEAS_CONTRACT": "contract.yaml"}
    code, out, err = fit(tmp_path, **named)
    assert code == 0, out + err
    text = (tmp_path / "contract.yaml").read_text()
    assert text.startswith(OURS)
    lines = text.removeprefix(OURS).splitlines()
    assert "    path: campaigns/{challenge_id}/posts  # " in text
    assert [line for line in lines if line.strip() and not line.rstrip().endswith(":") and "  # " not in line] == []

    done = ideas_pipeline("check", folder=tmp_path, **named)
    assert done.returncode == 0, done.stdout
    again = fit(tmp_path, **named)
    assert again[0] == 0
    assert "contract.yaml needs no change" in again[1]
    assert (tmp_path / "contract.yaml").read_text() == text


def test_no_secret_and_no_value_of_a_record_is_shown_or_written(other_api: Simulator, tmp_path: Path) -> None:
    named = settings_of(other_api) | {"IDEAS_CONTRACT": "contract.yaml"}
    _, out, err = fit(tmp_path, **named)
    _, as_json, _ = fit(tmp_path, "--json", "--dry-run", **named)
    everything = out + err + as_json + (tmp_path / "contract.yaml").read_text()
    rows = [row for table in ("users", "ideas", "comments") for row in other_api.tables[table].values()]
    personal = [str(row[name]) for row in rows for name in ("display_name", "title", "body") if row.get(name)]
    assert [text for text in (*personal, *map(email_of, other_api.tables["users"])) if text in everything] == []
    secrets = [other_api.client_secret, other_api.client_id, *other_api.issued_secrets]
    assert [secret for secret in secrets if secret in everything] == []


def test_a_dry_run_shows_the_change_and_writes_nothing(other_api: Simulator, tmp_path: Path) -> None:
    code, out, _ = fit(tmp_path, "contract.yaml", "--dry-run", **settings_of(other_api))
    assert code == 0
    assert "+    path: campaigns/{challenge_id}/posts  # " in out
    assert (tmp_path / "contract.yaml").read_text() == OURS


def test_the_budget_of_requests_is_kept_and_what_was_found_until_then_too(other_api: Simulator, tmp_path: Path) -> None:
    code, out, _ = fit(tmp_path, "contract.yaml", "--requests", "20", **settings_of(other_api))
    assert code == 3
    assert len(other_api.log) <= 20
    assert "The budget of 20 requests is spent" in out
    assert "name: X-Access-Token" in (tmp_path / "contract.yaml").read_text()
    assert {r.method for r in other_api.log if r.stream in ("challenges", "users", "ideas")} == {"GET"}


def test_refused_credentials_and_an_api_that_does_not_answer_end_it(other_api: Simulator, tmp_path: Path) -> None:
    named = settings_of(other_api)
    code, _, err = fit(tmp_path, **named | {"IDEAS_CLIENT_SECRET": "wrong"})
    assert (code, "the API refuses the client id and secret" in err) == (2, True)
    code, _, err = fit(tmp_path, **named | {"IDEAS_API_BASE_URL": "http://127.0.0.1:1/v2/"})
    assert code == 1, err


def test_client_id_and_secret_are_never_sent_to_a_host_that_only_a_file_names(
    other_api: Simulator, tmp_path: Path
) -> None:
    calls = [entry(f"{other_api.base_url}collect", {"ok": True}, posted={"seen": n}) for n in range(4)]
    har(tmp_path, *calls, entry("https://api.example.com/v2/ideas", {"data": [{"id": 1, "title": "One"}]}))
    named = {n: v for n, v in settings_of(other_api).items() if n != "IDEAS_API_BASE_URL"}
    _, out, err = fit(tmp_path, "--from", "visit.har", **named)
    assert other_api.log == []
    assert "nothing was sent there: set IDEAS_API_BASE_URL in .env, then run fit again" in out + err


def test_without_an_api_and_without_files_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    code, _, err = fit(tmp_path)
    assert (code, err.startswith("Error: There is nothing to look at: IDEAS_CLIENT_ID")) == (2, True)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("notes.txt", b"Ask Maria for the paths.\n", "neither JSON"),
        ("broken.har", b'{"log": {"entries": [', "neither JSON"),
        ("empty.json", b"", "it is empty"),
        ("image.png", b"\x89PNG\r\n\x1a\n\xff", "not UTF-8"),
        ("pages.har", b'{"log": {"entries": []}}', "no request to an API"),
        ("no.yaml", b"openapi: 3.0.0\npaths: {}\n", "describes no GET operation"),
    ],
)
def test_a_file_that_shows_nothing_is_a_sentence(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    code, _, err = fit(tmp_path, "--from", name)
    assert (code, why in err, "OpenAPI" in err) == (2, True, True), err
    assert "Maria" not in err


def test_a_terminal_asks_one_question_at_a_time_and_writes_the_answer(tmp_path: Path) -> None:
    answer = {"result": [{"nr": n, "xyzzy": f"Some text {n}", "score": n} for n in range(12)]}
    (tmp_path / "ideas.json").write_text(json.dumps(answer))
    shown = dialogue("fit", "--from", "ideas.json", typed=["nr", "xyzzy"], folder=tmp_path)
    assert shown.index("Which field of ideas is id?") < shown.index("Which field of ideas is title?")
    text = (tmp_path / "contract.yaml").read_text()
    assert "id: nr  # your answer to ideas-pipeline fit" in text
    assert "title: xyzzy  # your answer" in text
    assert [part for part in ("Some text", "[]:") if part in shown + text] == []
