from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ideas_pipeline.ideas_api.contract_file import load_contract
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.cli.command import ideas_pipeline


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(load_contract(None), generate("small", seed=1)) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, simulator: Simulator) -> Path:
    """A folder with a synced warehouse."""
    (tmp_path / "quick.yaml").write_text("limits: {requests_per_second: null}\n")
    (tmp_path / ".env").write_text(
        f"IDEAS_CLIENT_ID={simulator.client_id}\nIDEAS_CLIENT_SECRET={simulator.client_secret}\n"
        f"IDEAS_API_BASE_URL={simulator.base_url}\nIDEAS_CONTRACT=quick.yaml\n"
    )
    done = ideas_pipeline("sync", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path


def query(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / ".ideas/warehouse.db") as database:
        return database.execute(sql).fetchall()


def test_a_sync_builds_the_marts(folder, simulator):
    challenges = query(folder, "SELECT challenge_id FROM mart_challenges")
    assert {key for (key,) in challenges} == set(simulator.tables["challenges"])
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
