"""A person who was erased stays erased: after a replay, a full sync, and the restore of a backup."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.errors import PrivacyError
from ideas_pipeline.ideas_api.pagination import Page
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.simulator.shape import email_of
from ideas_pipeline.sync.run import Full, Incremental
from ideas_pipeline.tables.bookkeeping import ERASURES
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.database import reading
from ideas_pipeline.warehouse.scopes import live_ids
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.erasing import (
    NAME,
    NEEDLES,
    PEOPLE_COLUMNS,
    PERSON,
    analyze,
    backup,
    days_later,
    everything,
    night,
    people_named,
    people_one_by_one,
    places_with_the_person,
    privacy_of,
    replay,
    simulated,
    votes_without_ids,
)
from ideas_pipeline_tests.end_to_end.pipeline import api_of, contract_with, sync_with
from ideas_pipeline_tests.end_to_end.test_absence import remove_idea
from ideas_pipeline_tests.end_to_end.test_canary import dumped
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_reading


@pytest.mark.parametrize("contract", [votes_without_ids(), people_one_by_one()], ids=["made ids", "one by one"])
def test_an_erased_person_is_found_nowhere_whatever_comes_after(
    contract: Contract, warehouse: Warehouse, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state, safe = tmp_path / "state", tmp_path / "safe"
    safe.mkdir()
    with caplog.at_level(logging.DEBUG), simulated(contract) as running:
        assert night(running, warehouse, state).verdict == "complete"
        before = people_named(warehouse)
        assert {"the database"} < places_with_the_person(warehouse, state, caplog.text)
        with backup(warehouse, safe) as restore:
            caplog.clear()
            erasure = privacy_of(contract, state).erase(warehouse, PERSON)
            assert erasure.left == ()
            assert {"users", "ideas", "comments", "votes", "user_answers"} <= erasure.rows.keys()
            assert erasure.pages > 0
            assert places_with_the_person(warehouse, state, caplog.text) == set()
            assert people_named(warehouse) == before, "counts stay whole"

            result = replay(contract, warehouse, state)
            assert places_with_the_person(warehouse, state, caplog.text) == set()
            assert not result.changed

            result = night(running, warehouse, state)
            assert places_with_the_person(warehouse, state, caplog.text) == set()
            assert people_named(warehouse) == before
            assert not result.changed, "the source's rows, without the person, are the rows that are there"

            restore()
            assert "the database" in places_with_the_person(warehouse, state, "")
            assert night(running, warehouse, state).verdict == "complete"
            assert places_with_the_person(warehouse, state, caplog.text) == set()
            assert people_named(warehouse) == before


def test_texts_that_were_erased_do_not_come_back_either(sqlite_url: str, tmp_path: Path) -> None:
    contract = contract_with({})
    with simulated(contract) as running, Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        with running.changing() as tables:
            mine = [row for row in tables["comments"].values() if row["author_id"] == PERSON]
            for number, row in enumerate(mine):
                row["body"] = f"what only I could write {number}"
        night(running, warehouse, tmp_path)
        assert b"what only I could write" in dumped(warehouse)
        privacy_of(contract, tmp_path).erase(warehouse, PERSON, texts=True)
        for happens in (lambda: None, lambda: night(running, warehouse, tmp_path)):
            happens()
            held = everything(warehouse, tmp_path, "")
            assert [place for place, content in held.items() if b"what only I could write" in content] == []


class ErasedInMidRun(Privacy):
    """Somebody erases the person just when the run has read about the person."""

    erase_now: Callable[[], object]

    def apply(self, stream: str, page: Page) -> Page:
        page = super().apply(stream, page)
        if any(record.columns["id"] == PERSON for record in page.records):
            self.erase_now()
        return page


def test_a_person_who_is_erased_in_mid_run_is_erased_when_it_ends(warehouse: Warehouse, tmp_path: Path) -> None:
    contract = contract_with({})

    class Watched(ErasedInMidRun):
        def finish(self, warehouse: Warehouse) -> None:
            assert "the database" in places_with_the_person(warehouse, tmp_path, "")
            super().finish(warehouse)

    with simulated(contract) as running, api_of(running, tmp_path) as api:
        privacy = Watched(contract, COMMUNITY, folder=tmp_path)
        privacy.erase_now = lambda: privacy_of(contract, tmp_path).erase(warehouse, PERSON)
        sync_with(api, warehouse, mode=Full(), privacy=privacy)
    assert places_with_the_person(warehouse, tmp_path, "") == set()


def test_whom_the_source_deleted_is_erased_and_readmitted_if_it_was_not_a_deletion(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    contract = contract_with({})
    with simulated(contract) as running:
        night(running, warehouse, tmp_path)
        analyze(warehouse)  # of rows that name the person, and do not when the person is erased
        with running.changing() as tables:
            account = tables["users"].pop(PERSON)
            member = next(r["author_id"] for r in tables["ideas"].values() if r["author_id"] in tables["users"])
            left = tables["users"].pop(member)
            for table, column in PEOPLE_COLUMNS.items():
                for key, row in list(tables[table].items()):
                    if row.get(column) == PERSON:
                        row[column] = None
                        if table == "idea_coauthors":
                            del tables[table][key]
            for idea in tables["ideas"].values():
                for name in ("last_commenter", "posted_for_name", "seen_by", "last_link", PERSON):
                    idea.pop(name, None)
        for too_early in (0, 0.9):
            night(running, warehouse, tmp_path, clock=days_later(too_early))
            assert "the database" in places_with_the_person(warehouse, tmp_path, ""), "one night proves nothing"
            assert PERSON not in call_reading(warehouse, live_ids, "users")
        night(running, warehouse, tmp_path, clock=days_later(1.1))
        assert places_with_the_person(warehouse, tmp_path, "") == set()
        assert left["display_name"].encode() in dumped(warehouse), "who left is still named by what was posted"
        assert not night(running, warehouse, tmp_path, clock=days_later(1.2)).changed

        with running.changing() as tables:
            tables["users"][PERSON] = account
        night(running, warehouse, tmp_path, clock=days_later(1.3))
        assert PERSON in call_reading(warehouse, live_ids, "users")


@pytest.mark.parametrize("contract", [contract_with({}), votes_without_ids()], ids=["ids", "made ids"])
def test_people_whom_the_api_hides_for_two_nights_and_shows_again_are_the_same_rows_with_their_names(
    contract: Contract, warehouse: Warehouse, tmp_path: Path
) -> None:
    with simulated(contract) as running:
        night(running, warehouse, tmp_path)
        shown, stored = what_people_see(warehouse), row_counts(warehouse)
        before = copy.deepcopy(dict(running.tables))
        posts = {
            t: {i for i, row in before[t].items() if row.get("author_id") == PERSON} for t in ("ideas", "comments")
        }
        with running.changing() as tables:
            tables["users"].pop(PERSON)
            for idea in posts["ideas"]:
                remove_idea(tables, idea)
            for table, column in PEOPLE_COLUMNS.items():
                for key in [k for k, row in tables[table].items() if row.get(column) == PERSON]:
                    tables[table].pop(key)
        for day in (0, 2):
            night(running, warehouse, tmp_path, clock=days_later(day), mass_absence_percent=100)
        assert NAME.encode() not in dumped(warehouse)

        with running.changing() as tables:
            tables.update(before)
        back = night(running, warehouse, tmp_path, clock=days_later(3), mode=Incremental())
        assert back.verdict == "complete"
        assert what_people_see(warehouse) == shown
        assert row_counts(warehouse) == stored, "no row was left behind under a surrogate"
        with warehouse.engine.connect() as connection:
            users = connection.scalars(sa.select(TABLES["users"].c.id)).all()
        assert sorted(users) == sorted(before["users"]), "one row for one person"
        assert not night(running, warehouse, tmp_path, clock=days_later(3.1)).changed


def row_counts(warehouse: Warehouse) -> dict[str, int | None]:
    """How many rows each table has, those that are marked deleted included."""
    with warehouse.engine.connect() as connection:
        count = sa.select(sa.func.count())
        return {name: connection.scalar(count.select_from(table)) for name, table in TABLES.items()}


def what_people_see(warehouse: Warehouse) -> dict[str, set[str]]:
    """The live rows of every table with their unmapped fields, without what the pipeline notes about them."""
    return {
        name: {
            repr({n: v for n, v in row._mapping.items() if n == "_extra" or not n.startswith("_")})
            for row in warehouse_rows(warehouse, name)
        }
        for name in TABLES
    }


def test_the_list_is_found_in_the_warehouse_if_the_state_is_lost(warehouse: Warehouse, tmp_path: Path) -> None:
    contract, key = contract_with({}), "a key of our own"
    with simulated(contract) as running:
        night(running, warehouse, tmp_path / "one", privacy_of(contract, tmp_path / "one", key))
        privacy_of(contract, tmp_path / "one", key).erase(warehouse, PERSON)
        night(running, warehouse, tmp_path / "two", privacy_of(contract, tmp_path / "two", key))
        assert places_with_the_person(warehouse, tmp_path / "two", "") == set()
        with pytest.raises(PrivacyError, match="another key"):
            privacy_of(contract, tmp_path / "three").begin(warehouse)


def test_the_audit_says_what_was_blanked_and_not_who(warehouse: Warehouse, tmp_path: Path) -> None:
    contract = contract_with({})
    with simulated(contract) as running:
        night(running, warehouse, tmp_path)
    erasure = privacy_of(contract, tmp_path).erase(warehouse, PERSON)
    with warehouse.engine.connect() as connection:
        (line,) = connection.execute(sa.select(ERASURES)).mappings().all()
    assert (line["surrogate"], line["command"], line["because"]) == (erasure.surrogate, "erase", "asked")
    assert line["rows"] == dict(erasure.rows)
    assert not any(needle in repr(line) for needle in NEEDLES)


def test_an_address_finds_the_person_if_it_is_stored_or_hashed(sqlite_url: str, tmp_path: Path) -> None:
    contract = votes_without_ids()
    privacy = privacy_of(contract, tmp_path)
    with simulated(contract) as running, Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        night(running, warehouse, tmp_path, privacy)
        assert email_of(PERSON).encode() not in dumped(warehouse)
        assert privacy.person_with(warehouse, f" {email_of(PERSON).upper()}") == PERSON
        assert privacy.person_with(warehouse, "nobody@people.example") is None


def test_bytes_that_another_reader_holds_are_reported_and_removed_the_second_time(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ideas_pipeline.warehouse.vacuum._WAIT_SECONDS", 0)
    contract = contract_with({})
    with simulated(contract) as running, Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        night(running, warehouse, tmp_path)
        with reading(warehouse.engine) as connection:
            connection.execute(sa.select(TABLES["users"])).first()
            (left,) = privacy_of(contract, tmp_path).erase(warehouse, PERSON).left
            assert "Run the same command again" in left
        assert privacy_of(contract, tmp_path).erase(warehouse, PERSON).left == ()
        assert places_with_the_person(warehouse, tmp_path, "") == set()


def test_a_person_who_is_erased_in_mid_run_is_erased_by_the_next_one_if_it_was_killed(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    contract = contract_with({})

    class Killed(ErasedInMidRun):
        def finish(self, warehouse: Warehouse) -> None:
            raise KeyboardInterrupt

    with simulated(contract) as running:
        privacy = Killed(contract, COMMUNITY, folder=tmp_path)
        privacy.erase_now = lambda: privacy_of(contract, tmp_path).erase(warehouse, PERSON)
        with pytest.raises(KeyboardInterrupt):
            night(running, warehouse, tmp_path, privacy)
        assert "the database" in places_with_the_person(warehouse, tmp_path, "")
        privacy_of(contract, tmp_path).begin(warehouse)
    assert places_with_the_person(warehouse, tmp_path, "") == set()


def test_texts_that_were_erased_leave_their_rows_to_a_replay(sqlite_url: str, tmp_path: Path) -> None:
    contract = contract_with({})
    with simulated(contract) as running, Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        with running.changing() as tables:
            mine = next(row for row in tables["ideas"].values() if row["author_id"] == PERSON)
            mine["body_html"] = "<p>what only I could write</p>"
        night(running, warehouse, tmp_path)
        before = {table: len(warehouse_rows(warehouse, table)) for table in ("idea_answers", "idea_attachments")}
        assert all(before.values())
        privacy_of(contract, tmp_path).erase(warehouse, PERSON, texts=True)
        assert b"what only I could write" not in dumped(warehouse)
        held = everything(warehouse, tmp_path, "")
        assert [place for place, content in held.items() if b"what only I could write" in content] == []
        result = replay(contract, warehouse, tmp_path)
        assert {table: len(warehouse_rows(warehouse, table)) for table in before} == before
        assert not result.changed


def warehouse_rows(warehouse: Warehouse, table: str) -> list[sa.Row[Any]]:
    """The live rows of a table."""
    with warehouse.engine.connect() as connection:
        return list(connection.execute(sa.select(TABLES[table]).where(TABLES[table].c._deleted_at.is_(None))))
