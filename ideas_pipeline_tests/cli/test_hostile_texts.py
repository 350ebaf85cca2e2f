"""No text of a server, a member or an operator can steer the terminal, hide, or look like a line of its own."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ideas_pipeline.cli.lines import say, write
from ideas_pipeline.cli.output import console, progress, table
from ideas_pipeline_tests.cli.command import COMMAND, QUICK, environment, ideas_pipeline
from ideas_pipeline_tests.cli.terminal import all_on_a_terminal
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received, ScriptedServer, serving
from ideas_pipeline_tests.processes import run
from ideas_pipeline_tests.test_visible import ANY_TEXT, is_plain

# Clears the screen, sets the window's title (OSC 52 would set the clipboard), forges a line, reverses, hides.
HOSTILE = "x\x1b[2J\x1b]0;owned\x07\x9b31m\r\nError: forged\n\u202eabc\u200b\ufeff\u2028\x7f"
SEEN = r"x\u001b[2J\u001b]0;owned\u0007\u009b31m\r\nError: forged\n\u202eabc\u200b\ufeff\u2028\u007f"
ID = HOSTILE.replace("[", "")  # with a bracket, an id could be one of several values
REFUSED = f"{ID}2"
FIELD = "shelf\x1b[31m\u202e\nError: forged"
# What rich writes by itself: colours, and on a terminal what moves the cursor for a bar.
RICH = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def is_shown_plainly(output: str) -> bool:
    lines = RICH.sub("", output).replace("\r\n", "\n").replace("\r", "").split("\n")
    return all(map(is_plain, lines)) and not any(line.startswith("Error: forged") for line in lines)


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=3))
def test_a_table_has_one_visible_line_per_row_of_short_texts(rows):
    out = console(file := io.StringIO())
    out.print(table(("one", "two"), [(one[:20], two[:20]) for one, two in rows]))
    lines = file.getvalue().split("\n")
    assert all(map(is_plain, lines))


@given(ANY_TEXT)
def test_a_printed_text_is_one_visible_line(text):
    out = console(file := io.StringIO())
    out.print(text[:10])
    assert file.getvalue().count("\n") == 1
    assert is_plain(file.getvalue()[:-1])


def test_markup_of_rich_in_a_text_is_text():
    out = console(file := io.StringIO())
    out.print("[red]not red[/red] [/]")
    assert file.getvalue() == "[red]not red[/red] [/]\n"


@pytest.mark.parametrize(("printed", "stream"), [(write, "out"), (say, "err")])
def test_a_line_is_one_line(printed, stream, capsys):
    printed(HOSTILE)
    assert getattr(capsys.readouterr(), stream) == f"{SEEN}\n"


def test_progress_elsewhere_than_on_a_terminal_is_lines(capsys):
    with progress() as shown:
        shown.waiting(HOSTILE)
        shown.noted(HOSTILE)
    assert capsys.readouterr().err == f"{SEEN}\n{SEEN}\n"


def records(path: str) -> list[dict[str, Any]]:
    if path == "challenges":
        stages = [{"id": ID, "name": HOSTILE, "position": "a"}]
        challenge = {"title": HOSTILE, "created_at": HOSTILE, "updated_at": "2026-01-01", FIELD: HOSTILE}
        return [challenge | {"id": ID, "stages": stages}, challenge | {"id": REFUSED}]
    if path == "users":
        return [{"id": ID, "name": HOSTILE, "created_at": HOSTILE, "role": HOSTILE}]
    return [{"id": ID, "title": HOSTILE, "challenge_id": ID}] if path.endswith("/ideas") else []


def answer(request: Received) -> Answer:
    if request.method == "POST":
        return Answer(body={"auth_code": "c", "access_token": "a", "refresh_token": "r", "expires_in": 3600})
    path = request.path.removeprefix("/v2/")
    if path == "users/me":
        return Answer(body={"id": ID, "role": HOSTILE})
    if unquote(path) == f"challenges/{REFUSED}/ideas":
        return Answer(status=422, body={"error": {"code": HOSTILE, "message": HOSTILE}}, headers={"X-Why": "\x1b[2J"})
    rows = records(path) if request.query.get("page", "1") == "1" else []
    return Answer(body={"data": rows, "total": 9 if path.endswith("/ideas") else len(rows)})


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[tuple[ScriptedServer, Path, dict[str, str]]]:
    (tmp_path / "contract.yaml").write_text(QUICK)
    with serving(answer) as server:
        settings = {"IDEAS_API_BASE_URL": server.base_url, "IDEAS_CLIENT_ID": "id", "IDEAS_CLIENT_SECRET": "secret"}
        yield server, tmp_path, settings | {"IDEAS_CONTRACT": "contract.yaml"}


COMMANDS = [
    ("sync",),
    ("status",),
    ("rejects", "list"),
    ("rejects", "retry"),
    ("absences", "list"),
    ("check",),
    ("check", "--verbose"),
    ("fit", "--dry-run"),
]


def test_no_text_of_the_server_steers_the_terminal(hostile):
    _, folder, settings = hostile
    for command in COMMANDS:
        shown = all_on_a_terminal(*command, folder=folder, **settings)
        assert is_shown_plainly(shown), (command, shown)


def test_no_text_of_the_server_steers_what_is_piped_and_json_has_the_true_value(hostile):
    _, folder, settings = hostile
    for command in COMMANDS:
        done = ideas_pipeline(*command, folder=folder, **settings)
        assert is_shown_plainly(done.stdout + done.stderr), (command, done)
        if command[0] in ("sync", "status", "check", "rejects", "fit"):
            done = ideas_pipeline(*command, "--json", folder=folder, **settings)
            assert is_shown_plainly(done.stdout), (command, done)
            json.loads(done.stdout)
    listed = json.loads(ideas_pipeline("rejects", "list", "--json", folder=folder, **settings).stdout)
    named = {row["record"] for row in listed}
    shown = ideas_pipeline("rejects", "show", *named, folder=folder, **settings)
    assert is_shown_plainly(shown.stdout)
    assert HOSTILE in [reject["value"] for reject in json.loads(shown.stdout)]


def test_no_name_of_the_operator_steers_the_terminal(tmp_path):
    file = f"{ID.replace('/', '')}.yaml"
    Path(tmp_path, file).write_text(json.dumps({"streams": {HOSTILE: {HOSTILE: 1}}, "limits": {"page_size": HOSTILE}}))
    for command in [("contract", "validate", file), ("contract", "diff", file), ("contract", "show", f"no{file}")]:
        done = ideas_pipeline(*command, folder=tmp_path)
        assert done.returncode == 2
        assert "forged" in done.stderr
        assert is_shown_plainly(done.stdout + done.stderr), (command, done)
    for command in [("status",), ("rejects", "show", HOSTILE), ("sync", "--only", HOSTILE), ("erase", HOSTILE)]:
        done = ideas_pipeline(*command, folder=tmp_path, IDEAS_COMMUNITY="name", IDEAS_TYPO=HOSTILE)
        assert is_shown_plainly(done.stdout + done.stderr), (command, done)


def test_a_mistake_in_the_contract_keeps_its_lines(tmp_path):
    Path(tmp_path, "mine.yaml").write_text("limits: {page_size: no, attempts: no}")
    done = ideas_pipeline("contract", "validate", "mine.yaml", folder=tmp_path)
    first, *mistakes, last = done.stderr.splitlines()
    assert first == "Error: the contract cannot be used:"
    assert len(mistakes) == 2
    assert last.startswith("Correct these lines")


def test_a_warning_of_a_library_is_one_line(tmp_path):
    warns = (
        "import logging, sys\n"
        "from ideas_pipeline.cli import contract, main\n"
        "contract.validate.callback = lambda **_: logging.getLogger('library').warning(%r)\n"
        "main.main(['contract', 'validate'])\n"
    )
    done = run([sys.executable, "-c", warns % HOSTILE], cwd=tmp_path, env=environment())
    assert done.stderr == f"{SEEN}\n"


def test_a_letter_that_the_terminal_cannot_show_is_written_out(tmp_path):
    Path(tmp_path, "café.yaml").write_text("{}")
    arguments = [*COMMAND, "contract", "validate", "café.yaml"]
    done = run(arguments, cwd=tmp_path, env=environment(PYTHONIOENCODING="ascii"))
    assert done.returncode == 0
    assert done.stdout.startswith(r"caf\xe9.yaml is valid.")
