from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.cli.command import QUICK, ideas_pipeline, lead_to

WRONG = "limits: {requests_per_second: null}\nstreams: {ideas: {fields: {title: status}}}\n"


@pytest.fixture
def folder(tmp_path: Path, simulator: Simulator) -> Path:
    """A folder in which a community was synced with a contract that takes the title from the wrong place."""
    lead_to(simulator, tmp_path, contract=WRONG)
    done = ideas_pipeline("sync", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path


def switch_off_the_api(folder: Path) -> None:
    """Not even its address or the credentials are needed."""
    (folder / ".env").write_text("IDEAS_CONTRACT=contract.yaml\n")


def titles(folder: Path) -> dict[str, str]:
    with sqlite3.connect(folder / ".ideas/warehouse.db") as database:
        return dict(database.execute("SELECT id, title FROM ideas WHERE _deleted_at IS NULL"))


def read(folder: Path, query: str, *values: str) -> list[object]:
    """The first column of what the warehouse answers."""
    with sqlite3.connect(folder / ".ideas/warehouse.db") as database:
        return [row[0] for row in database.execute(query, values)]


def test_a_mended_contract_and_a_replay_mend_the_tables_without_the_api(folder, simulator):
    truth = {row["id"]: row["title"] for row in simulator.tables["ideas"].values()}
    assert titles(folder) != truth
    switch_off_the_api(folder)
    (folder / "contract.yaml").write_text(QUICK)
    done = ideas_pipeline("replay", folder=folder)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    assert titles(folder) == truth
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["ideas", "6", "60", "0", "60", "0", "0", "yes"] in lines

    again = ideas_pipeline("replay", folder=folder)
    assert "Nothing changed: the tables are already as the contract says." in again.stdout


def test_machines_get_json_and_one_stream_can_be_replayed_alone(folder):
    (folder / "contract.yaml").write_text(QUICK)
    done = ideas_pipeline("replay", "--only", "ideas", "--json", folder=folder)
    result = json.loads(done.stdout)
    assert (result["verdict"], [s["stream"] for s in result["streams"]]) == ("complete", ["ideas"])
    assert (result["streams"][0]["updated"], result["streams"][0]["requests"]) == (60, 0)


def test_lists_that_are_not_archived_are_reported_and_the_command_exits_with_3(folder):
    with sqlite3.connect(folder / ".ideas/warehouse.db") as database:
        database.execute("UPDATE ideas SET _deleted_at = NULL, id = 'unknown' WHERE id = (SELECT MIN(id) FROM ideas)")
    done = ideas_pipeline("replay", "--only", "comments", folder=folder)
    assert done.returncode == 3, done.stderr
    assert "comments is incomplete: the archive does not hold this list; a sync reads it" in done.stdout


def test_an_empty_archive_is_a_matter_of_configuration(tmp_path):
    done = ideas_pipeline("replay", folder=tmp_path)
    assert done.returncode == 2
    assert "Nothing is archived in .ideas/archive/community. A sync archives what it reads" in done.stderr


def test_an_unknown_stream_or_day_is_refused_with_what_would_be_right(folder):
    assert "'idea' is not one of challenges" in ideas_pipeline("replay", "--only", "idea", folder=folder).stderr
    done = ideas_pipeline("replay", "--since", "yesterday", folder=folder)
    assert (done.returncode, "'%Y-%m-%d'" in done.stderr) == (2, True)


def test_pages_from_before_a_day_are_not_used(folder):
    assert ideas_pipeline("replay", "--since", "2020-01-31", folder=folder).returncode == 0
    done = ideas_pipeline("replay", "--since", "2999-01-31", folder=folder)
    assert done.returncode == 1
    assert "challenges failed: the archive does not hold this list; a sync reads it" in done.stdout


def test_with_zero_days_nothing_is_archived(folder):
    assert list((folder / ".ideas/archive/community").rglob("*.sqlite"))
    ideas_pipeline("sync", folder=folder, IDEAS_ARCHIVE_DAYS="0")
    assert not list((folder / ".ideas/archive").rglob("*.sqlite"))


def test_a_replay_that_broke_off_is_noted_with_why(folder):
    person = min(read(folder, "SELECT id FROM users"))
    assert ideas_pipeline("erase", "--user", person, "--yes", folder=folder).returncode == 0
    for kept in ("pii.key", "suppressed.json"):
        (folder / ".ideas" / kept).unlink()
    done = ideas_pipeline("replay", folder=folder)
    why = "The list of erased people in the table _erasures of the warehouse was made with another key"
    assert (done.returncode, f"Error: {why}" in done.stderr) == (2, True), done.stderr
    assert read(folder, "SELECT reason LIKE ? FROM _sync_runs WHERE verdict = 'failed'", f"{why}%") == [1]
    assert f"UTC did not end: {why}" in ideas_pipeline("status", folder=folder).stdout


def test_an_archive_that_cannot_be_read_is_a_sentence_and_noted(folder):
    file = min((folder / ".ideas/archive/community").rglob("*.sqlite"))
    file.unlink()
    file.mkdir()
    done = ideas_pipeline("replay", folder=folder)
    why = f"the archive's {file.relative_to(folder)} cannot be read: Is a directory."
    assert (done.returncode, why in done.stderr) == (1, True), done.stderr
    assert read(folder, "SELECT reason LIKE ? FROM _sync_runs WHERE mode = 'replay'", f"{why}%") == [1]
