from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from ideas_pipeline.warehouse.absences import hold_absences
from ideas_pipeline.warehouse.runs import RunStart, accept_role, start_run
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.cli.command import ideas_pipeline
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, batch, idea, label, load, load_batch, night, read
from ideas_pipeline_tests.warehouse.calls import call_writing

WHY = "3 of 4 rows of list c1 are missing at once"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ideas 1, 2 (of c1) and 3 (of c2) are missing, and held; 4 is there. The account is a moderator by now."""
    (tmp_path / ".env").write_text(f"IDEAS_COMMUNITY={COMMUNITY}\n")
    (tmp_path / ".ideas").mkdir()
    with Warehouse.open(f"sqlite:///{tmp_path}/.ideas/warehouse.db", COMMUNITY) as warehouse:
        call_writing(warehouse, accept_role, "admin", night(1))
        start = RunStart("night-2", "https://api.example.com/", night(2), account_role="moderator")
        call_writing(warehouse, start_run, start)
        rows = [idea("1"), idea("2"), idea("3", "c2"), idea("4")]
        load(warehouse, "ideas", rows, on=1, embedded={"idea_labels": [label("1", "l"), label("4", "l")]})
        load(warehouse, "comments", [{"id": "1", "idea_id": "1", "_scope": "1"}], on=1)
        load(warehouse, "ideas", [idea("4")], on=2, scopes=[read("c1"), read("c2")])
        load(warehouse, "comments", [], on=2, scopes=[read("1")])
        call_writing(warehouse, hold_absences, "ideas", ["1", "2"], WHY)
        call_writing(warehouse, hold_absences, "ideas", ["3"], "the account lost rights")
        call_writing(warehouse, hold_absences, "comments", ["1"], "the account lost rights")
    return tmp_path


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / ".ideas/warehouse.db") as database:
        return database.execute(query).fetchall()


def deleted(folder: Path) -> list[tuple[object, ...]]:
    return rows(folder, "SELECT id, _deleted_because FROM ideas WHERE _deleted_at IS NOT NULL ORDER BY id")


def test_the_list_counts_held_rows_by_stream_list_and_reason(folder):
    done = ideas_pipeline("absences", "list", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    assert [tuple(row.values()) for row in json.loads(done.stdout)] == [
        ("comments", "1", "the account lost rights", 1),
        ("ideas", "c1", WHY, 2),
        ("ideas", "c2", "the account lost rights", 1),
    ]
    shown = ideas_pipeline("absences", "list", folder=folder)
    assert WHY in shown.stdout
    assert "absences confirm --stream STREAM" in shown.stdout


def test_the_command_that_confirms_is_for_the_same_community_as_the_list(folder):
    (folder / ".env").write_text("IDEAS_COMMUNITY=other\n")
    (folder / "ideas_pipeline.yaml").write_text(f"communities: {{{COMMUNITY}: {{state_dir: .ideas}}, other: }}\n")
    done = ideas_pipeline("absences", "list", "--community", COMMUNITY, folder=folder)
    assert f"absences confirm --community {COMMUNITY} --stream STREAM" in done.stdout, done.stderr


def test_a_dry_run_says_what_would_be_marked_and_changes_nothing(folder):
    done = ideas_pipeline("absences", "confirm", "--stream", "ideas", "--dry-run", folder=folder)
    assert (done.returncode, done.stdout) == (0, "3 of ideas would be marked as deleted. Nothing was changed.\n")
    assert deleted(folder) == []
    assert rows(folder, "SELECT role FROM _account") == [("admin",)]


def test_confirmed_rows_are_marked_with_their_parts_and_the_reason(folder):
    done = ideas_pipeline("absences", "confirm", "--stream", "ideas", "--scope", "c1", "--yes", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "Marked as deleted: 2." in done.stdout
    assert deleted(folder) == [("1", "gone (confirmed)"), ("2", "gone (confirmed)")]
    labels = rows(folder, "SELECT idea_id FROM idea_labels WHERE _deleted_at IS NOT NULL")
    assert labels == [("1",)]
    assert rows(folder, "SELECT stream, id FROM _absences ORDER BY 1") == [("comments", "1"), ("ideas", "3")]
    assert rows(folder, "SELECT mode, verdict FROM _sync_runs WHERE mode = 'confirm'") == [("confirm", "complete")]


def test_marts_follow_what_was_confirmed(folder):
    assert ideas_pipeline("marts", folder=folder).returncode == 0
    query = "SELECT idea_id FROM mart_idea_lifecycle ORDER BY idea_id"
    assert rows(folder, query) == [("1",), ("2",), ("3",), ("4",)]
    done = ideas_pipeline("absences", "confirm", "--stream", "ideas", "--scope", "c1", "--yes", folder=folder)
    assert done.returncode == 0, done.stderr
    assert rows(folder, query) == [("3",), ("4",)]


def test_the_role_that_the_account_has_now_counts_as_the_right_one_from_then_on(folder):
    ideas_pipeline("absences", "confirm", "--stream", "ideas", "--yes", folder=folder)
    assert rows(folder, "SELECT role FROM _account") == [("moderator",)]


def test_single_rows_can_be_confirmed_by_their_id(folder):
    done = ideas_pipeline("absences", "confirm", "--id", "2", "--id", "3", "--yes", folder=folder)
    assert done.returncode == 0, done.stderr
    assert [id_ for id_, _ in deleted(folder)] == ["2", "3"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name the rows: --stream STREAM"),
        (["--scope", "c1", "--id", "1"], "--scope needs --stream"),
        (["--stream", "idea"], "'idea' is not one of challenges"),
        (["--id", "1"], "rows of comments and ideas have these ids. Add --stream STREAM"),
        (["--id", "4"], "no row 4 is held there"),
        (["--stream", "comments", "--id", "2"], "no row 2 is held there"),
    ],
)
def test_what_does_not_say_which_rows_is_a_usage_error(arguments, sentence, folder):
    done = ideas_pipeline("absences", "confirm", *arguments, "--yes", folder=folder)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert deleted(folder) == []


def test_without_an_answer_nothing_is_marked(folder):
    done = ideas_pipeline("absences", "confirm", "--stream", "ideas", folder=folder)
    assert done.returncode == 1
    assert "Mark 3 of ideas as deleted?" in done.stdout
    assert deleted(folder) == []


def test_a_community_without_held_rows_gets_a_sentence(folder):
    done = ideas_pipeline("absences", "list", folder=folder, IDEAS_COMMUNITY="other")
    assert "No absence is held" in done.stdout
    done = ideas_pipeline("absences", "confirm", "--stream", "ideas", folder=folder, IDEAS_COMMUNITY="other")
    assert (done.returncode, done.stdout) == (0, "No such row is held: there is nothing to confirm.\n")


@pytest.fixture
def without_labels(tmp_path: Path) -> Path:
    """Of 30 ideas, all labels have gone at once, and are held."""
    (tmp_path / ".env").write_text(f"IDEAS_COMMUNITY={COMMUNITY}\n")
    (tmp_path / ".ideas").mkdir()
    ideas = [str(n) for n in range(30)]
    with Warehouse.open(f"sqlite:///{tmp_path}/.ideas/warehouse.db", COMMUNITY) as warehouse:
        labels = {"idea_labels": [label(i, "new") for i in ideas]}
        load(warehouse, "ideas", [idea(i) for i in ideas], on=1, embedded=labels, stated={"idea_labels": ideas})
        made = batch("ideas", [idea(i) for i in ideas], 2, stated={"idea_labels": ideas})
        load_batch(warehouse, replace(made, mass_absence_percent=10))
    return tmp_path


def test_parts_that_are_held_are_listed_under_their_table_many_records_in_one_line(without_labels):
    done = ideas_pipeline("absences", "list", folder=without_labels)
    assert "idea_labels" in done.stdout
    assert "(30 scopes)" in done.stdout
    machine = json.loads(ideas_pipeline("absences", "list", "--json", folder=without_labels).stdout)
    assert {(row["stream"], row["rows"]) for row in machine} == {("idea_labels", 1)}
    assert {row["scope"] for row in machine} == {str(n) for n in range(30)}


def test_parts_that_are_held_can_be_confirmed_all_or_those_of_one_record(without_labels):
    one = ideas_pipeline(
        "absences", "confirm", "--stream", "idea_labels", "--scope", "7", "--yes", folder=without_labels
    )
    assert one.returncode == 0, one.stderr
    query = "SELECT idea_id, _deleted_because FROM idea_labels WHERE _deleted_at IS NOT NULL"
    assert rows(without_labels, query) == [("7", "gone (confirmed)")]
    done = ideas_pipeline("absences", "confirm", "--stream", "idea_labels", "--yes", folder=without_labels)
    assert "Marked as deleted: 29." in done.stdout
    assert len(rows(without_labels, query)) == 30
    assert rows(without_labels, "SELECT * FROM _absences") == []


def test_json_has_what_would_be_marked_and_what_was_and_nothing_is_asked(folder):
    confirm = ("absences", "confirm", "--stream", "ideas", "--json")
    assert ideas_pipeline(*confirm, folder=folder).returncode == 2
    dry = ideas_pipeline(*confirm, "--dry-run", folder=folder)
    assert json.loads(dry.stdout) == {"rows": {"ideas": 3}, "marked": 0}
    done = ideas_pipeline(*confirm, "--yes", folder=folder)
    assert json.loads(done.stdout) == {"rows": {"ideas": 3}, "marked": 3}
    again = ideas_pipeline(*confirm, "--yes", folder=folder)
    assert json.loads(again.stdout) == {"rows": {}, "marked": 0}
