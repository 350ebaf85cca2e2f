from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from ideas_pipeline_tests.cli.command import ideas_pipeline


def author(folder: Path) -> tuple[str, str]:
    """Somebody who posted, and whose name nobody else has: id and name."""
    with sqlite3.connect(folder / ".ideas/warehouse.db") as database:
        query = """SELECT u.id, u.display_name FROM users u JOIN ideas i ON i.author_id = u.id
            WHERE (SELECT COUNT(*) FROM users n WHERE n.display_name = u.display_name) = 1 LIMIT 1"""
        id_, name = database.execute(query).fetchone()
    return id_, name


def test_a_dry_run_counts_rows_by_table_and_changes_nothing(folder):
    before = (folder / ".ideas/warehouse.db").read_bytes()
    person, name = author(folder)
    done = ideas_pipeline("erase", "--user", person, "--dry-run", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert rows["users"] == 1
    assert rows["ideas"] >= 1
    assert author(folder) == (person, name)
    assert not (folder / ".ideas/suppressed.json").exists()
    assert (folder / ".ideas/warehouse.db").read_bytes() == before


def test_an_erased_person_is_gone_and_the_output_says_what_was_erased_and_not_who(folder):
    person, name = author(folder)
    done = ideas_pipeline("erase", "--user", person, "--yes", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "Erased. erased-" in done.stdout
    assert name not in done.stdout + done.stderr
    assert name.encode() not in (folder / ".ideas/warehouse.db").read_bytes()
    again = ideas_pipeline("erase", "--user", person, "--dry-run", "--json", folder=folder)
    assert json.loads(again.stdout)["rows"] == {}


def test_a_community_that_was_put_back_into_the_file_for_it_needs_no_credentials(folder):
    person, name = author(folder)
    (folder / ".env").unlink()
    entry = {"warehouse_url": "sqlite:///.ideas/warehouse.db", "state_dir": ".ideas"}
    (folder / "ideas_pipeline.yaml").write_text(json.dumps({"communities": {"community": entry}}))
    done = ideas_pipeline("erase", "--community", "community", "--user", person, "--yes", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "Erased. erased-" in done.stdout
    assert name.encode() not in (folder / ".ideas/warehouse.db").read_bytes()


def test_an_id_that_nobody_has_is_not_reported_as_a_person_who_was_erased(folder):
    done = ideas_pipeline("erase", "--user", "canary", "--dry-run", folder=folder)
    assert "Nothing is stored of this person in tables" in done.stdout
    done = ideas_pipeline("erase", "--user", "canary ", "--yes", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "Erased" not in done.stdout
    assert "is the id right (it begins or ends with a space)? The person is kept out from now on." in done.stdout
    assert "canary" not in done.stdout + done.stderr


@pytest.mark.parametrize("who", [["--user", ""], ["--user", " "], ["--email", ""]])
def test_a_variable_that_is_not_set_erases_nobody(who, folder):
    done = ideas_pipeline("erase", *who, "--yes", folder=folder)
    assert (done.returncode, "The id or the address is empty." in done.stderr) == (2, True)
    assert not (folder / ".ideas/suppressed.json").exists()


def test_without_a_yes_nothing_is_erased(folder):
    person = author(folder)
    done = ideas_pipeline("erase", "--user", person[0], folder=folder)
    assert done.returncode == 1
    assert "Erase the person from these rows for ever?" in done.stdout
    assert author(folder) == person


def test_an_address_that_is_not_stored_is_reported_without_repeating_it(folder):
    done = ideas_pipeline("erase", "--email", "canary@people.example", "--yes", folder=folder)
    assert done.returncode == 1
    assert "nobody is stored with this e-mail address" in done.stderr
    assert "IDEAS_PII_EMAIL" in done.stderr
    assert "canary" not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [[], ["--user", "1", "--email", "a@b.example"], ["--user", "1", "--json"]])
def test_an_unclear_request_is_a_usage_error(arguments, tmp_path):
    done = ideas_pipeline("erase", *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
