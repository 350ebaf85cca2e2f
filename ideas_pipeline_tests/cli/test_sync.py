from __future__ import annotations

import json
import signal
import sqlite3
from pathlib import Path
from subprocess import PIPE

import pytest
import sqlalchemy as sa

from ideas_pipeline.cli.sync import FIRST_QUERY, query_command
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.cli.command import COMMAND, environment, ideas_pipeline, lead_to
from ideas_pipeline_tests.processes import run, started

QUICK = "limits: {requests_per_second: null, attempts: 2, deadline: 5}\n"


@pytest.fixture
def folder(tmp_path: Path, simulator: Simulator) -> Path:
    """A folder whose .env leads to the simulator."""
    lead_to(simulator, tmp_path, contract=QUICK)
    return tmp_path


def rows(shown: str) -> dict[str, list[str]]:
    """The table's rows by stream."""
    lines = [line.split() for line in shown.splitlines()]
    return {cells[0]: cells[1:] for cells in lines if len(cells) == 9 and cells[-1] in {"yes", "no"}}


def test_a_first_sync_fills_the_warehouse_and_the_query_that_it_shows_can_be_pasted(folder):
    done = ideas_pipeline("sync", folder=folder)
    assert done.returncode == 0, done.stderr
    assert list(rows(done.stdout)) == ["challenges", "users", "ideas", "comments", "votes"]
    assert rows(done.stdout)["ideas"] == ["6", "6", "60", "60", "0", "0", "0", "yes"]
    assert "Warehouse: .ideas/warehouse.db" in done.stdout
    assert "Nothing changed" not in done.stdout
    query = done.stdout[done.stdout.index("SELECT") : done.stdout.rindex('"')]
    with sqlite3.connect(folder / ".ideas/warehouse.db") as database:
        assert len(database.execute(query).fetchall()) == 10


def test_a_second_sync_changes_nothing_and_says_so(folder):
    ideas_pipeline("sync", folder=folder)
    done = ideas_pipeline("sync", "--full", folder=folder)
    assert "Nothing changed: the warehouse was already up to date." in done.stdout
    assert rows(done.stdout)["votes"][3:6] == ["0", "0", "900"]
    assert "A first query" not in done.stdout  # a log of every night has no use for it


def test_a_policy_that_has_become_stricter_is_applied_to_what_is_stored_and_one_that_is_looser_says_what_it_cannot(
    folder,
):
    for choice, sentence in (
        ("keep", ""),
        ("drop", "was applied to what was stored already: rows: 120 of users; archived pages: "),
        ("keep", "IDEAS_PII_NAME: more is kept than before. What was dropped or hashed comes back with"),
    ):
        done = ideas_pipeline("sync", "--only", "users", folder=folder, IDEAS_PII_NAME=choice)
        assert (done.returncode, sentence in done.stderr) == (0, True), done.stderr


def test_progress_goes_to_standard_error_in_plain_lines_if_it_is_piped(folder):
    done = ideas_pipeline("sync", "--only", "challenges", folder=folder)
    assert done.stderr.splitlines() == [
        "challenges: reading 1 scope",
        "challenges: complete, 6 seen in 2 requests",  # the total might have counted a page
    ]


def test_machines_get_json_and_nothing_else(folder):
    done = ideas_pipeline("sync", "--json", "--only", "challenges", folder=folder)
    result = json.loads(done.stdout)
    assert (result["verdict"], result["changed"]) == ("complete", True)
    (challenges,) = result["streams"]
    assert (challenges["stream"], challenges["seen"], challenges["inserted"]) == ("challenges", 6, 6)


def test_lists_that_are_not_proven_are_reported_and_the_command_exits_with_3(folder, simulator):
    simulator.faults.add(Fault(kind="wrong_total", stream="users", times=None))
    done = ideas_pipeline("sync", folder=folder)
    assert done.returncode == 3, done.stderr
    assert rows(done.stdout)["users"][-1] == "no"
    assert "users is incomplete: " in done.stdout


def test_a_stream_that_fails_exits_with_1_and_says_why(folder, simulator):
    simulator.faults.add(Fault(kind="status", stream="challenges", status=503, times=None))
    done = ideas_pipeline("sync", "--only", "challenges", folder=folder)
    assert done.returncode == 1
    assert "challenges failed: no usable response" in done.stdout
    assert "HTTP 503" in done.stdout
    assert "A first query" not in done.stdout  # there is nothing to be found with it
    assert "Traceback" not in done.stdout + done.stderr


def test_refused_credentials_are_a_matter_of_configuration_and_exit_with_2(folder):
    done = ideas_pipeline("sync", folder=folder, IDEAS_CLIENT_SECRET="canary-wrong")
    assert done.returncode == 2
    assert "canary-wrong" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "A first query" not in done.stdout
    assert (done.stdout + done.stderr).count("the API refuses the client id and secret") == 1
    assert "failed: the API refuses the client id and secret" in ideas_pipeline("status", folder=folder).stdout


def test_an_interrupted_sync_keeps_what_was_loaded_and_says_so(folder, simulator):
    simulator.faults.add(Fault(kind="latency", stream="comments", seconds=2, times=None))
    command = [*COMMAND, "sync"]
    with started(command, cwd=folder, env=environment(), stderr=PIPE) as process:
        assert process.stderr is not None
        while process.stderr.readline() != "comments: reading 60 scopes\n":
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output = process.stderr.read()
        assert process.wait() == 1
    assert output == "Error: stopped. What was loaded is kept; the next sync reads the rest.\n"
    with sqlite3.connect(folder / ".ideas/warehouse.db") as database:
        assert database.execute("SELECT COUNT(*) FROM ideas").fetchone() == (60,)


def test_a_sync_in_the_background_of_a_script_is_not_stopped_by_ctrl_c(folder, simulator):
    simulator.faults.add(Fault(kind="latency", stream="challenges", seconds=1, times=None))
    # What a shell without job control does for `ideas-pipeline sync &`.
    command = ["sh", "-c", "trap '' INT; exec \"$@\"", "-", *COMMAND, "sync", "--only", "challenges"]
    with started(command, cwd=folder, env=environment(), stderr=PIPE) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("challenges: reading ")
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().startswith("challenges: complete")
        assert process.wait() == 0


@pytest.mark.parametrize(
    ("url", "command"),
    [
        ("sqlite:///my folder/w.db", "sqlite3 -box 'my folder/w.db' \"SELECT 1\""),
        ("postgresql+psycopg://me:canary@host:5433/db", 'psql postgresql://me@host:5433/db -c "SELECT 1"'),
        ("mysql+pymysql://me:canary@host/db", "SELECT 1"),
    ],
)
def test_the_first_query_is_shown_for_the_shell_of_the_engine_without_a_password(url, command):
    assert query_command(sa.make_url(url), "SELECT 1") == command


def test_the_first_query_survives_the_shells_quotes():
    quoted = run(["sh", "-c", f'printf %s "{FIRST_QUERY}"'])
    assert quoted.stdout == FIRST_QUERY


def test_a_full_sync_reads_every_list_and_another_one_only_a_share(folder):
    ideas_pipeline("sync", folder=folder)
    share = json.loads(ideas_pipeline("sync", "--json", "--only", "votes", folder=folder).stdout)
    full = json.loads(ideas_pipeline("sync", "--full", "--json", "--only", "votes", folder=folder).stdout)
    assert [(s["scopes"], s["skipped"]) for s in share["streams"]] == [(5, 55)]
    assert [(s["scopes"], s["skipped"]) for s in full["streams"]] == [(60, 0)]
