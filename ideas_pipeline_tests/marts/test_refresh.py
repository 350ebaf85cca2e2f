"""Only marts whose sources have changed are rebuilt, and all are then what a build would make of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.marts.build import MARTS, build_marts, delete_people, refresh_marts
from ideas_pipeline.marts.sources import code_of
from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.tables.bookkeeping import MARTS as BUILT_MARTS
from ideas_pipeline.tables.community import COMMENTS, IDEAS, TABLES, USERS, VOTES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.marts import hostile
from ideas_pipeline_tests.marts.comparing import assert_marts_are
from ideas_pipeline_tests.marts.second_reading.community import Community
from ideas_pipeline_tests.marts.second_reading.marts import marts
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held
from ideas_pipeline_tests.warehouse.calls import call_writing

ZONE = "Europe/Madrid"
AS_OF = datetime(2026, 2, 12, 4, 0, 0, 900_000, tzinfo=UTC)
LATER = AS_OF + timedelta(days=1, seconds=7)

DERIVED = {"mart_engagement", "mart_concentration"}
OF_PEOPLE = {"mart_daily_activity", "mart_challenges", "mart_contributors", "mart_cohorts", *DERIVED}
OF_COMMENTS = {*OF_PEOPLE, "mart_idea_lifecycle", "mart_response_times", "mart_moderation"}
MOVES = {"mart_stage_times"}
"""Its medians count up to now."""


@dataclass
class Night:
    """A warehouse with marts as of ``AS_OF``."""

    warehouse: Warehouse
    changes: int = 0

    def refresh(self, as_of: datetime = LATER, zone: str = ZONE) -> set[str]:
        """Refresh the marts, and return those that were rebuilt."""
        before = self._built()
        statements: list[str] = []

        @sa.event.listens_for(self.warehouse.engine, "before_cursor_execute")
        def note(_conn: Any, _cursor: Any, sql: str, *_: Any) -> None:
            statements.append(sql)

        rows = call_writing(self.warehouse, refresh_marts, zone, as_of)
        sa.event.remove(self.warehouse.engine, "before_cursor_execute", note)
        rebuilt = {name for name, at in self._built().items() if at != before.get(name)}
        filled = {name for name in MARTS if any(f"INTO {name} " in sql for sql in statements)}
        assert filled == rebuilt
        assert rows == {name: len(held(self.warehouse, mart.table)) for name, mart in MARTS.items()}
        assert_marts_are(self.warehouse.engine, marts(Community(self._rows(), as_of, zone)))
        return rebuilt

    def write(self, table: sa.Table, id_: str, **values: Any) -> None:
        """Change a row as a sync does."""
        self.changes += 1
        changed = {"_changed_at": hostile.SYNCS[0] + timedelta(milliseconds=self.changes)}
        with self.warehouse.engine.begin() as connection:
            assert connection.execute(sa.update(table).where(table.c.id == id_).values(**values, **changed)).rowcount

    def _built(self) -> dict[str, datetime]:
        return {row["mart"]: row["built_at"] for row in held(self.warehouse, BUILT_MARTS)}

    def _rows(self) -> dict[str, list[dict[str, Any]]]:
        tables = {name: TABLES[name] for name in hostile.READ}
        tables |= {"idea_history": IDEA_HISTORY, "label_classes": LABEL_CLASSES}
        return {name: held(self.warehouse, table) for name, table in tables.items()}


@pytest.fixture
def night(warehouse: Warehouse) -> Night:
    hostile.write(warehouse.engine, COMMUNITY, hostile.community(2, ZONE))
    call_writing(warehouse, build_marts, ZONE, AS_OF)
    return Night(warehouse)


def test_a_night_without_changes_only_moves_ages(night: Night) -> None:
    assert night.refresh() == MOVES
    built = held(night.warehouse, BUILT_MARTS)
    assert {(row["as_of"], row["today"], row["timezone"]) for row in built} == {(LATER, LATER.date(), ZONE)}
    assert all(row["checked_at"] > row["built_at"] for row in built if row["mart"] not in MOVES)
    assert night.refresh() == set()


def test_only_what_a_change_concerns_is_rebuilt(night: Night) -> None:
    comment, vote = held(night.warehouse, "comments")[0], held(night.warehouse, "votes")[0]
    night.write(COMMENTS, comment["id"], status="removed", _deleted_at=None, _deleted_because=None)
    assert night.refresh() == OF_COMMENTS | MOVES
    night.write(VOTES, vote["id"], _deleted_at=AS_OF, _deleted_because="gone")
    assert night.refresh() == {*OF_PEOPLE, "mart_challenge_votes", "mart_idea_lifecycle"}
    joined = next(row["id"] for row in held(night.warehouse, "users") if row["status"] == "active")
    night.write(USERS, joined, joined_at=AS_OF)
    assert night.refresh() == {*OF_PEOPLE, "mart_people"}
    night.write(USERS, joined, status="banned")
    assert night.refresh() == set(MARTS)
    with night.warehouse.engine.begin() as connection:
        connection.execute(sa.insert(LABEL_CLASSES), {"community": COMMUNITY, "label_id": "plain", "class": "adopted"})
    assert night.refresh() == set(MARTS)
    assert night.refresh(zone="Pacific/Kiritimati") == set(MARTS)


def test_a_change_of_any_table_reaches_every_mart_that_counts_it(night: Night) -> None:
    night.refresh()
    with night.warehouse.engine.begin() as connection:
        connection.execute(sa.delete(IDEA_HISTORY).where(IDEA_HISTORY.c.observed_to.is_not(None)))
    assert night.refresh()
    for name in ("challenge_stages", "idea_coauthors", "challenges", "ideas"):
        gone = {"_deleted_at": AS_OF, "_deleted_because": "gone", "_changed_at": AS_OF}
        with night.warehouse.engine.begin() as connection:
            connection.execute(sa.update(TABLES[name]).where(TABLES[name].c._deleted_at.is_(None)).values(**gone))
        assert night.refresh(), name


def test_a_time_in_the_future_counts_when_it_has_passed(night: Night) -> None:
    night.write(IDEAS, next(iter(_counted(night))), created_at=AS_OF + timedelta(days=3))
    night.refresh(AS_OF)
    assert night.refresh(AS_OF + timedelta(days=1)) == MOVES
    assert "mart_daily_activity" in night.refresh(AS_OF + timedelta(days=3))


@pytest.mark.parametrize("lost", ["the person's row", "the table"])
def test_a_mart_that_lost_rows_is_rebuilt(lost: str, night: Night) -> None:
    if lost == "the table":
        with night.warehouse.engine.begin() as connection:
            MARTS["mart_contributors"].table.drop(connection)
        assert night.refresh(AS_OF) == {"mart_contributors"}
    else:
        person = held(night.warehouse, MARTS["mart_contributors"].table)[0]["user_id"]
        assert call_writing(night.warehouse, delete_people, person.__eq__) == {"mart_contributors": 1}
        assert night.refresh(AS_OF) == {"mart_contributors"}


def _counted(night: Night) -> list[str]:
    return [row["idea_id"] for row in held(night.warehouse, MARTS["mart_idea_lifecycle"].table)]


@pytest.mark.parametrize("changed", ["times.py", "marts/facts.py", "tables/columns.py"])
def test_the_fingerprint_covers_the_code_of_marts_tables_and_times(changed: str, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for package in (before, after):
        for name in ("times.py", "marts/facts.py", "tables/columns.py", "sync/engine.py"):
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            (package / name).write_text("A = 1\n")
    (after / "sync/engine.py").write_text("A = 2\n")
    assert code_of(before) == code_of(after)
    (after / changed).write_text("A = 2\n")
    assert code_of(before) != code_of(after)
