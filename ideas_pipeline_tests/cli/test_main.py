from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import click
import pytest
from click.testing import CliRunner

from ideas_pipeline.cli.failures import failure
from ideas_pipeline.cli.main import COMMANDS, main
from ideas_pipeline.errors import (
    AccessDenied,
    AuthenticationError,
    ContractError,
    RateLimited,
    SettingsError,
    Unavailable,
    UnexpectedResponse,
    WarehouseError,
    WarehouseMisconfigured,
)
from ideas_pipeline_tests.cli.command import COMMAND, environment, ideas_pipeline
from ideas_pipeline_tests.processes import run, started


def raised(message: str) -> ValueError:
    """An error with a traceback, as it arrives where it is caught."""
    try:
        raise ValueError(message)
    except ValueError as caught:
        return caught


def test_the_help_lists_every_command_and_the_exit_codes(tmp_path):
    shown = ideas_pipeline("--help", folder=tmp_path)
    assert shown.returncode == 0
    assert [c for c in COMMANDS if f"\n  {c} " not in shown.stdout] == []
    assert "0 done, 1 failed, 2 usage or configuration, 3 done but incomplete" in shown.stdout


def paths(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Every command and every command of a command, by its words."""
    if path:
        yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from paths(command.get_command(context, name), *path, name)


@pytest.mark.parametrize("path", list(paths(main)), ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(path):
    shown = CliRunner().invoke(main, [*path, "--help"], prog_name="ideas-pipeline")
    assert shown.exit_code == 0
    examples = re.search(r"^  Examples?:(.*?)(?:\n\n|\Z)", shown.output, re.MULTILINE | re.DOTALL)
    assert examples, shown.output
    assert f"ideas-pipeline {' '.join(path)}" in examples[1]


# Those that have nothing to tell a machine: what they are for is a text, a question or a server.
FOR_PEOPLE = {"init", "rejects show", "report", "dictionary", "simulate", "demo"}


@pytest.mark.parametrize("path", list(paths(main)), ids=" ".join)
def test_every_command_that_says_what_it_found_or_did_says_it_to_machines_too(path):
    command = main
    for name in path:
        command = command.get_command(click.Context(command), name)
    assert (
        isinstance(command, click.Group)
        or {"--json"} <= {o for p in command.params for o in p.opts}
        or (" ".join(path) in FOR_PEOPLE)
    )


@pytest.mark.parametrize("path", list(paths(main)), ids=" ".join)
def test_the_examples_of_a_command_are_commands_that_exist(path):
    shown = CliRunner().invoke(main, [*path, "--help"], prog_name="ideas-pipeline").output
    known = set(paths(main))
    for example in re.findall(r"ideas-pipeline ((?:[a-z-]+ ?)+)", shown):
        words = tuple(example.split())
        assert any(words[: len(there)] == there for there in known), example


@pytest.mark.parametrize(
    "arguments",
    [
        ["absences", "list"],
        ["backfill", "--from", "2025-03-01", "--to", "2025-03-31", "--dry-run"],
        ["dictionary", "dictionary.md"],
        ["erase", "--user", "1", "--dry-run"],
        ["rejects", "list"],
        ["replay", "--only", "challenges"],
        ["report"],
        ["status"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_does_the_same_in_a_process_that_imports_nothing_in_advance(arguments, folder):
    forked = ideas_pipeline(*arguments, folder=folder)
    done = run([*COMMAND, *arguments], cwd=folder, env=environment())
    assert (done.returncode, without_ages(done.stdout), done.stderr) == (
        forked.returncode,
        without_ages(forked.stdout),
        forked.stderr,
    )
    assert done.returncode == 0, done.stderr


def without_ages(shown: str) -> str:
    """What a command shows, without how long ago things were, on which the width of a table's columns depends.

    A minute can begin between two commands.
    """
    return re.sub(r"(?:\bjust now\b|\b\d+ \w+ ago\b|[ ─])+", " ", shown)


@pytest.mark.parametrize("group", ["", "contract", "rejects", "absences"])
def test_commands_that_have_commands_show_their_help_when_called_alone(group):
    alone = CliRunner().invoke(main, group.split(), prog_name="ideas-pipeline")
    asked_for = CliRunner().invoke(main, [*group.split(), "--help"], prog_name="ideas-pipeline")
    assert (alone.output.strip(), alone.exit_code) == (asked_for.output.strip(), 2)


def test_an_unknown_command_is_a_usage_error(tmp_path):
    done = ideas_pipeline("snyc", folder=tmp_path)
    assert done.returncode == 2
    assert "snyc" in done.stderr


def test_wrong_settings_are_a_sentence_and_exit_code_2(tmp_path):
    done = ideas_pipeline("status", folder=tmp_path, IDEAS_SCHEDULE_HOUR="99")
    assert done.returncode == 2
    assert done.stderr == (
        "Error: IDEAS_SCHEDULE_HOUR must be a whole hour from 0 to 23, not '99'. Correct it in the environment.\n"
    )


def test_a_sync_without_credentials_says_how_to_get_them_and_how_to_do_without(tmp_path):
    done = ideas_pipeline("sync", folder=tmp_path)
    assert done.returncode == 2
    assert "ideas-pipeline init" in done.stderr
    assert "ideas-pipeline demo" in done.stderr


def test_a_contract_that_is_not_there_is_a_sentence_and_exit_code_2(tmp_path):
    credentials = {"IDEAS_CLIENT_ID": "a", "IDEAS_CLIENT_SECRET": "b"}
    done = ideas_pipeline("sync", folder=tmp_path, IDEAS_CONTRACT="nowhere.yaml", **credentials)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "nowhere.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_stream_is_a_usage_error_that_lists_those_known(tmp_path):
    done = ideas_pipeline("sync", "--only", "idea", folder=tmp_path, IDEAS_CLIENT_ID="a", IDEAS_CLIENT_SECRET="b")
    assert done.returncode == 2
    assert "challenges, users, ideas, comments, votes" in done.stderr


def test_a_file_that_is_not_a_warehouse_is_a_sentence_and_a_matter_of_configuration(tmp_path):
    (tmp_path / "notes.db").write_text(
        "this is not a database, only some text that is long enough to be read as one" * 9
    )
    done = ideas_pipeline("status", folder=tmp_path, IDEAS_WAREHOUSE_URL="sqlite:///notes.db")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert done.stderr.startswith("Error: The warehouse sqlite:///notes.db cannot be read: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"IDEAS_WAREHOUSE_URL": "postgresql+psycopg://u:canary@canary@127.0.0.1:1/db"},
        {"IDEAS_WAREHOUSE_URL": "postgresql+psycopg://u:canary@127.0.0.1:1/db?bogus=1"},
        {"IDEAS_WAREHOUSE_URL": "sqlite://"},
        {"IDEAS_STATE_DIR": "a-file"},
        {"IDEAS_STATE_DIR": "~no_such_user/x"},
        {"IDEAS_TIMEZONE": "Europe"},
    ],
)
@pytest.mark.parametrize("debug", ["", "1"])
def test_a_setting_that_cannot_be_used_is_one_error_and_exit_code_2(variables, debug, tmp_path):
    (tmp_path / "a-file").touch()
    done = ideas_pipeline("status", folder=tmp_path, IDEAS_DEBUG=debug, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("Traceback") == len(debug)
    assert "canary" not in done.stderr


def test_an_invalid_line_of_the_env_file_is_reported_once(tmp_path):
    (tmp_path / ".env").write_text("what is this\nIDEAS_CLIENT_SECRET='canary\n")
    done = ideas_pipeline("status", folder=tmp_path)
    assert done.returncode == 2
    assert [line.rpartition(".env, ")[2][:6] for line in done.stderr.splitlines()] == ["line 1", "line 2"]
    assert "canary" not in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["contract", "show"], ["status"], ["--help"]])
def test_an_output_that_cannot_be_written_to_is_named_in_the_error(arguments, unbuffered, tmp_path):
    variables = environment(PYTHONUNBUFFERED=unbuffered)
    with Path("/dev/full").open("w") as full:
        done = run([*COMMAND, *arguments], cwd=tmp_path, env=variables, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "Error: the output cannot be written: No space left on device.\n"


def test_an_output_that_is_closed_is_not_an_error(tmp_path):
    closed = ["bash", "-c", 'exec "$@" >&-', "-", *COMMAND, "marts"]
    done = run(closed, cwd=tmp_path, env=environment())
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_stops_early_is_not_an_error(tmp_path):
    unbuffered = environment(PYTHONUNBUFFERED="1")
    with started([*COMMAND, "contract", "show"], cwd=tmp_path, env=unbuffered, stdout=PIPE, stderr=PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (SettingsError("x"), 2),
        (ContractError("x"), 2),
        (UnexpectedResponse("x"), 2),
        (AuthenticationError("x"), 2),
        (AccessDenied("x"), 1),
        (Unavailable("x"), 1),
        (RateLimited("x"), 1),
        (WarehouseError("x"), 1),
        (WarehouseMisconfigured("x"), 2),
        (KeyboardInterrupt(), 1),
        (ZeroDivisionError(), 1),
    ],
)
def test_what_a_person_must_first_correct_exits_with_2_and_the_rest_with_1(error, exit_code):
    assert failure(error).exit_code == exit_code


def test_an_interruption_says_what_is_kept():
    assert failure(KeyboardInterrupt()).message == "stopped. What was loaded is kept; the next sync reads the rest."


def test_an_error_that_nobody_foresaw_does_not_quote_what_was_being_read():
    message = failure(raised("ann@example.com")).message
    assert message == "an unexpected ValueError. Set IDEAS_DEBUG=1 to see where it comes from."


def test_debugging_shows_the_traceback_without_the_secrets_in_force(tmp_path, monkeypatch):
    stored = {"access_token": "canary-access", "refresh_token": "canary-refresh"}
    (tmp_path / "tokens.json").write_text(json.dumps(stored))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDEAS_DEBUG", "1")
    monkeypatch.setenv("IDEAS_CLIENT_ID", "client")
    monkeypatch.setenv("IDEAS_CLIENT_SECRET", "canary-secret")
    monkeypatch.setenv("IDEAS_WAREHOUSE_URL", "postgresql+psycopg://me:canary-p%40ss@host/db")
    monkeypatch.setenv("IDEAS_TOKEN_STORE", "tokens.json")
    quoted = "canary-secret canary-p%40ss canary-p@ss canary-access canary-refresh"
    message = failure(raised(quoted)).message
    assert "Traceback (most recent call last)" in message
    assert "ValueError: *** *** *** *** ***" in message
    assert "canary" not in message
