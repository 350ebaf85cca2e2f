from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.warehouse.batch import Reject
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.archive.pages import page, write
from ideas_pipeline_tests.cli.command import QUICK, ideas_pipeline, lead_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, idea, load, read

SCORE = Reject(
    "ideas",
    "c1",
    '["4711"]',
    "4711",
    "is not a number",
    {"id": "4711"},
    "score",
    "n/a",
)
PERSON = Reject(
    "users",
    "",
    '["canary-person"]',
    "canary-person",
    "is not a whole number",
    {"id": "canary-person"},
    "points",
    "canary",
)
VOTED = '["9","canary-person",null]'
VOTE = Reject("votes", "9", json.dumps([VOTED]), VOTED, "is not a number", {"id": VOTED}, "value", "n/a")
KEYLESS = Reject("comments", "9", "sha256:0a1b2c3d", None, "id is missing, and is part of the key", {"body": "x"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A community with three rejected values and a rejected record, in pages that the contract still cannot read."""
    (tmp_path / ".env").write_text(f"IDEAS_COMMUNITY={COMMUNITY}\nIDEAS_CONTRACT=ours.yaml\n")
    (tmp_path / "ours.yaml").write_text("{}\n")
    (tmp_path / ".ideas").mkdir()
    with Warehouse.open(f"sqlite:///{tmp_path}/.ideas/warehouse.db", COMMUNITY) as warehouse:
        for reject, scope in ((SCORE, "c1"), (PERSON, ""), (VOTE, "9"), (KEYLESS, "9")):
            load(warehouse, reject.table, [], on=1, scopes=[read(scope, judged=False)], rejects=[reject])
            record = reject.payload | ({reject.column: reject.value} if reject.column else {})
            body = json.dumps({"data": [record], "total": 1}).encode()
            write(tmp_path / f".ideas/archive/{COMMUNITY}", "night-1", page(body, stream=reject.table, scope=scope))
        load(warehouse, "challenges", [{"id": "c1", "_scope": ""}], on=1)
        load(warehouse, "ideas", [idea("9", "c0")], on=1, scopes=[])
    return tmp_path


def listed(folder: Path, *more: str) -> list[dict[str, str]]:
    done = ideas_pipeline("rejects", "list", "--json", *more, folder=folder)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


def test_the_list_says_what_is_wrong_and_nothing_that_a_record_holds(folder):
    done = ideas_pipeline("rejects", "list", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "ideas:4711" in done.stdout
    assert re.search(r"ideas:4711 +score +is not a number", done.stdout)
    assert "ideas-pipeline rejects retry" in done.stdout
    assert "canary" not in done.stdout
    assert "n/a" not in done.stdout


def test_the_commands_below_the_list_are_for_the_same_community(folder):
    (folder / ".env").write_text("IDEAS_COMMUNITY=other\n")
    (folder / "ideas_pipeline.yaml").write_text(f"communities: {{{COMMUNITY}: {{state_dir: .ideas}}, other: }}\n")
    done = ideas_pipeline("rejects", "list", "--community", COMMUNITY, folder=folder)
    assert f"rejects show --community {COMMUNITY} RECORD" in done.stdout, done.stderr
    assert f"rejects retry --community {COMMUNITY}\n" in done.stdout


def test_a_record_whose_key_says_who_somebody_is_has_a_name_that_does_not(folder):
    names = [row["record"] for row in listed(folder)]
    assert sorted(name.split(":")[0] for name in names) == ["comments", "ideas", "users", "votes"]
    assert sum(":~" in name for name in names) == 3
    assert "canary" not in str(names)


def test_the_list_can_be_of_one_table(folder):
    assert [row["record"] for row in listed(folder, "--table", "ideas")] == ["ideas:4711"]
    done = ideas_pipeline("rejects", "list", "--table", "idea", folder=folder)
    assert done.returncode == 2
    assert "'idea' is not one of challenges" in done.stderr


def test_show_has_what_was_received_and_warns_that_it_can_be_personal(folder):
    person = next(row["record"] for row in listed(folder, "--table", "users"))
    done = ideas_pipeline("rejects", "show", "ideas:4711", person, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "personal data" in done.stderr
    idea, user = json.loads(done.stdout)
    assert (idea["column"], idea["value"], idea["reason"], idea["list"]) == ("score", "n/a", SCORE.reason, "c1")
    assert (user["value"], user["payload"]) == ("canary", {"id": "canary-person"})


def test_a_record_that_does_not_wait_is_a_usage_error(folder):
    done = ideas_pipeline("rejects", "show", "ideas:1", folder=folder)
    assert done.returncode == 2
    assert "there is no rejected record ideas:1. `ideas-pipeline rejects list` names them." in done.stderr


def test_what_cannot_be_read_yet_is_left_and_exits_with_3(folder):
    done = ideas_pipeline("rejects", "retry", "--json", folder=folder)
    assert done.returncode == 3, done.stderr
    assert {row["table"]: (row["loaded"], row["left"]) for row in json.loads(done.stdout)} == {
        "users": (0, 1),
        "ideas": (0, 1),
        "comments": (0, 1),
        "votes": (0, 1),
    }


def test_a_mended_contract_lets_a_record_in(folder):
    (folder / "ours.yaml").write_text('streams: {ideas: {fields: {score: {paths: score, none: ["n/a"]}}}}\n')
    done = ideas_pipeline("rejects", "retry", "--table", "ideas", folder=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-3:] == ["ideas", "1", "0"]
    assert [row["record"] for row in listed(folder, "--table", "ideas")] == []
    assert len(listed(folder)) == 3
    again = ideas_pipeline("rejects", "retry", "--table", "ideas", folder=folder)
    assert (again.returncode, again.stdout) == (0, "There are no rejected values or records to retry.\n")


def test_a_community_without_rejects_gets_a_sentence(folder):
    done = ideas_pipeline("rejects", "list", folder=folder, IDEAS_COMMUNITY="other")
    assert done.stdout == "There are no rejected values or records.\n"


def test_what_is_not_archived_is_read_from_the_api(tmp_path: Path, simulator: Simulator) -> None:
    (tmp_path / "wrong.yaml").write_text(QUICK + "streams: {ideas: {fields: {score: title}}}\n")
    lead_to(simulator, tmp_path, contract=QUICK)
    ideas_pipeline("sync", folder=tmp_path, IDEAS_ARCHIVE_DAYS="0", IDEAS_CONTRACT="wrong.yaml")
    before = len(listed(tmp_path))
    assert before == len(simulator.tables["ideas"])
    done = ideas_pipeline("rejects", "retry", "--json", folder=tmp_path)
    assert (done.returncode, json.loads(done.stdout)) == (0, [{"table": "ideas", "loaded": before, "left": 0}]), done
    assert listed(tmp_path) == []
    with sqlite3.connect(tmp_path / ".ideas/warehouse.db") as database:
        titles = dict(database.execute("SELECT id, title FROM ideas"))
        modes = [mode for (mode,) in database.execute("SELECT mode FROM _sync_runs WHERE verdict = 'complete'")]
    assert titles == {id_: row["title"] for id_, row in simulator.tables["ideas"].items()}
    assert modes == ["incremental", "retry"]
