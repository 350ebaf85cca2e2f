from __future__ import annotations

import json
import sqlite3

import pandas as pd
import pytest

from ideas_pipeline_tests.cli.command import ideas_pipeline


def test_every_table_and_mart_becomes_a_file_and_personal_data_is_pointed_out(synced):
    done = ideas_pipeline("export", "--format", "parquet", "--to", "out", "--json", folder=synced)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    with sqlite3.connect(synced / ".ideas/warehouse.db") as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counts = {n: database.execute(f"SELECT count(*) FROM {n}").fetchone()[0] for n in names if n[0] != "_"}
    assert rows == counts
    assert {name for name in rows if name.startswith("mart_")}
    assert {file.name for file in (synced / "out").iterdir()} == {f"{name}.parquet" for name in rows}
    assert {name: len(pd.read_parquet(synced / f"out/{name}.parquet")) for name in rows} == counts
    assert "`ideas-pipeline erase` does not reach" in done.stderr


def test_single_tables_are_exported_and_shown_with_their_rows(synced):
    done = ideas_pipeline("export", "--to", "some", "--table", "users", "--table", "ideas", folder=synced)
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()[-2:]] == [
        ["some/users.parquet", "120"],
        ["some/ideas.parquet", "60"],
    ]
    assert {file.name for file in (synced / "some").iterdir()} == {"users.parquet", "ideas.parquet"}


def test_an_unknown_community_gets_a_warning_that_the_files_are_empty(synced):
    done = ideas_pipeline("export", "--to", "empty", "--table", "ideas", folder=synced, IDEAS_COMMUNITY="nobody")
    assert done.returncode == 0, done.stderr
    assert "The files are empty: the warehouse has no rows of community nobody (IDEAS_COMMUNITY)" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "none", "--table", "_erasures"], "'_erasures' is not one of "),
        (["--to", "none", "--format", "csv"], "'csv' is not 'parquet'"),
        (["--to", ".env"], "is a file"),
        ([], "--to"),
    ],
)
def test_an_export_that_is_not_possible_is_a_usage_error(synced, arguments, sentence):
    done = ideas_pipeline("export", *arguments, folder=synced)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert not (synced / "none").exists()


def test_a_folder_that_cannot_be_made_is_a_sentence(synced):
    done = ideas_pipeline("export", "--to", ".env/out", folder=synced)
    assert (done.returncode, done.stderr) == (1, "Error: the files cannot be written to .env/out: Not a directory.\n")
