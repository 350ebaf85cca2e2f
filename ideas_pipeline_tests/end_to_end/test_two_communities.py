"""Two communities in one warehouse, with ids in common: each equals its source, and none touches the other's rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.sync import stream as engine_of_a_stream
from ideas_pipeline.sync.run import Full, Incremental, RunResult
from ideas_pipeline.tables.bookkeeping import ABSENCES, REJECTED_RECORDS
from ideas_pipeline.tables.community import METADATA, TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.absences import confirm_absences, held
from ideas_pipeline.warehouse.embedded import confirm_embedded
from ideas_pipeline.warehouse.merge import Deletion
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import paged, sync_with, village
from ideas_pipeline_tests.end_to_end.test_absence import remove_comment
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.processes import at_the_same_time
from ideas_pipeline_tests.warehouse.calls import call_reading, call_writing

CONTRACT = paged({"style": "page", "size_parameter": "per_page", "size": 10, "total": {"body": ["total"]}})
ONE, OTHER = "one", "other"
SEEDS = {ONE: 3, OTHER: 4}
RUN = "20260131T020000-1a2b3c4"  # each of the two adds a character

Simulators = dict[str, Simulator]
Warehouses = dict[str, Warehouse]


@pytest.fixture
def simulators() -> Iterator[Simulators]:
    """Two hosts and two accounts. Nearly all ids of the one community are ids of the other, too."""
    with (
        Simulator(CONTRACT, village(SEEDS[ONE])) as one,
        Simulator(CONTRACT, village(SEEDS[OTHER])) as other,
    ):
        assert one.tables["ideas"].keys() & other.tables["ideas"].keys()
        assert one.tables != other.tables
        yield {ONE: one, OTHER: other}


@pytest.fixture
def warehouses(warehouse_url: str) -> Iterator[Warehouses]:
    """One database, opened for each community."""
    with Warehouse.open(warehouse_url, ONE) as one, Warehouse.open(warehouse_url, OTHER) as other:
        yield {ONE: one, OTHER: other}


def sync(simulators: Simulators, community: str, warehouses: Warehouses, folder: Path, **options: Any) -> RunResult:
    options.setdefault("mode", Full())
    simulator = simulators[community]
    credentials = Credentials(simulator.client_id, simulator.client_secret)
    api = IdeasApi.connect(CONTRACT, simulator.base_url, credentials, FileHome(folder / f"{community}.json", folder))
    return sync_with(api, warehouses[community], **options)


def everything_of(warehouses: Warehouses, community: str) -> dict[str, set[tuple[Any, ...]]]:
    """Each row of the community, in every table, bookkeeping and history included."""
    with warehouses[ONE].engine.connect() as connection:
        return {
            name: set(map(repr, connection.execute(sa.select(table).where(table.c.community == community))))
            for name, table in METADATA.tables.items()
            if "community" in table.c
        }


@contextmanager
def untouched(warehouses: Warehouses, community: str) -> Iterator[None]:
    before = everything_of(warehouses, community)
    assert before["ideas"]
    assert before["_sync_scopes"]
    yield
    assert everything_of(warehouses, community) == before


def assert_both_true(warehouses: Warehouses, simulators: Simulators) -> None:
    for community, simulator in simulators.items():
        assert_true_to(warehouses[ONE].engine, community, CONTRACT, simulator.tables)


def test_synced_one_after_the_other_each_is_its_own_source(
    simulators: Simulators, warehouses: Warehouses, tmp_path: Path
) -> None:
    for number, community in enumerate(simulators):
        assert sync(simulators, community, warehouses, tmp_path, run_id=f"{RUN}{number}").verdict == "complete"
    assert_both_true(warehouses, simulators)
    for community, neighbour in ((ONE, OTHER), (OTHER, ONE)):
        with untouched(warehouses, neighbour):
            again = sync(simulators, community, warehouses, tmp_path, run_id=f"{RUN}-{community}")
            assert (again.verdict, again.changed) == ("complete", False)


def test_a_run_id_that_both_share_is_a_run_of_each(
    simulators: Simulators, warehouses: Warehouses, tmp_path: Path
) -> None:
    for community in simulators:
        sync(simulators, community, warehouses, tmp_path, run_id=RUN)
    with untouched(warehouses, ONE):
        sync(simulators, OTHER, warehouses, tmp_path, run_id=RUN, mode=Incremental())
    assert_both_true(warehouses, simulators)


def _sync(
    contract: Contract, base_url: str, credentials: Credentials, folder: Path, url: str, community: str, run_id: str
) -> None:
    engine_of_a_stream.BATCH_SCOPES = 4  # small batches: more transactions that could meet
    api = IdeasApi.connect(contract, base_url, credentials, FileHome(folder / f"{community}.json", folder))
    with Warehouse.open(url, community) as warehouse:
        result = sync_with(api, warehouse, mode=Full(), run_id=run_id)
    assert result.verdict == "complete", [s.reason for s in result.streams]


def test_two_processes_at_the_same_time_make_both_true(
    simulators: Simulators, warehouse_url: str, tmp_path: Path
) -> None:
    for night in range(2):
        at_the_same_time(
            _sync,
            *(
                (
                    CONTRACT,
                    simulator.base_url,
                    Credentials(simulator.client_id, simulator.client_secret),
                    tmp_path,
                    warehouse_url,
                    community,
                    f"{RUN}{night}",
                )
                for community, simulator in simulators.items()
            ),
        )
        with Warehouse.open(warehouse_url, ONE) as warehouse:
            assert_both_true({ONE: warehouse}, simulators)
        for simulator in simulators.values():
            with simulator.changing() as tables:
                remove_comment(tables, next(reversed(tables["comments"])))
                for row in tables["ideas"].values():
                    row["title"] = f"{row['title']} again"


def test_what_is_gone_held_confirmed_rejected_or_moved_in_one_is_nothing_to_the_other(
    simulators: Simulators, warehouses: Warehouses, tmp_path: Path
) -> None:
    for community in simulators:
        sync(simulators, community, warehouses, tmp_path)
    simulator = simulators[ONE]
    with simulator.changing() as tables:
        idea = next(iter(tables["ideas"]))
        tables["ideas"][idea]["status"] = "another"
        answered = {row.get("parent_comment_id") for row in tables["comments"].values()}
        remove_comment(tables, next(i for i in tables["comments"] if i not in answered))
        for person in shared_people(simulators)[:30]:
            tables["users"].pop(person)
        answers = tables["user_answers"]
        for key in [key for key, row in answers.items() if row["user_id"] not in tables["users"]]:
            answers.pop(key)
        tables["idea_tags"].clear()
    simulator.faults.add(Fault(kind="poison_value", stream="votes", times=None))
    with untouched(warehouses, OTHER):
        result = sync(simulators, ONE, warehouses, tmp_path)
        waiting = call_reading(warehouses[ONE], held)
        assert result.verdict == "incomplete"
        assert {h.stream for h in waiting} == {"users", "idea_tags"}
        assert count(warehouses, REJECTED_RECORDS, ONE) > 0
        assert count(warehouses, IDEA_HISTORY, ONE, IDEA_HISTORY.c.observed_to.is_not(None)) > 0
        now = datetime.now(UTC)
        for name in ("users", "idea_tags"):
            ids = [h.id for h in waiting if h.stream == name]
            if name == "users":
                call_writing(warehouses[ONE], confirm_absences, name, ids, ["user_answers"], Deletion("r", now))
            else:
                call_writing(warehouses[ONE], confirm_embedded, name, ids, Deletion("r", now, "gone (confirmed)"))
        simulator.faults.clear()
        assert sync(simulators, ONE, warehouses, tmp_path).verdict == "complete"
    assert count(warehouses, REJECTED_RECORDS, ONE) == count(warehouses, ABSENCES, ONE) == 0
    assert_both_true(warehouses, simulators)


def test_a_person_erased_in_one_stays_whoever_has_the_same_id_in_the_other(
    simulators: Simulators, warehouses: Warehouses, tmp_path: Path
) -> None:
    privacies = {community: Privacy(CONTRACT, community, folder=tmp_path) for community in simulators}
    for community in simulators:
        sync(simulators, community, warehouses, tmp_path, privacy=privacies[community])
    person = shared_author(simulators)
    with untouched(warehouses, OTHER):
        erasure = privacies[ONE].erase(warehouses[ONE], person, texts=True)
    assert {"users", "ideas"} <= erasure.rows.keys()
    for community in simulators:
        sync(simulators, community, warehouses, tmp_path, privacy=privacies[community])
    assert_true_to(warehouses[ONE].engine, OTHER, CONTRACT, simulators[OTHER].tables)
    ids = {
        community: count(warehouses, TABLES["users"], community, TABLES["users"].c.id == person) for community in SEEDS
    }
    assert ids == {ONE: 0, OTHER: 1}


def count(warehouses: Warehouses, table: sa.Table, community: str, *which: sa.ColumnElement[bool]) -> int:
    with warehouses[ONE].engine.connect() as connection:
        query = sa.select(sa.func.count()).select_from(table).where(table.c.community == community, *which)
        return int(connection.execute(query).scalar_one())


def shared_people(simulators: Simulators) -> list[str]:
    """People of the one community whose ids are those of people of the other."""
    ours, theirs = (simulator.tables["users"] for simulator in simulators.values())
    return [person for person in ours if person in theirs]


def shared_author(simulators: Simulators) -> str:
    """Who has posted ideas in both."""
    authors = [posted_by(simulator.tables) for simulator in simulators.values()]
    return next(person for person in shared_people(simulators) if all(person in some for some in authors))


def posted_by(tables: Tables) -> set[str]:
    return {row["author_id"] for row in tables["ideas"].values()}
