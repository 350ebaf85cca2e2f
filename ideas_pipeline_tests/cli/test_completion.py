"""Completion as a person has it: a real bash that loads the script, and presses Tab."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from ideas_pipeline.cli.main import COMMANDS
from ideas_pipeline_tests.cli.command import COMMAND, environment
from ideas_pipeline_tests.processes import run

# What bash's own completion calls, with the words so far.
PRESS_TAB = """
eval "$(_IDEAS_PIPELINE_COMPLETE=bash_source ideas-pipeline)"
complete -p ideas-pipeline
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_ideas_pipeline_completion ideas-pipeline
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder in which ``ideas-pipeline`` is a program, as an installation makes it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "ideas-pipeline"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    return folder


def completed(program: Path, *words: str, **variables: str) -> list[str]:
    """What bash offers after ``words``, the last of which is begun."""
    script = PRESS_TAB.format(words=" ".join(map(shlex.quote, words)))
    path = {"PATH": f"{program}:{environment()['PATH']}"}
    done = run(["bash", "--norc", "-c", script], cwd=program.parent, env=environment(**path, **variables))
    assert done.stderr == ""
    registered, *offered = done.stdout.splitlines()
    assert registered.endswith("_ideas_pipeline_completion ideas-pipeline")
    return [word for word in offered if word]


def test_commands_are_completed(program: Path) -> None:
    assert completed(program, "ideas-pipeline", "s") == [name for name in COMMANDS if name.startswith("s")]


def test_commands_of_a_command_and_options_are_completed(program: Path) -> None:
    assert completed(program, "ideas-pipeline", "contract", "") == ["diff", "show", "validate"]
    assert "--full" in completed(program, "ideas-pipeline", "sync", "--")


@pytest.mark.parametrize("command", [["sync", "--only"], ["backfill", "--only"], ["absences", "confirm", "--stream"]])
def test_streams_are_completed(program: Path, command: list[str]) -> None:
    assert completed(program, "ideas-pipeline", *command, "c") == ["challenges", "comments"]


def test_a_contract_that_is_broken_completes_nothing_and_complains_of_nothing(program: Path) -> None:
    assert completed(program, "ideas-pipeline", "sync", "--only", "", IDEAS_CONTRACT="nowhere.yaml") == []
