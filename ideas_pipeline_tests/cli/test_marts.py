from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from ideas_pipeline.simulator.community import generate
from ideas_pipeline_tests.cli.command import ideas_pipeline


def query(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / ".ideas/warehouse.db") as database:
        return database.execute(sql).fetchall()


def test_a_sync_builds_the_marts(folder):
    challenges = query(folder, "SELECT challenge_id FROM mart_challenges")
    assert {key for (key,) in challenges} == set(generate("small", seed=1)["challenges"])
    books = query(folder, "SELECT mart, rows FROM _marts")
    assert books == query(
        folder,
        " UNION ALL ".join(f"SELECT '{mart}', COUNT(*) FROM {mart}" for mart, _ in books),
    )


def test_labels_that_an_analyst_calls_adopted_count_once_the_marts_are_built(folder):
    assert query(folder, "SELECT DISTINCT is_adopted FROM mart_idea_lifecycle") == [(None,)]
    with sqlite3.connect(folder / ".ideas/warehouse.db") as database:
        label = database.execute("SELECT MIN(label_id) FROM idea_labels").fetchone()[0]
        database.execute("INSERT INTO label_classes VALUES ('community', ?, 'adopted')", [label])
    done = ideas_pipeline("marts", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"]["mart_adoption"] > 0
    carrying = query(
        folder,
        "SELECT l.idea_id FROM idea_labels l JOIN label_classes c ON c.label_id = l.label_id"
        " JOIN mart_idea_lifecycle m ON m.idea_id = l.idea_id",
    )
    adopted = query(folder, "SELECT idea_id FROM mart_idea_lifecycle WHERE is_adopted")
    assert set(adopted) == set(carrying) != set()


def test_an_erased_person_is_in_no_mart(folder):
    ((person,),) = query(folder, "SELECT user_id FROM mart_contributors WHERE ideas > 0 LIMIT 1")
    before = query(folder, "SELECT SUM(contributions) FROM mart_contributors")
    done = ideas_pipeline("erase", "--user", str(person), "--yes", folder=folder)
    assert done.returncode == 0, done.stderr
    assert query(folder, f"SELECT * FROM mart_contributors WHERE user_id = '{person}'") == []
    assert query(folder, "SELECT SUM(contributions) FROM mart_contributors") == before


def test_without_a_sync_the_marts_are_there_and_empty(tmp_path):
    done = ideas_pipeline("marts", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(query(tmp_path, "SELECT rows FROM _marts")) == {(0,)}
