"""Servers of one API of which some are behind: what one sweep brings, the next one lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ideas_pipeline.sync.run import RunResult
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream
from ideas_pipeline_tests.end_to_end.small_api import column, read, small_api
from ideas_pipeline_tests.end_to_end.test_contradictions import warnings
from ideas_pipeline_tests.engines import on_sqlite
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received, ScriptedServer

pytestmark = on_sqlite

CONTRACT = contract_with({"limits": {"concurrency": 1}, "streams": {"users": {"paging": {"size": 3}}}})
BEHIND, NEWEST = range(1, 9), range(1, 10)


@dataclass
class Community:
    """The users that the servers have during the sweeps of a night, one after the other; the last ones stay."""

    warehouse: Warehouse
    folder: Path
    server: ScriptedServer
    of_sweeps: list[Sequence[int]] = field(default_factory=list)

    def answer(self, request: Received) -> Answer:
        page = int(request.query["page"])
        if page == 1 and len(self.of_sweeps) > 1:
            self.of_sweeps.pop(0)
        rows = [{"id": n, "display_name": f"U{n}"} for n in self.of_sweeps[0]]
        return Answer(body={"data": rows[(page - 1) * 3 : page * 3], "total": len(rows)})

    def night(self, *of_sweeps: Sequence[int]) -> RunResult:
        self.of_sweeps = [range(0), *of_sweeps]
        return read(self.server, self.warehouse, self.folder, CONTRACT)

    @property
    def people(self) -> set[int]:
        return set(map(int, column(self.warehouse, "users.id")))


@contextmanager
def community(warehouse: Warehouse, folder: Path) -> Iterator[Community]:
    with small_api({}) as server:
        made, others = Community(warehouse, folder, server), server.answer
        server.answer = lambda request: made.answer(request) if request.path == "/v2/users" else others(request)
        assert made.night(BEHIND).verdict == "complete"
        yield made


def test_a_person_whom_some_servers_do_not_have_yet_is_never_deleted(warehouse: Warehouse, tmp_path: Path) -> None:
    with community(warehouse, tmp_path) as api:
        for joined in range(3):
            newest = range(1, 10 + joined)  # a list as the warehouse knows it would be complete after one sweep
            result = api.night(newest, BEHIND)
            assert (result.verdict, stream(result, "users").counts.absent) == ("complete", 0)
            assert api.people == set(newest)
        assert api.night(newest).verdict == "complete"
        assert api.people == set(newest)


def test_a_person_who_was_deleted_between_two_sweeps_is_marked_by_the_next_run(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with community(warehouse, tmp_path) as api:
        assert stream(api.night(NEWEST, BEHIND), "users").counts.absent == 0
        assert "an earlier sweep of the same run had rows" in warnings(warehouse, "users")["contradictions"]
        assert stream(api.night(BEHIND), "users").counts.absent == 1
        assert api.people == set(BEHIND)
        assert "contradictions" not in warnings(warehouse, "users")


def test_a_person_whom_a_second_run_lacks_is_marked_while_another_vanishes(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    left = [n for n in BEHIND if n != 5]
    with community(warehouse, tmp_path) as api:
        assert stream(api.night(NEWEST, left), "users").counts.absent == 0
        assert stream(api.night([*left, 10], left), "users").counts.absent == 2
        assert api.people == {*left, 10}


def test_a_person_who_was_deleted_before_the_run_is_marked_by_it(warehouse: Warehouse, tmp_path: Path) -> None:
    with community(warehouse, tmp_path) as api:
        fewer = range(1, 8)
        assert stream(api.night(fewer), "users").counts.absent == 1
        assert api.people == set(fewer)
