"""The tables rebuilt from archived pages, as the contract says today, with the API switched off."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.app import run_archive
from ideas_pipeline.archive.files import ArchivedPage, run_files
from ideas_pipeline.archive.rewrite import rewrite
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.sync.engine import new_run_id
from ideas_pipeline.sync.replay import replay
from ideas_pipeline.sync.run import Full, RunResult
from ideas_pipeline.tables.bookkeeping import ABSENCES, SCOPES, SYNC_RUNS
from ideas_pipeline.tables.community import IDEAS, TABLES
from ideas_pipeline.warehouse.scopes import live_ids
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.archive.pages import archived
from ideas_pipeline_tests.end_to_end.pipeline import (
    api_of,
    contract_with,
    paged,
    small_village,
    stream,
    sync_with,
    village,
)
from ideas_pipeline_tests.end_to_end.test_absence import deleted, remove_idea
from ideas_pipeline_tests.end_to_end.test_truth import CONTRACTS, last_written
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_reading

CONTRACT = paged({"style": "page", "size_parameter": "per_page", "size": 10, "total": {"body": ["total"]}})

OLD = Path(__file__).parents[1] / "archive" / "blocks_76066a4"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(CONTRACT, village(seed=3)) as running:
        yield running


def sync(simulator: Simulator, warehouse: Warehouse, folder: Path, *, days: int = 30, **options: Any) -> RunResult:
    """A sync whose pages are archived."""
    run_id = new_run_id(datetime.now(UTC))
    with (
        api_of(simulator, folder, options.pop("contract", None)) as api,
        run_archive(archive(folder), run_id, days, api.contract) as kept,
    ):
        return sync_with(api, warehouse, run_id=run_id, archive=kept, **options)


def archive(folder: Path) -> Path:
    return folder / "archive" / COMMUNITY


def drop_third_page_of_users(folder: Path, since: float = 0.0) -> None:
    """Of the sweeps from ``since`` (seconds since 1970) on."""

    def transform(page: ArchivedPage) -> ArchivedPage | None:
        return None if (page.stream, page.position) == ("users", 3) and page.received_at >= since else page

    assert rewrite(folder, transform) > 0


def mistaken(contract: Contract, **fields: list[str]) -> Contract:
    """``contract`` with other paths for columns of ideas."""
    ideas = contract.streams["ideas"]
    wrong = {name: ideas.fields[name].model_copy(update={"paths": tuple(paths)}) for name, paths in fields.items()}
    streams = contract.streams | {"ideas": ideas.model_copy(update={"fields": ideas.fields | wrong})}
    return contract.model_copy(update={"streams": streams})


def rows(warehouse: Warehouse, table: sa.Table) -> list[Any]:
    with warehouse.engine.connect() as connection:
        return sorted(connection.execute(sa.select(table)).all(), key=str)


def titles(warehouse: Warehouse) -> dict[str, str]:
    with warehouse.engine.connect() as connection:
        return dict(connection.execute(sa.select(IDEAS.c.id, IDEAS.c.title)).all())


def test_after_a_mended_contract_a_replay_makes_the_warehouse_true_without_the_api(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with Simulator(CONTRACT, village(seed=3)) as simulator:
        sync(simulator, warehouse, tmp_path, contract=mistaken(CONTRACT, title=["status"], author_id=["author.name"]))
    with pytest.raises(AssertionError):
        assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)
    state = rows(warehouse, SCOPES)

    result = replay(CONTRACT, warehouse, archive(tmp_path))
    assert [(s.verdict, s.reason, s.counts.requests) for s in result.streams] == [("complete", None, 0)] * 5
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)
    assert (stream(result, "ideas").counts.updated, stream(result, "votes").counts.unchanged) == (24, 220)
    assert [deleted(warehouse, TABLES[name]) for name in CONTRACT.streams] == [set()] * 5
    assert (rows(warehouse, ABSENCES), rows(warehouse, SCOPES)) == ([], state)
    with warehouse.engine.connect() as connection:
        runs = connection.execute(sa.select(SYNC_RUNS.c.mode, SYNC_RUNS.c.verdict).order_by(SYNC_RUNS.c.started_at))
        assert runs.all() == [("incremental", "complete"), ("replay", "complete")]

    written = last_written(warehouse.engine)
    assert not replay(CONTRACT, warehouse, archive(tmp_path)).changed
    assert last_written(warehouse.engine) == written


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_a_lost_warehouse_comes_back_from_the_archive_however_lists_are_paged(
    contract: Contract, sqlite_url: str, tmp_path: Path
) -> None:
    with (
        Simulator(contract, small_village(seed=3)) as simulator,
        Warehouse.open(f"{sqlite_url}-lost", COMMUNITY) as lost,
    ):
        sync(simulator, lost, tmp_path)
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        result = replay(contract, warehouse, archive(tmp_path))
        assert [(s.verdict, s.reason) for s in result.streams] == [("complete", None)] * 5
        assert_true_to(warehouse.engine, COMMUNITY, contract, simulator.tables)


def test_what_was_deleted_stays_deleted(simulator: Simulator, warehouse: Warehouse, tmp_path: Path) -> None:
    sync(simulator, warehouse, tmp_path)
    with simulator.changing() as tables:
        gone = next(iter(tables["ideas"]))
        remove_idea(tables, gone)
    sync(simulator, warehouse, tmp_path)
    assert deleted(warehouse, IDEAS) == {gone}
    assert not replay(CONTRACT, warehouse, archive(tmp_path)).changed
    assert deleted(warehouse, IDEAS) == {gone}


def test_the_next_sync_goes_on_as_if_there_had_been_no_replay(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    replay(CONTRACT, warehouse, archive(tmp_path))
    with simulator.changing() as tables:
        gone = next(iter(tables["ideas"]))
        remove_idea(tables, gone)
    result = sync(simulator, warehouse, tmp_path, mode=Full())
    assert (result.verdict, deleted(warehouse, IDEAS)) == ("complete", {gone})
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_a_later_state_that_is_not_archived_is_never_overwritten_and_is_reported(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    with simulator.changing() as tables:
        changed = next(iter(tables["ideas"].values()))
        changed["title"] = "later"
    with api_of(simulator, tmp_path) as api:
        sync_with(api, warehouse, mode=Full(), streams=["ideas"])

    ideas = stream(replay(CONTRACT, warehouse, archive(tmp_path)), "ideas")
    assert (ideas.verdict, ideas.counts.seen) == ("failed", 0)
    assert ideas.reason == "the archive lacks the latest sweep of this list; a sync reads it (4 lists)"
    assert titles(warehouse)[changed["id"]] == "later"


def test_an_idea_that_moved_is_not_moved_back_by_an_older_page_of_its_old_list(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    new, old = list(simulator.tables["challenges"])[:2]
    with simulator.changing() as tables:
        moved = next(row for row in tables["ideas"].values() if row["challenge_id"] == old)
        moved["challenge_id"] = new
    # The old list is not read that night, so the archive's last word on it still holds the idea.
    simulator.faults.add(Fault(kind="status", stream="ideas", scope=old, times=None))
    sync(simulator, warehouse, tmp_path, contract=mistaken(CONTRACT, title=["status"]))
    replay(CONTRACT, warehouse, archive(tmp_path))
    with warehouse.engine.connect() as connection:
        row = connection.execute(sa.select(IDEAS).where(IDEAS.c.id == moved["id"])).one()
    assert (row.challenge_id, row.title) == (new, moved["title"])


def test_over_a_whole_reading_lie_the_newer_pages_of_a_broken_one(
    simulator: Simulator, warehouse: Warehouse, sqlite_url: str, tmp_path: Path
) -> None:
    with Warehouse.open(f"{sqlite_url}-lost", COMMUNITY) as lost:
        sync(simulator, lost, tmp_path)
        with simulator.changing() as tables:
            next(iter(tables["users"].values()))["display_name"] = "newer"
        second_began = time.time()
        sync(simulator, lost, tmp_path)

    drop_third_page_of_users(archive(tmp_path), since=second_began)
    result = replay(CONTRACT, warehouse, archive(tmp_path))
    assert result.verdict == "complete"
    assert_true_to(warehouse.engine, COMMUNITY, CONTRACT, simulator.tables)


def test_a_list_that_is_not_archived_whole_is_loaded_as_far_as_it_goes_and_incomplete(
    simulator: Simulator, warehouse: Warehouse, sqlite_url: str, tmp_path: Path
) -> None:
    with Warehouse.open(f"{sqlite_url}-lost", COMMUNITY) as lost:
        sync(simulator, lost, tmp_path)

    drop_third_page_of_users(archive(tmp_path))
    users = stream(replay(CONTRACT, warehouse, archive(tmp_path)), "users")
    assert (users.verdict, users.counts.inserted) == ("incomplete", len(simulator.tables["users"]) - 10)
    assert users.reason == "the archive holds only a part of this list; a sync reads it"


@pytest.mark.parametrize(("before", "now"), [("cursor", "page"), ("cursor", "offset"), ("page", "offset")])
def test_a_list_that_was_archived_under_other_paging_is_loaded(
    before: str, now: str, sqlite_url: str, tmp_path: Path
) -> None:
    total = {"total": {"body": ["total"]}}
    contracts = {
        "cursor": paged({"style": "cursor", "cursor": ["next_cursor"], "size_parameter": "per_page", "size": 10}),
        "page": CONTRACT,
        "offset": paged({"style": "offset", "size_parameter": "per_page", "size": 10, **total}),
    }
    with (
        Simulator(contracts[before], village(seed=3)) as running,
        Warehouse.open(f"{sqlite_url}-lost", COMMUNITY) as lost,
    ):
        sync(running, lost, tmp_path)

    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        users = stream(replay(contracts[now], warehouse, archive(tmp_path)), "users")
        assert_true_to(warehouse.engine, COMMUNITY, contracts[now], running.tables)
    assert (users.verdict, users.reason) == (
        "incomplete",
        "the archive holds only a part of this list; a sync reads it",
    )


def test_an_empty_page_alone_is_not_a_list_whose_first_page_is_lost(warehouse: Warehouse, tmp_path: Path) -> None:
    contract = paged({"style": "page", "size_parameter": "per_page"})
    with Simulator(contract, village(seed=3)) as running:
        sync(running, warehouse, tmp_path)

    def without_first_page(page: ArchivedPage) -> ArchivedPage | None:
        return None if page.stream == "challenges" and str(page.position).startswith("1") else page

    assert rewrite(archive(tmp_path), without_first_page) > 0
    challenges = stream(replay(contract, warehouse, archive(tmp_path)), "challenges")
    assert (challenges.verdict, challenges.counts.seen) == ("failed", 0)


def test_lists_that_are_not_archived_at_all_are_reported_and_left_as_they_are(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path, streams=["challenges", "ideas"])
    with api_of(simulator, tmp_path) as api:
        sync_with(api, warehouse)
    before = last_written(warehouse.engine)
    result = replay(CONTRACT, warehouse, archive(tmp_path), streams=["votes"])
    assert (result.verdict, result.changed) == ("failed", False)
    assert result.streams[0].reason == "the archive does not hold this list; a sync reads it (24 lists)"
    assert last_written(warehouse.engine) == before


def test_pages_from_before_the_day_that_is_asked_for_are_not_used(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    sync(simulator, warehouse, tmp_path)
    today = datetime.now(UTC)
    yesterday = today - timedelta(days=1)
    assert replay(CONTRACT, warehouse, archive(tmp_path), since=today).verdict == "failed"
    assert replay(CONTRACT, warehouse, archive(tmp_path), since=yesterday).verdict == "complete"


def test_what_was_asked_for_since_a_moment_lies_over_the_last_whole_reading(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    since = {"since": {"parameter": "updated_since", "column": "updated_at"}}
    contract = contract_with({"streams": {"ideas": since}})
    with Simulator(contract, village(seed=3)) as simulator:
        mistake = mistaken(contract, title=["status"])
        sync(simulator, warehouse, tmp_path, contract=mistake)
        with simulator.changing() as tables:
            changed = next(iter(tables["ideas"].values()))
            changed |= {"title": "newer", "updated_at": datetime.now(UTC).isoformat()}
        sync(simulator, warehouse, tmp_path, contract=mistake)
    result = replay(contract, warehouse, archive(tmp_path))
    assert result.verdict == "complete"
    assert_true_to(warehouse.engine, COMMUNITY, contract, simulator.tables)


def test_people_who_were_not_there_when_they_were_read_one_at_a_time_are_not_brought_back(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    one = {
        "path": "users/{user_id}",
        "reads": "one",
        "each": {"of": ["ideas.author_id"], "placeholder": "user_id"},
        "paging": {"!": {"style": "none"}},
    }
    contract = contract_with({"streams": {"users": one}})
    with Simulator(contract, village(seed=3)) as simulator:
        sync(simulator, warehouse, tmp_path)
        gone = next(row["author_id"] for row in simulator.tables["ideas"].values() if row["author_id"])
        with simulator.changing() as tables:
            tables["users"].pop(gone)
        sync(simulator, warehouse, tmp_path, mode=Full())
    with Warehouse.open(f"sqlite:///{tmp_path / 'new.db'}", COMMUNITY) as new:
        users = stream(replay(contract, new, archive(tmp_path)), "users")
        known = call_reading(new, live_ids, "users")
    assert (users.verdict, users.reason) == ("complete", None)
    assert known
    assert gone not in known


def test_no_secret_is_in_the_archive(simulator: Simulator, warehouse: Warehouse, tmp_path: Path) -> None:
    sync(simulator, warehouse, tmp_path)
    text = "".join(repr(page) for page in archived(archive(tmp_path)))
    assert len(text) > 100_000
    assert len(simulator.issued_secrets) >= 3
    for secret in [*simulator.issued_secrets, simulator.client_id, simulator.client_secret]:
        assert secret not in text


def test_zero_days_archive_nothing_and_keep_nothing(simulator: Simulator, warehouse: Warehouse, tmp_path: Path) -> None:
    sync(simulator, warehouse, tmp_path, days=0)
    assert not archive(tmp_path).exists()
    sync(simulator, warehouse, tmp_path)
    assert len(run_files(archive(tmp_path))) == 1
    sync(simulator, warehouse, tmp_path, days=0)
    assert run_files(archive(tmp_path)) == []


def test_an_archive_that_cannot_be_written_does_not_stop_the_sync(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "archive").touch()
    assert sync(simulator, warehouse, tmp_path).verdict == "complete"
    assert "This run is not archived" in caplog.text


@pytest.fixture
def old_archive(tmp_path: Path) -> Path:
    """What an earlier version archived in two nights (see the folder's README)."""
    folder = archive(tmp_path)
    shutil.copytree(OLD, folder, ignore=shutil.ignore_patterns("*.json", "*.md"))
    return folder


def test_what_an_earlier_version_archived_is_replayed(old_archive: Path, sqlite_url: str) -> None:
    texts = {"challenges": "title", "ideas": "title", "comments": "body", "votes": "idea_id", "users": "display_name"}
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        result = replay(CONTRACT, warehouse, old_archive)
        assert [(s.verdict, s.reason) for s in result.streams] == [("complete", None)] * 5
        for name, column in texts.items():
            found = {row.id: getattr(row, column) for row in rows(warehouse, TABLES[name])}
            assert found == json.loads((OLD / "synced.json").read_text())[name]


def test_who_is_erased_is_erased_from_what_an_earlier_version_archived(
    old_archive: Path, sqlite_url: str, tmp_path: Path
) -> None:
    person, name = next(iter(json.loads((OLD / "synced.json").read_text())["users"].items()))
    privacy = Privacy(CONTRACT, COMMUNITY, folder=tmp_path, archive=old_archive)
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        replay(CONTRACT, warehouse, old_archive)
        shutil.rmtree(old_archive)
        shutil.copytree(OLD, old_archive, ignore=shutil.ignore_patterns("*.json", "*.md"))
        erasure = privacy.erase(warehouse, person)
    assert (erasure.left, erasure.pages > 0) == ((), True)
    assert not list(old_archive.rglob("*.zst"))
    kept = "".join(repr(page) for page in archived(old_archive))
    assert (len(kept) > 10_000, f'"{person}"' in kept, name in kept) == (True, False, False)
