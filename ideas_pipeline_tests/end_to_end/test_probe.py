"""A long list of people: a night asks a few pages who joined, and reads the list only if that does not explain it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.app import run_archive
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.sync.engine import new_run_id
from ideas_pipeline.sync.replay import replay
from ideas_pipeline.sync.run import VERIFY_DAYS, Incremental
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.archive.pages import archived
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream
from ideas_pipeline_tests.end_to_end.small_api import LOGIN, column, read
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received, ScriptedServer, serving

PAGES = 6
SIZE = 5
NEWEST_FIRST = {"sort": "-joined_at"}
BY_TOTAL, BY_NEWEST = "total", NEWEST_FIRST
JOINED = datetime(2026, 1, 1, tzinfo=UTC)


class People:
    """An API with a list of people, the oldest first unless asked otherwise. Its other lists are empty."""

    def __init__(self, *, totals: bool) -> None:
        self.names = {str(n): f"Person {n}" for n in range(1, PAGES * SIZE)}
        self.totals = totals
        self.requests = 0
        self.fails_next = False

    def answer(self, request: Received) -> Answer:
        if request.method == "POST":
            return Answer(body=LOGIN)
        if request.path != "/v2/users":
            return Answer(status=404) if request.path.endswith("/me") else Answer(body={"data": [], "total": 0})
        self.requests += 1
        if self.fails_next:
            self.fails_next = False
            return Answer(status=400)
        ids = sorted(self.names, key=int, reverse=request.query.get("sort") == NEWEST_FIRST["sort"])
        by_page = "page" in request.query
        first = (int(request.query["page"]) - 1) * SIZE if by_page else int(request.query["offset"])
        rows = [{"id": id_, "name": self.names[id_], "joined_at": JOINED.isoformat()} for id_ in ids]
        total = {"total": len(rows)} if self.totals else {}
        return Answer(body={"data": rows[first : first + SIZE], **total})


@dataclass
class Nights:
    """The nights of a community whose people were all read once."""

    people: People
    server: ScriptedServer
    warehouse: Warehouse
    folder: Path
    contract: Contract

    def requests(self, day: int = 0, **options: Any) -> int:
        """The requests for people in a nightly run, ``day`` days from now."""
        self.people.requests = 0
        clock = datetime.now(UTC) + timedelta(days=day)
        result = read(
            self.server, self.warehouse, self.folder, self.contract, mode=Incremental(), clock=lambda: clock, **options
        )
        assert result.verdict == "complete"
        assert stream(result, "users").counts.requests == self.people.requests
        return self.people.requests

    def assert_true(self) -> None:
        assert column(self.warehouse, "users.display_name") == self.people.names


@pytest.fixture
def nights(request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path) -> Iterator[Nights]:
    """After a full read. The parameter: ``probe``, and whether the contract names a total and the API has it."""
    probe, is_named, totals = getattr(request, "param", (BY_TOTAL, True, True))
    paging = {"size": SIZE} | ({} if is_named else {"total": None})
    contract = contract_with({"streams": {"users": {"probe": probe, "paging": paging}}})
    people = People(totals=totals)
    with Warehouse.open(sqlite_url, "acme") as warehouse, serving(people.answer) as server:
        read(server, warehouse, tmp_path, contract)
        yield Nights(people, server, warehouse, tmp_path, contract)


@pytest.mark.parametrize(
    ("nights", "pages"),
    [((BY_TOTAL, True, True), 2), ((BY_NEWEST, True, True), 1), ((BY_NEWEST, False, False), 2)],
    ids=["total", "both", "newest"],
    indirect=["nights"],
)
def test_a_night_reads_the_pages_of_those_who_joined(nights: Nights, pages: int) -> None:
    assert nights.requests() == 1
    for name in ("Somebody new", "Another one"):
        nights.people.names[str(len(nights.people.names) + 1)] = name
        assert nights.requests() == pages
        nights.assert_true()
        assert nights.requests() == 1


@pytest.mark.parametrize(
    ("nights", "pages"), [((BY_TOTAL, True, True), 4), ((BY_NEWEST, False, False), 3)], indirect=["nights"]
)
def test_those_who_joined_may_fill_several_pages(nights: Nights, pages: int) -> None:
    nights.people.names |= {str(n): f"Person {n}" for n in range(100, 100 + 2 * SIZE)}
    assert nights.requests() == pages
    nights.assert_true()


@pytest.mark.parametrize("nights", [(BY_TOTAL, True, True), (BY_NEWEST, False, False)], indirect=True)
def test_if_very_many_joined_the_list_is_read(nights: Nights) -> None:
    nights.people.names |= {str(n): f"Person {n}" for n in range(100, 100 + 20 * SIZE)}
    assert nights.requests() > PAGES + 20
    nights.assert_true()


@pytest.mark.parametrize("new", ["10", "0"], ids=["in the middle", "at the head"])
def test_a_person_wherever_the_list_has_them_is_found(nights: Nights, new: str) -> None:
    nights.people.names = {id_: name for id_, name in nights.people.names.items() if id_ != new}
    read(nights.server, nights.warehouse, nights.folder, nights.contract)
    nights.people.names[new] = "Somebody new"
    nights.requests()
    nights.assert_true()


def test_offsets_lead_to_the_end_of_the_list_as_well(nights: Nights) -> None:
    paging = {"style": "offset", "offset_parameter": "offset", "size": SIZE, "total": {"body": ["total"]}}
    nights.contract = contract_with({"streams": {"users": {"probe": BY_TOTAL, "paging": {"!": paging}}}})
    read(nights.server, nights.warehouse, nights.folder, nights.contract)
    nights.people.names["100"] = "Somebody new"
    assert nights.requests() == 2
    nights.assert_true()


def test_somebody_who_left_is_marked_as_deleted_in_the_next_night(nights: Nights) -> None:
    del nights.people.names["7"]
    nights.requests()
    nights.assert_true()


def test_one_who_leaves_after_another_one_joined_is_noticed(nights: Nights) -> None:
    nights.people.names["100"] = "Somebody new"
    nights.requests()
    del nights.people.names["7"]  # the total is that of the last sweep again
    nights.requests()
    nights.assert_true()


def test_two_who_joined_and_one_who_left_do_not_explain_each_other(nights: Nights) -> None:
    del nights.people.names["7"]
    nights.people.names |= {"100": "Somebody new", "101": "Another one"}
    nights.requests()
    nights.assert_true()


def test_one_who_comes_back_is_no_longer_marked_as_deleted(nights: Nights) -> None:
    name = nights.people.names.pop("29")
    nights.requests()
    nights.people.names["29"] = name
    assert nights.requests() == 2
    nights.assert_true()
    assert nights.requests() == 1


@pytest.mark.parametrize("nights", [(BY_NEWEST, True, True)], indirect=True)
def test_one_who_joined_for_one_who_left_shows_in_the_newest_records(nights: Nights) -> None:
    del nights.people.names["7"]
    nights.people.names["100"] = "Somebody new"
    nights.requests()
    nights.assert_true()


def test_an_edit_shows_within_the_days_that_are_set(nights: Nights) -> None:
    nights.people.names["3"] = "Another name"
    for day in range(1, VERIFY_DAYS):
        assert nights.requests(day) == 1
    assert nights.requests(VERIFY_DAYS) == PAGES
    nights.assert_true()


def test_a_probe_that_is_refused_is_followed_by_the_list(nights: Nights) -> None:
    nights.people.fails_next = True
    assert nights.requests() == 1 + PAGES


def test_what_a_night_found_is_in_the_archive_as_a_part_of_the_list(nights: Nights, tmp_path: Path) -> None:
    """A replay loads those who joined, and does not take the others for deleted."""
    with run_archive(tmp_path / "archive", new_run_id(datetime.now(UTC)), 30, nights.contract) as archive:
        read(nights.server, nights.warehouse, nights.folder, nights.contract, archive=archive)
    nights.people.names["100"] = "Somebody new"
    with run_archive(tmp_path / "archive", new_run_id(datetime.now(UTC)), 30, nights.contract) as archive:
        assert nights.requests(archive=archive) == 2
    with Warehouse.open(f"sqlite:///{tmp_path / 'other.db'}", "acme") as replayed:
        result = replay(nights.contract, replayed, tmp_path / "archive")
        assert stream(result, "users").verdict == "complete"
        assert column(replayed, "users.display_name") == nights.people.names


@pytest.mark.parametrize("nights", [(BY_TOTAL, True, False)], indirect=True)
def test_a_total_that_never_counted_the_records_is_not_a_sign(nights: Nights) -> None:
    nights.people.totals = True
    assert nights.requests() >= PAGES


def test_a_page_that_shows_nothing_new_is_not_archived(nights: Nights, tmp_path: Path) -> None:
    with run_archive(tmp_path / "archive", new_run_id(datetime.now(UTC)), 30, nights.contract) as archive:
        assert nights.requests(archive=archive) == 1
    streams = {page.stream for page in archived(tmp_path / "archive")}
    assert "challenges" in streams
    assert "users" not in streams
