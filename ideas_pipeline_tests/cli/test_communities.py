"""Several communities of one ``ideas_pipeline.yaml`` by the command line."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE, CompletedProcess
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ideas_pipeline import communities_file
from ideas_pipeline.cli.main import COMMANDS, main
from ideas_pipeline.cli.options import for_community
from ideas_pipeline.cli.several import Done
from ideas_pipeline.cli.status_all import summary_of
from ideas_pipeline.cli.sync_all import _print as print_all
from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.settings import Settings
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.text import in_one_line
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.cli.command import COMMAND, QUICK, environment, ideas_pipeline
from ideas_pipeline_tests.end_to_end.pipeline import village
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.processes import run, started

CONTRACTS = {
    "acme": QUICK,
    "globex": QUICK + "streams:\n  challenges: {path: campaigns}\n  ideas: {path: 'campaigns/{challenge_id}/posts'}\n",
    "umbrella": QUICK + "timezone: Asia/Tokyo\n",
}


class Installation:
    """A folder with three simulated communities, and a fourth whose secret is missing."""

    def __init__(self, folder: Path, shared: str, stack: ExitStack) -> None:
        self.folder = folder
        self.shared = shared
        self.apis: dict[str, Simulator] = {}
        self.variables = {"SHARED": shared}
        for seed, (name, contract) in enumerate(CONTRACTS.items(), 1):
            file = folder / f"{name}.yaml"
            file.write_text(contract)
            simulator = stack.enter_context(Simulator(load_contract(file), village(seed)))
            self.apis[name] = simulator
            self.variables[f"{name.upper()}_SECRET"] = simulator.client_secret
        (folder / "ideas_pipeline.yaml").write_text(
            f"""\
defaults:
  warehouse_url: {{env: SHARED}}
communities:
  acme:
    api_base_url: {self.apis["acme"].base_url}
{self._account("acme")}
  globex:
    api_base_url: {self.apis["globex"].base_url}
    timezone: America/New_York
{self._account("globex")}
  umbrella:
    api_base_url: {self.apis["umbrella"].base_url}
    timezone: Asia/Tokyo
    warehouse_url: sqlite:///umbrella.db
{self._account("umbrella")}
  initech:
    client_id: i
    client_secret: {{env: INITECH_SECRET}}
"""
        )

    def _account(self, name: str) -> str:
        lines = (f"client_id: {self.apis[name].client_id}", f"client_secret: {{env: {name.upper()}_SECRET}}")
        return "\n".join(f"    {line}" for line in (*lines, f"contract: {name}.yaml"))

    def url(self, name: str) -> str:
        return f"sqlite:///{self.folder}/umbrella.db" if name == "umbrella" else self.shared

    def assert_true(self) -> None:
        for name, simulator in self.apis.items():
            with Warehouse.open(self.url(name), name) as warehouse:
                assert_true_to(warehouse.engine, name, simulator.contract, simulator.tables)


@pytest.fixture
def installation(tmp_path: Path, postgresql_url: str) -> Iterator[Installation]:
    """Two communities share a PostgreSQL warehouse, and the third has one of SQLite."""
    with ExitStack() as stack:
        yield Installation(tmp_path, postgresql_url, stack)


def by_name(output: str) -> dict[str, dict[str, Any]]:
    return {one["community"]: one for one in json.loads(output)["communities"]}


def test_all_communities_are_synced_and_one_that_cannot_be_leaves_the_others_alone(
    installation: Installation,
) -> None:
    command = [*COMMAND, "sync", "--all", "--jobs", "3", "--json"]
    done = run(command, cwd=installation.folder, env=environment(**installation.variables))
    shown = by_name(done.stdout)
    assert {name: one["exit_code"] for name, one in shown.items()} == {
        "acme": 0,
        "globex": 0,
        "umbrella": 0,
        "initech": 2,
    }, done.stderr
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (2, "failed")
    assert shown["initech"]["error"].startswith(
        "ideas_pipeline.yaml, line 24: client_secret of initech is not set, because the variable INITECH_SECRET is not."
    )
    assert shown["acme"]["verdict"] == "complete"
    assert "\nglobex: challenges: reading 1 scope\n" in done.stderr
    installation.assert_true()
    states = {file.parent.name for file in installation.folder.glob(".ideas/*/tokens.json")}
    assert states == set(installation.apis)

    _one_screen_shows_all(installation)
    _one_community_is_shown_alone(installation)


def _one_screen_shows_all(installation: Installation) -> None:
    done = ideas_pipeline("status", folder=installation.folder, **installation.variables)
    lines = done.stdout.splitlines()
    assert done.returncode == 2
    assert lines[0] == "Attention: 1 of 4 communities need you: initech."
    rows = {cells[0]: cells for cells in map(str.split, lines) if cells}
    assert [rows[name][1] for name in ("acme", "globex", "umbrella", "initech")] == ["well"] * 3 + ["error"]
    assert "initech: ideas_pipeline.yaml, line 24: client_secret of initech is not set" in done.stdout
    assert lines[-1] == "More: ideas-pipeline status --community acme"
    done = ideas_pipeline("status", "--json", folder=installation.folder, **installation.variables)
    shown = by_name(done.stdout)
    assert (shown["globex"]["verdict"], shown["initech"]["verdict"]) == ("well", "error")


def _one_community_is_shown_alone(installation: Installation) -> None:
    chosen = installation.variables | {"IDEAS_COMMUNITY": "umbrella"}
    done = ideas_pipeline("status", folder=installation.folder, **chosen)
    assert (done.returncode, "Community umbrella in umbrella.db" in done.stdout) == (0, True)
    assert done.stdout.endswith("\nThe other communities: ideas-pipeline status --all\n")
    done = ideas_pipeline("marts", "--community", "globex", "--json", folder=installation.folder, **chosen)
    assert json.loads(done.stdout)["community"] == "globex"
    done = ideas_pipeline("report", "--community", "acme", folder=installation.folder, **chosen)
    assert "Wrote the front page of 2 communities. Open .ideas/acme/communities.html" in done.stdout, done.stderr
    page = (installation.folder / ".ideas/acme/communities.html").read_text()
    assert page.count("<a href=") == page.count('<a href="report-acme.html">acme</a>') == 1
    assert (">globex<" in page, ">umbrella<" in page) == (True, False)
    done = ideas_pipeline("status", "--all", folder=installation.folder, **chosen)
    assert done.stdout.startswith("Attention: 1 of 4")
    done = ideas_pipeline("marts", folder=installation.folder, **installation.variables)
    assert done.returncode == 2
    assert "several communities: acme, globex, umbrella, initech. Say which one: --community acme" in done.stderr


def test_ctrl_c_stops_all_communities(tmp_path: Path) -> None:
    done = interrupted(tmp_path, {"acme", "globex", "umbrella"}, "sync", "--all")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == STOPPED
    rows = dict(line.split()[:2] for line in done.stdout.splitlines()[2:6])
    assert rows == {"acme": "stopped", "globex": "stopped", "umbrella": "stopped", "initech": "failed"}


def test_ctrl_c_leaves_the_json_of_what_ended_and_names_what_was_stopped(tmp_path: Path) -> None:
    done = interrupted(tmp_path, {"globex"}, "sync", "--all", "--jobs", "1", "--json")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, STOPPED)
    shown = by_name(done.stdout)
    assert {name: (one["verdict"], one["exit_code"]) for name, one in shown.items()} == {
        "acme": ("complete", 0),
        "globex": ("stopped", 1),
        "umbrella": ("stopped", 1),
        "initech": ("stopped", 1),
    }
    assert json.loads(done.stdout)["verdict"] == "failed"
    assert [s["verdict"] for s in shown["acme"]["streams"]] == ["complete"] * 5
    assert shown["globex"]["error"] == STOPPED.removeprefix("Error: ")
    assert shown["umbrella"]["error"] == "stopped before it began."


STOPPED = "Error: stopped. What was loaded is kept; the next sync reads the rest."


def interrupted(folder: Path, slow: set[str], *arguments: str) -> CompletedProcess[str]:
    """The command, to which a terminal sends Ctrl-C as soon as it reads the lists of these slow communities."""
    with ExitStack() as stack:
        installation = Installation(folder, f"sqlite:///{folder}/w.db", stack)
        for name in slow:
            installation.apis[name].latency = 2
        command, variables = [*COMMAND, *arguments], environment(**installation.variables)
        with started(command, cwd=folder, env=variables, stderr=PIPE, stdout=PIPE) as process:
            assert process.stderr is not None
            reading: set[str] = set()
            while not slow <= reading:
                line = process.stderr.readline()
                assert line, "it has ended"
                community, _, what = line.partition(": ")
                if "reading" in what:
                    reading.add(community)
            os.killpg(process.pid, signal.SIGINT)
            output, errors = process.communicate()
            return CompletedProcess(command, process.returncode, output, errors)


def test_the_rows_of_all_say_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    stream = {"stream": "ideas", "verdict": "complete", "reason": None, "requests": 3, "seen": 1000}
    stream |= {"inserted": 5, "updated": 0, "rejected": 0}
    cut = stream | {"stream": "votes", "verdict": "incomplete", "reason": "the list moved."}
    print_all(
        [
            Done("acme", 0, {"streams": [stream]}, "", 61),
            Done("b", 3, {"streams": [stream, cut]}, "", 3),
            Done("c", 2, None, "first\nsecond", 1),
        ]
    )
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert shown[0] == "community sync requests seen inserted updated rejected took"
    assert shown[2:] == [
        "acme complete 3 1,000 5 0 0 61 seconds",
        "b incomplete 6 2,000 10 0 0 3 seconds",
        "c failed – – – – – 1 second",
        "b: votes is incomplete: the list moved.",
        "c failed: first second",
        "What needs attention: ideas-pipeline status --all",
    ]


def test_a_message_of_several_lines_becomes_one_of_sentences() -> None:
    assert in_one_line("it is wrong:\n  a.yaml, line 1: no text\nCorrect it, then run it.") == (
        "it is wrong: a.yaml, line 1: no text. Correct it, then run it."
    )


def test_a_hint_names_the_community_that_it_is_about(tmp_path: Path) -> None:
    (tmp_path / "ideas_pipeline.yaml").write_text("communities: {acme: {client_id: i, client_secret: {env: S}}, b: }\n")
    shown = ideas_pipeline("status", "--community", "acme", folder=tmp_path, S="secret").stdout
    assert shown.startswith("Nothing was synced yet. Run: ideas-pipeline sync --community acme\n")
    shown = ideas_pipeline("status", "--all", folder=tmp_path, S="secret").stdout
    assert "acme: Nothing was synced yet. Run: ideas-pipeline sync --community acme\n" in shown


@pytest.mark.parametrize(
    ("verdicts", "summary"),
    [
        ({"acme": "well"}, "All is well with acme."),
        ({"acme": "well", "b": "well"}, "All is well with all 2 communities."),
        ({"acme": "attention"}, "Attention: one community needs you: acme."),
        ({"acme": "well", "b": "attention"}, "Attention: 1 of 2 communities need you: b."),
    ],
)
def test_the_summary_of_all_is_a_sentence_for_one_community_too(verdicts: dict[str, str], summary: str) -> None:
    assert summary_of(verdicts) == summary


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (["contract", "validate"], "Correct contract of acme in ideas_pipeline.yaml"),
        (["sync"], "limits should be a map of names and values, but is text"),
        (["sync"], "then run: ideas-pipeline contract validate --community acme"),
        (["erase", "--email", "no@example.com", "--yes"], "only if pii_email of acme in ideas_pipeline.yaml is keep"),
        (["replay"], "unless archive_days of acme in ideas_pipeline.yaml is 0"),
    ],
)
def test_a_message_names_the_setting_as_the_file_does(command: list[str], place: str, tmp_path: Path) -> None:
    contract = {"contract": ", contract: none.yaml", "sync": ", contract: bad.yaml"}.get(command[0], "")
    (tmp_path / "bad.yaml").write_text("limits: wrong")
    account = f"client_id: x, client_secret: {{env: ACME_SECRET}}, api_region: EU{contract}"
    (tmp_path / "ideas_pipeline.yaml").write_text(f"communities: {{acme: {{{account}}}, globex: {{}}}}")

    done = ideas_pipeline(*command, "--community", "acme", folder=tmp_path, ACME_SECRET="canary")

    assert place in done.stderr
    assert "IDEAS_" not in done.stderr


@pytest.mark.parametrize("command", ["status", "report"])
def test_the_settings_are_read_once_however_many_communities_fail(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    broken = "{state_dir: file, client_id: i, client_secret: {env: S}}"
    Path("ideas_pipeline.yaml").write_text(f"communities: {{a: {broken}, b: {broken}, c: {broken}}}\n")
    Path("file").touch()
    monkeypatch.setenv("S", "secret")
    reads = []
    monkeypatch.setattr(
        communities_file, "read", lambda file, read=communities_file.read: reads.append(file) or read(file)
    )
    done = CliRunner().invoke(main, [command, "--all"])
    assert (done.exit_code, len(reads)) == (2, 1), done.output
    assert all(f"{name}: " in done.output for name in "abc")


@pytest.mark.parametrize("command", ["sync", "check", "fit", "status"])
def test_without_an_api_client_the_place_in_the_file_is_named(command: str, tmp_path: Path) -> None:
    (tmp_path / "ideas_pipeline.yaml").write_text("communities: {acme: }\n")
    done = ideas_pipeline(command, folder=tmp_path)
    assert "client_id and client_secret of acme in ideas_pipeline.yaml are not set" in done.stdout + done.stderr
    assert "Write them at acme in ideas_pipeline.yaml" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Check them: ideas-pipeline absences list", "Check them: ideas-pipeline absences list --community acme"),
        ("Or `ideas-pipeline demo`.", "Or `ideas-pipeline demo`."),
        ("Run: ideas-pipeline sync --community acme", "Run: ideas-pipeline sync --community acme"),
        ("Run `ideas-pipeline sync`; if it stays,", "Run `ideas-pipeline sync --community acme`; if it stays,"),
        ("ideas-pipeline sync --full.", "ideas-pipeline sync --community acme --full."),
        ("ideas-pipeline grant-analyst ada", "ideas-pipeline grant-analyst --community acme ada"),
    ],
)
def test_the_commands_in_a_text_get_the_community(text: str, expected: str) -> None:
    settings = Settings(community="acme")
    assert for_community(text, settings) == text
    assert for_community(text, settings.read_from(Path("ideas_pipeline.yaml"), {})) == expected


# Those that are for no configured community.
WITHOUT = {"simulate", "demo"}


def test_every_command_can_be_told_which_community_it_is_for() -> None:
    missing = set()
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        commands = command.commands.values() if isinstance(command, click.Group) else [command]
        missing |= {name for one in commands if not any("--community" in p.opts for p in one.params)}
    assert missing == WITHOUT


@pytest.mark.parametrize("command", ["sync", "status"])
def test_all_communities_and_one_exclude_each_other(command: str) -> None:
    done = CliRunner().invoke(main, [command, "--all", "--community", "acme"])
    assert (done.exit_code, "--all and --community exclude each other" in done.output) == (2, True)


def test_jobs_without_all_is_refused_and_not_ignored() -> None:
    done = CliRunner().invoke(main, ["sync", "--jobs", "3"])
    assert (done.exit_code, "--jobs needs --all" in done.output) == (2, True)


def test_tab_completes_the_communities_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "ideas_pipeline.yaml").write_text("communities: {acme: , apex: , globex: }\n")
    words = {"COMP_WORDS": "ideas-pipeline sync --community a", "COMP_CWORD": "3"}
    shown = ideas_pipeline(folder=tmp_path, _IDEAS_PIPELINE_COMPLETE="bash_complete", **words).stdout
    assert [line.split(",")[1] for line in shown.splitlines()] == ["acme", "apex"]
