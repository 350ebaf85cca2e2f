"""Backfills: everything whose time lies in [from, to) is in the warehouse as it is now, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Row, Tables
from ideas_pipeline.sync.run import Full, Window
from ideas_pipeline.tables.bookkeeping import ABSENCES, SCOPES, SYNC_RUNS
from ideas_pipeline.tables.community import COMMENTS, IDEAS
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream, sync
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

MADRID = ZoneInfo("Europe/Madrid")
DAYS = {
    "a day of 23 hours": datetime(2026, 3, 29, tzinfo=MADRID),
    "a day of 25 hours": datetime(2026, 10, 25, tzinfo=MADRID),
    "a day like most": datetime(2026, 6, 1, tzinfo=MADRID),
}


def bounds(form: str, *, until: bool = True, zone: str | None = "Europe/Madrid") -> dict[str, Any]:
    """Of lists whose times without a zone are of ``zone``, or of the contract's."""
    both = {"since": True, "until": until}
    asked = {
        name: {"parameter": name, "column": "created_at", "format": form} if given else None
        for name, given in both.items()
    }
    return {"timezone": zone, **asked}


def contract(zone: str = "UTC", **of_lists: Any) -> Contract:
    paging = {"size": 3}
    lists = {"timezone": "Europe/Madrid", "paging": paging, **of_lists}
    return contract_with({"timezone": zone, "streams": {"ideas": lists, "comments": lists}})


CONTRACTS = {
    "filtered on this side": contract(),
    "filtered by the API, ISO": contract(**bounds("iso")),
    "filtered by the API, epoch": contract(**bounds("epoch")),
    "filtered by the API, whole days": contract(**bounds("date")),
    "filtered by the API, whole days of the whole contract's zone": contract(
        "Europe/Madrid", **bounds("date", zone=None)
    ),
    "filtered by the API, whole days of a zone to the east": contract(**bounds("date", zone="Asia/Tokyo")),
    "filtered by the API, whole days of a zone to the west": contract(**bounds("date", zone="America/New_York")),
    "filtered by the API from below only": contract(**bounds("iso", until=False)),
}


def text(moment: datetime) -> str:
    return moment.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ")


def community() -> Tables:
    challenge = {"id": "c1", "title": "One", "idea_count": 1}
    idea = {
        "id": "i1",
        "challenge_id": "c1",
        "title": "First",
        "comment_count": 0,
        "created_at": "2025-01-01T00:00:00Z",
    }
    return {"challenges": {"c1": challenge}, "users": {}, "ideas": {"i1": idea}, "comments": {}, "votes": {}}


def comment(key: str, at: datetime) -> Row:
    return {"id": key, "idea_id": "i1", "body": f"comment {key}", "created_at": text(at)}


def comments_around(start: datetime, end: datetime) -> dict[str, Row]:
    """Comments of which the idea says nothing: its counts and times stay."""
    second = timedelta(seconds=1)
    utc = ZoneInfo("UTC")
    first, last = start.astimezone(utc), end.astimezone(utc)
    times = {
        "just before": first - second,
        "first": first,
        "first too": first,
        "early": first + timedelta(hours=2),  # on a day of 25 hours, once before and once after the clock is put back
        "early again": first + timedelta(hours=3),
        "last": last - second,
        "last too": last - second,
        "end": last,
        "end too": last,
    }
    return {key.replace(" ", "-"): comment(key.replace(" ", "-"), at) for key, at in times.items()}


INSIDE = {"first", "first-too", "early", "early-again", "last", "last-too"}


@pytest.fixture(params=CONTRACTS.values(), ids=CONTRACTS.keys())
def simulator(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    with Simulator(request.param, community()) as running:
        yield running


@pytest.fixture
def plain() -> Iterator[Simulator]:
    """A community whose API filters nothing."""
    with Simulator(contract(), community()) as running:
        yield running


@pytest.fixture
def warehouse(sqlite_url: str) -> Iterator[Warehouse]:
    # What is asked here is which records are loaded: the same on every engine.
    with Warehouse.open(sqlite_url, COMMUNITY) as opened:
        yield opened


def ids(warehouse: Warehouse, table: sa.Table) -> set[str]:
    with warehouse.engine.connect() as connection:
        return set(connection.scalars(sa.select(table.c.id).where(table.c._deleted_at.is_(None))))


def nightly_state(warehouse: Warehouse) -> list[list[Any]]:
    with warehouse.engine.connect() as connection:
        return [sorted(map(str, connection.execute(sa.select(table)))) for table in (SCOPES, ABSENCES)]


@pytest.mark.parametrize("day", DAYS.values(), ids=DAYS.keys())
def test_a_day_holds_its_first_second_and_not_the_next_day_s(
    day: datetime, simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    start, end = day, day + timedelta(days=1)
    sync(simulator, warehouse, tmp_path, mode=Full())
    with simulator.changing() as tables:
        tables["comments"].update(comments_around(start, end))
    before = nightly_state(warehouse)
    result = sync(simulator, warehouse, tmp_path, mode=Window(start, end))
    assert result.verdict == "complete"
    assert stream(result, "comments").counts.inserted == len(INSIDE)
    assert ids(warehouse, COMMENTS) == INSIDE
    assert nightly_state(warehouse) == before


def test_days_next_to_each_other_bring_each_record_once(plain: Simulator, warehouse: Warehouse, tmp_path: Path) -> None:
    day = DAYS["a day of 25 hours"]
    sync(plain, warehouse, tmp_path, mode=Full())
    with plain.changing() as tables:
        tables["comments"].update(comments_around(day, day + timedelta(days=1)))
    inserted = 0
    for n in (-1, 0, 1):
        window = Window(day + timedelta(days=n), day + timedelta(days=n + 1))
        inserted += stream(sync(plain, warehouse, tmp_path, mode=window), "comments").counts.inserted
    assert inserted == len(plain.tables["comments"])
    assert ids(warehouse, COMMENTS) == plain.tables["comments"].keys()


def test_a_backfill_twice_writes_nothing_the_second_time(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    day = DAYS["a day of 23 hours"]
    window = Window(day, day + timedelta(days=1))
    sync(simulator, warehouse, tmp_path, mode=Full())
    with simulator.changing() as tables:
        tables["comments"].update(comments_around(window.start, window.end))
    assert sync(simulator, warehouse, tmp_path, mode=window).changed
    assert not sync(simulator, warehouse, tmp_path, mode=window).changed


def test_a_backfill_brings_a_record_as_it_is_now_and_calls_nothing_absent(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    day = DAYS["a day like most"]
    window = Window(day, day + timedelta(days=1))
    with simulator.changing() as tables:
        tables["comments"].update(comments_around(window.start, window.end))
    sync(simulator, warehouse, tmp_path, mode=Full())
    with simulator.changing() as tables:
        tables["comments"]["early"]["body"] = "edited in place"
        tables["comments"].pop("last")
    before = nightly_state(warehouse)
    result = sync(simulator, warehouse, tmp_path, mode=window)
    assert (stream(result, "comments").counts.updated, stream(result, "comments").counts.absent) == (1, 0)
    with warehouse.engine.connect() as connection:
        body = connection.scalar(sa.select(COMMENTS.c.body).where(COMMENTS.c.id == "early"))
    assert body == "edited in place"
    assert "last" in ids(warehouse, COMMENTS)
    assert nightly_state(warehouse) == before
    assert stream(sync(simulator, warehouse, tmp_path, mode=Full()), "comments").counts.absent == 1


def late(day: datetime) -> Row:
    """Submitted on ``day``, and held for approval."""
    at = text(day + timedelta(hours=9))
    held = {"approval_status": "pending", "published_at": None, "moderation_status": "clear"}
    return {"id": "late", "challenge_id": "c1", "title": "Late", "created_at": at, "updated_at": at, **held}


def test_an_idea_that_was_published_late_belongs_to_the_day_on_which_it_was_submitted(
    simulator: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    day = DAYS["a day like most"]
    simulator.account(role="user")
    with simulator.changing() as tables:
        tables["ideas"]["late"] = late(day)
    sync(simulator, warehouse, tmp_path, mode=Full())
    assert ids(warehouse, IDEAS) == {"i1"}
    with simulator.changing() as tables:
        tables["ideas"]["late"] |= {"approval_status": "approved", "published_at": text(day + timedelta(days=20))}
    sync(simulator, warehouse, tmp_path, mode=Window(day + timedelta(days=20), day + timedelta(days=21)))
    assert ids(warehouse, IDEAS) == {"i1"}
    sync(simulator, warehouse, tmp_path, mode=Window(day, day + timedelta(days=1)))
    assert ids(warehouse, IDEAS) == {"i1", "late"}


def test_a_contract_can_let_the_day_of_publication_count(warehouse: Warehouse, tmp_path: Path) -> None:
    day = DAYS["a day like most"]
    by_publication = contract_with({"streams": {"ideas": {"timezone": "Europe/Madrid", "cursor": "published_at"}}})
    with Simulator(by_publication, community()) as simulator:
        sync(simulator, warehouse, tmp_path, mode=Full())
        with simulator.changing() as tables:
            published = {"approval_status": "approved", "published_at": text(day + timedelta(days=20))}
            tables["ideas"]["late"] = late(day) | published
        sync(simulator, warehouse, tmp_path, mode=Window(day, day + timedelta(days=1)))
        assert ids(warehouse, IDEAS) == {"i1"}
        sync(simulator, warehouse, tmp_path, mode=Window(day + timedelta(days=20), day + timedelta(days=21)))
        assert ids(warehouse, IDEAS) == {"i1", "late"}


def test_the_api_is_asked_for_the_window_alone_if_it_can_filter(warehouse: Warehouse, tmp_path: Path) -> None:
    day = DAYS["a day of 25 hours"]
    window = Window(day, day + timedelta(days=1))
    requests: dict[str, int] = {}
    for name in ("filtered on this side", "filtered by the API, ISO"):
        tables = community()
        tables["comments"] = {f"old{n}": comment(f"old{n}", day - timedelta(days=n + 1)) for n in range(30)}
        with Simulator(CONTRACTS[name], tables) as simulator:
            sync(simulator, warehouse, tmp_path, mode=Full())
            requests[name] = stream(sync(simulator, warehouse, tmp_path, mode=window), "comments").counts.requests
        (tmp_path / "tokens.json").unlink()
    assert requests["filtered by the API, ISO"] == 1
    assert requests["filtered on this side"] > 9


def test_a_filter_by_the_last_edit_leaves_out_no_record_of_the_days_that_are_asked_for(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    day = DAYS["a day like most"]
    by_edit = {name: {"parameter": name, "column": "updated_at"} for name in ("since", "until")}
    edited_later = comment("edited-later", day) | {"updated_at": text(day + timedelta(days=3))}
    never_edited = comment("never-edited", day) | {"updated_at": None}
    with Simulator(contract(**by_edit), community()) as simulator:
        sync(simulator, warehouse, tmp_path, mode=Full())
        with simulator.changing() as tables:
            tables["comments"].update({row["id"]: row for row in (edited_later, never_edited)})
        sync(simulator, warehouse, tmp_path, mode=Window(day, day + timedelta(days=1)))
        assert ids(warehouse, COMMENTS) == {"edited-later", "never-edited"}


def break_off(simulator: Simulator, warehouse: Warehouse, folder: Path, window: Window) -> None:
    """A backfill that reads the comments, and is refused at the votes."""
    simulator.faults.add(Fault(kind="status", status=401, stream="votes", times=None))
    assert sync(simulator, warehouse, folder, mode=window).verdict == "failed"
    simulator.faults.clear()


def test_a_backfill_that_broke_off_before_its_last_day_was_over_reads_that_day_s_lists_again(
    plain: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    today = datetime.now(MADRID).replace(hour=0, minute=0, second=0, microsecond=0)
    window = Window(today, today + timedelta(days=2))
    sync(plain, warehouse, tmp_path, mode=Full())
    break_off(plain, warehouse, tmp_path, window)
    with plain.changing() as tables:
        tables["comments"]["later"] = comment("later", window.end - timedelta(seconds=1))
    assert sync(plain, warehouse, tmp_path, mode=window).verdict == "complete"
    assert ids(warehouse, COMMENTS) == {"later"}


@pytest.mark.parametrize(("days", "skipped"), [(2, 1), (3, 0)])
def test_a_backfill_that_broke_off_is_gone_on_with_for_three_days(
    days: int, skipped: int, plain: Simulator, warehouse: Warehouse, tmp_path: Path
) -> None:
    day = datetime(2025, 6, 1, tzinfo=MADRID)
    window = Window(day, day + timedelta(days=1))
    sync(plain, warehouse, tmp_path, mode=Full())
    break_off(plain, warehouse, tmp_path, window)
    with warehouse.engine.begin() as connection:
        ago = datetime.now(MADRID).astimezone(ZoneInfo("UTC")) - timedelta(days=days)
        connection.execute(sa.update(SYNC_RUNS).where(SYNC_RUNS.c.mode == "window").values(started_at=ago))
    assert stream(sync(plain, warehouse, tmp_path, mode=window), "comments").counts.skipped == skipped
