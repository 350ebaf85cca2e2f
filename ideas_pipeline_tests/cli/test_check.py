"""The command that compares the live API with the contract, as an operator runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.shape import Quirks, email_of
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.cli.command import ideas_pipeline, settings_of

OTHER = """\
auth:
  header: {name: X-Access-Token, format: "{access_token}"}
  refresh: {path: auth/token}
streams:
  challenges: {records: [result.rows]}
  ideas:
    fields:
      title: subject
      author_id: {paths: creator.uid}
  users: {paging: {total: {header: X-Total-Count}}}
"""


@pytest.fixture
def other_api(tmp_path: Path) -> Iterator[Simulator]:
    """An API that is not as our contract says."""
    file = tmp_path / "other.yaml"
    file.write_text(OTHER, encoding="utf-8")
    quirks = Quirks(extra_fields=True)
    with Simulator(load_contract(file), generate("small", seed=1), quirks=quirks, page_cap=30) as simulator:
        yield simulator


def test_an_api_that_agrees_ends_with_0_and_leaves_nothing_but_the_tokens_and_the_budget(
    simulator: Simulator, tmp_path: Path
) -> None:
    done = ideas_pipeline("check", folder=tmp_path, **settings_of(simulator))
    assert done.returncode == 0, done.stderr
    assert "differs" not in done.stdout
    assert "assumed values" in done.stdout
    left = {file.name for file in (tmp_path / ".ideas").iterdir() if file.suffix != ".budget"}
    assert left <= {"tokens.json", "tokens.json.lock"}


def test_it_ends_with_what_syncs_of_this_community_will_cost(simulator: Simulator, tmp_path: Path) -> None:
    variables = settings_of(simulator) | {"IDEAS_VERIFY_DAYS": "7"}
    shown = ideas_pipeline("check", folder=tmp_path, **variables).stdout.partition("Estimated from first pages")[2]
    assert "The first sync: about " in shown
    assert "Every list is read again within 7 nights (IDEAS_VERIFY_DAYS)." in shown

    estimate = json.loads(ideas_pipeline("check", "--json", folder=tmp_path, **variables).stdout)["estimate"]
    # A list of comments and one of votes per idea, and few others.
    lists = 2 * len(simulator.tables["ideas"])
    assert lists < estimate["first"]["requests"] < 1.5 * lists
    assert lists / 7 < estimate["quiet"]["requests"] < lists
    assert estimate["verified_within"] == 7


def test_the_lines_that_it_prints_are_a_contract_file_that_fixes_all(other_api: Simulator, tmp_path: Path) -> None:
    done = ideas_pipeline("check", folder=tmp_path, **settings_of(other_api))
    assert done.returncode == 3, done.stderr
    assert "ideas differs: ideas.title is missing, but the API sends subject (text)." in done.stdout
    assert "karma (number)" in done.stdout

    _, _, after = done.stdout.partition("sends the field sometimes.\n")
    lines, _, _ = after.partition("\n\n\n")
    (tmp_path / "ours.yaml").write_text(lines, encoding="utf-8")
    again = ideas_pipeline("check", "--contract", "ours.yaml", folder=tmp_path, **settings_of(other_api))
    assert (again.returncode, again.stderr) == (0, "")
    assert ideas_pipeline("contract", "validate", "ours.yaml", folder=tmp_path).returncode == 0


def test_json_has_the_same_findings(other_api: Simulator, tmp_path: Path) -> None:
    done = ideas_pipeline("check", "--json", folder=tmp_path, **settings_of(other_api))
    result = json.loads(done.stdout)
    assert (done.returncode, result["exit_code"]) == (3, 3)
    assert result["fix"]["streams"]["ideas"]["fields"] == {"title": "subject", "author_id": {"paths": "creator.uid"}}
    assert "streams.ideas.fields.title" in result["assumed"]["not_confirmed"]
    assert "streams.ideas.fields.body" in result["assumed"]["confirmed"]


def test_verbose_lists_what_is_confirmed_and_what_is_still_assumed(simulator: Simulator, tmp_path: Path) -> None:
    done = ideas_pipeline("check", "--verbose", folder=tmp_path, **settings_of(simulator))
    confirmed, _, assumed = done.stdout.partition("Still assumed:")
    assert "auth.refresh.path" in confirmed.partition("Confirmed:")[2]
    assert "limits.requests_per_second" in assumed


def test_values_of_the_operators_file_are_not_assumed(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("limits: {requests_per_second: 50}\n", encoding="utf-8")
    files = settings_of(simulator) | {"IDEAS_CONTRACT": "ours.yaml"}
    result = json.loads(ideas_pipeline("check", "--json", folder=tmp_path, **files).stdout)
    assert "limits.requests_per_second" not in result["assumed"]["not_confirmed"]
    assert "limits.requests_per_hour" in result["assumed"]["not_confirmed"]


@pytest.mark.parametrize("how", ["--verbose", "--json"])
def test_no_value_and_no_secret_is_ever_printed(how: str, other_api: Simulator, tmp_path: Path) -> None:
    done = ideas_pipeline("check", how, folder=tmp_path, **settings_of(other_api), IDEAS_DEBUG="1")
    tables = other_api.tables
    people = {row["display_name"] for row in tables["users"].values()} | {email_of(user) for user in tables["users"]}
    texts = {row[name] for name in ("title", "body") for row in tables["ideas"].values()}
    canaries = people | texts | {other_api.client_secret, other_api.client_id, *other_api.issued_secrets}
    assert len(canaries) > 100
    assert [text for text in canaries if text and text in done.stdout + done.stderr] == []


def test_a_wrong_secret_ends_with_2_and_a_message(simulator: Simulator, tmp_path: Path) -> None:
    wrong = settings_of(simulator) | {"IDEAS_CLIENT_SECRET": "not-the-secret"}
    done = ideas_pipeline("check", folder=tmp_path, **wrong)
    assert done.returncode == 2
    assert "login failed:" in done.stdout
    assert "not-the-secret" not in done.stdout + done.stderr


def test_an_api_that_does_not_respond_ends_with_1(tmp_path: Path) -> None:
    with Simulator(load_contract(None), {}) as gone:
        pass
    done = ideas_pipeline("check", folder=tmp_path, **settings_of(gone))
    assert done.returncode == 1
    assert "host failed:" in done.stdout


def test_without_credentials_it_says_what_to_do_and_checks_nothing(tmp_path: Path) -> None:
    done = ideas_pipeline("check", folder=tmp_path)
    assert done.returncode == 2
    assert "ideas-pipeline simulate" in done.stderr
    assert done.stdout == ""


def test_a_contract_that_cannot_be_used_ends_with_2(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("streams: {ideas: {fields: {titel: title}}}\n", encoding="utf-8")
    done = ideas_pipeline("check", "--contract", "ours.yaml", folder=tmp_path, **settings_of(simulator))
    assert done.returncode == 2
    assert "titel" in done.stderr
