"""More people, and more rows of one person, than a database takes as values of one statement."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held, idea, load, read


@pytest.fixture
def privacy(tmp_path: Path) -> Privacy:
    return Privacy(contract_with({}), COMMUNITY, folder=tmp_path)


def take_few_values(engine: sa.Engine, count: int) -> None:
    """Makes a SQLite as it can be built: one that takes so many values in a statement, and no more."""

    @sa.event.listens_for(engine, "checkout")
    def limit(connection: Any, _record: object, _proxy: object) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, count)


def test_all_accounts_that_a_community_lost_are_erased_at_once(sqlite_url: str, privacy: Privacy) -> None:
    people = [{"id": f"person-{n}", "_scope": "", "display_name": f"Name {n}"} for n in range(300)]
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        load(warehouse, "users", people, on=1, scopes=[read("")])
        load(
            warehouse, "users", [], on=4, scopes=[read("", swept_at=datetime(2026, 2, 3, tzinfo=UTC), remembered=True)]
        )
        with warehouse.engine.begin() as connection:
            connection.execute(sa.update(TABLES["users"]).values(_deleted_at=datetime(2026, 2, 1, tzinfo=UTC)))
        take_few_values(warehouse.engine, 200)
        assert privacy.erase_deleted(warehouse) == 300
        assert {(row["status"], row["display_name"]) for row in held(warehouse, "users")} == {("erased", None)}


def test_all_texts_of_one_account_are_erased_with_what_hangs_on_them(sqlite_url: str, privacy: Privacy) -> None:
    ideas = [idea(str(n), author_id="importer", title=f"Idea {n}") for n in range(300)]
    answers = [{"idea_id": str(n), "question_id": "q", "value": "Because", "_scope": "c1"} for n in range(300)]
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        load(warehouse, "ideas", ideas, on=1, embedded={"idea_answers": answers})
        take_few_values(warehouse.engine, 200)
        assert privacy.erase(warehouse, "importer", texts=True).rows == {"ideas": 300, "idea_answers": 300}
        assert {row["title"] for row in held(warehouse, "ideas")} == {None}
        assert {row["value"] for row in held(warehouse, "idea_answers")} == {None}
