"""A long list of people: a night asks one page whether somebody joined, and reads the list only then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.sync.run import VERIFY_DAYS, Incremental, RunResult
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.end_to_end.small_api import column, read
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received, ScriptedServer, serving

_LOGIN = {"auth_code": "c", "access_token": "a", "refresh_token": "r", "expires_in": 3600}
PAGES = 6
SIZE = 5
NEWEST_FIRST = {"sort": "-joined_at"}
BY_TOTAL, BY_NEWEST = "total", NEWEST_FIRST
JOINED = datetime(2026, 1, 1, tzinfo=UTC)


class People:
    """An API with a list of people, the oldest first unless asked otherwise. Its other lists are empty."""

    def __init__(self, *, totals: bool = True) -> None:
        self.names = {str(n): f"Person {n}" for n in range(1, PAGES * SIZE)}
        self.totals = totals
        self.requests = 0
        self.fails_next = False

    def answer(self, request: Received) -> Answer:
        if request.method == "POST":
            return Answer(body=_LOGIN)
        if request.path != "/v2/users":
            return Answer(status=404) if request.path.endswith("/me") else Answer(body={"data": [], "total": 0})
        self.requests += 1
        if self.fails_next:
            self.fails_next = False
            return Answer(status=400)
        ids = sorted(self.names, key=int, reverse=request.query.get("sort") == NEWEST_FIRST["sort"])
        first = (int(request.query["page"]) - 1) * SIZE
        rows = [{"id": id_, "name": self.names[id_], "joined_at": JOINED.isoformat()} for id_ in ids]
        total = {"total": len(rows)} if self.totals else {}
        return Answer(body={"data": rows[first : first + SIZE], **total})


@pytest.fixture
def warehouse(sqlite_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(sqlite_url, "acme") as opened:
        yield opened


def contract(probe: Any, *, totals: bool = True) -> Contract:
    paging = {"size": SIZE} | ({} if totals else {"total": None})
    return contract_with({"streams": {"users": {"probe": probe, "paging": paging}}})


def night(
    people: People, server: ScriptedServer, warehouse: Warehouse, folder: Path, spec: Contract, *, day: int = 0
) -> tuple[int, RunResult]:
    """The requests for people in a nightly run so many days from now, and its result."""
    people.requests = 0
    clock = datetime.now(UTC) + timedelta(days=day)
    result = read(server, warehouse, folder, spec, mode=Incremental(), clock=lambda: clock)
    assert result.verdict == "complete"
    assert sum(s.counts.requests for s in result.streams if s.stream == "users") == people.requests
    return people.requests, result


@pytest.mark.parametrize(
    ("probe", "totals"), [(BY_TOTAL, True), (BY_NEWEST, True), (BY_NEWEST, False)], ids=["total", "both", "newest"]
)
def test_a_night_in_which_nobody_joined_takes_one_request(
    probe: Any, totals: bool, warehouse: Warehouse, tmp_path: Path
) -> None:
    people, spec = People(totals=totals), contract(probe, totals=totals)
    with serving(people.answer) as server:
        read(server, warehouse, tmp_path, spec)
        assert night(people, server, warehouse, tmp_path, spec)[0] == 1
        people.names["100"] = "Somebody new"
        assert night(people, server, warehouse, tmp_path, spec)[0] > PAGES
        assert column(warehouse, "users.display_name") == people.names
        assert night(people, server, warehouse, tmp_path, spec)[0] == 1


def test_somebody_who_left_is_marked_as_deleted_in_the_nights_after(warehouse: Warehouse, tmp_path: Path) -> None:
    people, spec = People(), contract(BY_TOTAL)
    with serving(people.answer) as server:
        read(server, warehouse, tmp_path, spec)
        del people.names["7"]
        night(people, server, warehouse, tmp_path, spec)
        assert column(warehouse, "users.display_name") == people.names


def test_one_who_joined_for_one_who_left_shows_in_the_newest_records(warehouse: Warehouse, tmp_path: Path) -> None:
    people, spec = People(), contract(BY_NEWEST)
    with serving(people.answer) as server:
        read(server, warehouse, tmp_path, spec)
        del people.names["7"]
        people.names["100"] = "Somebody new"
        night(people, server, warehouse, tmp_path, spec)
        assert column(warehouse, "users.display_name") == people.names


def test_an_edit_shows_within_the_days_that_are_set(warehouse: Warehouse, tmp_path: Path) -> None:
    people, spec = People(), contract(BY_TOTAL)
    with serving(people.answer) as server:
        read(server, warehouse, tmp_path, spec)
        people.names["3"] = "Another name"
        for day in range(1, VERIFY_DAYS):
            assert night(people, server, warehouse, tmp_path, spec, day=day)[0] == 1
        assert night(people, server, warehouse, tmp_path, spec, day=VERIFY_DAYS)[0] == PAGES
        assert column(warehouse, "users.display_name") == people.names


def test_a_probe_that_is_refused_is_followed_by_the_list(warehouse: Warehouse, tmp_path: Path) -> None:
    people, spec = People(), contract(BY_TOTAL)
    with serving(people.answer) as server:
        read(server, warehouse, tmp_path, spec)
        people.fails_next = True
        assert night(people, server, warehouse, tmp_path, spec)[0] == 1 + PAGES


def test_a_total_that_never_counted_the_records_is_no_sign(warehouse: Warehouse, tmp_path: Path) -> None:
    people, spec = People(totals=False), contract(BY_TOTAL)
    with serving(people.answer) as server:
        read(server, warehouse, tmp_path, spec)
        people.totals = True
        assert night(people, server, warehouse, tmp_path, spec)[0] > PAGES
